// SPDX-License-Identifier: Apache-2.0
// What a record costs: writing it, and taking it to stable storage with 64 calls in flight on the real disk. The
// second counts the CPU of the whole process, the writer's and the kernel's included (cpu_us).
#include <array>
#include <atomic>
#include <benchmark/benchmark.h>
#include <cstdlib>
#include <filesystem>
#include <sys/resource.h>
#include <unistd.h>

#include "trail/record.h"
#include "trail/segment.h"
#include "trail/trail.h"

namespace portolan::trail {
namespace {

const domain::Principal alice{.arn = "arn:aws:iam::111122223333:user/alice",
                              .user_name = "alice",
                              .account_id = "111122223333",
                              .tenant = "research",
                              .access_key_id = "AKIDEXAMPLE",
                              .key_id = "research/alice",
                              .kind = domain::CredentialKind::sigv4};

/// A served Converse call through a geographic profile of eight Regions.
CallFacts usual_call() {
  static const auto catalog = domain::Catalog::builtin();
  static const domain::Usage usage{.input_tokens = 900, .output_tokens = 300, .known = true};
  static const std::array<domain::Attempt, 1> attempts{{{.region = 1,
                                                         .first_byte = base::from_ms(300),
                                                         .duration = base::from_ms(900),
                                                         .upstream_status = 200,
                                                         .served = true}}};
  CallFacts facts;
  facts.call_id = "0b6f2c1e-5a5c-4f0e-9d1e-5d1c3f6a7b80";
  facts.event_id = "7d6f2c1e-5a5c-4f0e-9d1e-5d1c3f6a7b81";
  facts.began = base::WallTime{base::microseconds{1'795'302'307'000'000}};
  facts.duration = base::from_ms(901);
  facts.first_byte = base::from_ms(301);
  facts.operation = domain::Operation::converse;
  facts.principal = &alice;
  facts.source_region = "eu-central-1";
  facts.inference_region = "eu-west-3";
  facts.source_ip = "192.0.2.1";
  facts.user_agent =
      "aws-sdk-js/3.1163.0 ua/2.1 os/linux#6.1 lang/js md/nodejs#20.19.0 api/bedrock-runtime#3.1163.0 m/E,n";
  facts.host_header = "localhost:8080";
  facts.http_version = "2";
  facts.requested_model = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0";
  facts.profile_id = facts.requested_model;
  facts.profile_kind = "geographic";
  facts.model_id = "anthropic.claude-sonnet-4-5-20250929-v1:0";
  facts.usage = &usage;
  facts.input_tokens_estimated = 880;
  facts.output_tokens_max = 1024;
  facts.policy_version = "0123456789ab";
  facts.sdk_invocation_id = "11111111-2222-4333-8444-555555555555";
  facts.allowed = domain::RegionMask::from_bits(0xff);
  facts.attempts = attempts;
  facts.catalog = catalog.get();
  return facts;
}

void WriteRecord(benchmark::State& state) {
  const CallFacts facts = usual_call();
  std::string out;
  for (auto _ : state) {
    out.clear();
    write_record(facts, out);
    benchmark::DoNotOptimize(out.data());
  }
  state.counters["bytes"] = static_cast<double>(out.size());
}
BENCHMARK(WriteRecord);

void ChecksumOfARecord(benchmark::State& state) {
  const std::string record(1400, 'x');
  for (auto _ : state) benchmark::DoNotOptimize(crc32c(record));
}
BENCHMARK(ChecksumOfARecord);

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// One thread keeps `range` records in flight, as a reactor does: it appends anew what a group brought back.
void AppendUntilDurable(benchmark::State& state) {
  std::string directory = (std::filesystem::current_path() / "trail-bench-XXXXXX").string();
  if (::mkdtemp(directory.data()) == nullptr) return state.SkipWithError("no directory to write to");
  {
    const auto disk = world::real_disk();
    std::vector<Entry> entries(static_cast<std::size_t>(state.range(0)));
    std::vector<Entry*> back;
    std::mutex mutex;
    std::condition_variable some_back;
    auto trail = Trail::open({.directory = directory}, *disk, [&](std::span<Entry*> group) {
      const std::lock_guard lock(mutex);
      back.insert(back.end(), group.begin(), group.end());
      some_back.notify_one();
    });
    if (!trail) return state.SkipWithError(trail.error().message.c_str());
    for (Entry& entry : entries) {
      write_record(usual_call(), entry.json);
      back.push_back(&entry);
    }
    std::vector<Entry*> ready;
    const double before = cpu_seconds();
    std::int64_t records = 0;
    for (auto _ : state) {
      {
        std::unique_lock lock(mutex);
        some_back.wait(lock, [&] { return !back.empty(); });
        ready.swap(back);
      }
      for (Entry* entry : ready) (*trail)->append(entry);
      records += static_cast<std::int64_t>(ready.size());
      ready.clear();
    }
    (*trail)->flush();
    state.SetItemsProcessed(records);
    state.counters["cpu_us"] = (cpu_seconds() - before) * 1e6 / static_cast<double>(records);
    state.counters["group"] =
        static_cast<double>((*trail)->records_durable()) / static_cast<double>((*trail)->groups());
  }
  std::filesystem::remove_all(directory);
}
BENCHMARK(AppendUntilDurable)->Arg(1)->Arg(64)->Arg(256)->UseRealTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace portolan::trail
