// SPDX-License-Identifier: Apache-2.0
// What the recorder tells when the trail breaks.
#include "gateway/recorder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/crash_disk.h"

namespace portolan::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

world::Task<void> record(Recorder& recorder, int& refused) {
  const auto durable = co_await recorder.durable("{}", 0);
  if (!durable) ++refused;
}

TEST(Recorder, ABrokenTrailIsToldOnceWithItsReason) {
  const world::RealClock clock;
  world::Reactor reactor(0, clock);
  sim::CrashDisk disk{1};
  std::vector<std::string> told;
  auto recorder = Recorder::open({.directory = "data/trail"}, disk, {&reactor},
                                 [&told](const base::Error& why) { told.push_back(why.message); });
  ASSERT_TRUE(recorder) << recorder.error().message;
  int refused = 0;
  const auto record_one = [&] {
    world::asio::co_spawn(reactor.io, record(**recorder, refused), world::asio::detached);
    reactor.io.restart();
    while (reactor.io.run_one_for(std::chrono::seconds{1}) > 0) {
    }
    (*recorder)->flush();
  };
  record_one();
  EXPECT_EQ(refused, 0);
  EXPECT_THAT(told, ElementsAre());
  disk.set_faults({.sync_error_at = disk.operations() + 1});
  record_one();
  record_one();
  EXPECT_EQ(refused, 2);
  EXPECT_THAT(told, ElementsAre(HasSubstr("trail-")));
}

}  // namespace
}  // namespace portolan::gateway
