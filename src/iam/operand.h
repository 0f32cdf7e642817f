// SPDX-License-Identifier: Apache-2.0
// The values of conditions that are no text: numbers, dates, address ranges. Each has one strict reader, used for
// the policy's values (once, at load) and for the request's.
//
// Source: IAM User Guide, "IAM JSON policy elements: Condition operators". All functions are pure; any thread.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace portolan::iam {

/// An integer or decimal of any length, compared exactly: 9007199254740993 is not 9007199254740992, 0.10 is 0.1.
class Decimal {
 public:
  /// "-12", "0.5", "1e3". nullopt otherwise.
  static std::optional<Decimal> parse(std::string_view text);

  friend std::strong_ordering operator<=>(const Decimal& a, const Decimal& b);
  friend bool operator==(const Decimal& a, const Decimal& b) = default;

 private:
  // 0.DIGITS × 10^exponent, without zeros at either end; zero has no digits, exponent 0 and no sign.
  bool negative_ = false;
  std::int64_t exponent_ = 0;
  std::string digits_;
};

/// A point in time, to the nanosecond.
struct Moment {
  std::int64_t seconds = 0;  // since 1970-01-01T00:00:00Z
  std::uint32_t nanoseconds = 0;
  friend auto operator<=>(const Moment&, const Moment&) = default;

  /// The forms of the W3C note on ISO 8601 (2020, 2020-04, 2020-04-01, 2020-04-01T10:30Z, …:15Z, …:15.25+02:00) and
  /// seconds since 1970. Four digits alone are a year.
  static std::optional<Moment> parse(std::string_view text);
};

/// An IPv4 or IPv6 network. Families never match one another: ::ffff:192.0.2.1 is no IPv4 address.
class IpRange {
 public:
  /// "203.0.113.0/24", "2001:db8::/32"; without a length one address. Bits behind the length do not matter.
  static std::optional<IpRange> parse(std::string_view text);

  /// Whether `text`, an address without a length, lies in it. False when it is no address.
  bool contains(std::string_view text) const;

 private:
  bool is_v6_ = false;
  int prefix_bits_ = 0;
  std::array<std::uint8_t, 16> bytes_{};
};

/// "true" and "false" in any case.
std::optional<bool> parse_bool(std::string_view text);

}  // namespace portolan::iam
