// SPDX-License-Identifier: Apache-2.0
// Calls of several reactors that wait for one group of records.
#include "gateway/recorder.h"

#include <array>
#include <atomic>
#include <gtest/gtest.h>
#include <thread>
#include <vector>

#include "sim/crash_disk.h"

namespace portolan::gateway {
namespace {

constexpr int calls_for_each = 64;
constexpr int records_for_each_call = 50;

world::Task<void> record_again_and_again(Recorder& recorder, std::uint32_t reactor, std::atomic<int>& durable) {
  for (int i = 0; i < records_for_each_call; ++i) {
    const auto recorded = co_await recorder.durable("{}", reactor);
    if (recorded) durable.fetch_add(1);
  }
}

/// Under AddressSanitizer this also shows that nothing of a call is looked at once its reactor may have ended it.
TEST(Recorder, WakesEveryCallOfEveryReactorOnce) {
  const world::RealClock clock;
  sim::CrashDisk disk{1};
  world::Reactor first(0, clock);
  world::Reactor second(1, clock);
  const std::array reactors{&first, &second};
  auto recorder = Recorder::open({.directory = "data/trail"}, disk, {&first, &second});
  ASSERT_TRUE(recorder) << recorder.error().message;
  std::atomic<int> durable{0};
  for (world::Reactor* reactor : reactors)
    for (int call = 0; call < calls_for_each; ++call)
      world::asio::co_spawn(reactor->io, record_again_and_again(**recorder, reactor->index, durable),
                            world::asio::detached);
  std::vector<std::thread> threads;
  for (world::Reactor* reactor : reactors)
    threads.emplace_back([reactor] { reactor->io.run_for(std::chrono::seconds{30}); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(durable.load(), static_cast<int>(reactors.size()) * calls_for_each * records_for_each_call);
}

}  // namespace
}  // namespace portolan::gateway
