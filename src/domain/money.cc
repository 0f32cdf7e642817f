// SPDX-License-Identifier: Apache-2.0
#include "domain/money.h"

#include <charconv>
#include <fmt/format.h>
#include <limits>

namespace portolan::domain {
namespace {

using base::Code;
using base::fail;
using base::Result;

constexpr std::int64_t amount_max = std::numeric_limits<std::int64_t>::max();
constexpr int exponent_max = 40;  // beyond it a number is none of ours, whatever its digits

std::unexpected<base::Error> not_decimal(std::string_view text) {
  return fail(Code::invalid_field,
              fmt::format("must be a decimal number such as 3.75, not \"{}\"", text.substr(0, 40)));
}

bool is_decimal_digit(char c) {
  return c >= '0' && c <= '9';
}

/// The digits of a number without its point, and how many of them stand after it.
struct Decimal {
  std::string digits;
  int after_point = 0;
};

Result<Decimal> read_decimal(std::string_view text) {
  Decimal number;
  std::size_t at = 0;
  bool point = false;
  for (; at < text.size() && (is_decimal_digit(text[at]) || (text[at] == '.' && !point)); ++at) {
    if (text[at] == '.') {
      point = true;
      continue;
    }
    number.digits += text[at];
    number.after_point += point ? 1 : 0;
  }
  if (number.digits.empty() || number.digits.size() > 60) return not_decimal(text);
  if (at == text.size()) return number;
  if (text[at] != 'e' && text[at] != 'E') return not_decimal(text);
  ++at;
  if (at < text.size() && text[at] == '+') ++at;
  int exponent = 0;
  const auto [end, failure] = std::from_chars(text.data() + at, text.data() + text.size(), exponent);
  if (failure != std::errc{} || end != text.data() + text.size() || exponent > exponent_max ||
      exponent < -exponent_max)
    return not_decimal(text);
  number.after_point -= exponent;
  return number;
}

}  // namespace

Result<std::int64_t> Picos::micros() const {
  const Wide rounded = (sum_ + (picos_per_micro - 1)) / picos_per_micro;
  if (rounded < 0 || rounded > amount_max)
    return fail(Code::invalid_field, "the cost is more than an amount of money can hold");
  return static_cast<std::int64_t>(rounded);
}

Result<std::int64_t> parse_decimal(std::string_view text, int digits, Finer finer) {
  if (text.starts_with('-') && text.size() > 1)
    return fail(Code::invalid_field, fmt::format("must not be negative ({})", text.substr(0, 40)));
  TRY(Decimal number, read_decimal(text));
  bool rest = false;
  while (number.after_point > digits) {
    // One digit beyond what is kept.
    rest = rest || (!number.digits.empty() && number.digits.back() != '0');
    if (!number.digits.empty()) number.digits.pop_back();
    --number.after_point;
  }
  if (rest && finer == Finer::refused)
    return fail(Code::invalid_field, fmt::format("must have at most {} decimals, not {}", digits, text));
  std::int64_t value = 0;
  const auto append = [&](int digit) {
    return !__builtin_mul_overflow(value, std::int64_t{10}, &value) &&
           !__builtin_add_overflow(value, std::int64_t{digit}, &value);
  };
  bool fits = true;
  for (const char digit : number.digits) fits = fits && append(digit - '0');
  for (; fits && value != 0 && number.after_point < digits; ++number.after_point) fits = append(0);
  if (rest) fits = fits && !__builtin_add_overflow(value, std::int64_t{1}, &value);
  if (!fits)
    return fail(Code::invalid_field,
                fmt::format("must be less than {}, not {}", format_decimal(amount_max, digits), text));
  return value;
}

std::string format_decimal(std::int64_t value, int digits) {
  const bool negative = value < 0;
  std::string text =
      fmt::format("{}", negative ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value));
  const auto decimals = static_cast<std::size_t>(digits);
  if (text.size() <= decimals) text.insert(0, decimals + 1 - text.size(), '0');
  text.insert(text.size() - decimals, 1, '.');
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return negative ? "-" + text : text;
}

std::string format_money(std::int64_t micros) {
  std::string text = format_decimal(micros, micro_digits);
  const std::size_t point = text.find('.');
  if (point == std::string::npos)
    text += ".00";
  else if (text.size() - point == 2)
    text += '0';
  return text + " " + std::string(currency);
}

std::int64_t add_saturated(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? amount_max : sum;
}

}  // namespace portolan::domain
