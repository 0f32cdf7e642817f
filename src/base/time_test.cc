// SPDX-License-Identifier: Apache-2.0
#include "base/time.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace portolan::base {
namespace {

using namespace std::chrono_literals;

const WallTime moment = std::chrono::sys_days{std::chrono::year{2026} / 11 / 21} + 23h + 5min + 7s + 42'999us;

TEST(WallTime, IsWrittenInBothForms) {
  EXPECT_EQ(iso8601(moment), "2026-11-21T23:05:07Z");
  EXPECT_EQ(iso8601(moment, true), "2026-11-21T23:05:07.042Z");
  EXPECT_EQ(amz_date(moment), "20261121T230507Z");
  EXPECT_EQ(iso8601(WallTime{}), "1970-01-01T00:00:00Z");
  EXPECT_EQ(iso8601(WallTime{} - 1us, true), "1969-12-31T23:59:59.999Z");
}

TEST(WallTime, IsReadInBothForms) {
  WallTime at;
  ASSERT_TRUE(parse_time("2026-11-21T23:05:07Z", at));
  EXPECT_EQ(at, std::chrono::floor<seconds>(moment));
  ASSERT_TRUE(parse_time("20261121T230507Z", at));
  EXPECT_EQ(at, std::chrono::floor<seconds>(moment));
  ASSERT_TRUE(parse_time("2026-11-21T23:05:07.042Z", at));
  EXPECT_EQ(at, std::chrono::floor<milliseconds>(moment));
  ASSERT_TRUE(parse_time("2026-11-21T23:05:07.5Z", at));
  EXPECT_EQ(at, std::chrono::floor<seconds>(moment) + 500ms);
  ASSERT_TRUE(parse_time("2026-11-21T23:05:07.123456789Z", at));
  EXPECT_EQ(at, std::chrono::floor<seconds>(moment) + 123ms);
  ASSERT_TRUE(parse_time("2024-02-29T00:00:00Z", at)) << "a leap day";
  ASSERT_TRUE(parse_time("2016-12-31T23:59:60Z", at)) << "a leap second";
  EXPECT_EQ(iso8601(at), "2017-01-01T00:00:00Z");
}

TEST(WallTime, RefusesEveryOtherFormAndLeavesTheArgumentAlone) {
  for (const std::string_view odd : {"",
                                     "Z",
                                     "2026-11-21",
                                     "2026-11-21T23:05:07",
                                     "2026-11-21 23:05:07Z",
                                     "2026-11-21T23:05:07+00:00",
                                     "2026-11-21T23:05Z",
                                     "2026-13-21T23:05:07Z",
                                     "2026-00-21T23:05:07Z",
                                     "2026-11-31T23:05:07Z",
                                     "2026-11-00T23:05:07Z",
                                     "2025-02-29T00:00:00Z",
                                     "2026-11-21T24:05:07Z",
                                     "2026-11-21T23:60:07Z",
                                     "2026-11-21T23:05:61Z",
                                     "2026-11-21T23:05:07.Z",
                                     "2026-11-21T23:05:07.1234567890Z",
                                     "2026-11-21T23:05:07ZZ",
                                     " 2026-11-21T23:05:07Z",
                                     "20261121T230507",
                                     "20261121T2305Z",
                                     "20261121230507Z",
                                     "2026-1121T230507Z",
                                     "20261121T23:05:07Z",
                                     "-026-11-21T23:05:07Z",
                                     "2026-11-21t23:05:07z"}) {
    WallTime at = moment;
    EXPECT_FALSE(parse_time(odd, at)) << odd;
    EXPECT_EQ(at, moment) << odd;
  }
}

TEST(WallTime, ReadsBackWhatItWrote) {
  Random random(1);
  for (int i = 0; i < 2'000; ++i) {
    const WallTime at{std::chrono::milliseconds{static_cast<std::int64_t>(random.below(4'102'444'800'000))}};
    WallTime back;
    ASSERT_TRUE(parse_time(iso8601(at, true), back));
    EXPECT_EQ(back, at);
    ASSERT_TRUE(parse_time(amz_date(at), back));
    EXPECT_EQ(back, std::chrono::floor<seconds>(at));
  }
}

TEST(Duration, IsReadWithItsUnit) {
  const auto read = [](std::string_view text) {
    Duration duration{-1};
    EXPECT_TRUE(parse_duration(text, duration)) << text;
    return duration;
  };
  EXPECT_EQ(read("250ms"), 250ms);
  EXPECT_EQ(read("10s"), 10s);
  EXPECT_EQ(read("2m"), 2min);
  EXPECT_EQ(read("1h"), 1h);
  EXPECT_EQ(read("90d"), 2160h);
  EXPECT_EQ(read("1.5s"), 1500ms);
  EXPECT_EQ(read("0.57s"), 570ms) << "which is 569.999… ms in binary";
  EXPECT_EQ(read("0.25ms"), 250us);
  EXPECT_EQ(read("0s"), 0s);
}

TEST(Duration, IsRefusedWithoutUnitSignOrSense) {
  for (const std::string_view odd : {"", "s", "10", "10 s", " 10s", "10s ", "-1s", "+1s", "1e3s", "1w", "10S",
                                     "nans", "infs", "0x10s", "1,5s", "1000000001s", "100000000h"}) {
    Duration duration = 42ns;
    EXPECT_FALSE(parse_duration(odd, duration)) << odd;
    EXPECT_EQ(duration, 42ns) << odd;
  }
}

TEST(Duration, IsWrittenInItsLargestWholeUnit) {
  EXPECT_EQ(format_duration(250ms), "250ms");
  EXPECT_EQ(format_duration(1500ms), "1500ms");
  EXPECT_EQ(format_duration(10s), "10s");
  EXPECT_EQ(format_duration(90s), "90s");
  EXPECT_EQ(format_duration(2min), "2m");
  EXPECT_EQ(format_duration(2h), "2h");
  EXPECT_EQ(format_duration(0s), "0ms");
}

TEST(Duration, ReadsBackWhatItWrote) {
  Random random(2);
  for (int i = 0; i < 2'000; ++i) {
    const Duration duration = milliseconds{static_cast<std::int64_t>(random.below(100'000'000))};
    Duration back{};
    ASSERT_TRUE(parse_duration(format_duration(duration), back));
    EXPECT_EQ(back, duration);
  }
}

}  // namespace
}  // namespace portolan::base
