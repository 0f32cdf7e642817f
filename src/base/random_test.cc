// SPDX-License-Identifier: Apache-2.0
#include "base/random.h"

#include <array>
#include <bit>
#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>

namespace portolan::base {
namespace {

constexpr int draws = 200'000;

TEST(Random, RepeatsItselfFromASeed) {
  Random one(42);
  Random same(42);
  Random other(43);
  int equal_to_other = 0;
  for (int i = 0; i < 1'000; ++i) {
    const std::uint64_t value = one.next();
    EXPECT_EQ(value, same.next());
    equal_to_other += value == other.next();
  }
  EXPECT_EQ(equal_to_other, 0);
}

TEST(Random, FollowsItsPublishedAlgorithm) {
  // splitmix64 seeded with 0 begins e220a8397b1dcdaf, 6e789e6aa1b965f4, …; xoshiro256** returns rotl(s1 · 5, 7)
  // · 9.
  const std::uint64_t s1 = 0x6e789e6aa1b965f4;
  EXPECT_EQ(Random(0).next(), std::rotl(s1 * 5, 7) * 9);
}

TEST(Random, IsUniformInItsInterval) {
  Random random(1);
  double sum = 0;
  for (int i = 0; i < draws; ++i) {
    const double value = random.uniform();
    ASSERT_GE(value, 0.0);
    ASSERT_LT(value, 1.0);
    sum += value;
  }
  EXPECT_NEAR(sum / draws, 0.5, 0.005);
}

TEST(Random, StaysBelowItsBoundAndReachesAllOfIt) {
  Random random(2);
  std::array<int, 7> count{};
  for (int i = 0; i < draws; ++i) {
    const std::uint64_t value = random.below(count.size());
    ASSERT_LT(value, count.size());
    ++count[value];
  }
  for (const int each : count) EXPECT_NEAR(each, draws / 7.0, draws * 0.005);
  EXPECT_EQ(random.below(1), 0U);
}

TEST(Random, IsNormalAndExponentialInItsMoments) {
  Random random(3);
  double sum = 0;
  double squares = 0;
  double waits = 0;
  for (int i = 0; i < draws; ++i) {
    const double value = random.normal();
    ASSERT_TRUE(std::isfinite(value));
    sum += value;
    squares += value * value;
    const double wait = random.exponential();
    ASSERT_TRUE(std::isfinite(wait));
    ASSERT_GE(wait, 0.0);
    waits += wait;
  }
  EXPECT_NEAR(sum / draws, 0.0, 0.01);
  EXPECT_NEAR(squares / draws, 1.0, 0.02);
  EXPECT_NEAR(waits / draws, 1.0, 0.01);
}

TEST(Uuid, HasVersionFourAndDiffersEachTime) {
  Random random(4);
  std::set<std::string> seen;
  for (int i = 0; i < 1'000; ++i) {
    const std::string id = uuid(random);
    EXPECT_THAT(id, testing::MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"));
    EXPECT_TRUE(seen.insert(id).second);
  }
}

}  // namespace
}  // namespace portolan::base
