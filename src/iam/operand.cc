// SPDX-License-Identifier: Apache-2.0
#include "iam/operand.h"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <chrono>
#include <cstring>

#include "base/bytes.h"

namespace portolan::iam {
namespace {

constexpr std::string_view ten_digits = "0123456789";

/// Takes digits off the front, at least one.
std::optional<std::string_view> take_digits(std::string_view& text) {
  const std::size_t size = std::min(text.find_first_not_of(ten_digits), text.size());
  if (size == 0) return std::nullopt;
  const std::string_view digits = text.substr(0, size);
  text.remove_prefix(size);
  return digits;
}

bool take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

template <class Integer>
std::optional<Integer> to_integer(std::string_view digits) {
  Integer value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

/// Exactly `size` digits off the front, as a number.
std::optional<int> take_field(std::string_view& text, std::size_t size) {
  if (text.size() < size || text.substr(0, size).find_first_not_of(ten_digits) != std::string_view::npos)
    return std::nullopt;
  const auto value = to_integer<int>(text.substr(0, size));
  text.remove_prefix(size);
  return value;
}

/// ".25" off the front as nanoseconds; nothing there is 0. At most nine digits: more could not be told apart.
std::optional<std::uint32_t> take_fraction(std::string_view& text) {
  if (!take(text, '.')) return 0;
  const auto digits = take_digits(text);
  if (!digits || digits->size() > 9) return std::nullopt;
  std::uint32_t value = *to_integer<std::uint32_t>(*digits);
  for (std::size_t i = digits->size(); i < 9; ++i) value *= 10;
  return value;
}

/// "Z", "+02:00" or "-08:00", all that is left, in seconds east of Greenwich.
std::optional<std::int64_t> read_zone(std::string_view text) {
  if (text == "Z") return 0;
  const bool west = text.starts_with('-');
  if (!take(text, '+') && !take(text, '-')) return std::nullopt;
  const auto hours = take_field(text, 2);
  if (!hours || *hours > 23 || !take(text, ':')) return std::nullopt;
  const auto minutes = take_field(text, 2);
  if (!minutes || *minutes > 59 || !text.empty()) return std::nullopt;
  const std::int64_t offset = *hours * 3600 + *minutes * 60;
  return west ? -offset : offset;
}

/// "10:30", "10:30:15", "10:30:15.25", then the zone: all that is left.
std::optional<Moment> read_time_of_day(std::string_view text) {
  const auto hours = take_field(text, 2);
  if (!hours || *hours > 23 || !take(text, ':')) return std::nullopt;
  const auto minutes = take_field(text, 2);
  if (!minutes || *minutes > 59) return std::nullopt;
  std::int64_t seconds = *hours * 3600 + *minutes * 60;
  std::uint32_t nanoseconds = 0;
  if (take(text, ':')) {
    const auto whole = take_field(text, 2);
    if (!whole || *whole > 59) return std::nullopt;
    const auto fraction = take_fraction(text);
    if (!fraction) return std::nullopt;
    seconds += *whole;
    nanoseconds = *fraction;
  }
  const auto zone = read_zone(text);
  if (!zone) return std::nullopt;
  return Moment{seconds - *zone, nanoseconds};
}

std::optional<Moment> read_calendar(std::string_view text) {
  const auto year = take_field(text, 4);
  if (!year) return std::nullopt;
  int month = 1;
  int day = 1;
  Moment time;
  if (!text.empty()) {
    if (!take(text, '-')) return std::nullopt;
    const auto field = take_field(text, 2);
    if (!field) return std::nullopt;
    month = *field;
  }
  if (!text.empty()) {
    if (!take(text, '-')) return std::nullopt;
    const auto field = take_field(text, 2);
    if (!field) return std::nullopt;
    day = *field;
  }
  if (!text.empty()) {
    if (!take(text, 'T')) return std::nullopt;
    const auto read = read_time_of_day(text);
    if (!read) return std::nullopt;
    time = *read;
  }
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  time.seconds += std::chrono::sys_seconds(std::chrono::sys_days(date)).time_since_epoch().count();
  return time;
}

std::optional<Moment> read_epoch(std::string_view text) {
  constexpr std::size_t digits_max = 15;  // far beyond the year 9999
  const bool negative = take(text, '-');
  const auto whole = take_digits(text);
  if (!whole || whole->size() > digits_max) return std::nullopt;
  const auto fraction = take_fraction(text);
  if (!fraction || !text.empty() || (negative && *fraction != 0)) return std::nullopt;
  const std::int64_t seconds = *to_integer<std::int64_t>(*whole);
  return Moment{negative ? -seconds : seconds, *fraction};
}

struct Address {
  bool is_v6 = false;
  std::array<std::uint8_t, 16> bytes{};
};

std::optional<Address> read_address(std::string_view text) {
  char terminated[INET6_ADDRSTRLEN] = {};
  if (text.size() >= sizeof terminated) return std::nullopt;
  std::memcpy(terminated, text.data(), text.size());
  if (std::memchr(terminated, '\0', text.size()) != nullptr) return std::nullopt;
  Address address{.is_v6 = text.contains(':')};
  if (inet_pton(address.is_v6 ? AF_INET6 : AF_INET, terminated, address.bytes.data()) != 1) return std::nullopt;
  return address;
}

}  // namespace

std::optional<Decimal> Decimal::parse(std::string_view text) {
  constexpr std::size_t exponent_digits_max = 6;
  Decimal out;
  out.negative_ = take(text, '-');
  if (!out.negative_) take(text, '+');
  const auto whole = take_digits(text);
  if (!whole) return std::nullopt;
  std::string_view fraction;
  if (take(text, '.')) {
    const auto digits = take_digits(text);
    if (!digits) return std::nullopt;
    fraction = *digits;
  }
  std::int64_t exponent = 0;
  if (take(text, 'e') || take(text, 'E')) {
    const bool shrinks = take(text, '-');
    if (!shrinks) take(text, '+');
    const auto digits = take_digits(text);
    if (!digits || digits->size() > exponent_digits_max) return std::nullopt;
    exponent = *to_integer<std::int64_t>(*digits);
    if (shrinks) exponent = -exponent;
  }
  if (!text.empty()) return std::nullopt;

  out.digits_.reserve(whole->size() + fraction.size());
  out.digits_.append(*whole).append(fraction);
  const std::size_t first = out.digits_.find_first_not_of('0');
  if (first == std::string::npos) return Decimal{};
  out.exponent_ = exponent + static_cast<std::int64_t>(whole->size()) - static_cast<std::int64_t>(first);
  out.digits_.erase(out.digits_.find_last_not_of('0') + 1);
  out.digits_.erase(0, first);
  return out;
}

std::strong_ordering operator<=>(const Decimal& a, const Decimal& b) {
  const auto sign = [](const Decimal& value) { return value.digits_.empty() ? 0 : value.negative_ ? -1 : 1; };
  if (const auto order = sign(a) <=> sign(b); order != 0) return order;
  auto size = a.exponent_ <=> b.exponent_;
  if (size == 0) size = a.digits_ <=> b.digits_;  // without zeros at the ends, the longer of two equals is larger
  return sign(a) < 0 ? 0 <=> size : size;
}

std::optional<Moment> Moment::parse(std::string_view text) {
  if (const auto calendar = read_calendar(text)) return calendar;
  return read_epoch(text);
}

std::optional<IpRange> IpRange::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = read_address(text.substr(0, slash));
  if (!address) return std::nullopt;
  IpRange range;
  range.is_v6_ = address->is_v6;
  range.bytes_ = address->bytes;
  const int bits_max = address->is_v6 ? 128 : 32;
  range.prefix_bits_ = bits_max;
  if (slash != std::string_view::npos) {
    std::string_view rest = text.substr(slash + 1);
    const auto digits = take_digits(rest);
    if (!digits || digits->size() > 3 || !rest.empty()) return std::nullopt;
    range.prefix_bits_ = *to_integer<int>(*digits);
    if (range.prefix_bits_ > bits_max) return std::nullopt;
  }
  return range;
}

bool IpRange::contains(std::string_view text) const {
  const auto address = read_address(text);
  if (!address || address->is_v6 != is_v6_) return false;
  const auto whole = static_cast<std::size_t>(prefix_bits_ / 8);
  if (!std::equal(bytes_.begin(), bytes_.begin() + whole, address->bytes.begin())) return false;
  const int rest = prefix_bits_ % 8;
  if (rest == 0) return true;
  const unsigned mask = 0xffu << (8 - rest) & 0xffu;
  return (bytes_[whole] & mask) == (address->bytes[whole] & mask);
}

std::optional<bool> parse_bool(std::string_view text) {
  if (base::iequals(text, "true")) return true;
  if (base::iequals(text, "false")) return false;
  return std::nullopt;
}

}  // namespace portolan::iam
