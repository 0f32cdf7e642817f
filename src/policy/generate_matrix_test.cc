// SPDX-License-Identifier: Apache-2.0
// What is generated, judged by the reference evaluation over every (profile, source Region) of the catalog: it
// allows the calls that were ordered, and no other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/cross_region.h"
#include "policy/generate.h"
#include "policy/lint.h"
#include "policy/test_lint_sets.h"

namespace portolan::policy {
namespace {

using domain::Profile;
using domain::ProfileKind;
using domain::RegionIndex;
using domain::RegionMask;

constexpr const char* matrix_account = "111122223333";
constexpr const char* allow_all =
    R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]})";

class GenerateMatrix : public testing::Test {
 protected:
  /// An organisation with one role, which has these policies, below one root, which has these SCPs.
  static SetFiles set_of(const std::vector<GeneratedPolicy>& policies, const std::string& partition) {
    SetFiles files;
    std::string identity;
    std::string scps = "FullAWSAccess";
    for (const GeneratedPolicy& policy : policies) {
      const std::string file = policy.name + ".json";
      files.emplace(file, policy.text);
      if (policy.kind == iam::PolicyKind::service_control)
        scps += ", " + file;
      else
        identity += (identity.empty() ? "" : ", ") + file;
    }
    if (identity.empty()) {
      identity = "everything.json";
      files.emplace(identity, allow_all);
    }
    files.emplace(std::string(organization_file),
                  std::string("version: 1\nroot:\n  scps: [") + scps + "]\naccounts:\n  - id: \"" + matrix_account +
                      "\"\nprincipals:\n  - arn: arn:" + partition + ":iam::" + matrix_account +
                      ":role/app\n    policies: [" + identity + "]\n");
    return files;
  }

  static std::string role(const std::string& partition) {
    return "arn:" + partition + ":iam::" + matrix_account + ":role/app";
  }

  /// Judges every call of `partition` and holds it against what `is_wanted` says. `calls` counts those allowed.
  template <class IsWanted>
  int expect_exactly(const SetFiles& files, const std::string& partition, std::string_view action,
                     IsWanted is_wanted) {
    const Organization organization = loaded(files);
    const std::string principal = role(partition);
    const auto in_force = InForce::of(organization, principal);
    if (!in_force) return ADD_FAILURE() << in_force.error().message, 0;
    int allowed = 0;
    const auto judge_one = [&](const Target& target, const std::string& what) {
      if (catalog_->region(target.source).partition != partition) return;
      const InferenceCall call{.principal = principal, .account = {}, .action = action, .target = target};
      const bool is_allowed = judge(call, Mode::strict, organization, *in_force, *catalog_).is_allowed();
      allowed += is_allowed ? 1 : 0;
      EXPECT_EQ(is_allowed, is_wanted(target)) << what << " from " << catalog_->region(target.source).name;
    };
    for (const auto& profile : catalog_->profiles())
      for (const RegionIndex source : profile->sources)
        judge_one({.profile = profile.get(), .model = profile->model, .source = source}, profile->id);
    for (const auto& model : catalog_->models())
      for (const RegionIndex source : model->in_region)
        judge_one({.profile = nullptr, .model = model.get(), .source = source}, model->id);
    return allowed;
  }

  RegionMask of_partition(RegionMask mask, const std::string& partition) const {
    RegionMask kept;
    for (const RegionIndex region : mask)
      if (catalog_->region(region).partition == partition) kept.add(region);
    return kept;
  }

  std::vector<GeneratedPolicy> generated(const std::vector<ProfileUse>& uses, std::vector<std::string> actions,
                                         WhenTooLong when_too_long = WhenTooLong::merge) {
    auto policies = generate_identity(*catalog_, {.name = "inference",
                                                  .account = matrix_account,
                                                  .uses = uses,
                                                  .actions = std::move(actions),
                                                  .when_too_long = when_too_long});
    if (!policies) ADD_FAILURE() << policies.error().message;
    return policies ? *std::move(policies) : std::vector<GeneratedPolicy>{};
  }

  void expect_no_finding(const SetFiles& files) {
    const std::vector<Finding> findings = lint(loaded(files), *catalog_);
    EXPECT_THAT(findings, testing::IsEmpty()) << in_words(findings);
  }

  std::shared_ptr<const domain::Catalog> catalog_ = domain::Catalog::builtin();
};

TEST_F(GenerateMatrix, AllowsEveryProfileFromItsSourcesAndNothingElse) {
  for (const auto& profile : catalog_->profiles())
    for (const std::string partition : {"aws", "aws-us-gov"}) {
      const RegionMask sources = of_partition(profile->sources, partition);
      if (sources.empty()) continue;
      SCOPED_TRACE(profile->id);
      const SetFiles files = set_of(generated({{profile.get(), sources}}, {"bedrock:InvokeModel"}), partition);
      expect_no_finding(files);
      const int allowed = expect_exactly(files, partition, "bedrock:InvokeModel", [&](const Target& target) {
        return target.profile == profile.get() && sources.contains(target.source);
      });
      EXPECT_EQ(allowed, sources.size());
    }
}

TEST_F(GenerateMatrix, AllowsEachProfileFromOneSourceAloneWithBothActions) {
  for (const auto& profile : catalog_->profiles()) {
    const RegionIndex source = *profile->sources.begin();
    const std::string& partition = catalog_->region(source).partition;
    SCOPED_TRACE(profile->id);
    const SetFiles files = set_of(generated({{profile.get(), RegionMask::of(source)}},
                                            {"bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"}),
                                  partition);
    expect_no_finding(files);
    EXPECT_EQ(expect_exactly(
                  files, partition, "bedrock:InvokeModelWithResponseStream",
                  [&](const Target& target) { return target.profile == profile.get() && target.source == source; }),
              1);
  }
}

TEST_F(GenerateMatrix, AllowsNoStreamsThatWereNotOrdered) {
  const Profile* profile = catalog_->find_profile("us.anthropic.claude-sonnet-4-5-20250929-v1:0");
  const SetFiles files = set_of(generated({{profile, profile->sources}}, {"bedrock:InvokeModel"}), "aws");
  EXPECT_EQ(
      expect_exactly(files, "aws", "bedrock:InvokeModelWithResponseStream", [](const Target&) { return false; }),
      0);
}

TEST_F(GenerateMatrix, AllowsTheSameWhetherALongPolicyIsMergedOrSplit) {
  std::vector<ProfileUse> uses;
  int wanted = 0;
  for (const auto& profile : catalog_->profiles()) {
    if (!profile->id.starts_with("eu.") && !profile->id.starts_with("apac.") &&
        profile->id != "global.amazon.nova-2-lite-v1:0")
      continue;
    uses.push_back({profile.get(), profile->sources});
    wanted += profile->sources.size();
  }
  const auto is_wanted = [&](const Target& target) {
    return std::ranges::any_of(uses, [&](const ProfileUse& use) { return use.profile == target.profile; });
  };
  for (const WhenTooLong way : {WhenTooLong::merge, WhenTooLong::split}) {
    const std::vector<GeneratedPolicy> policies = generated(uses, {"bedrock:InvokeModel"}, way);
    ASSERT_FALSE(policies.empty());
    const std::size_t most_of_a_role = 25;
    ASSERT_LE(policies.size(), most_of_a_role);
    EXPECT_EQ(expect_exactly(set_of(policies, "aws"), "aws", "bedrock:InvokeModel", is_wanted), wanted);
  }
}

TEST_F(GenerateMatrix, DeniesGlobalInferenceAndNothingElse) {
  const auto guardrail =
      generate_guardrail(*catalog_, {.name = "deny-global", .denies = Guardrail::global, .regions = {}});
  ASSERT_TRUE(guardrail);
  expect_exactly(set_of({*guardrail}, "aws"), "aws", "bedrock:InvokeModel", [](const Target& target) {
    return target.profile == nullptr || target.profile->kind != ProfileKind::global;
  });
}

TEST_F(GenerateMatrix, DeniesAllCrossRegionInferenceAndLeavesDirectCalls) {
  const auto guardrail =
      generate_guardrail(*catalog_, {.name = "deny-profiles", .denies = Guardrail::cross_region, .regions = {}});
  ASSERT_TRUE(guardrail);
  const int direct = expect_exactly(set_of({*guardrail}, "aws"), "aws", "bedrock:InvokeModelWithResponseStream",
                                    [](const Target& target) { return target.profile == nullptr; });
  EXPECT_GT(direct, 5);
}

TEST_F(GenerateMatrix, DeniesRegionsOutsideAListAndGlobalAsOrdered) {
  for (const bool allow_global : {false, true}) {
    GuardrailOrder order{.name = "deny-regions",
                         .denies = Guardrail::regions,
                         .regions = {"us-east-1", "us-east-2", "us-west-2"},
                         .allow_global = allow_global};
    const auto guardrail = generate_guardrail(*catalog_, order);
    ASSERT_TRUE(guardrail);
    RegionMask list;
    for (const std::string& region : order.regions) list.add(catalog_->find_region(region));
    const int allowed =
        expect_exactly(set_of({*guardrail}, "aws"), "aws", "bedrock:InvokeModel", [&](const Target& target) {
          if (!list.contains(target.source)) return false;
          if (target.profile == nullptr) return true;
          if (target.profile->kind == ProfileKind::global) return allow_global;
          return (target.profile->destinations_from(target.source) - list).empty();
        });
    EXPECT_GT(allowed, 30);
    const auto findings = lint_document("scp.json", guardrail->text, iam::PolicyKind::service_control, *catalog_);
    ASSERT_TRUE(findings);
    for (const Finding& finding : *findings) EXPECT_NE(finding.severity, Severity::error) << finding_text(finding);
  }
}

}  // namespace
}  // namespace portolan::policy
