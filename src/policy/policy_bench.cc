// SPDX-License-Identifier: Apache-2.0
// What stop 4 costs with policies in force: 100 documents of 20 statements, 100,000 principals.
//
// static_cell and dynamic_cell are what calls pay; first_ask is what the first call of a cell pays; reference is
// the interpreted evaluator, which every call would pay without cells. Each asks for principals in random order, so
// that caches see what they would see.
#include <algorithm>
#include <benchmark/benchmark.h>
#include <chrono>
#include <malloc.h>
#include <string>
#include <vector>

#include "base/random.h"
#include "policy/compiled.h"

namespace portolan::policy {
namespace {

constexpr std::size_t principal_count = 100'000;
constexpr std::size_t documents = 100;
constexpr std::size_t statements_of_each = 20;
constexpr std::size_t identity_documents = 80;  // the rest are SCPs on three levels
constexpr std::size_t identity_of_each = 6;
constexpr std::size_t accounts = 20;
constexpr std::string_view bench_profile = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";

/// Statement `s` of document `d`: most are of other Regions and services, as in any organisation; none denies the
/// call that is measured.
std::string bench_statement(std::size_t d, std::size_t s, bool reads_request) {
  if (s == 0) return R"({"Effect":"Allow","Action":"*","Resource":"*"})";
  if (s == 1 && reads_request)
    return R"({"Effect":"Deny","Action":"bedrock:*","Resource":"*","Condition":{"NotIpAddress":{"aws:SourceIp":["10.0.0.0/8","192.0.2.0/24"]}}})";
  switch ((d + s) % 4) {
    case 0:
      return R"({"Effect":"Deny","Action":"bedrock:*","Resource":"*","Condition":{"StringEquals":{"aws:RequestedRegion":["eu-west-)" +
             std::to_string(s) + R"(","ap-south-)" + std::to_string(d) + R"("]}}})";
    case 1:
      return R"({"Effect":"Allow","Action":["bedrock:InvokeModel","bedrock:InvokeModelWithResponseStream"],"Resource":"arn:aws:bedrock:*::foundation-model/provider)" +
             std::to_string(d) + ".model" + std::to_string(s) + R"(*"})";
    case 2:
      return R"({"Effect":"Deny","Action":"s3:Put*","Resource":"arn:aws:s3:::bucket-)" + std::to_string(d) +
             R"(/*"})";
    default:
      return R"({"Effect":"Deny","Action":"bedrock:*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"team)" +
             std::to_string(d * 100 + s) + R"("}}})";
  }
}

PolicyPointer bench_policy(std::size_t d, bool reads_request) {
  std::string text = R"({"Version":"2012-10-17","Statement":[)";
  for (std::size_t s = 0; s < statements_of_each; ++s)
    text += (s > 0 ? "," : "") + bench_statement(d, s, reads_request);
  text += "]}";
  std::vector<iam::Notice> notices;
  const auto kind = d < identity_documents ? iam::PolicyKind::identity : iam::PolicyKind::service_control;
  auto parsed = iam::parse_document(text, kind, notices);
  if (!parsed) std::abort();
  return std::make_shared<const Policy>("p" + std::to_string(d) + ".json", *std::move(parsed));
}

std::string bench_account(std::size_t i) {
  return std::to_string(100'000'000'000 + i);
}

std::shared_ptr<const Organization> bench_organization(bool reads_request) {
  auto made = std::make_shared<Organization>();
  made->id = "o-exampleorgid";
  std::vector<PolicyPointer> policies;
  for (std::size_t d = 0; d < documents; ++d)
    policies.push_back(bench_policy(d, reads_request && d == documents - 1));
  made->units["prod"] = {.path = "prod", .id = "ou-examp-11112222", .attached = {}};
  for (std::size_t i = 0; i < accounts; ++i)
    made->accounts[bench_account(i)] = {.id = bench_account(i), .name = "a", .unit = "prod", .attached = {}};
  for (std::size_t d = identity_documents; d < documents; ++d) {
    Attachments& where = d % 3 == 0   ? made->units.begin()->second.attached
                         : d % 3 == 1 ? made->root
                                      : made->accounts.begin()->second.attached;
    where.service_control.push_back(policies[d]);
  }
  for (auto& [id, account] : made->accounts)
    account.attached.service_control = made->accounts.begin()->second.attached.service_control;
  // What AWS attaches everywhere.
  std::vector<iam::Notice> notices;
  const auto everything = std::make_shared<const Policy>(
      "RCPFullAWSAccess",
      iam::parse_document(
          R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]})",
          iam::PolicyKind::resource_control, notices)
          .value());
  made->root.resource_control.push_back(everything);
  made->units.begin()->second.attached.resource_control.push_back(everything);
  for (auto& [id, account] : made->accounts) account.attached.resource_control.push_back(everything);
  base::Random random(1);
  for (std::size_t i = 0; i < principal_count; ++i) {
    Principal principal{.arn = "arn:aws:iam::" + bench_account(i % accounts) + ":user/user" + std::to_string(i),
                        .tags = {{"team", "red" + std::to_string(i % 50)}},
                        .identity = {},
                        .boundary = nullptr};
    // A few hundred combinations of documents, as groups make them.
    const std::size_t group = random.below(400);
    for (std::size_t n = 0; n < identity_of_each; ++n)
      principal.identity.push_back(policies[(group * 7 + n * 13) % identity_documents]);
    made->principals.emplace(principal.arn, std::move(principal));
  }
  return made;
}

/// What malloc has given out and not had back.
std::size_t allocated_bytes() {
  const struct mallinfo2 info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

struct BenchStage {
  explicit BenchStage(bool reads_request)
      : policies(bench_organization(reads_request), domain::Catalog::builtin(), ProfileArn::application) {
    for (const auto& [arn, principal] : policies.organization().principals)
      principals.push_back({.arn = arn, .account_id = arn.substr(13, 12)});
    const domain::Profile* profile = policies.catalog()->find_profile(bench_profile);
    inference = {.operation = domain::Operation::converse,
                 .profile = profile,
                 .model = profile->model,
                 .source = policies.catalog()->find_region("us-east-1")};
    base::Random random(2);
    for (std::size_t i = 0; i < order.size(); ++i)
      order[i] = static_cast<std::uint32_t>(random.below(principal_count));
    // A gateway that has warmed up: every cell was asked for before. Measured here, for it happens once.
    const std::size_t before = allocated_bytes();
    Judgement anew;
    for (std::size_t n = 0; n < order.size(); ++n) (void)memory.judge(policies, question(n), anew);
    warmed_bytes = allocated_bytes() - before;
  }
  Question question(std::size_t i) const {
    return {.principal = principals[order[i % order.size()]],
            .inference = inference,
            .mode = Mode::strict,
            .facts = facts};
  }

  CompiledPolicies policies;
  std::vector<domain::Principal> principals;
  domain::Inference inference;
  RequestFacts facts{.source_ip = "10.1.2.3", .user_agent = "aws-sdk-js", .further = {}};
  std::vector<std::uint32_t> order = std::vector<std::uint32_t>(1 << 20);
  CellMemory memory;
  std::size_t warmed_bytes = 0;  // cells, and what one reactor remembers of them
};

BenchStage& bench_stage(bool reads_request) {
  static BenchStage fixed(false);
  static BenchStage varying(true);
  return reads_request ? varying : fixed;
}

void decide(benchmark::State& state, bool reads_request) {
  BenchStage& stage = bench_stage(reads_request);
  Judgement anew;
  std::vector<std::int64_t> each;
  each.reserve(1 << 18);
  std::size_t i = 0;
  for (auto _ : state) {
    const Judgement& judgement = stage.memory.judge(stage.policies, stage.question(i++), anew);
    if (!judgement.is_allowed()) state.SkipWithError("denied");
    benchmark::DoNotOptimize(&judgement);
  }
  // One by one, for the distribution: the clock's own cost (about 25 ns) is in it.
  for (std::size_t n = 0; n < (1u << 18); ++n) {
    const auto begun = std::chrono::steady_clock::now();
    benchmark::DoNotOptimize(&stage.memory.judge(stage.policies, stage.question(i++), anew));
    each.push_back((std::chrono::steady_clock::now() - begun).count());
  }
  std::ranges::sort(each);
  state.counters["p50_ns"] = static_cast<double>(each[each.size() / 2]);
  state.counters["p99_ns"] = static_cast<double>(each[each.size() * 99 / 100]);
  state.counters["cells"] = static_cast<double>(stage.policies.cells());
  state.counters["classes"] = static_cast<double>(stage.policies.classes());
  state.counters["memory_MiB"] = static_cast<double>(stage.warmed_bytes) / (1 << 20);
}

void static_cell(benchmark::State& state) {
  decide(state, false);
}
BENCHMARK(static_cell);

void dynamic_cell(benchmark::State& state) {
  decide(state, true);
}
BENCHMARK(dynamic_cell);

void reference(benchmark::State& state) {
  const BenchStage& stage = bench_stage(true);
  std::size_t i = 0;
  for (auto _ : state) {
    const Judgement judgement = stage.policies.judge(stage.question(i++));
    if (!judgement.is_allowed()) state.SkipWithError("denied");
    benchmark::DoNotOptimize(judgement.allowed);
  }
}
BENCHMARK(reference)->Unit(benchmark::kMicrosecond);

/// The first call of a principal after the policies changed: its class is found, and mostly its cell with it.
void first_ask(benchmark::State& state) {
  const BenchStage& stage = bench_stage(false);
  const CompiledPolicies fresh(bench_organization(false), stage.policies.catalog(), ProfileArn::application);
  std::size_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(&fresh.cell(stage.question(i++)));
}
BENCHMARK(first_ask)->Unit(benchmark::kMicrosecond)->Iterations(20'000);

}  // namespace
}  // namespace portolan::policy
