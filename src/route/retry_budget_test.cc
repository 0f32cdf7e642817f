// SPDX-License-Identifier: Apache-2.0
#include "route/retry_budget.h"

#include <gtest/gtest.h>
#include <thread>
#include <vector>

namespace portolan::route {
namespace {

int take_all(RetryBudget& budget, int wanted) {
  int given = 0;
  for (int i = 0; i < wanted; ++i) given += budget.take();
  return given;
}

TEST(RetryBudget, LetsEachOfTwoHundredCallsThatFailAtOnceMoveOnce) {
  RetryBudget budget{20};
  for (int i = 0; i < 200; ++i) budget.call_begun();
  EXPECT_EQ(take_all(budget, 200), 200);
  for (int i = 0; i < 200; ++i) budget.call_ended();
}

TEST(RetryBudget, LetsEachMoveOnceEvenWithoutAFloor) {
  RetryBudget budget{0, 0};
  for (int i = 0; i < 200; ++i) budget.call_begun();
  EXPECT_EQ(take_all(budget, 1000), 200);
}

TEST(RetryBudget, StaysNearItsShareWhenFailuresLast) {
  for (const unsigned percent : {0u, 10u, 20u, 50u, 100u}) {
    RetryBudget budget{percent};
    int given = 0;
    for (int call = 0; call < 100'000; ++call) {
      budget.call_begun();
      given += take_all(budget, 3);
      budget.call_ended();
    }
    EXPECT_NEAR(given, static_cast<int>(percent) * 1000, 102) << percent << " %";
  }
}

TEST(RetryBudget, StaysNearItsShareWithManyCallsInFlight) {
  RetryBudget budget{20};
  for (int i = 0; i < 500; ++i) budget.call_begun();
  int given = 0;
  for (int call = 0; call < 100'000; ++call) {
    budget.call_begun();
    given += take_all(budget, 2);
    budget.call_ended();
  }
  EXPECT_LE(given, 20'000 + 100 + 501);
  EXPECT_GE(given, 20'000);
}

TEST(RetryBudget, KeepsNoMoreThanTheFloorFromAQuietTime) {
  RetryBudget budget{20, 10};
  for (int i = 0; i < 10'000; ++i) {
    budget.call_begun();
    budget.call_ended();
  }
  EXPECT_EQ(budget.tokens(), 10);
  EXPECT_EQ(take_all(budget, 100), 10);
  EXPECT_EQ(budget.tokens(), 0);
}

TEST(RetryBudget, WhatCallsLentMustBeEarnedBack) {
  RetryBudget budget{20, 0};
  for (int i = 0; i < 10; ++i) budget.call_begun();
  EXPECT_EQ(take_all(budget, 100), 10);
  for (int i = 0; i < 10; ++i) budget.call_ended();
  budget.call_begun();
  EXPECT_FALSE(budget.take());
  EXPECT_EQ(budget.tokens(), 0);
  budget.call_ended();
}

TEST(RetryBudget, AStormLeavesNoDebtThatAQuietGatewayCannotPay) {
  RetryBudget budget{20, 10};
  base::Instant now{base::seconds{100}};
  for (int i = 0; i < 200; ++i) budget.call_begun(now);
  EXPECT_EQ(take_all(budget, 1'000), 210);
  for (int i = 0; i < 200; ++i) budget.call_ended();
  now += base::seconds{1};
  budget.call_begun(now);
  EXPECT_FALSE(budget.take()) << "a second pays off ten of two hundred";
  budget.call_ended();
  now += base::seconds{21};
  budget.call_begun(now);
  EXPECT_EQ(take_all(budget, 1'000), 11) << "the floor and the call's own";
  budget.call_ended();
}

TEST(RetryBudget, FollowsAReload) {
  RetryBudget budget{0, 100};
  EXPECT_EQ(take_all(budget, 200), 100);
  budget.set_percent(100);
  budget.call_begun();
  budget.call_ended();
  EXPECT_EQ(take_all(budget, 10), 1);
}

TEST(RetryBudget, NeverGivesMoreThanItHasUnderManyThreads) {
  RetryBudget budget{0, 1000};
  std::atomic<int> given{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) threads.emplace_back([&] { given += take_all(budget, 1000); });
  }
  EXPECT_EQ(given, 1000);
}

}  // namespace
}  // namespace portolan::route
