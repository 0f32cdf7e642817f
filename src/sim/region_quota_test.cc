// SPDX-License-Identifier: Apache-2.0
#include "sim/region_quota.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace portolan::sim {
namespace {

using namespace std::chrono_literals;

constexpr base::Instant start{1h};  // the start of a minute

class EveryLaw : public ::testing::TestWithParam<RefillLaw> {};
INSTANTIATE_TEST_SUITE_P(RegionMeter, EveryLaw,
                         ::testing::Values(RefillLaw::bucket, RefillLaw::sliding, RefillLaw::fixed),
                         [](const auto& law) { return std::string(name(law.param)); });

TEST_P(EveryLaw, AdmitsExactlyTheLimitAtOnceAndAllOfItAgainAMinuteLater) {
  RegionMeter meter{GetParam(), 10};
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(meter.take(1, start));
  EXPECT_FALSE(meter.take(1, start));
  EXPECT_FALSE(meter.take(11, start + 1h)) << "more than a minute's worth never fits";
  EXPECT_TRUE(meter.take(10, start + 61s));
  EXPECT_FALSE(meter.take(1, start + 61s));
}

TEST_P(EveryLaw, ARefusedAmountTakesNothing) {
  RegionMeter meter{GetParam(), 10};
  EXPECT_TRUE(meter.take(6, start));
  EXPECT_FALSE(meter.take(5, start));
  EXPECT_EQ(meter.balance(start), 4);
  EXPECT_TRUE(meter.take(4, start));
}

TEST_P(EveryLaw, ReturnsWhatWasHeldAndNotUsed) {
  RegionMeter meter{GetParam(), 5000};
  EXPECT_TRUE(meter.take(5000, start));
  meter.settle(5000, 1500, start, start);
  EXPECT_EQ(meter.balance(start), 3500);
}

TEST_P(EveryLaw, GoesIntoDebtAndRefusesUntilItIsPaid) {
  RegionMeter meter{GetParam(), 600};
  EXPECT_TRUE(meter.take(600, start));
  meter.settle(600, 900, start, start);
  EXPECT_EQ(meter.balance(start), -300);
  EXPECT_FALSE(meter.take(1, start + 20s));
  EXPECT_TRUE(meter.take(300, start + 121s));
}

TEST_P(EveryLaw, WithoutALimitEverythingIsAdmitted) {
  RegionMeter meter{GetParam(), 0};
  EXPECT_TRUE(meter.take(UINT64_MAX, start));
  meter.settle(1, UINT64_MAX, start, start);
  EXPECT_TRUE(meter.take(UINT64_MAX, start));
}

TEST_P(EveryLaw, NeverAdmitsMoreThanTwoMinutesWorthInAMinute) {
  // The bucket may be full at the start of the minute and refill once during it; a fixed window may turn in its
  // middle.
  RegionMeter meter{GetParam(), 100};
  base::Random random{3};
  base::Instant now = start;
  std::vector<std::pair<base::Instant, std::uint64_t>> taken;
  for (int i = 0; i < 20'000; ++i) {
    now += base::Duration{static_cast<std::int64_t>(random.below(200'000'000))};
    const std::uint64_t amount = 1 + random.below(20);
    if (meter.take(amount, now)) taken.emplace_back(now, amount);
  }
  std::uint64_t in_minute = 0;
  std::uint64_t most = 0;
  std::size_t first = 0;
  for (const auto& [at, amount] : taken) {
    in_minute += amount;
    while (taken[first].first <= at - 60s) in_minute -= taken[first++].second;
    most = std::max(most, in_minute);
  }
  EXPECT_LE(most, GetParam() == RefillLaw::sliding ? 100u : 200u);
  EXPECT_GE(most, 90u);
}

TEST(RegionMeter, ABucketRefillsContinuouslyHoweverOftenItIsAsked) {
  RegionMeter meter{RefillLaw::bucket, 60};
  EXPECT_TRUE(meter.take(60, start));
  for (auto at = start; at < start + 30s; at += 1ms) EXPECT_LE(meter.balance(at), 30);
  EXPECT_EQ(meter.balance(start + 30s + 1ms), 30);
  EXPECT_EQ(meter.balance(start + 10min), 60);
}

TEST(RegionMeter, ASlidingWindowForgetsEachAmountAMinuteAfterItWasTaken) {
  RegionMeter meter{RefillLaw::sliding, 10};
  EXPECT_TRUE(meter.take(4, start));
  EXPECT_TRUE(meter.take(6, start + 30s));
  EXPECT_FALSE(meter.take(1, start + 59s));
  EXPECT_TRUE(meter.take(4, start + 60s));
  EXPECT_FALSE(meter.take(1, start + 89s));
  EXPECT_EQ(meter.balance(start + 90s), 6);
}

TEST(RegionMeter, AFixedWindowStartsAnewAtTheMinute) {
  RegionMeter meter{RefillLaw::fixed, 10};
  EXPECT_TRUE(meter.take(10, start + 59s));
  EXPECT_FALSE(meter.take(1, start + 59s + 999ms));
  EXPECT_TRUE(meter.take(10, start + 60s));
}

TEST(RegionMeter, WhatWasHeldInAnEarlierWindowIsNotReturnedToThisOne) {
  RegionMeter meter{RefillLaw::fixed, 10};
  EXPECT_TRUE(meter.take(10, start + 59s));
  EXPECT_TRUE(meter.take(4, start + 61s));
  meter.settle(10, 2, start + 59s, start + 61s);
  EXPECT_EQ(meter.balance(start + 61s), 6);
  RegionMeter sliding{RefillLaw::sliding, 10};
  EXPECT_TRUE(sliding.take(10, start));
  EXPECT_TRUE(sliding.take(4, start + 61s));
  sliding.settle(10, 2, start, start + 61s);
  EXPECT_EQ(sliding.balance(start + 61s), 6);
}

TEST(RegionMeter, ReadsTheNamesOfTheLaws) {
  EXPECT_EQ(parse_refill_law("sliding").value(), RefillLaw::sliding);
  const auto unknown = parse_refill_law("leaky");
  ASSERT_FALSE(unknown.has_value());
  EXPECT_NE(unknown.error().message.find("bucket, sliding or fixed"), std::string::npos);
}

}  // namespace
}  // namespace portolan::sim
