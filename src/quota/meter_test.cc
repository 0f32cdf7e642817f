// SPDX-License-Identifier: Apache-2.0
#include "quota/meter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace portolan::quota {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr base::Instant start{1'000'000s};

TEST(Meter, WithoutLimitsHoldsAnything) {
  Meter meter;
  auto reservation = meter.reserve(1'000'000'000, start);
  ASSERT_TRUE(reservation.has_value());
  EXPECT_TRUE(reservation->held);
  meter.settle(*reservation, 2'000'000'000);
  EXPECT_TRUE(meter.reserve(1'000'000'000, start).has_value());
}

TEST(Meter, NamesTheRequestLimitAndTheWait) {
  Meter meter;
  meter.set_limits(2, 0);
  EXPECT_TRUE(meter.reserve(1, start).has_value());
  EXPECT_TRUE(meter.reserve(1, start).has_value());
  const auto refused = meter.reserve(1, start);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, base::Code::quota_exceeded);
  EXPECT_EQ(refused.error().retry_after, 30s);
  EXPECT_EQ(refused.error().message,
            "Too many requests: the tenant's limit of 2 per minute is used up; one more fits in 30s.");
}

TEST(Meter, NamesTheTokenLimitWhatWasAskedAndWhatIsLeft) {
  Meter meter;
  meter.set_limits(0, 10'000);
  ASSERT_TRUE(meter.reserve(8'000, start).has_value());
  const auto refused = meter.reserve(5'000, start);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, base::Code::quota_exceeded);
  EXPECT_EQ(refused.error().retry_after, 18s);
  EXPECT_THAT(refused.error().message, HasSubstr("asks for 5000"));
  EXPECT_THAT(refused.error().message, HasSubstr("2000 are left of the tenant's 10000 per minute; it fits in 18s"));
}

TEST(Meter, SaysThatACallCanNeverFit) {
  Meter meter;
  meter.set_limits(0, 10'000);
  const auto refused = meter.reserve(10'001, start);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().retry_after, base::Duration::zero()) << "waiting cannot help, so none is advised";
  EXPECT_THAT(refused.error().message, HasSubstr("waiting cannot help"));
}

TEST(Meter, GivesTheRequestBackWhenTheTokensDoNotFit) {
  Meter meter;
  meter.set_limits(1, 100);
  ASSERT_FALSE(meter.reserve(101, start).has_value());
  EXPECT_TRUE(meter.reserve(100, start).has_value());
}

TEST(Meter, AnswersWithoutHolding) {
  Meter meter;
  meter.set_limits(1, 100);
  for (int i = 0; i < 3; ++i) {
    const auto answer = meter.would_reserve(100, start);
    ASSERT_TRUE(answer.has_value());
    EXPECT_FALSE(answer->held);
  }
  ASSERT_TRUE(meter.reserve(100, start).has_value());
  EXPECT_THAT(meter.would_reserve(1, start).error().message, HasSubstr("Too many requests"));
  meter.set_limits(0, 100);
  EXPECT_THAT(meter.would_reserve(1, start).error().message, HasSubstr("Too many tokens"));
}

TEST(Meter, SettlesOnce) {
  Meter meter;
  meter.set_limits(0, 1'000);
  auto reservation = meter.reserve(600, start);
  ASSERT_TRUE(reservation.has_value());
  EXPECT_EQ(reservation->tokens_reserved, 600U);
  meter.settle(*reservation, 100);
  EXPECT_EQ(meter.tokens_available(start), 900U);
  meter.settle(*reservation, 0);
  EXPECT_EQ(meter.tokens_available(start), 900U);
}

TEST(Meter, ChargesOutputBeyondTheReservation) {
  Meter meter;
  meter.set_limits(0, 1'000);
  auto reservation = meter.reserve(300, start);
  ASSERT_TRUE(reservation.has_value());
  meter.settle(*reservation, 1'500);
  EXPECT_EQ(meter.tokens_available(start), 0U);
  EXPECT_EQ(meter.tokens_available(start + 30s), 0U) << "500 tokens of debt refill in 30 s";
  EXPECT_EQ(meter.tokens_available(start + 36s), 100U);
}

TEST(Meter, KeepsUseAcrossANewLimit) {
  Meter meter;
  meter.set_limits(0, 1'000);
  ASSERT_TRUE(meter.reserve(750, start).has_value());
  meter.set_limits(0, 2'000);
  EXPECT_EQ(meter.tokens_available(start), 500U);
}

TEST(QuotaTokens, AreReservedWithoutBurndown) {
  const domain::Model model{.output_burndown = 5};
  const domain::Inference inference{.model = &model, .input_tokens = 100, .output_tokens_max = 50};
  EXPECT_EQ(tokens_to_reserve(inference), 150U);
  EXPECT_EQ(tokens_to_reserve({.input_tokens = UINT32_MAX, .output_tokens_max = UINT32_MAX}),
            2 * std::uint64_t{UINT32_MAX});
}

TEST(QuotaTokens, AreSettledWithBurndownAndWithoutCacheReads) {
  const domain::Model model{.output_burndown = 5};
  const domain::Usage usage{
      .input_tokens = 100, .output_tokens = 20, .cache_read_tokens = 1'000, .cache_write_tokens = 7, .known = true};
  EXPECT_EQ(tokens_to_settle(usage, model), 207U);
  EXPECT_EQ(tokens_to_settle({.output_tokens = UINT32_MAX}, model), 5 * std::uint64_t{UINT32_MAX});
}

}  // namespace
}  // namespace portolan::quota
