// SPDX-License-Identifier: Apache-2.0
#include "policy/unused.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "policy/lint.h"
#include "policy/replay.h"
#include "policy/test_lint_sets.h"
#include "policy/test_organization.h"

namespace portolan::policy {
namespace {

using domain::RecordedCall;
using nlohmann::json;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr const char* used_model = "anthropic.claude-sonnet-4-5-20250929-v1:0";
const std::string used_profile = std::string("us.") + used_model;
constexpr const char* bare_model = "amazon.nova-lite-v1:0";
constexpr const char* app_role = "arn:aws:iam::111122223333:role/service/app";

RecordedCall served(std::string called, std::string source = "us-east-1", std::string region = "us-east-2") {
  const bool is_profile = called != bare_model;
  RecordedCall call{.id = "call",
                    .operation = domain::Operation::converse,
                    .principal = std::string{alice},
                    .account = "111122223333",
                    .source = std::move(source),
                    .profile = is_profile ? called : "",
                    .model = is_profile ? called.substr(called.find('.') + 1) : called,
                    .source_ip = "10.1.2.3",
                    .user_agent = "sdk",
                    .service_tier = "",
                    .mode = "strict",
                    .outcome = RecordedCall::Outcome::served,
                    .inference_region = std::move(region)};
  base::parse_time("2026-11-21T10:00:00Z", call.at);
  return call;
}

struct Found {
  Organization organization;
  Unused unused;
  std::vector<TightenedPolicy> tightened;

  json document(const std::string& name) const {
    for (const TightenedPolicy& policy : tightened)
      if (policy.name == name) return policy.text.empty() ? json() : json::parse(policy.text);
    ADD_FAILURE() << name << " is not tightened";
    return {};
  }
};

Found found_in(Organization organization, const std::vector<RecordedCall>& calls,
               const UnusedOptions& options = {}) {
  Uses uses(domain::Catalog::builtin(), options.mode);
  for (const RecordedCall& call : calls) uses.add(call);
  Found found{.organization = std::move(organization), .unused = {}, .tightened = {}};
  found.unused = find_unused(found.organization, uses, options);
  found.tightened = tighten(found.organization, found.unused);
  return found;
}

constexpr const char* allow_inference =
    R"("Sid":"Run","Effect":"Allow","Action":"bedrock:InvokeModel*","Resource":"*")";

const UnusedGrant* grant_of(const Unused& unused, std::string_view principal, std::string_view called,
                            std::string_view action) {
  for (const UnusedGrant& grant : unused.grants)
    if (grant.principal == principal && grant.called.id() == called && grant.action == action) return &grant;
  return nullptr;
}

TEST(Unused, NamesWhatIsAllowedAndWasNeverCalled) {
  const Found found =
      found_in(organization_of({.identity = document_of({allow_inference})}), {served(used_profile)});
  const auto catalog = domain::Catalog::builtin();
  const UnusedGrant* used = grant_of(found.unused, alice, used_profile, "bedrock:InvokeModel");
  ASSERT_NE(used, nullptr);
  EXPECT_EQ(used->calls, 1u);
  EXPECT_FALSE(used->sources.contains(catalog->find_region("us-east-1"))) << "it was called from there";
  EXPECT_TRUE(used->sources.contains(catalog->find_region("us-west-2")));
  EXPECT_FALSE(used->destinations.contains(catalog->find_region("us-east-2"))) << "it ran there";
  EXPECT_TRUE(used->destinations.contains(catalog->find_region("us-west-2")));
  EXPECT_THAT(used->granted_by, ElementsAre("identity.json:2"));
  const UnusedGrant* streams = grant_of(found.unused, alice, used_profile, "bedrock:InvokeModelWithResponseStream");
  ASSERT_NE(streams, nullptr);
  EXPECT_EQ(streams->calls, 0u);
  EXPECT_TRUE(streams->sources.contains(catalog->find_region("us-east-1")));
  EXPECT_NE(grant_of(found.unused, alice, bare_model, "bedrock:InvokeModel"), nullptr);
  EXPECT_THAT(found.unused.never_called, ElementsAre(app_role));
}

TEST(Unused, DoesNotCountWhatWasDeniedAndCountsWhatARegionFailed) {
  RecordedCall denied = served(used_profile);
  denied.outcome = RecordedCall::Outcome::denied;
  RecordedCall failed = served("us.anthropic.claude-haiku-4-5-20251001-v1:0");
  failed.outcome = RecordedCall::Outcome::failed;
  failed.inference_region.clear();
  failed.tried = {"us-west-2"};
  Uses uses(domain::Catalog::builtin());
  uses.add(denied);
  uses.add(failed);
  RecordedCall gone = served("ours.of-last-year");
  uses.add(gone);
  EXPECT_THAT(uses.cells(), SizeIs(1));
  EXPECT_EQ(uses.calls(), 2u);
  EXPECT_THAT(uses.not_in_catalog(), SizeIs(1));
}

TEST(Unused, TellsEveryAllowThatNoCallNeeded) {
  SmallSet set{
      .account_scp = document_of({R"("Sid":"Bedrock","Effect":"Allow","Action":"bedrock:*","Resource":"*")",
                                  R"("Sid":"Storage","Effect":"Allow","Action":"s3:*","Resource":"*")"}),
      .identity = document_of({allow_inference, R"("Sid":"Titan","Effect":"Allow",
                 "Action":"bedrock:InvokeModel","Resource":"arn:aws:bedrock:*::foundation-model/amazon.titan*")"})};
  const Found found = found_in(organization_of(set), {served(used_profile)});
  std::map<std::string, std::uint64_t> calls;
  for (const StatementUse& use : found.unused.statements) calls[use.statement().sid] = use.calls;
  EXPECT_GT(calls.at("Run"), 0u);
  EXPECT_EQ(calls.at("Titan"), 0u);
  EXPECT_GT(calls.at("Bedrock"), 0u);
  EXPECT_EQ(calls.at("Storage"), 0u);
}

TEST(Unused, TakesConditionsOnTheRequestAsMet) {
  const Found found = found_in(
      organization_of({.identity = document_of({R"("Effect":"Allow","Action":"bedrock:InvokeModel","Resource":"*",
        "Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}})"})}),
      {served(used_profile)});
  EXPECT_NE(grant_of(found.unused, alice, bare_model, "bedrock:InvokeModel"), nullptr);
  EXPECT_THAT(found.unused.denied_by_now, IsEmpty());
}

TEST(Unused, SaysWhatOlderPoliciesAllowedAndTheseDoNot) {
  const Found found =
      found_in(organization_of({.identity = document_of({R"("Effect":"Allow","Action":"s3:*","Resource":"*")"})}),
               {served(used_profile)});
  ASSERT_THAT(found.unused.denied_by_now, SizeIs(1));
  EXPECT_EQ(found.unused.denied_by_now.front().cell.called, used_profile);
  EXPECT_THAT(found.unused.never_called, ElementsAre(app_role)) << "alice did call";
}

TEST(Tightened, HasTheActionsResourcesAndProfilesThatWereUsed) {
  const Found found =
      found_in(organization_of({.identity = document_of({allow_inference})}), {served(used_profile)});
  const json document = found.document("identity.json");
  const std::string profile_arn = "arn:aws:bedrock:us-east-1:111122223333:inference-profile/" + used_profile;
  const std::string models = "::foundation-model/" + std::string(used_model);
  const json profile{
      {"Sid", "Run"}, {"Effect", "Allow"}, {"Action", "bedrock:InvokeModel"}, {"Resource", profile_arn}};
  const json through{{"Sid", "Run2"},
                     {"Effect", "Allow"},
                     {"Action", "bedrock:InvokeModel"},
                     {"Resource",
                      {"arn:aws:bedrock:us-east-1" + models, "arn:aws:bedrock:us-east-2" + models,
                       "arn:aws:bedrock:us-west-2" + models}},
                     {"Condition", {{"StringEquals", {{"bedrock:InferenceProfileArn", profile_arn}}}}}};
  EXPECT_EQ(document["Statement"], (json{profile, through}));
}

TEST(Tightened, KeepsConditionsDeniesAndActionsOfOtherKinds) {
  const Found found = found_in(
      organization_of({.identity = document_of(
                           {R"("Sid":"Mixed","Effect":"Allow","Action":["s3:GetObject","bedrock:InvokeModel"],
                              "Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}})",
                            R"("Sid":"Not","Effect":"Deny","Action":"bedrock:*","Resource":"*",
                              "Condition":{"StringEquals":{"bedrock:ServiceTier":"priority"}})"})}),
      {served(bare_model, "us-east-1", "us-east-1")});
  const json document = found.document("identity.json");
  ASSERT_EQ(document["Statement"].size(), 3u);
  EXPECT_EQ(document["Statement"][0]["Action"], "s3:GetObject");
  EXPECT_EQ(document["Statement"][0]["Resource"], "*");
  EXPECT_EQ(document["Statement"][1]["Resource"],
            "arn:aws:bedrock:us-east-1::foundation-model/" + std::string(bare_model));
  EXPECT_EQ(document["Statement"][1]["Condition"], (json{{"IpAddress", {{"aws:SourceIp", "10.0.0.0/8"}}}}));
  EXPECT_EQ(document["Statement"][2]["Sid"], "Not");
}

TEST(Tightened, KeepsADirectUseApartFromTheUseThroughAProfile) {
  std::string through;
  for (const auto& profile : domain::Catalog::builtin()->profiles())
    if (profile->model->id == bare_model &&
        profile->sources.contains(domain::Catalog::builtin()->find_region("us-east-1")))
      through = profile->id;
  ASSERT_FALSE(through.empty());
  RecordedCall by_profile = served(through);
  by_profile.model = bare_model;
  const Found found = found_in(organization_of({.identity = document_of({allow_inference})}),
                               {served(bare_model, "us-east-1", "us-east-1"), by_profile});
  std::string unbound;
  for (const json& statement : found.document("identity.json")["Statement"])
    if (!statement.contains("Condition")) unbound += statement["Resource"].dump();
  EXPECT_THAT(unbound, HasSubstr("us-east-1::foundation-model/" + std::string(bare_model)));
  EXPECT_THAT(unbound, Not(HasSubstr("us-east-2::foundation-model"))) << "only the profile goes there";
}

TEST(Tightened, OfADocumentThatNobodyUsedIsNothingAndItLeavesTheLists) {
  SetFiles files = files_of({.identity = document_of({allow_inference})});
  std::string& yaml = files.find(organization_file)->second;
  const std::string list = "policies: [identity.json]";
  yaml.replace(yaml.find(list), list.size(), "policies: [\"more.json\", identity.json, other.json]");
  yaml.replace(yaml.find(list), list.size(), "policies:\n      - more.json   # for later\n    boundary: edge.json");
  for (const char* name : {"more.json", "other.json"})
    files[name] = document_of({R"("Effect":"Allow","Action":"bedrock:InvokeModel",
                                  "Resource":"arn:aws:bedrock:*::foundation-model/amazon.titan*")"});
  files["edge.json"] = document_of({allow_inference});
  const Found found = found_in(loaded(files), {served(used_profile)});
  EXPECT_TRUE(found.document("more.json").is_null());
  const auto tightened = tightened_files(found.organization, found.tightened);
  ASSERT_TRUE(tightened) << tightened.error().message;
  EXPECT_FALSE(tightened->contains("more.json"));
  const Organization after = loaded(*tightened);
  EXPECT_THAT(after.principals.find(alice)->second.identity, SizeIs(1));
  EXPECT_THAT(after.principals.find(app_role)->second.identity, IsEmpty());
  EXPECT_NE(after.principals.find(app_role)->second.boundary, nullptr);
  EXPECT_THAT(tightened->find(organization_file)->second, HasSubstr("policies: []"));
}

TEST(Tightened, IsShortEnoughForAManagedPolicyHoweverMuchWasUsed) {
  const auto catalog = domain::Catalog::builtin();
  std::vector<RecordedCall> calls;
  for (const auto& profile : catalog->profiles())
    for (const domain::RegionIndex source : profile->sources) {
      RecordedCall call = served(profile->id, catalog->region(source).name);
      call.model = profile->model->id;
      calls.push_back(call);
    }
  const Found found = found_in(organization_of({.identity = document_of({allow_inference})}), calls);
  const json document = found.document("identity.json");
  EXPECT_EQ(document["Statement"].size(), 1u);
  EXPECT_EQ(document["Statement"][0]["Resource"], "*");
  EXPECT_EQ(document["Statement"][0]["Action"], "bedrock:InvokeModel");
}

/// For every healthy set: random calls that it allows are recorded, and replayed under the tightened set.
class TightenedSets : public testing::TestWithParam<std::string> {};

std::string principal_for(const Principal& entry) {
  return entry.is_pattern() ? entry.arn.substr(0, entry.arn.size() - 1) + "one" : entry.arn;
}

/// Up to 60 calls that the set allows, as the gateway would have recorded them.
std::vector<RecordedCall> random_served(const std::shared_ptr<const Organization>& organization,
                                        base::Random& random) {
  static constexpr std::array<std::string_view, 3> addresses{"10.1.2.3", "192.0.2.7", "203.0.113.9"};
  static constexpr std::array<std::string_view, 3> tiers{"", "priority", "flex"};
  const auto catalog = domain::Catalog::builtin();
  Replay replay(organization, catalog, {});
  std::vector<const Principal*> principals;
  for (const auto& [arn, principal] : organization->principals) principals.push_back(&principal);
  std::vector<RecordedCall> calls;
  for (int i = 0; i < 6000 && calls.size() < 60; ++i) {
    const domain::Profile& profile = *catalog->profiles()[random.below(catalog->profiles().size())];
    std::vector<domain::RegionIndex> sources;
    for (const domain::RegionIndex source : profile.sources) sources.push_back(source);
    RecordedCall call = served(profile.id, catalog->region(sources[random.below(sources.size())]).name);
    call.model = profile.model->id;
    call.principal = principal_for(*principals[random.below(principals.size())]);
    call.account = std::string{principal_name(call.principal)->account};
    if (random.below(3) == 0) call.operation = domain::Operation::converse_stream;
    if (random.below(2) == 0) call.mode = "subset";
    call.source_ip = addresses[random.below(addresses.size())];
    call.service_tier = tiers[random.below(tiers.size())];
    call.secure_transport = random.below(2) == 0;
    const ReplayedCall replayed = replay.judge(call);
    if (replayed.allowed.empty()) continue;
    call.inference_region = replayed.allowed[random.below(replayed.allowed.size())];
    calls.push_back(std::move(call));
  }
  return calls;
}

TEST_P(TightenedSets, AllowEveryServedCallPassLintAndGrantNothingNew) {
  const auto organization = std::make_shared<const Organization>(loaded(set_files("healthy", GetParam())));
  const auto catalog = domain::Catalog::builtin();
  std::size_t narrowed = 0;
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    base::Random random(seed);
    const std::vector<RecordedCall> calls = random_served(organization, random);
    const Found found = found_in(*organization, calls);
    EXPECT_THAT(found.unused.denied_by_now, IsEmpty());
    const auto files = tightened_files(*organization, found.tightened);
    ASSERT_TRUE(files) << files.error().message;
    const auto tightened = std::make_shared<const Organization>(loaded(*files));
    narrowed += found.tightened.size();

    Replay replay(tightened, catalog, {});
    for (const RecordedCall& call : calls)
      EXPECT_THAT(replay.judge(call).allowed, Contains(call.inference_region))
          << call.principal << " " << call.profile << " from " << call.source << "\n"
          << files->find(found.tightened.empty() ? organization_file : std::string_view{found.tightened[0].name})
                 ->second;
    for (const Finding& finding : lint(*tightened, *catalog))
      EXPECT_NE(finding.severity, Severity::error) << finding_text(finding);
    for (const CellChange& change : changed_cells(*organization, *tightened, *catalog, {}))
      EXPECT_FALSE(change.is_granted) << change.principal << " " << change.called.id();
  }
  EXPECT_GT(narrowed, 0u);
}
INSTANTIATE_TEST_SUITE_P(Healthy, TightenedSets, testing::ValuesIn(set_names("healthy")), [](const auto& each) {
  std::string name = each.param;
  std::ranges::replace(name, '-', '_');
  return name;
});

}  // namespace
}  // namespace portolan::policy
