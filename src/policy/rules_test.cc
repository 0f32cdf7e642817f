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
  bool stopped(const domain::Inference& inference, FreezeScope scope, std::string profile = "") const {
    const Rules rules(1, {Freeze{.scope = scope, .profile = std::move(profile)}});
    return rules.refuse(alice, inference, *catalog).has_value();
  }

  static constexpr std::string_view geographic = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
  static constexpr std::string_view global = "global.anthropic.claude-sonnet-4-5-20250929-v1:0";
  std::shared_ptr<const domain::Catalog> catalog = domain::Catalog::builtin();
  domain::Principal alice{.arn = "arn:aws:iam::111122223333:user/alice", .account_id = "111122223333"};
};

TEST_F(FrozenCalls, NothingIsRefusedWithoutAFreeze) {
  EXPECT_FALSE(Rules().refuse(alice, by_profile(global), *catalog));
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

TEST_F(FrozenCalls, AFreezeOfAllStopsEverything) {
  EXPECT_TRUE(stopped(by_profile(global), FreezeScope::all));
  EXPECT_TRUE(stopped(by_profile(geographic), FreezeScope::all));
  EXPECT_TRUE(stopped(in_region(), FreezeScope::all));
}

TEST_F(FrozenCalls, TheRefusalNamesTheFreezeItsTimeItsAuthorAndItsReason) {
  const base::WallTime noon{std::chrono::sys_days{std::chrono::year{2026} / 11 / 22} + 12h};
  const Rules rules(3, {{.scope = FreezeScope::cross_region, .since = noon, .by = "olga", .why = "incident 7"}});
  EXPECT_EQ(rules.epoch(), 3u);
  const auto refusal = rules.refuse(alice, by_profile(geographic), *catalog);
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

}  // namespace
}  // namespace portolan::policy
