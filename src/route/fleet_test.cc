// SPDX-License-Identifier: Apache-2.0
#include "route/fleet.h"

#include <gtest/gtest.h>
#include <thread>
#include <vector>

namespace portolan::route {
namespace {

using base::Code;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr domain::RegionIndex region = 3;
constexpr base::Instant start{std::chrono::hours{1}};

struct FleetTest : testing::Test {
  Fleet fleet;
  base::Instant now = start;

  void fail(Code code = Code::upstream_refused, base::Duration retry_after = {}) {
    fleet.attempt_begun(region);
    fleet.attempt_failed(region, code, retry_after, now);
  }
  void serve(base::Duration lasting = {}) {
    fleet.attempt_begun(region);
    fleet.attempt_served(region, now, lasting);
  }
  void answer(double first_byte_ms, std::uint32_t input_tokens = 0) {
    fleet.first_byte(region, base::from_ms(first_byte_ms), input_tokens, now);
  }
  Health health() const { return fleet.health(region); }
  bool open() const { return health().open_until > now; }
};

TEST_F(FleetTest, KnowsNothingOfARegionBeforeItsFirstAnswer) {
  EXPECT_FALSE(health().measured);
  EXPECT_EQ(health().in_flight, 0u);
  answer(250);
  EXPECT_TRUE(health().measured);
  EXPECT_NEAR(health().first_token_ms, 250, 0.01);
  EXPECT_EQ(health().measured_at, now);
}

TEST_F(FleetTest, RisesWithinASecondAndFallsWithinTen) {
  answer(200);
  now += seconds{1};
  answer(1200);
  EXPECT_NEAR(health().first_token_ms, 200 + 1000 * 0.632, 2);
  const double risen_ms = health().first_token_ms;
  now += seconds{1};
  answer(200);
  EXPECT_NEAR(health().first_token_ms, 200 + (risen_ms - 200) * 0.905, 2);
}

TEST_F(FleetTest, AThousandQuickAnswersWithinASecondDoNotClearASlowOne) {
  answer(2000);
  for (int i = 0; i < 1000; ++i) {
    now += milliseconds{1};
    answer(200);
  }
  EXPECT_GT(health().first_token_ms, 1700);
}

TEST_F(FleetTest, ASampleAfterALongSilenceReplacesWhatWasKnown) {
  answer(5000);
  now += std::chrono::minutes{5};
  answer(210);
  EXPECT_NEAR(health().first_token_ms, 210, 1);
}

TEST_F(FleetTest, ALongPromptDoesNotMakeARegionLookSlow) {
  answer(200 + 20'000 * 0.05, 20'000);
  EXPECT_NEAR(health().first_token_ms, 200, 0.01);
  Fleet other;
  other.first_byte(region, milliseconds{10}, 1'000'000, now);
  EXPECT_NEAR(other.health(region).first_token_ms, 1, 0.01) << "the floor";
}

TEST_F(FleetTest, AWholeReplyOnlySpeaksAgainstARegionAndOnlyBeyondItsTokens) {
  fleet.whole_reply(region, milliseconds{3000}, 0, 150, now);
  EXPECT_FALSE(health().measured) << "150 tokens may take three seconds";
  answer(200);
  now += seconds{30};
  fleet.whole_reply(region, milliseconds{100}, 0, 1, now);
  EXPECT_NEAR(health().first_token_ms, 200, 0.01) << "a quick one is no evidence of a quick first token";
  fleet.whole_reply(region, milliseconds{4000}, 0, 10, now);
  EXPECT_NEAR(health().first_token_ms, 3700, 10);
}

TEST_F(FleetTest, OpensOnTheThirdHardFailureInARow) {
  fail();
  fail(Code::upstream_silent);
  EXPECT_FALSE(open());
  fail(Code::upstream_cut);
  EXPECT_EQ(health().open_until, now + seconds{1});
}

TEST_F(FleetTest, AGoodAnswerInBetweenStartsTheCountAgain) {
  fail();
  fail();
  serve();
  fail();
  fail();
  EXPECT_FALSE(open());
  fail();
  EXPECT_TRUE(open());
}

TEST_F(FleetTest, AStreamThatBeganBeforeTheFailureProvesNothing) {
  now += seconds{30};
  fail();
  fail();
  serve(seconds{20});
  fail();
  EXPECT_TRUE(open());
  serve(seconds{20});
  EXPECT_TRUE(open());
}

TEST_F(FleetTest, FailuresThatWereOnTheirWayDoNotLengthenTheHold) {
  for (int i = 0; i < 200; ++i) fail();
  EXPECT_EQ(health().open_until, now + seconds{1});
}

TEST_F(FleetTest, EachFailedTrialDoublesTheHoldUpToAMinute) {
  for (int i = 0; i < 3; ++i) fail();
  for (const int hold_s : {1, 2, 4, 8, 16, 32, 60, 60}) {
    EXPECT_EQ(health().open_until - now, seconds{hold_s});
    now = health().open_until;
    fail();
  }
}

TEST_F(FleetTest, OneSuccessClosesTheBreakerAndForgetsTheHolds) {
  for (int i = 0; i < 3; ++i) fail();
  now = health().open_until;
  fail();
  now = health().open_until;
  serve();
  EXPECT_EQ(health().open_until, base::Instant{});
  EXPECT_FALSE(health().on_trial);
  for (int i = 0; i < 3; ++i) fail();
  EXPECT_EQ(health().open_until - now, seconds{1});
}

TEST_F(FleetTest, HandsOutOneTrialAtATime) {
  for (int i = 0; i < 3; ++i) fail();
  now = health().open_until;
  EXPECT_TRUE(fleet.attempt_begun(region, false));
  EXPECT_TRUE(health().on_trial);
  EXPECT_FALSE(fleet.attempt_begun(region, false));
  EXPECT_EQ(health().in_flight, 1u) << "a refused attempt is not counted";
  EXPECT_TRUE(fleet.attempt_begun(region, true)) << "the last resort is always tried";
  fleet.attempt_abandoned(region);
  fleet.attempt_abandoned(region);
  EXPECT_FALSE(health().on_trial);
  EXPECT_TRUE(fleet.attempt_begun(region, false)) << "an abandoned trial is given back";
}

TEST_F(FleetTest, AnOldStreamsEndDoesNotGiveBackAnothersTrial) {
  now += seconds{30};
  fleet.attempt_begun(region);
  for (int i = 0; i < 3; ++i) fail();
  now = health().open_until;
  ASSERT_TRUE(fleet.attempt_begun(region, false));
  fleet.attempt_served(region, now, seconds{10});
  EXPECT_TRUE(health().on_trial);
}

TEST_F(FleetTest, AHealthyRegionTakesAnyNumberOfCallsAtOnce) {
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(fleet.attempt_begun(region, false));
  EXPECT_EQ(health().in_flight, 100u);
}

TEST_F(FleetTest, WhatTheCallerOrAnAbsentModelCausedIsNoFailureOfTheRegion) {
  for (const Code code : {Code::upstream_rejected, Code::upstream_model_absent, Code::upstream_model_error,
                          Code::upstream_throttled, Code::caller_gone, Code::call_deadline})
    for (int i = 0; i < 5; ++i) fail(code);
  EXPECT_EQ(health().open_until, base::Instant{});
  EXPECT_EQ(health().failures_in_a_row, 0u);
}

TEST_F(FleetTest, CoolsForWhatWasAskedButNeverLessThanItsOwnStep) {
  fail(Code::upstream_throttled, milliseconds{200});
  EXPECT_EQ(health().cooling_until, now + seconds{1});
  now = health().cooling_until;
  fail(Code::upstream_throttled, seconds{7});
  EXPECT_EQ(health().cooling_until, now + seconds{7});
}

TEST_F(FleetTest, CoolingDoublesUpToThirtySecondsAndASuccessResetsIt) {
  for (const int cooling_s : {1, 2, 4, 8, 16, 30, 30}) {
    fail(Code::upstream_throttled);
    EXPECT_EQ(health().cooling_until - now, seconds{cooling_s});
    now = health().cooling_until;
  }
  serve();
  fail(Code::upstream_throttled);
  EXPECT_EQ(health().cooling_until - now, seconds{1});
}

TEST_F(FleetTest, AHundredThrottlesAtOnceAreOneEvent) {
  for (int i = 0; i < 100; ++i) fail(Code::upstream_throttled);
  EXPECT_EQ(health().cooling_until, now + seconds{1});
}

TEST_F(FleetTest, ARegionCannotSendUsAwayForLongerThanFiveMinutes) {
  fail(Code::upstream_throttled, std::chrono::hours{24});
  EXPECT_EQ(health().cooling_until, now + retry_after_max);
}

TEST_F(FleetTest, AnUnavailableRegionThatNamesATimeIsLeftAloneForIt) {
  fail(Code::upstream_unavailable, seconds{5});
  EXPECT_EQ(health().cooling_until, now + seconds{5});
  EXPECT_EQ(health().failures_in_a_row, 1u);
}

TEST_F(FleetTest, CountsInFlightExactlyUnderManyThreads) {
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([this, t] {
      for (int i = 0; i < 5000; ++i) {
        fleet.attempt_begun(region);
        fleet.first_byte(region, milliseconds{200 + i % 7}, 10, start + milliseconds{i});
        if (i % 3 == t % 3)
          fleet.attempt_failed(region, Code::upstream_refused, {}, start + milliseconds{i});
        else
          fleet.attempt_served(region, start + milliseconds{i});
      }
    });
  threads.clear();
  EXPECT_EQ(health().in_flight, 0u);
  EXPECT_GE(health().first_token_ms, 199);
  EXPECT_LE(health().first_token_ms, 207);
}

}  // namespace
}  // namespace portolan::route
