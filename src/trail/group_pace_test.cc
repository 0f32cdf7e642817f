// SPDX-License-Identifier: Apache-2.0
#include "trail/group_pace.h"

#include <gtest/gtest.h>

namespace portolan::trail {
namespace {

/// Groups of `size` at `per_second` records a second for a second; how many of the groups were followed by a wait.
int waits(GroupPace& pace, base::Instant& now, std::size_t size, double per_second) {
  int waited = 0;
  for (std::size_t written = 0; static_cast<double>(written) < per_second; written += size) {
    now += base::Duration{static_cast<std::int64_t>(1e9 * static_cast<double>(size) / per_second)};
    waited += pace.note(size, now) ? 1 : 0;
  }
  return waited;
}

TEST(GroupPace, NeverWaitsForRecordsThatComeSlowly) {
  GroupPace pace;
  base::Instant now{base::seconds{1000}};
  EXPECT_EQ(waits(pace, now, 1, 1000), 0);
  EXPECT_EQ(waits(pace, now, 1, 3500), 0);
}

TEST(GroupPace, DoesNotWaitAfterABurstInAQuietStretch) {
  GroupPace pace;
  base::Instant now{base::seconds{1000}};
  EXPECT_EQ(waits(pace, now, 1, 1000), 0);
  now += base::milliseconds{1};
  EXPECT_FALSE(pace.note(40, now));
  EXPECT_EQ(waits(pace, now, 1, 1000), 0);
}

TEST(GroupPace, GathersWithinATenthOfASecondOfSteadyLoad) {
  GroupPace pace;
  base::Instant now{base::seconds{1000}};
  EXPECT_GT(waits(pace, now, 2, 10'000), 4'900);  // of 5,000 groups
}

TEST(GroupPace, StopsGatheringSoonAfterTheLoadHasGone) {
  GroupPace pace;
  base::Instant now{base::seconds{1000}};
  waits(pace, now, 20, 10'000);
  ASSERT_TRUE(pace.note(20, now));
  now += base::milliseconds{30};
  EXPECT_FALSE(pace.note(1, now));
}

}  // namespace
}  // namespace portolan::trail
