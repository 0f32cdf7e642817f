// SPDX-License-Identifier: Apache-2.0
// Three kinds of time, never mixed.
//
// Instant   a point on the world's monotonic clock; every deadline, window, refill and breaker uses it. Under
//           --time-scale N it runs N times as fast as the wall.
// Duration  a span of world time.
// WallTime  UTC since 1970; only for SigV4 dates, eventTime and what people read. It may jump.
//
// Judges take an Instant as an argument; nobody above world/ reads a clock.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace portolan::base {

using Duration = std::chrono::nanoseconds;

struct WorldClock {
  using rep = std::int64_t;
  using period = std::nano;
  using duration = Duration;
  using time_point = std::chrono::time_point<WorldClock>;
  static constexpr bool is_steady = true;
};
using Instant = WorldClock::time_point;

/// Microseconds since 1970-01-01T00:00:00Z.
using WallTime = std::chrono::sys_time<std::chrono::microseconds>;

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr double to_ms(Duration duration) {
  return static_cast<double>(duration.count()) / 1e6;
}
constexpr Duration from_ms(double ms) {
  return Duration{static_cast<std::int64_t>(ms * 1e6)};
}

/// "2026-11-21T23:05:07Z", or with milliseconds "2026-11-21T23:05:07.042Z".
std::string iso8601(WallTime at, bool with_ms = false);
/// "20261121T230507Z", the form of x-amz-date.
std::string amz_date(WallTime at);
/// Reads either form above (fraction optional). False when it is neither; `at` is then unchanged.
bool parse_time(std::string_view text, WallTime& at);

/// Reads "250ms", "10s", "2m", "1h", "90d", "1.5s". False when it is not a duration; `duration` is then unchanged.
bool parse_duration(std::string_view text, Duration& duration);
/// The shortest form that parse_duration reads back: "250ms", "10s", "2m".
std::string format_duration(Duration duration);

}  // namespace portolan::base
