// SPDX-License-Identifier: Apache-2.0
#include "sim/fault.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace portolan::sim {
namespace {

using ::testing::HasSubstr;
using Words = std::vector<std::string>;

std::string round_trip(std::string_view kind, const Words& arguments, double share = 1,
                       base::Duration duration = {}) {
  const auto fault = parse_fault(kind, arguments, share, duration);
  return fault ? format_fault(*fault) : "error: " + fault.error().message;
}

TEST(Fault, ReadsEveryKindAndWritesItBack) {
  EXPECT_EQ(round_trip("refuse", {}), "refuse");
  EXPECT_EQ(round_trip("drop", {}), "drop");
  EXPECT_EQ(round_trip("slow", {"2.5"}), "slow 2.5");
  EXPECT_EQ(round_trip("first-token", {"250ms"}), "first-token 250ms");
  EXPECT_EQ(round_trip("throttle", {}), "throttle");
  EXPECT_EQ(round_trip("unavailable", {}), "unavailable");
  EXPECT_EQ(round_trip("error", {}), "error 500");
  EXPECT_EQ(round_trip("error", {"424"}), "error 424");
  EXPECT_EQ(round_trip("cut", {"12"}), "cut 12");
  EXPECT_EQ(round_trip("stall", {}), "stall 0");
  EXPECT_EQ(round_trip("stall", {"7"}), "stall 7");
  EXPECT_EQ(round_trip("malformed", {}), "malformed");
  EXPECT_EQ(round_trip("version-absent", {"a.b-v1:0"}), "version-absent a.b-v1:0");
  EXPECT_EQ(round_trip("drop", {}, 0.25, std::chrono::seconds{10}), "drop --share 0.25 --for 10s");
}

TEST(Fault, NamesAllKindsWhenOneIsUnknown) {
  const std::string error = round_trip("refused", {});
  for (const std::string_view kind :
       {"refuse", "drop", "slow N", "first-token DUR", "throttle", "unavailable", "error [STATUS]", "cut TOKENS",
        "stall [TOKENS]", "malformed", "version-absent MODEL"})
    EXPECT_THAT(error, HasSubstr(std::string(kind)));
}

TEST(Fault, RefusesArgumentsThatMakeNoSense) {
  EXPECT_THAT(round_trip("slow", {}), HasSubstr("write: slow N"));
  EXPECT_THAT(round_trip("slow", {"0.5"}), HasSubstr("factor from 1"));
  EXPECT_THAT(round_trip("slow", {"nan"}), HasSubstr("factor from 1"));
  EXPECT_THAT(round_trip("slow", {"3x"}), HasSubstr("factor from 1"));
  EXPECT_THAT(round_trip("first-token", {"soon"}), HasSubstr("duration"));
  EXPECT_THAT(round_trip("error", {"200"}), HasSubstr("400 to 599"));
  EXPECT_THAT(round_trip("error", {"600"}), HasSubstr("400 to 599"));
  EXPECT_THAT(round_trip("cut", {}), HasSubstr("cut TOKENS"));
  EXPECT_THAT(round_trip("cut", {"-1"}), HasSubstr("number of tokens"));
  EXPECT_THAT(round_trip("drop", {"now"}), HasSubstr("write: drop"));
  EXPECT_THAT(round_trip("version-absent", {""}), HasSubstr("model id"));
  EXPECT_THAT(round_trip("drop", {}, 0), HasSubstr("share 0"));
  EXPECT_THAT(round_trip("drop", {}, 1.1), HasSubstr("share 1.1"));
  EXPECT_THAT(round_trip("drop", {}, std::numeric_limits<double>::quiet_NaN()), HasSubstr("share"));
}

TEST(FaultBoard, KeepsOneFaultOfEachKindAndOneForEachAbsentModel) {
  FaultBoard board{1};
  const std::uint64_t first = board.put(parse_fault("slow", Words{"2"}).value());
  board.put(parse_fault("slow", Words{"3"}).value());
  board.put(parse_fault("version-absent", Words{"a"}).value());
  board.put(parse_fault("version-absent", Words{"b"}).value());
  EXPECT_THAT(board.describe(), ::testing::ElementsAre("slow 3", "version-absent a", "version-absent b"));
  EXPECT_FALSE(board.remove(first)) << "the timer of a fault that was replaced must not end the new one";
  EXPECT_EQ(board.draw("c").slow, 3);
  EXPECT_FALSE(board.draw("c").refusal.has_value());
  EXPECT_EQ(board.draw("b").refusal->status, 404);
  board.clear();
  EXPECT_EQ(board.draw("b").slow, 1);
}

TEST(FaultBoard, AShareHitsThatShareOfDrawsAndTheSameOnesForTheSameSeed) {
  FaultBoard board{9};
  FaultBoard twin{9};
  for (FaultBoard* each : {&board, &twin}) each->put(parse_fault("drop", Words{}, 0.2).value());
  int hit = 0;
  for (int i = 0; i < 10'000; ++i) {
    const bool silent = board.draw("m").silent;
    ASSERT_EQ(twin.draw("m").silent, silent);
    hit += silent ? 1 : 0;
  }
  EXPECT_NEAR(hit, 2000, 200);
  EXPECT_FALSE(board.silences_all());
  board.put(parse_fault("drop", Words{}).value());
  EXPECT_TRUE(board.silences_all());
  EXPECT_FALSE(board.refuses_all());
}

}  // namespace
}  // namespace portolan::sim
