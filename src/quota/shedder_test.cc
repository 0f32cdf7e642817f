// SPDX-License-Identifier: Apache-2.0
#include "quota/shedder.h"

#include <gtest/gtest.h>

namespace portolan::quota {
namespace {

using namespace std::chrono_literals;
using domain::CallClass;

/// Probes every 10 ms that all wait `wait`, for `span`; gives the time afterwards.
base::Instant observe_for(Shedder& shedder, base::Instant from, base::Duration span, base::Duration wait) {
  const base::Instant until = from + span;
  for (; from < until; from += 10ms) shedder.observe(wait, from);
  return from;
}

/// The share of a class that is refused now.
double share(const Shedder& shedder, CallClass call_class, base::Instant now) {
  int refused = 0;
  for (int i = 0; i < 1000; ++i) refused += shedder.sheds(call_class, i / 1000.0, now);
  return refused / 1000.0;
}

constexpr base::Instant start{1'000s};

TEST(Shedder, RefusesNothingWhileWorkIsTakenUpInTime) {
  Shedder shedder;
  const base::Instant now = observe_for(shedder, start, 60s, 19ms);
  EXPECT_EQ(share(shedder, CallClass::batch, now), 0);
}

TEST(Shedder, TakesABurstForWhatItIs) {
  Shedder shedder;
  base::Instant now = start;
  for (int i = 0; i < 100; ++i) {
    now = observe_for(shedder, now, 90ms, 200ms);
    now = observe_for(shedder, now, 10ms, 1ms);  // the queue was empty once in the interval
  }
  EXPECT_EQ(share(shedder, CallClass::batch, now), 0);
}

TEST(Shedder, RefusesTheLowestClassFirst) {
  Shedder shedder;
  base::Instant now = start;
  while (shedder.level() < 0.5) now = observe_for(shedder, now, 100ms, 25ms);
  EXPECT_GT(share(shedder, CallClass::batch, now), 0.4);
  EXPECT_EQ(share(shedder, CallClass::standard, now), 0);
  while (shedder.level() < 1.5) now = observe_for(shedder, now, 100ms, 25ms);
  EXPECT_EQ(share(shedder, CallClass::batch, now), 1);
  EXPECT_GT(share(shedder, CallClass::standard, now), 0.4);
  EXPECT_EQ(share(shedder, CallClass::critical, now), 0);
  now = observe_for(shedder, now, 60s, 25ms);
  EXPECT_EQ(share(shedder, CallClass::critical, now), 1);
}

TEST(Shedder, MeetsALongQueueFasterThanAShortOne) {
  const auto took = [](base::Duration wait) {
    Shedder shedder;
    base::Instant now = start;
    while (shedder.level() < 1) now = observe_for(shedder, now, 100ms, wait);
    return now - start;
  };
  EXPECT_LE(took(500ms), 500ms);
  EXPECT_GT(took(25ms), 1s);
}

TEST(Shedder, LetsCallsInAgainWhenTheQueueIsGone) {
  Shedder shedder;
  base::Instant now = observe_for(shedder, start, 2s, 500ms);
  ASSERT_EQ(share(shedder, CallClass::critical, now), 1);
  now = observe_for(shedder, now, 7s, 1ms);
  EXPECT_EQ(shedder.level(), 0);
  EXPECT_EQ(share(shedder, CallClass::batch, now), 0);
}

TEST(Shedder, ForgetsWhatItSawBeforeASilence) {
  Shedder shedder;
  const base::Instant now = observe_for(shedder, start, 2s, 500ms);
  EXPECT_EQ(share(shedder, CallClass::batch, now + 2s), 0);
  shedder.observe(1ms, now + 2s);
  EXPECT_EQ(share(shedder, CallClass::batch, now + 2s), 0);
}

TEST(Shedder, DoesNotTakeAProbeThatWaitedLongForSilence) {
  Shedder shedder;
  base::Instant now = start;
  for (int i = 0; i < 5; ++i) shedder.observe(3s, now += 3s);
  EXPECT_GT(share(shedder, CallClass::batch, now), 0.9);
}

}  // namespace
}  // namespace portolan::quota
