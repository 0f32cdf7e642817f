// SPDX-License-Identifier: Apache-2.0
#include "world/queue_probe.h"

#include <gtest/gtest.h>
#include <thread>

namespace portolan::world {
namespace {

using std::chrono::milliseconds;

TEST(QueueProbe, SeesHowLongTheReactorWasBusyWithOthers) {
  const RealClock clock;
  Reactor reactor(0, clock);
  base::Duration waited{-1};
  QueueProbe probe(reactor, [&](base::Duration took, base::Instant) { waited = took; });
  probe.ask();
  asio::post(reactor.io, [] { std::this_thread::sleep_for(milliseconds{60}); });
  while (waited < base::Duration{0}) reactor.io.run_one();
  EXPECT_GE(waited, milliseconds{60});
}

TEST(QueueProbe, TellsRealTimeHoweverFastTheWorldRuns) {
  const RealClock clock(100);
  Reactor reactor(0, clock);
  base::Duration waited{-1};
  QueueProbe probe(reactor, [&](base::Duration took, base::Instant) { waited = took; });
  probe.ask();
  asio::post(reactor.io, [] { std::this_thread::sleep_for(milliseconds{20}); });
  while (waited < base::Duration{0}) reactor.io.run_one();
  EXPECT_GE(waited, milliseconds{20});
  EXPECT_LT(waited, milliseconds{500}) << "two seconds of world time passed";
}

TEST(QueueProbe, IsSentOnceInAWhileHoweverOftenItIsAskedFor) {
  const RealClock clock;
  Reactor reactor(0, clock);
  int told = 0;
  QueueProbe probe(reactor, [&](base::Duration, base::Instant) { ++told; });
  const base::Instant until = clock.now() + milliseconds{100};
  while (clock.now() < until) {
    probe.ask();
    reactor.io.restart();
    reactor.io.poll();
  }
  EXPECT_GE(told, 2);
  EXPECT_LE(told, 11) << "ten milliseconds lie between two";
}

}  // namespace
}  // namespace portolan::world
