// SPDX-License-Identifier: Apache-2.0
#include "route/plan.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <span>
#include <vector>

#include "base/random.h"

namespace portolan::route {
namespace {

using base::Code;
using domain::Candidate;
using domain::RegionIndex;
using domain::RegionMask;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Standing = Candidate::Standing;

struct RoutePlan : testing::Test {
  std::shared_ptr<const domain::Catalog> catalog = domain::Catalog::builtin();
  RegionIndex virginia = catalog->find_region("us-east-1");
  RegionIndex ohio = catalog->find_region("us-east-2");
  RegionIndex oregon = catalog->find_region("us-west-2");
  Fleet fleet;
  base::Instant now{std::chrono::hours{1}};
  Question question{
      .allowed = mask({virginia, ohio, oregon}), .reachable = mask({virginia, ohio, oregon}), .home = virginia};

  static RegionMask mask(std::initializer_list<RegionIndex> regions) {
    RegionMask result;
    for (const RegionIndex region : regions) result.add(region);
    return result;
  }
  domain::Plan ask() const {
    base::Result<domain::Plan> result = plan(question, *catalog, fleet, now);
    EXPECT_TRUE(result) << (result ? "" : result.error().message);
    return result ? *result : domain::Plan{};
  }
  std::vector<RegionIndex> order() const {
    const domain::Plan ranked = ask();
    std::vector<RegionIndex> regions;
    for (const Candidate& c : std::span{ranked.candidates}.first(ranked.size)) regions.push_back(c.region);
    return regions;
  }
  Candidate candidate(RegionIndex region) const {
    const domain::Plan ranked = ask();
    return *std::ranges::find(ranked.candidates, region, &Candidate::region);
  }
  double round_trip_ms(RegionIndex region) const { return catalog->round_trip(virginia, region).p50_ms; }

  void answer(RegionIndex region, double first_byte_ms) {
    fleet.attempt_begun(region);
    fleet.first_byte(region, base::from_ms(first_byte_ms), 0, now);
    fleet.attempt_served(region, now);
  }
  void fail(RegionIndex region, Code code, int times = 1, base::Duration retry_after = {}) {
    for (int i = 0; i < times; ++i) {
      fleet.attempt_begun(region);
      fleet.attempt_failed(region, code, retry_after, now);
    }
  }
};

TEST_F(RoutePlan, PrefersTheNearestWhenNothingIsMeasured) {
  EXPECT_THAT(order(), testing::ElementsAre(virginia, ohio, oregon));
  EXPECT_EQ(candidate(virginia).standing, Standing::unmeasured);
  EXPECT_NEAR(candidate(oregon).expected_first_token_ms, 200 + round_trip_ms(oregon), 0.01);
}

TEST_F(RoutePlan, NeverNamesARegionOutsideTheGrantWhateverItsHealth) {
  question.allowed = mask({ohio, oregon});
  answer(virginia, 1);
  fail(ohio, Code::upstream_refused, 9);
  fail(oregon, Code::upstream_throttled, 9);
  EXPECT_THAT(order(), testing::UnorderedElementsAre(ohio, oregon));
}

TEST_F(RoutePlan, AddsThePromptsOwnCostToEveryRegion) {
  const double before_ms = candidate(oregon).expected_first_token_ms;
  question.input_tokens = 10'000;
  EXPECT_NEAR(candidate(oregon).expected_first_token_ms, before_ms + 500, 0.1);
}

TEST_F(RoutePlan, ASlowRegionLosesTrafficAndRegainsItAsItsEstimateAges) {
  answer(virginia, 210);
  answer(ohio, 215 + round_trip_ms(ohio));
  EXPECT_EQ(order().front(), virginia);
  now += seconds{2};
  answer(virginia, 2000);
  EXPECT_EQ(order().front(), ohio);

  int regained_after_s = 0;
  for (; regained_after_s < 1200 && order().front() != virginia; ++regained_after_s) {
    now += seconds{1};
    if (regained_after_s % 5 == 0) answer(ohio, 215 + round_trip_ms(ohio));
  }
  EXPECT_GT(regained_after_s, 60);
  EXPECT_LT(regained_after_s, 600);
  answer(virginia, 205);
  EXPECT_EQ(order().front(), virginia) << "a good answer after a long silence is believed";
}

TEST_F(RoutePlan, HalfOfAnEstimateIsForgottenInAMinute) {
  const double prior_ms = candidate(virginia).expected_first_token_ms;
  answer(virginia, 1000);
  EXPECT_NEAR(candidate(virginia).expected_first_token_ms, 1000, 0.1);
  now += seconds{60};
  EXPECT_NEAR(candidate(virginia).expected_first_token_ms, (1000 + prior_ms) / 2, 0.1);
}

TEST_F(RoutePlan, RefusalsMoveTrafficAfterTheThird) {
  answer(virginia, 200);
  fail(virginia, Code::upstream_refused, 2);
  EXPECT_EQ(order().front(), virginia);
  fail(virginia, Code::upstream_refused);
  EXPECT_THAT(order(), testing::ElementsAre(ohio, oregon, virginia));
  EXPECT_EQ(candidate(virginia).standing, Standing::open);
}

TEST_F(RoutePlan, WhenAllAreOpenAllAreStillPlanned) {
  for (const RegionIndex region : {virginia, ohio, oregon}) fail(region, Code::upstream_silent, 3);
  EXPECT_THAT(order(), testing::ElementsAre(virginia, ohio, oregon));
  EXPECT_EQ(candidate(ohio).standing, Standing::open);
}

TEST_F(RoutePlan, StandsInTheOrderHealthyCoolingOnTrialOpen) {
  const RegionIndex ireland = catalog->find_region("eu-west-1");
  question.allowed = question.reachable = mask({virginia, ohio, oregon, ireland});
  fail(ohio, Code::upstream_refused, 3);
  now += seconds{2};
  ASSERT_TRUE(fleet.attempt_begun(ohio, false));
  fail(virginia, Code::upstream_refused, 3);
  fail(oregon, Code::upstream_throttled);
  EXPECT_THAT(order(), testing::ElementsAre(ireland, oregon, ohio, virginia));
  EXPECT_EQ(candidate(ohio).standing, Standing::suspect);
  EXPECT_EQ(candidate(oregon).standing, Standing::cooling);
}

TEST_F(RoutePlan, ARecoveredRegionGetsOneCallAsItsTrialAndThenItsTrafficBack) {
  fail(virginia, Code::upstream_refused, 3);
  EXPECT_EQ(order().front(), ohio);
  now += seconds{1};
  EXPECT_EQ(order().front(), virginia);
  EXPECT_EQ(candidate(virginia).standing, Standing::suspect);
  ASSERT_TRUE(fleet.attempt_begun(virginia, false));
  EXPECT_EQ(order().front(), ohio) << "while one call finds out the others go elsewhere";
  fleet.attempt_served(virginia, now);
  EXPECT_EQ(order().front(), virginia);
  EXPECT_EQ(candidate(virginia).standing, Standing::unmeasured);
}

TEST_F(RoutePlan, AskingDoesNotUseUpTheTrial) {
  fail(virginia, Code::upstream_refused, 3);
  now += seconds{1};
  const std::string first = describe(ask(), *catalog);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(describe(ask(), *catalog), first);
  EXPECT_TRUE(fleet.attempt_begun(virginia, false));
}

TEST_F(RoutePlan, ARegionThatIsHalfOpenAndThrottlesWaitsWithTheCoolingOnes) {
  fail(virginia, Code::upstream_refused, 3);
  now += seconds{1};
  fail(virginia, Code::upstream_throttled, 1, seconds{5});
  EXPECT_EQ(candidate(virginia).standing, Standing::cooling);
  EXPECT_EQ(order().back(), virginia);
}

TEST_F(RoutePlan, ABurstSpreadsBeforeTheFirstAnswerComesBack) {
  answer(virginia, 200);
  answer(ohio, 205);
  EXPECT_EQ(order().front(), virginia);
  int elsewhere = 0;
  for (int i = 0; i < 64; ++i) {
    const RegionIndex first = order().front();
    elsewhere += first != virginia;
    fleet.attempt_begun(first);
  }
  EXPECT_GT(elsewhere, 16);
  EXPECT_LT(elsewhere, 48);
}

TEST_F(RoutePlan, CallsOneAfterTheOtherStayWithTheSameRegion) {
  for (int i = 0; i < 100; ++i) {
    const RegionIndex first = order().front();
    EXPECT_EQ(first, virginia);
    answer(first, 200);
    now += milliseconds{300};
  }
}

TEST_F(RoutePlan, AnyNumberInFlightMakesARegionAtMostHalfAsSlowAgain) {
  const double idle_ms = candidate(virginia).expected_first_token_ms;
  for (int i = 0; i < 10'000; ++i) fleet.attempt_begun(virginia);
  EXPECT_NEAR(candidate(virginia).expected_first_token_ms, 1.5 * idle_ms, 0.1);
}

TEST_F(RoutePlan, EqualExpectationsFallBackToCatalogOrder) {
  question.home = domain::region_none;
  std::vector<RegionIndex> sorted = order();
  EXPECT_EQ(sorted.size(), 3u);
  EXPECT_TRUE(std::ranges::is_sorted(sorted));
}

TEST_F(RoutePlan, SaysThatTheGrantIsEmpty) {
  question.allowed = {};
  const auto result = plan(question, *catalog, fleet, now);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::no_region);
  EXPECT_THAT(result.error().message, testing::HasSubstr("the grant allows none"));
}

TEST_F(RoutePlan, NamesTheRegionsThatHaveNoEndpoint) {
  question.allowed = mask({ohio, oregon});
  question.reachable = mask({virginia});
  const auto result = plan(question, *catalog, fleet, now);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, testing::HasSubstr("no endpoint is configured for us-east-2, us-west-2"));
  EXPECT_THAT(result.error().message, testing::HasSubstr("configured are us-east-1"));
  question.reachable = {};
  EXPECT_THAT(plan(question, *catalog, fleet, now).error().message, testing::HasSubstr("configured are none"));
}

TEST_F(RoutePlan, DescribesItselfInOneLine) {
  answer(virginia, 212);
  fail(oregon, Code::upstream_throttled);
  question.allowed = mask({virginia, oregon});
  EXPECT_EQ(describe(ask(), *catalog),
            fmt::format("us-east-1 212 ms healthy, us-west-2 {:.0f} ms cooling", 200 + round_trip_ms(oregon)));
  EXPECT_EQ(describe(domain::Plan{}, *catalog), "");
}

// What the gateway does with a plan, under random events: every plan is a permutation of what may run, ordered by
// its own rule, and asking again gives the same answer.
TEST_F(RoutePlan, IsAStablePermutationInEveryState) {
  base::Random random{7};
  constexpr std::array codes{Code::upstream_refused, Code::upstream_throttled, Code::upstream_silent,
                             Code::upstream_rejected};
  const auto regions = static_cast<RegionIndex>(catalog->regions().size());
  for (int step = 0; step < 20'000; ++step) {
    const auto region = static_cast<RegionIndex>(random.below(regions));
    now += milliseconds{random.below(400)};
    fleet.attempt_begun(region);
    switch (random.below(3)) {
      case 0:
        fleet.attempt_failed(region, codes[random.below(codes.size())], {}, now);
        break;
      case 1:
        fleet.first_byte(region, milliseconds{random.below(3000)}, 0, now);
        [[fallthrough]];
      default:
        fleet.attempt_served(region, now);
    }
    if (step % 20 != 0) continue;
    question.allowed = RegionMask::from_bits(random.next());
    question.reachable = RegionMask::from_bits((std::uint64_t{1} << regions) - 1);
    question.home = static_cast<RegionIndex>(random.below(regions));
    const RegionMask may_run = question.allowed & question.reachable;
    if (may_run.empty()) continue;
    RegionMask planned;
    for (const RegionIndex r : order()) {
      ASSERT_FALSE(planned.contains(r));
      planned.add(r);
    }
    ASSERT_EQ(planned, may_run);
    ASSERT_EQ(order(), order());
  }
}

}  // namespace
}  // namespace portolan::route
