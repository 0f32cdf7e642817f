// SPDX-License-Identifier: Apache-2.0
#include "domain/money.h"

#include <gtest/gtest.h>
#include <limits>

namespace portolan::domain {
namespace {

constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();

std::int64_t parsed(std::string_view text, int digits = 6, Finer finer = Finer::refused) {
  const auto value = parse_decimal(text, digits, finer);
  EXPECT_TRUE(value.has_value()) << text << ": " << (value ? "" : value.error().message);
  return value.value_or(-1);
}

TEST(Money, ReadsDecimalsExactly) {
  EXPECT_EQ(parsed("0"), 0);
  EXPECT_EQ(parsed("12"), 12'000'000);
  EXPECT_EQ(parsed("0.000001"), 1);
  EXPECT_EQ(parsed("250.5"), 250'500'000);
  EXPECT_EQ(parsed("3.30"), 3'300'000);
  EXPECT_EQ(parsed("1e3"), 1'000'000'000);
  EXPECT_EQ(parsed("1E+2"), 100'000'000);
  EXPECT_EQ(parsed("0.0000010"), 1);
}

TEST(Money, ReadsThePricesOfATokenThatPublicCatalogsWrite) {
  EXPECT_EQ(parsed("5.5e-08", 12), 55'000);
  EXPECT_EQ(parsed("3.125e-07", 12), 312'500);
  EXPECT_EQ(parsed("8.75e-09", 12), 8'750);
  EXPECT_EQ(parsed("1.65e-05", 12), 16'500'000);
}

TEST(Money, RoundsFinerPricesUpAndRefusesFinerAmounts) {
  EXPECT_EQ(parsed("4.1666666667e-09", 12, Finer::rounded_up), 4'167);
  EXPECT_EQ(parsed("1e-30", 12, Finer::rounded_up), 1);
  EXPECT_EQ(parsed("0e-30", 12, Finer::rounded_up), 0);
  EXPECT_FALSE(parse_decimal("0.0000001", 6, Finer::refused));
}

TEST(Money, RefusesWhatIsNoAmount) {
  for (const std::string_view text :
       {"", ".", "-", "abc", "1,000", "1.2.3", "0x10", "1e", "1e99", "1 ", " 1", "+1", "nan", "inf", "-0.5", "-1"})
    EXPECT_FALSE(parse_decimal(text, 6, Finer::rounded_up)) << text;
}

TEST(Money, RefusesInsteadOfWrapping) {
  EXPECT_EQ(parsed("9223372036854.775807"), most);
  EXPECT_FALSE(parse_decimal("9223372036854.775808", 6, Finer::refused));
  EXPECT_FALSE(parse_decimal("1e30", 6, Finer::refused));
  EXPECT_FALSE(parse_decimal("99999999999999999999999999999999", 6, Finer::refused));
}

TEST(Money, RoundsACallUpOnce) {
  Picos none;
  EXPECT_EQ(none.micros(), 0);
  Picos call;
  call.add(1, 1);  // a millionth of a micro-unit is charged as one
  EXPECT_EQ(call.micros(), 1);
  call.add(1, picos_per_micro - 1);
  EXPECT_EQ(call.micros(), 1);
  call.add(1, 1);
  EXPECT_EQ(call.micros(), 2);
}

TEST(Money, ACostThatFitsNoAmountIsAnErrorNotASmallNumber) {
  Picos absurd;
  absurd.add(std::numeric_limits<std::uint32_t>::max(), most);
  EXPECT_FALSE(absurd.micros());
  Picos largest;
  largest.add(picos_per_micro, most);
  EXPECT_EQ(largest.micros(), most);
  largest.add(1, 1);
  EXPECT_FALSE(largest.micros());
}

TEST(Money, WritesWhatItReads) {
  for (const std::int64_t value : {std::int64_t{0}, std::int64_t{1}, std::int64_t{999'999}, std::int64_t{1'000'000},
                                   std::int64_t{55'000}, most})
    EXPECT_EQ(parsed(format_decimal(value, 6)), value);
  EXPECT_EQ(format_decimal(-1'500'000, 6), "-1.5");
  EXPECT_EQ(format_decimal(std::numeric_limits<std::int64_t>::min(), 6), "-9223372036854.775808");
  EXPECT_EQ(format_money(12'500'000), "12.50 USD");
  EXPECT_EQ(format_money(7), "0.000007 USD");
  EXPECT_EQ(format_money(3'000'000), "3.00 USD");
}

TEST(Money, SumsStopAtTheLargest) {
  EXPECT_EQ(add_saturated(1, 2), 3);
  EXPECT_EQ(add_saturated(most, 1), most);
}

}  // namespace
}  // namespace portolan::domain
