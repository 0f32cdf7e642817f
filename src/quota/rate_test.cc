// SPDX-License-Identifier: Apache-2.0
#include "quota/rate.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <thread>
#include <vector>

#include "base/random.h"

namespace portolan::quota {
namespace {

using namespace std::chrono_literals;

constexpr base::Instant start{1'000'000s};

TEST(Rate, AllowsAMinutesWorthAtOnceAndNoMore) {
  Rate rate(600);
  EXPECT_TRUE(rate.take(600, start).has_value());
  const auto refused = rate.take(1, start);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error(), 100ms);
}

TEST(Rate, RefillsEvenly) {
  Rate rate(600);
  ASSERT_TRUE(rate.take(600, start).has_value());
  EXPECT_FALSE(rate.take(1, start + 100ms - 1ns).has_value());
  EXPECT_TRUE(rate.take(1, start + 100ms).has_value());
  EXPECT_FALSE(rate.take(1, start + 100ms).has_value());
  EXPECT_EQ(rate.available(start + 30s), 299U);
  EXPECT_EQ(rate.available(start + 2h), 600U) << "a long pause saves up no more than a minute's worth";
}

TEST(Rate, SaysExactlyWhenAnAmountWillFit) {
  Rate rate(1'000);
  ASSERT_TRUE(rate.take(900, start).has_value());
  const auto refused = rate.take(400, start);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error(), 18s);
  EXPECT_FALSE(rate.peek(400, start + refused.error() - 1ns).has_value());
  EXPECT_TRUE(rate.peek(400, start + refused.error()).has_value());
}

TEST(Rate, SaysThatMoreThanTheLimitNeverFits) {
  Rate rate(1'000);
  const auto refused = rate.take(1'001, start);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error(), base::Duration::max());
  EXPECT_EQ(rate.available(start), 1'000U);
}

TEST(Rate, WithoutALimitTakesAnything) {
  Rate rate;
  EXPECT_TRUE(rate.unlimited());
  EXPECT_TRUE(rate.take(UINT64_MAX, start).has_value());
  EXPECT_TRUE(rate.take(UINT64_MAX, start).has_value());
  EXPECT_EQ(rate.available(start), UINT64_MAX);
}

TEST(Rate, TakesNothingWithoutCharge) {
  Rate rate(1);
  ASSERT_TRUE(rate.take(1, start).has_value());
  EXPECT_TRUE(rate.take(0, start).has_value());
  EXPECT_EQ(rate.available(start), 0U);
}

TEST(Rate, PeekAgreesWithTakeAndChargesNothing) {
  Rate rate(6'000);
  base::Random random(1);
  base::Instant now = start;
  for (int i = 0; i < 5'000; ++i) {
    now += base::Duration{static_cast<std::int64_t>(random.below(1'000'000'000))};
    const std::uint64_t amount = random.below(500);
    const std::uint64_t before = rate.available(now);
    const bool fits = rate.peek(amount, now).has_value();
    EXPECT_EQ(rate.available(now), before);
    EXPECT_EQ(rate.take(amount, now).has_value(), fits);
  }
}

TEST(Rate, WhatIsAvailableCanBeTakenAndOneMoreCannot) {
  base::Random random(2);
  for (const std::uint64_t limit : {1ULL, 7ULL, 60ULL, 999ULL, 12'345ULL, 40'000'000ULL, 90'000'000'001ULL}) {
    Rate rate(limit);
    base::Instant now = start;
    for (int i = 0; i < 200; ++i) {
      now += base::Duration{static_cast<std::int64_t>(random.below(20'000'000'000))};
      const std::uint64_t available = rate.available(now);
      ASSERT_LE(available, limit);
      EXPECT_FALSE(rate.peek(available + 1, now).has_value()) << limit;
      EXPECT_TRUE(rate.take(available, now).has_value()) << limit;
    }
  }
}

/// Uses that were granted, each at its moment.
struct Uses {
  std::vector<std::int64_t> at_ns;
  std::vector<std::uint64_t> amount;

  void add(base::Instant at, std::uint64_t used) {
    at_ns.push_back(at.time_since_epoch().count());
    amount.push_back(used);
  }

  /// In every window, from any use to any later one: no more than the limit once and what refills meanwhile.
  void expect_within(std::uint64_t limit) const {
    for (std::size_t from = 0; from < at_ns.size(); ++from) {
      std::uint64_t sum = 0;
      for (std::size_t to = from; to < at_ns.size(); ++to) {
        sum += amount[to];
        const double minutes = static_cast<double>(at_ns[to] - at_ns[from]) / 60e9;
        ASSERT_LE(static_cast<double>(sum), static_cast<double>(limit) * (1.0 + minutes) * (1.0 + 1e-12) + 1e-6);
      }
    }
  }
};

TEST(Rate, NeverAllowsMoreThanTheLimitAndWhatRefillsInAnyWindow) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    base::Random random(seed);
    const std::uint64_t limit = 1 + random.below(100'000);
    Rate rate(limit);
    Uses uses;
    base::Instant now = start;
    for (int i = 0; i < 800; ++i) {
      // Bursts, steady load and long pauses.
      const double pause_s =
          random.below(50) == 0 ? 200.0 : random.exponential() * (random.below(2) == 0 ? 0.01 : 2.0);
      now += base::from_ms(pause_s * 1e3);
      const std::uint64_t amount = 1 + random.below(1 + limit / 10);
      if (rate.take(amount, now)) uses.add(now, amount);
    }
    EXPECT_GT(uses.amount.size(), 50U);
    uses.expect_within(limit);
  }
}

TEST(Rate, GrantsTheWholeLimitToSteadyDemand) {
  Rate rate(6'000);
  std::uint64_t granted = 0;
  for (base::Instant now = start; now < start + 10min; now += 10ms)
    granted += rate.take(10, now).has_value() ? 10 : 0;
  EXPECT_GE(granted, 6'000U * 11 - 20) << "ten minutes of refill and the minute's worth at the start";
  EXPECT_LE(granted, 6'000U * 11);
}

TEST(Rate, SettlingLeavesWhatChargingTheUseWouldHaveLeft) {
  base::Random random(3);
  for (int round = 0; round < 2'000; ++round) {
    const std::uint64_t limit = 1'000 + random.below(1'000'000);
    Rate settled(limit);
    Rate direct(limit);
    base::Instant now = start;
    // Both are busy, so that neither falls idle during the round.
    ASSERT_TRUE(settled.take(limit / 2, now).has_value());
    ASSERT_TRUE(direct.take(limit / 2, now).has_value());
    now += 5s;
    const std::uint64_t taken = random.below(limit / 4);
    const std::uint64_t used = random.below(limit / 4);
    const auto charge = settled.take(taken, now);
    ASSERT_TRUE(charge.has_value());
    ASSERT_TRUE(direct.take(used, now).has_value());
    now += 5s;
    settled.settle(*charge, used);
    for (int later = 0; later < 5; ++later) {
      now += base::Duration{static_cast<std::int64_t>(random.below(20'000'000'000))};
      EXPECT_EQ(settled.available(now), direct.available(now));
    }
  }
}

TEST(Rate, GivesAWholeUnusedChargeBackToTheNanosecond) {
  Rate rate(7'777);
  const auto first = rate.take(5'000, start);
  ASSERT_TRUE(first.has_value());
  const auto before = rate.take(7'777, start).error();
  const auto charge = rate.take(1'234, start);
  ASSERT_TRUE(charge.has_value());
  EXPECT_GT(rate.take(7'777, start).error(), before);
  rate.settle(*charge, 0);
  EXPECT_EQ(rate.take(7'777, start).error(), before);
}

TEST(Rate, CarriesADebtThatLaterTakesWaitFor) {
  Rate rate(600);
  const auto charge = rate.take(100, start);
  ASSERT_TRUE(charge.has_value());
  rate.settle(*charge, 1'200);  // two minutes' worth
  EXPECT_EQ(rate.available(start), 0U);
  const auto refused = rate.take(1, start);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error(), 60s + 100ms);
  EXPECT_TRUE(rate.take(1, start + refused.error()).has_value());
}

TEST(Rate, GivesNothingBackOnceTheChargeHasRefilled) {
  Rate rate(600);
  const auto slow = rate.take(300, start);
  ASSERT_TRUE(slow.has_value());
  // The charge has long refilled when another call takes the whole limit. Giving it back then would allow more.
  ASSERT_TRUE(rate.take(600, start + 2min).has_value());
  rate.settle(*slow, 0);
  EXPECT_EQ(rate.available(start + 2min), 0U);
}

TEST(Rate, KeepsSettledUseWithinTheLimitInAnyWindow) {
  struct Open {
    Charge charge;
    std::uint64_t used;
    base::Instant ends;
  };
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    base::Random random(seed);
    const std::uint64_t limit = 1'000 + random.below(100'000);
    Rate rate(limit);
    Uses uses;
    std::vector<Open> open;
    base::Instant now = start;
    for (int i = 0; i < 800; ++i) {
      now += base::from_ms((random.below(40) == 0 ? 150.0 : random.exponential()) * 1e3);
      std::erase_if(open, [&](const Open& call) {
        if (call.ends > now) return false;
        rate.settle(call.charge, call.used);
        return true;
      });
      const std::uint64_t taken = 1 + random.below(limit / 5);
      const auto charge = rate.take(taken, now);
      if (!charge) continue;
      const std::uint64_t used = random.below(taken + 1);
      uses.add(now, used);
      open.push_back({*charge, used, now + base::from_ms(random.exponential() * 30e3)});
    }
    EXPECT_GT(uses.amount.size(), 50U);
    uses.expect_within(limit);
  }
}

TEST(Rate, UndoesAChargeAtTheLimitThatMadeIt) {
  Rate rate(1'000);
  ASSERT_TRUE(rate.take(500, start).has_value());
  const auto charge = rate.take(100, start);
  ASSERT_TRUE(charge.has_value());
  rate.set(100);
  rate.settle(*charge, 0);
  EXPECT_EQ(rate.available(start), 50U) << "half of the minute is in use, whatever the limit";
}

TEST(Rate, ChargesTheUseOfACallThatBeganWithoutALimit) {
  Rate rate;
  const auto charge = rate.take(500, start);
  ASSERT_TRUE(charge.has_value());
  rate.set(1'000);
  rate.settle(*charge, 400);
  EXPECT_EQ(rate.available(start), 600U);
}

TEST(Rate, ForgivesChargesWhenTheLimitIsLifted) {
  Rate rate(1'000);
  const auto charge = rate.take(1'000, start);
  ASSERT_TRUE(charge.has_value());
  rate.set(0);
  rate.settle(*charge, 900);
  rate.set(1'000);
  EXPECT_EQ(rate.available(start), 1'000U);
}

TEST(Rate, StaysWithinItsRangeUnderAbsurdCounts) {
  Rate rate(1);
  const auto charge = rate.take(1, start);
  ASSERT_TRUE(charge.has_value());
  for (int i = 0; i < 100; ++i) rate.settle(*charge, UINT64_MAX);
  EXPECT_EQ(rate.available(start + 1h), 0U);
  const auto refused = rate.take(1, start + 1h);
  ASSERT_FALSE(refused.has_value());
  EXPECT_GT(refused.error(), 24h);
}

TEST(Rate, NeverGrantsThreadsTogetherMoreThanTheLimit) {
  constexpr std::uint64_t limit = 100'000;
  Rate rate(limit);
  std::array<std::uint64_t, 4> granted{};
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < granted.size(); ++t)
      threads.emplace_back([&rate, &granted, t] {
        base::Random random(t + 1);
        for (int i = 0; i < 20'000; ++i) {
          const std::uint64_t amount = 1 + random.below(20);
          if (rate.take(amount, start)) granted[t] += amount;
        }
      });
  }
  std::uint64_t sum = 0;
  for (const std::uint64_t each : granted) sum += each;
  EXPECT_LE(sum, limit);
  EXPECT_EQ(sum + rate.available(start), limit);
}

TEST(Rate, ComesBackToRestWhenThreadsTakeAndSettle) {
  constexpr std::uint64_t limit = 60'000;  // a token a millisecond: no rounding
  Rate rate(limit);
  ASSERT_TRUE(rate.take(limit / 2, start).has_value());
  {
    std::vector<std::jthread> threads;
    for (std::uint64_t t = 1; t <= 4; ++t)
      threads.emplace_back([&rate, t] {
        base::Random random(t);
        for (int i = 0; i < 20'000; ++i)
          if (const auto charge = rate.take(1 + random.below(100), start)) rate.settle(*charge, 0);
      });
  }
  EXPECT_EQ(rate.available(start), limit / 2);
}

}  // namespace
}  // namespace portolan::quota
