// SPDX-License-Identifier: Apache-2.0
// What each freeze stops, and what it leaves alone.
#include "policy/rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace portolan::policy {
namespace {

using domain::Freeze;
using domain::FreezeScope;
using testing::HasSubstr;
using namespace std::chrono_literals;

class FrozenCalls : public testing::Test {
 protected:
  domain::Inference by_profile(std::string_view id, std::string_view source = "us-east-1") const {
    const domain::Profile* profile = catalog->find_profile(id);
    EXPECT_NE(profile, nullptr) << id;
    return {.operation = domain::Operation::converse,
            .profile = profile,
            .model = profile->model,
            .source = catalog->find_region(source)};
  }
  domain::Inference in_region() const {
    const domain::Model* model = catalog->find_model("amazon.nova-lite-v1:0");
    return {.operation = domain::Operation::converse, .model = model, .source = catalog->find_region("us-east-1")};
  }
  Verdict judge(const Rules& rules, const domain::Inference& inference, std::string_view call_id = "a-call") const {
    const RequestFacts facts;
    CellMemory memory;
    Verdict verdict;
    rules.judge({.principal = alice, .inference = inference, .mode = Mode::subset, .facts = facts}, call_id,
                *catalog, memory, verdict);
    return verdict;
  }
  bool stopped(const domain::Inference& inference, FreezeScope scope, std::string profile = "") const {
    const Rules rules(1, {Freeze{.scope = scope, .profile = std::move(profile)}});
    return judge(rules, inference).refusal.has_value();
  }

  static constexpr std::string_view geographic = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
  static constexpr std::string_view global = "global.anthropic.claude-sonnet-4-5-20250929-v1:0";
  std::shared_ptr<const domain::Catalog> catalog = domain::Catalog::builtin();
  domain::Principal alice{.arn = "arn:aws:iam::111122223333:user/alice", .account_id = "111122223333"};
};

TEST_F(FrozenCalls, NothingIsRefusedWithoutAFreeze) {
  const Verdict verdict = judge(Rules(), by_profile(global));
  EXPECT_FALSE(verdict.refusal);
  EXPECT_EQ(verdict.version, nullptr);
  EXPECT_EQ(verdict.allowed, domain::RegionMask::from_bits(~std::uint64_t{0}));
}

TEST_F(FrozenCalls, AFreezeOfGlobalStopsGlobalProfilesAlone) {
  EXPECT_TRUE(stopped(by_profile(global), FreezeScope::global));
  EXPECT_FALSE(stopped(by_profile(geographic), FreezeScope::global));
  EXPECT_FALSE(stopped(in_region(), FreezeScope::global));
}

TEST_F(FrozenCalls, AFreezeOfCrossRegionLeavesOnlyCallsThatStayInTheirRegion) {
  EXPECT_TRUE(stopped(by_profile(global), FreezeScope::cross_region));
  EXPECT_TRUE(stopped(by_profile(geographic), FreezeScope::cross_region));
  EXPECT_FALSE(stopped(in_region(), FreezeScope::cross_region));
}

TEST_F(FrozenCalls, AProfileWithItsSourceAsOnlyDestinationDoesNotCross) {
  domain::Profile own{.id = "own", .kind = domain::ProfileKind::application};
  const domain::RegionIndex source = catalog->find_region("us-east-1");
  own.destinations[source] = domain::RegionMask::of(source);
  domain::Inference call{.operation = domain::Operation::converse, .profile = &own, .source = source};
  EXPECT_FALSE(stopped(call, FreezeScope::cross_region));
  own.destinations[source] = domain::RegionMask::of(catalog->find_region("us-east-2"));
  EXPECT_TRUE(stopped(call, FreezeScope::cross_region)) << "one destination, but another Region";
}

TEST_F(FrozenCalls, AFreezeOfAProfileStopsThatProfileAlone) {
  EXPECT_TRUE(stopped(by_profile(geographic), FreezeScope::profile, std::string(geographic)));
  EXPECT_FALSE(stopped(by_profile(global), FreezeScope::profile, std::string(geographic)));
  EXPECT_FALSE(stopped(in_region(), FreezeScope::profile, std::string(geographic)));
}

TEST_F(FrozenCalls, AFreezeStopsCopiesToo) {
  const domain::Inference original = by_profile(global);
  domain::Profile copy = *original.profile;
  copy.id = "abcdefghijkl";
  copy.kind = domain::ProfileKind::application;
  copy.copy_of = original.profile;
  domain::Inference by_copy = original;
  by_copy.profile = &copy;
  EXPECT_TRUE(stopped(by_copy, FreezeScope::global));
  EXPECT_TRUE(stopped(by_copy, FreezeScope::cross_region));
  EXPECT_TRUE(stopped(by_copy, FreezeScope::profile, std::string(global)));
  EXPECT_TRUE(stopped(by_copy, FreezeScope::profile, "abcdefghijkl"));
  EXPECT_FALSE(stopped(original, FreezeScope::profile, "abcdefghijkl")) << "but not what was copied with the copy";
}

TEST_F(FrozenCalls, AFreezeOfAllStopsEverything) {
  EXPECT_TRUE(stopped(by_profile(global), FreezeScope::all));
  EXPECT_TRUE(stopped(by_profile(geographic), FreezeScope::all));
  EXPECT_TRUE(stopped(in_region(), FreezeScope::all));
}

TEST_F(FrozenCalls, TheRefusalNamesTheFreezeItsTimeItsAuthorAndItsReason) {
  const base::WallTime noon{std::chrono::sys_days{std::chrono::year{2026} / 11 / 22} + 12h};
  const Rules rules(3, {{.scope = FreezeScope::cross_region, .since = noon, .by = "olga", .why = "incident 7"}});
  EXPECT_EQ(rules.epoch(), 3u);
  const auto refusal = judge(rules, by_profile(geographic)).refusal;
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->by, domain::Denial::freeze);
  EXPECT_EQ(refusal->error.code, base::Code::access_denied);
  EXPECT_EQ(
      refusal->error.message,
      "User: arn:aws:iam::111122223333:user/alice is not authorized to perform: bedrock:InvokeModel on "
      "resource: arn:aws:bedrock:us-east-1:111122223333:inference-profile/" +
          std::string(geographic) +
          " with an explicit deny in a freeze: cross-Region inference is frozen since 2026-11-22T12:00:00Z by "
          "olga: incident 7");
}

/// alice may do everything, but not in the Regions of `denied`.
class Versions : public FrozenCalls {
 protected:
  PolicyVersionPointer version(std::uint32_t number, const std::string& denied) const {
    const LoadedOrganization loaded = load_organization(std::map<std::string, std::string, std::less<>>{
        {"organization.yaml",
         "version: 1\naccounts:\n  - {id: \"111122223333\", name: one, scps: [FullAWSAccess, scp.json]}\n"
         "principals:\n  - {arn: \"arn:aws:iam::111122223333:user/alice\", policies: [all.json]}\n"},
        {"scp.json",
         R"({"Version":"2012-10-17","Statement":[{"Sid":"Outside","Effect":"Deny","Action":"*","Resource":"*",)"
         R"("Condition":{"StringEquals":{"aws:RequestedRegion":)" +
             denied + "}}}]}"},
        {"all.json", R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]})"}});
    for (const config::Mistake& mistake : loaded.mistakes) ADD_FAILURE() << mistake.text();
    return std::make_shared<const PolicyVersion>(number,
                                                 std::make_shared<const Organization>(loaded.organization.value()),
                                                 catalog, ProfileArn::application);
  }
  PolicyVersionPointer none_denied() const { return version(1, R"(["nowhere"])"); }
  PolicyVersionPointer east_2_denied() const { return version(2, R"(["us-east-2"])"); }
  PolicyVersionPointer all_denied() const { return version(3, R"(["us-east-1","us-east-2","us-west-2"])"); }

  domain::ShadowVerdict shadow(PolicyVersionPointer in_force, PolicyVersionPointer candidate) const {
    const Rules rules(1, {}, std::move(in_force), {.version = std::move(candidate)});
    return judge(rules, by_profile(geographic)).shadow.value();
  }
};

TEST_F(Versions, TheOneInForceSaysWhere) {
  const Rules rules(1, {}, east_2_denied());
  const Verdict verdict = judge(rules, by_profile(geographic));
  EXPECT_EQ(catalog->names(verdict.allowed), "us-east-1, us-west-2");
  EXPECT_EQ(verdict.version->number, 2u);
  EXPECT_FALSE(verdict.refusal);
  EXPECT_FALSE(verdict.shadow);
}

TEST_F(Versions, ADenialNamesTheKindOfPolicy) {
  const Rules rules(1, {}, all_denied());
  const Verdict verdict = judge(rules, by_profile(geographic));
  ASSERT_TRUE(verdict.refusal);
  EXPECT_EQ(verdict.refusal->by, domain::Denial::service_control);
  EXPECT_THAT(verdict.refusal->error.message, HasSubstr("with an explicit deny in a service control policy"));
  EXPECT_TRUE(verdict.allowed.empty());
}

TEST_F(Versions, APrincipalThatIsInNoEntryIsDeniedAndToldSo) {
  alice.arn = "arn:aws:iam::111122223333:user/mallory";
  const Verdict verdict = judge(Rules(1, {}, none_denied()), by_profile(geographic));
  ASSERT_TRUE(verdict.refusal);
  EXPECT_EQ(verdict.refusal->by, domain::Denial::unnamed);
  EXPECT_THAT(verdict.refusal->error.message, HasSubstr("do not name this principal"));
}

TEST_F(Versions, AFreezeDeniesWhateverPoliciesAllow) {
  const Rules rules(1, {{.scope = FreezeScope::all}}, none_denied());
  EXPECT_EQ(judge(rules, by_profile(geographic)).refusal->by, domain::Denial::freeze);
}

TEST_F(Versions, AShareIsJudgedByTheCandidateAndEachCallAlwaysByTheSame) {
  const Rules rules(1, {}, none_denied(), {.version = all_denied(), .share_percent = 30});
  int denied = 0;
  for (int i = 0; i < 2000; ++i) {
    const std::string id = "call-" + std::to_string(i);
    const Verdict verdict = judge(rules, by_profile(geographic), id);
    EXPECT_EQ(verdict.refusal.has_value(), is_in_share(id, 30));
    EXPECT_EQ(verdict.version->number, verdict.refusal ? 3u : 1u);
    denied += verdict.refusal ? 1 : 0;
  }
  EXPECT_NEAR(denied, 600, 100);
  EXPECT_FALSE(is_in_share("call", 0));
  EXPECT_TRUE(is_in_share("call", 100));
}

TEST_F(Versions, AShadowIsComparedAndChangesNothing) {
  using enum domain::ShadowVerdict;
  EXPECT_EQ(shadow(none_denied(), none_denied()), same);
  EXPECT_EQ(shadow(none_denied(), east_2_denied()), prune);
  EXPECT_EQ(shadow(none_denied(), all_denied()), deny);
  EXPECT_EQ(shadow(east_2_denied(), none_denied()), allow);
  EXPECT_EQ(shadow(all_denied(), east_2_denied()), allow);
  EXPECT_EQ(shadow(all_denied(), all_denied()), same);
  EXPECT_EQ(shadow(nullptr, none_denied()), same);
  EXPECT_EQ(shadow(nullptr, east_2_denied()), prune);
  EXPECT_EQ(shadow(nullptr, all_denied()), deny);
  const Rules rules(1, {}, none_denied(), {.version = all_denied()});
  EXPECT_FALSE(judge(rules, by_profile(geographic)).refusal);
}

}  // namespace
}  // namespace portolan::policy
