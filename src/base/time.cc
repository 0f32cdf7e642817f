// SPDX-License-Identifier: Apache-2.0
#include "base/time.h"

#include <charconv>
#include <cmath>
#include <fmt/format.h>

namespace portolan::base {
namespace {

struct Fields {
  int year, month, day, hour, minute, second, ms;
};

Fields split(WallTime at) {
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date{day};
  const auto ms = std::chrono::floor<milliseconds>(at - day).count();
  return {.year = int{date.year()},
          .month = static_cast<int>(unsigned{date.month()}),
          .day = static_cast<int>(unsigned{date.day()}),
          .hour = static_cast<int>(ms / 3'600'000),
          .minute = static_cast<int>(ms / 60'000 % 60),
          .second = static_cast<int>(ms / 1000 % 60),
          .ms = static_cast<int>(ms % 1000)};
}

bool read_digits(std::string_view text, std::size_t from, std::size_t count, int& value) {
  if (from + count > text.size()) return false;
  value = 0;
  for (const char c : text.substr(from, count)) {
    if (c < '0' || c > '9') return false;
    value = value * 10 + (c - '0');
  }
  return true;
}

}  // namespace

std::string iso8601(WallTime at, bool with_ms) {
  const Fields f = split(at);
  if (with_ms)
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", f.year, f.month, f.day, f.hour, f.minute,
                       f.second, f.ms);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", f.year, f.month, f.day, f.hour, f.minute, f.second);
}

std::string amz_date(WallTime at) {
  const Fields f = split(at);
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}Z", f.year, f.month, f.day, f.hour, f.minute, f.second);
}

bool parse_time(std::string_view text, WallTime& at) {
  const bool dashed = text.size() >= 20 && text[4] == '-';
  const std::size_t date_gap = dashed ? 1 : 0;
  Fields f{};
  std::size_t pos = 0;
  const auto take = [&](std::size_t count, int& value) {
    const bool ok = read_digits(text, pos, count, value);
    pos += count;
    return ok;
  };
  const auto expect = [&](char c) { return pos < text.size() && text[pos++] == c; };
  if (!take(4, f.year) || (date_gap && !expect('-')) || !take(2, f.month) || (date_gap && !expect('-')) ||
      !take(2, f.day) || !expect('T') || !take(2, f.hour) || (date_gap && !expect(':')) || !take(2, f.minute) ||
      (date_gap && !expect(':')) || !take(2, f.second))
    return false;
  if (pos < text.size() && text[pos] == '.') {
    ++pos;
    int scale = 100;
    const std::size_t from = pos;
    while (pos < text.size() && text[pos] >= '0' && text[pos] <= '9' && pos - from < 9) {
      f.ms += (text[pos] - '0') * scale;
      scale /= 10;
      ++pos;
    }
    if (pos == from) return false;
  }
  if (!expect('Z') || pos != text.size()) return false;
  const std::chrono::year_month_day date{std::chrono::year{f.year},
                                         std::chrono::month{static_cast<unsigned>(f.month)},
                                         std::chrono::day{static_cast<unsigned>(f.day)}};
  if (!date.ok() || f.hour > 23 || f.minute > 59 || f.second > 60) return false;
  at = std::chrono::sys_days{date} + std::chrono::hours{f.hour} + std::chrono::minutes{f.minute} +
       std::chrono::seconds{f.second} + milliseconds{f.ms};
  return true;
}

bool parse_duration(std::string_view text, Duration& duration) {
  double value = 0;
  const auto [end, failure] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (failure != std::errc{} || !(value >= 0) || value > 1e9) return false;
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  double ms = 0;
  if (unit == "ms")
    ms = 1;
  else if (unit == "s")
    ms = 1000;
  else if (unit == "m")
    ms = 60'000;
  else if (unit == "h")
    ms = 3'600'000;
  else if (unit == "d")
    ms = 86'400'000;
  else
    return false;
  if (value * ms > 9e12) return false;  // stay far inside int64 nanoseconds
  // Rounded, not cut: 0.57 s is 569.9999… ms in binary.
  duration = Duration{std::llround(value * ms * 1e6)};
  return true;
}

std::string format_duration(Duration duration) {
  const std::int64_t ms = duration.count() / 1'000'000;
  if (ms != 0 && ms % 3'600'000 == 0) return fmt::format("{}h", ms / 3'600'000);
  if (ms != 0 && ms % 60'000 == 0) return fmt::format("{}m", ms / 60'000);
  if (ms != 0 && ms % 1000 == 0) return fmt::format("{}s", ms / 1000);
  return fmt::format("{}ms", ms);
}

}  // namespace portolan::base
