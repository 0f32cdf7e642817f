// SPDX-License-Identifier: Apache-2.0
// What it costs to understand a body: the aim is 1 to 2 µs for a Converse body of 4 KiB.
#include <benchmark/benchmark.h>
#include <string>

#include "wire/understand.h"

namespace portolan::wire {
namespace {

// A conversation of short turns, with a line break every 60 bytes as prompts have them.
std::string converse_body(std::size_t bytes) {
  std::string line(60, 'x');
  line += "\\n";
  std::string body = R"({"inferenceConfig":{"maxTokens":512,"temperature":0.5},"messages":[)";
  for (bool first = true; body.size() < bytes; first = false) {
    if (!first) body += ',';
    body += R"({"role":"user","content":[{"text":")";
    for (int i = 0; i < 12; ++i) body += line;
    body += R"("}]})";
  }
  return body + "]}";
}

void understand_converse(benchmark::State& state) {
  std::string body = converse_body(static_cast<std::size_t>(state.range(0)));
  body.reserve(body.size() + body_padding);
  BodyReader reader;
  for (auto _ : state) benchmark::DoNotOptimize(reader.understand(domain::Operation::converse, body));
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * static_cast<std::int64_t>(body.size()));
}
BENCHMARK(understand_converse)->Arg(1024)->Arg(4096)->Arg(65536);

void understand_picture(benchmark::State& state) {
  std::string body = R"({"messages":[{"role":"user","content":[{"image":{"format":"png","source":{"bytes":")" +
                     std::string(static_cast<std::size_t>(state.range(0)), 'A') + R"("}}}]}]})";
  body.reserve(body.size() + body_padding);
  BodyReader reader;
  for (auto _ : state) benchmark::DoNotOptimize(reader.understand(domain::Operation::converse, body));
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * static_cast<std::int64_t>(body.size()));
}
BENCHMARK(understand_picture)->Arg(1 << 20);

void usage_of_a_reply(benchmark::State& state) {
  std::string body =
      R"({"output":{"message":{"role":"assistant","content":[{"text":")" + std::string(2000, 'x') +
      R"("}]}},"stopReason":"end_turn","usage":{"inputTokens":12,"outputTokens":34,"totalTokens":46}})";
  body.reserve(body.size() + body_padding);
  BodyReader reader;
  for (auto _ : state) benchmark::DoNotOptimize(reader.usage(domain::Operation::converse, body));
}
BENCHMARK(usage_of_a_reply);

}  // namespace
}  // namespace portolan::wire
