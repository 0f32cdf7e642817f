// SPDX-License-Identifier: Apache-2.0
// What the wire costs a call: one request head, one response head, one written head, one event frame each way.
#include <benchmark/benchmark.h>

#include "wire/event_stream.h"
#include "wire/http.h"
#include "wire/target.h"

namespace {

using namespace portolan;

// As the AWS SDK for JavaScript sends it over HTTP/1.1.
constexpr std::string_view request =
    "POST /model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse HTTP/1.1\r\n"
    "accept: application/json\r\ncontent-type: application/json\r\ncontent-length: 4096\r\n"
    "amz-sdk-invocation-id: 0d0b4f3e-6f2c-4b0e-9a39-2f3b7a5c1d10\r\namz-sdk-request: attempt=1; max=3\r\n"
    "host: 127.0.0.1:8080\r\nx-amz-date: 20261121T234050Z\r\n"
    "x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\r\n"
    "x-amz-user-agent: aws-sdk-js/3.1163.0\r\nuser-agent: aws-sdk-js/3.1163.0 os/linux lang/js "
    "md/nodejs#20.19.0\r\n"
    "authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261121/us-east-1/bedrock/aws4_request, "
    "SignedHeaders=accept;amz-sdk-invocation-id;amz-sdk-request;content-length;content-type;host;x-amz-content-"
    "sha256;"
    "x-amz-date;x-amz-user-agent, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7\r\n"
    "connection: keep-alive\r\n\r\n";

constexpr std::string_view response =
    "HTTP/1.1 200 OK\r\ndate: Sat, 21 Nov 2026 23:40:50 GMT\r\ncontent-type: application/json\r\n"
    "content-length: 2048\r\nconnection: keep-alive\r\nx-amzn-requestid: "
    "0d0b4f3e-6f2c-4b0e-9a39-2f3b7a5c1d10\r\n\r\n";

void BM_ReadRequestHead(benchmark::State& state) {
  wire::RequestHead head;
  for (auto _ : state) {
    std::size_t searched = 0;
    benchmark::DoNotOptimize(wire::read_request_head(request, 16384, searched, head).value());
  }
}
BENCHMARK(BM_ReadRequestHead);

void BM_ReadResponseHead(benchmark::State& state) {
  wire::ResponseHead head;
  for (auto _ : state) {
    std::size_t searched = 0;
    benchmark::DoNotOptimize(wire::read_response_head(response, 16384, searched, head).value());
  }
}
BENCHMARK(BM_ReadResponseHead);

void BM_ReadTarget(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        wire::read_target("POST", "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse").value());
  }
}
BENCHMARK(BM_ReadTarget);

void BM_AppendResponseHead(benchmark::State& state) {
  std::string out;
  for (auto _ : state) {
    out.clear();
    wire::append_status_line(out, 200);
    wire::append_field(out, "content-type", "application/json");
    wire::append_field(out, "content-length", std::uint64_t{2048});
    wire::append_field(out, "x-portolan-inference-region", "eu-central-1");
    wire::append_blank_line(out);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(BM_AppendResponseHead);

void BM_EventFrame(benchmark::State& state) {
  const std::string payload(static_cast<std::size_t>(state.range(0)), 'a');
  std::string out;
  for (auto _ : state) {
    out.clear();
    wire::append_event_frame(out, "contentBlockDelta", payload);
    benchmark::DoNotOptimize(wire::read_frame(out).value());
  }
}
BENCHMARK(BM_EventFrame)->Arg(120)->Arg(4096);

}  // namespace
