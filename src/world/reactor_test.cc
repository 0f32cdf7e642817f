// SPDX-License-Identifier: Apache-2.0
// The wheel against the clock, and signals between coroutines.
#include "world/reactor.h"

#include <gtest/gtest.h>
#include <memory>
#include <vector>

namespace portolan::world {
namespace {

using std::chrono::milliseconds;

/// One tick, and what a loaded machine may add.
constexpr base::Duration slack = milliseconds{5} + milliseconds{25};

class Alarm final : public Deadline {
 public:
  explicit Alarm(Reactor& reactor) : Deadline(reactor.wheel), clock_(reactor.clock) {}
  std::move_only_function<void()> then;
  base::Instant fired_at{};
  int times = 0;

 private:
  void on_expired() override {
    fired_at = clock_.now();
    ++times;
    if (then) then();
  }
  const Clock& clock_;
};

void expect_on_time(const Alarm& alarm, base::Instant due) {
  EXPECT_EQ(alarm.times, 1);
  EXPECT_GE(alarm.fired_at, due) << "early";
  EXPECT_LE(alarm.fired_at, due + slack) << "late";
}

TEST(Wheel, FiresNeverEarlyAndAtMostATickLate) {
  const RealClock clock;
  Reactor reactor(0, clock);
  std::vector<std::unique_ptr<Alarm>> alarms;
  const base::Instant start = clock.now();
  for (int i = 0; i < 40; ++i) {
    alarms.push_back(std::make_unique<Alarm>(reactor));
    alarms.back()->arm(start + milliseconds{1 + 2 * i} + std::chrono::microseconds{137 * i});
  }
  reactor.io.run();  // ends by itself: an empty wheel stops turning
  for (int i = 0; i < 40; ++i) {
    expect_on_time(*alarms[static_cast<std::size_t>(i)],
                   start + milliseconds{1 + 2 * i} + std::chrono::microseconds{137 * i});
    EXPECT_TRUE(alarms[static_cast<std::size_t>(i)]->expired());
  }
}

TEST(Wheel, AMomentInThePastFiresAtOnce) {
  const RealClock clock;
  Reactor reactor(0, clock);
  Alarm alarm(reactor);
  const base::Instant now = clock.now();
  alarm.arm(now - base::seconds{5});
  EXPECT_EQ(alarm.times, 0) << "not from within arm()";
  reactor.io.run();
  expect_on_time(alarm, now - base::seconds{0});
}

TEST(Wheel, FollowsADeadlineThatIsMovedLaterOrSooner) {
  const RealClock clock;
  Reactor reactor(0, clock);
  Alarm later(reactor);
  Alarm sooner(reactor);
  const base::Instant now = clock.now();
  later.arm(now + milliseconds{10});
  later.arm(now + milliseconds{90});
  sooner.arm(now + base::seconds{60});
  sooner.arm(now + milliseconds{30});
  reactor.io.run();
  expect_on_time(later, now + milliseconds{90});
  expect_on_time(sooner, now + milliseconds{30});
}

TEST(Wheel, ADisarmedDeadlineStaysQuietAndCanBeArmedAgain) {
  const RealClock clock;
  Reactor reactor(0, clock);
  Alarm alarm(reactor);
  alarm.arm(clock.now() + milliseconds{10});
  alarm.disarm();
  reactor.io.run();
  EXPECT_EQ(alarm.times, 0);
  EXPECT_FALSE(alarm.expired());
  reactor.io.restart();
  const base::Instant due = clock.now() + milliseconds{10};
  alarm.arm(due);
  reactor.io.run();
  expect_on_time(alarm, due);
  alarm.arm(clock.now() + milliseconds{5});
  EXPECT_FALSE(alarm.expired()) << "armed anew, it has not run out";
}

TEST(Wheel, WaitsBeyondOneTurn) {
  const RealClock clock(100);  // one turn of 1024 slots is 512 s of this world
  Reactor reactor(0, clock);
  Alarm alarm(reactor);
  Alarm disarmed(reactor);
  const base::Instant due = clock.now() + base::seconds{530};
  alarm.arm(due);
  disarmed.arm(due);
  disarmed.disarm();
  reactor.io.run();
  EXPECT_EQ(alarm.times, 1);
  EXPECT_GE(alarm.fired_at, due);
  EXPECT_LE(alarm.fired_at, due + slack * 100);
  EXPECT_EQ(disarmed.times, 0);
}

TEST(Wheel, WhatFiresMayArmAndDestroyOthersAndItself) {
  const RealClock clock;
  Reactor reactor(0, clock);
  const base::Instant due = clock.now() + milliseconds{10};
  auto first = std::make_unique<Alarm>(reactor);
  auto neighbour = std::make_unique<Alarm>(reactor);
  Alarm again(reactor);
  Alarm late(reactor);
  first->arm(due);
  neighbour->arm(due);
  again.arm(due);
  first->then = [&] {
    neighbour.reset();
    late.arm(due + milliseconds{20});
  };
  again.then = [&] {
    again.then = nullptr;
    first.reset();
    again.arm(clock.now());
  };
  reactor.io.run();
  EXPECT_EQ(again.times, 2);
  expect_on_time(late, due + milliseconds{20});
}

TEST(Wheel, GoesOnAfterTheReactorWasHeldUp) {
  const RealClock clock(1000);
  Reactor reactor(0, clock);
  std::vector<std::unique_ptr<Alarm>> alarms;
  for (int i = 1; i <= 50; ++i) {
    alarms.push_back(std::make_unique<Alarm>(reactor));
    alarms.back()->arm(clock.now() + base::seconds{i});
  }
  asio::post(reactor.io, [&] {
    const base::Instant until = clock.now() + base::seconds{60};
    while (clock.now() < until) {
    }
  });
  reactor.io.run();
  for (const auto& alarm : alarms) EXPECT_EQ(alarm->times, 1);
}

Task<void> wait_and_count(Signal& signal, int& count) {
  co_await signal.wait();
  ++count;
}

TEST(Signal, WakesItsWaiterAndIsKeptWhenNobodyWaitsYet) {
  asio::io_context io(1);
  Signal signal(io.get_executor());
  int count = 0;
  asio::co_spawn(io, wait_and_count(signal, count), asio::detached);
  io.poll();
  EXPECT_EQ(count, 0);
  signal.set();
  EXPECT_EQ(count, 0) << "not from within set()";
  io.restart();
  io.poll();
  EXPECT_EQ(count, 1);

  signal.set();
  signal.set();  // twice is once
  asio::co_spawn(io, wait_and_count(signal, count), asio::detached);
  asio::co_spawn(io, wait_and_count(signal, count), asio::detached);
  io.restart();
  io.poll();
  EXPECT_EQ(count, 2);
  signal.set();
  io.restart();
  io.poll();
  EXPECT_EQ(count, 3);
}

TEST(SleepFor, SleepsWorldTime) {
  const RealClock clock(1000);
  asio::io_context io(1);
  const base::Instant before = clock.now();
  asio::co_spawn(io, sleep_for(base::seconds{20}, clock), asio::detached);
  io.run();
  EXPECT_GE(clock.now() - before, base::seconds{20});
  EXPECT_LT(clock.now() - before, base::seconds{120});
}

}  // namespace
}  // namespace portolan::world
