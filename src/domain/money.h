// SPDX-License-Identifier: Apache-2.0
// Money as integers. Nothing here is floating point, nothing wraps.
//
// Amounts are micro-units of the currency (1 USD = 1,000,000), prices pico-units per token (5.5e-8 USD a token =
// 55,000), so that every published price is exact. A product of tokens and a price is summed in 128 bits and
// rounded once for a call, up to the next micro-unit: what is charged is never less than what it cost.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace portolan::domain {

/// Prices and amounts are in this currency; the providers bill in no other.
inline constexpr std::string_view currency = "USD";

inline constexpr int micro_digits = 6;
inline constexpr std::int64_t picos_per_micro = 1'000'000;

/// A sum of products tokens × price that is not rounded yet. Copyable; pure.
class Picos {
 public:
  /// At most 2^32 × 2^63 at a time: a hundred million of them fit.
  void add(std::uint64_t tokens, std::int64_t picos_per_token) {
    sum_ += static_cast<Wide>(tokens) * picos_per_token;
  }
  /// Rounded up. Code::invalid_field when it is more than an amount can hold (9.2 million million units).
  base::Result<std::int64_t> micros() const;

 private:
  __extension__ using Wide = __int128;
  Wide sum_ = 0;
};

/// What to do with digits beyond the last that is kept.
enum class Finer : std::uint8_t { refused, rounded_up };

/// Reads "12", "0.055" or "5.5e-08" as a whole number of units of 10^-digits. Code::invalid_field, completing
/// "must be …", for what is no such number, is negative, too fine or too large.
base::Result<std::int64_t> parse_decimal(std::string_view text, int digits, Finer finer);

/// The shortest decimal that parse_decimal reads back: "12.5" for 12,500,000 with six digits.
std::string format_decimal(std::int64_t value, int digits);

/// "12.50 USD": at least two decimals, up to six.
std::string format_money(std::int64_t micros);

/// a + b, or the largest amount when they do not fit.
std::int64_t add_saturated(std::int64_t a, std::int64_t b);

}  // namespace portolan::domain
