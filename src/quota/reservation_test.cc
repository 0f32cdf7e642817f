// SPDX-License-Identifier: Apache-2.0
#include "quota/reservation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <thread>
#include <vector>

#include "base/random.h"
#include "quota/quota_tokens.h"

namespace portolan::quota {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr base::Instant start{1'000'000s};

Owners owners_of(std::initializer_list<Allowance*> list) {
  Owners owners;
  for (Allowance* allowance : list) owners.add(allowance);
  return owners;
}

Reservation held(const Owners& owners, std::uint64_t tokens, base::Instant now = start) {
  auto reservation = Reservation::hold(owners, tokens, now);
  EXPECT_TRUE(reservation) << reservation.error().message;
  return reservation ? *std::move(reservation) : Reservation();
}

base::Error refused(const Owners& owners, std::uint64_t tokens, base::Instant now = start) {
  auto reservation = Reservation::hold(owners, tokens, now);
  EXPECT_FALSE(reservation) << "was held";
  return reservation ? base::Error{} : reservation.error();
}

class OneTenant : public testing::Test {
 protected:
  void limit(const domain::Limits& limits) { tenant.set(limits); }
  Allowance tenant{"tenant research"};
  Owners owners = owners_of({&tenant});
};

using Reserve = OneTenant;

TEST_F(Reserve, WithoutLimitsHoldsAnything) {
  Reservation reservation = held(owners, 1'000'000'000);
  reservation.settle(2'000'000'000);
  EXPECT_FALSE(reservation.held());
  EXPECT_TRUE(held(owners, 1'000'000'000).held());
}

TEST_F(Reserve, NamesTheRequestLimitItsOwnerAndTheWait) {
  limit({.requests_per_minute = 2});
  const Reservation first = held(owners, 1);
  const Reservation second = held(owners, 1);
  const base::Error error = refused(owners, 1);
  EXPECT_EQ(error.code, base::Code::quota_exceeded);
  EXPECT_EQ(error.retry_after, 30s);
  EXPECT_EQ(error.message,
            "Too many requests: the limit of 2 per minute of tenant research is used up; one more fits in 30s.");
}

TEST_F(Reserve, NamesTheTokenLimitWhatWasAskedAndWhatIsLeft) {
  limit({.tokens_per_minute = 10'000});
  const Reservation first = held(owners, 8'000);
  const base::Error error = refused(owners, 5'000);
  EXPECT_EQ(error.retry_after, 18s);
  EXPECT_EQ(error.message,
            "Too many tokens: this call asks for 5000 (input and the most output it may produce), 2000 are left of "
            "the 10000 per minute of tenant research; it fits in 18s.");
}

TEST_F(Reserve, NamesTheDayWhenThatIsWhatIsUsedUp) {
  limit({.tokens_per_minute = 86'400, .tokens_per_day = 86'400});
  const Reservation first = held(owners, 86'400);
  const base::Error error = refused(owners, 100);
  EXPECT_EQ(error.retry_after, 100s) << "a token a second; the minute's limit would have let it through sooner";
  EXPECT_THAT(error.message, HasSubstr("0 are left of the 86400 per day of tenant research"));
}

TEST_F(Reserve, NamesTheCallsAtOnceAndFreesThemHoweverTheyEnd) {
  limit({.concurrency = 3});
  Reservation settled = held(owners, 1);
  Reservation cancelled = held(owners, 1);
  Reservation expired = held(owners, 1);
  const base::Error error = refused(owners, 1);
  EXPECT_THAT(error.message, HasSubstr("tenant research has 3 under way, and its concurrency limit is 3"));
  EXPECT_EQ(error.retry_after, 1s);
  settled.settle(1);
  cancelled.cancel();
  expired.expire();
  EXPECT_EQ(tenant.calls_held(), 0U);
  EXPECT_EQ(tenant.tokens_held(), 0U);
}

TEST_F(Reserve, SaysThatACallCanNeverFit) {
  limit({.tokens_per_minute = 10'000});
  const base::Error error = refused(owners, 10'001);
  EXPECT_EQ(error.retry_after, base::Duration::zero()) << "waiting cannot help, so none is advised";
  EXPECT_THAT(error.message, HasSubstr("waiting cannot help"));
}

TEST_F(Reserve, TakesAnotherBurstThanAMinutesWorth) {
  limit({.requests_per_minute = 60, .tokens_per_minute = 6'000, .requests_burst = 2, .tokens_burst = 9'000});
  Reservation first = held(owners, 9'000);
  const base::Error tokens = refused(owners, 1);
  EXPECT_THAT(tokens.message, HasSubstr("of the 6000 per minute, 9000 at once of tenant research"));
  first.settle(0);
  const Reservation second = held(owners, 1);
  EXPECT_EQ(refused(owners, 1).retry_after, 1s) << "two requests at once, then one a second";
}

TEST_F(Reserve, GivesBackWhatItTookWhenALaterLimitRefuses) {
  limit({.requests_per_minute = 1, .tokens_per_minute = 100'000, .tokens_per_day = 100'000, .concurrency = 1});
  EXPECT_THAT(refused(owners, 100'001).message, HasSubstr("waiting cannot help"));
  const Reservation reservation = held(owners, 100'000);
  EXPECT_TRUE(reservation.held());
}

TEST_F(Reserve, SettlesOnceWhateverIsCalledAfterwards) {
  limit({.requests_per_minute = 10, .tokens_per_minute = 1'000, .concurrency = 5});
  Reservation reservation = held(owners, 600);
  EXPECT_EQ(tenant.tokens_held(), 600U);
  reservation.settle(100);
  EXPECT_EQ(tenant.tokens_available(start), 900U);
  reservation.settle(0);
  reservation.cancel();
  reservation.expire();
  EXPECT_EQ(tenant.tokens_available(start), 900U);
  EXPECT_EQ(tenant.requests_available(start), 9U);
  EXPECT_EQ(tenant.calls_held(), 0U);
}

TEST_F(Reserve, GivesTheRequestBackOnlyWhenNothingHappened) {
  limit({.requests_per_minute = 10});
  held(owners, 0).settle(0);
  EXPECT_EQ(tenant.requests_available(start), 9U);
  held(owners, 0).cancel();
  EXPECT_EQ(tenant.requests_available(start), 9U);
}

TEST_F(Reserve, KeepsTheChargeOfACallThatNobodySettled) {
  limit({.tokens_per_minute = 1'000, .concurrency = 1});
  {
    Reservation first = held(owners, 400);
    const Reservation moved = std::move(first);
    EXPECT_TRUE(moved.held());
  }
  EXPECT_EQ(tenant.tokens_available(start), 600U) << "charged once, by the object that held it last";
  EXPECT_EQ(tenant.calls_held(), 0U);
}

TEST_F(Reserve, KeepsUseAcrossANewLimit) {
  limit({.tokens_per_minute = 1'000});
  const Reservation reservation = held(owners, 750);
  limit({.tokens_per_minute = 2'000});
  EXPECT_EQ(tenant.tokens_available(start), 500U);
}

TEST_F(Reserve, ContinuesWhereAnotherProcessEnded) {
  limit({.requests_per_minute = 6, .tokens_per_minute = 1'000, .tokens_per_day = 10'000});
  const Reservation open = held(owners, 700);
  Allowance restored{"tenant research"};
  restored.set(tenant.limits());
  restored.restore(tenant.state());
  for (const Limit limit : {Limit::requests_per_minute, Limit::tokens_per_minute, Limit::tokens_per_day})
    EXPECT_EQ(restored.reading(limit, start).available, tenant.reading(limit, start).available) << name(limit);
  EXPECT_EQ(restored.calls_held(), 0U) << "its calls ended with the process";
}

TEST(ReserveOfSeveral, TakesFromAllOrFromNone) {
  Allowance tenant("tenant research");
  Allowance key("key ci of tenant research");
  tenant.set({.requests_per_minute = 10, .tokens_per_minute = 1'000});
  key.set({.requests_per_minute = 2, .tokens_per_minute = 300});
  const Owners owners = owners_of({&tenant, &key});
  const base::Error error = refused(owners, 400);
  EXPECT_THAT(error.message, HasSubstr("limit of 300 per minute of key ci of tenant research"));
  EXPECT_EQ(tenant.tokens_available(start), 1'000U);
  EXPECT_EQ(tenant.requests_available(start), 10U);
  Reservation reservation = held(owners, 250);
  EXPECT_EQ(tenant.tokens_available(start), 750U);
  EXPECT_EQ(key.tokens_available(start), 50U);
  reservation.settle(20);
  EXPECT_EQ(tenant.tokens_available(start), 980U);
  EXPECT_EQ(key.tokens_available(start), 280U);
}

TEST(ReserveOfSeveral, NamesTheLimitThatMakesTheCallWaitLongest) {
  Allowance tenant("tenant research");
  Allowance key("key ci of tenant research");
  tenant.set({.tokens_per_minute = 6'000});
  key.set({.tokens_per_minute = 60'000, .concurrency = 1});
  const Owners owners = owners_of({&tenant, &key});
  const Reservation first = held(owners, 6'000);
  const base::Error error = refused(owners, 600);
  EXPECT_THAT(error.message, HasSubstr("of tenant research"));
  EXPECT_EQ(error.retry_after, 6s);
}

TEST(ReserveOfSeveral, AnswersWithoutHolding) {
  Allowance tenant("tenant research");
  tenant.set({.requests_per_minute = 1, .tokens_per_minute = 100});
  const Owners owners = owners_of({&tenant});
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Reservation::would_hold(owners, 100, start));
  const Reservation reservation = held(owners, 100);
  const auto answer = Reservation::would_hold(owners, 1, start);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().message, refused(owners, 1).message);
}

TEST(ReserveOfSeveral, NeverTakesMoreThanTheLimitOnManyThreads) {
  Allowance tenant("tenant research");
  Allowance key("key ci");
  // A token a millisecond: no rounding. The day's limit is the narrower one, so that takes are undone all the time.
  tenant.set({.tokens_per_minute = 60'000, .tokens_per_day = 86'400'000, .concurrency = 3});
  key.set({.tokens_per_minute = 60'000, .requests_burst = 0});
  const Owners owners = owners_of({&tenant, &key});
  std::atomic<std::uint64_t> charged{0};
  {
    std::vector<std::jthread> threads;
    for (std::uint64_t t = 1; t <= 4; ++t)
      threads.emplace_back([&, t] {
        base::Random random(t);
        for (int i = 0; i < 10'000; ++i) {
          const std::uint64_t tokens = 1 + random.below(50);
          auto reservation = Reservation::hold(owners, tokens, start);
          if (!reservation) continue;
          if (random.below(2) == 0) {
            reservation->cancel();
          } else {
            const std::uint64_t used = random.below(3);
            reservation->settle(used);
            charged += used;
          }
        }
      });
  }
  EXPECT_EQ(tenant.tokens_available(start) + charged,
            60'000U + tenant.reading(Limit::tokens_per_minute, start).debt);
  EXPECT_EQ(tenant.tokens_available(start), key.tokens_available(start));
  EXPECT_EQ(tenant.calls_held(), 0U);
  EXPECT_EQ(tenant.tokens_held(), 0U);
}

// The examples that AWS publishes (Bedrock User Guide, quotas-token-burndown.html), to the token.

const domain::TokenRule& sonnet_4() {
  return domain::Catalog::builtin()
      ->find_model("anthropic.claude-sonnet-4-20250514-v1:0")
      ->token_rule(base::WallTime::max());
}

TEST_F(Reserve, HoldsFiveThousandChargesFifteenHundredAndReturnsTheRest) {
  limit({.tokens_per_minute = 5'000});
  const std::uint64_t tokens = tokens_to_hold({.fresh = 1'000}, 4'000, sonnet_4());
  EXPECT_EQ(tokens, 5'000U);
  Reservation reservation = held(owners, tokens);
  EXPECT_EQ(tenant.tokens_available(start), 0U);
  reservation.settle(tokens_to_charge({.input_tokens = 1'000, .output_tokens = 100, .known = true}, sonnet_4()));
  EXPECT_EQ(tenant.tokens_available(start), 3'500U);
}

TEST(QuotaTokens, HoldThirtySixThousandWithoutWhatTheCacheServes) {
  domain::TokenRule rule = sonnet_4();
  rule.holds_cache_reads = false;
  const InputTokens input{.fresh = 3'000, .cache_write = 1'000, .cache_read = 500};
  EXPECT_EQ(tokens_to_hold(input, 32'000, rule), 36'000U);
  rule.holds_cache_reads = true;
  EXPECT_EQ(tokens_to_hold(input, 32'000, rule), 36'500U) << "the other reading of AWS's sources";
}

TEST_F(Reserve, GoesIntoDebtWhenTheEndCostsMoreThanWasHeld) {
  limit({.tokens_per_minute = 6'000});
  const domain::TokenRule& rule = sonnet_4();
  const std::uint64_t tokens = tokens_to_hold({.fresh = 4'000}, 1'250, rule);
  EXPECT_EQ(tokens, 5'250U);
  Reservation reservation = held(owners, tokens);
  const std::uint64_t cost = tokens_to_charge({.input_tokens = 4'000, .output_tokens = 1'000, .known = true}, rule);
  EXPECT_EQ(cost, 9'000U);
  reservation.settle(cost);
  EXPECT_EQ(tenant.reading(Limit::tokens_per_minute, start).debt, 3'000U);
  EXPECT_EQ(refused(owners, 1).retry_after, 30s + 10ms) << "the debt refills first";
  EXPECT_TRUE(held(owners, 1, start + 30s + 10ms).held());
}

TEST(QuotaTokens, CountCacheReadsNeverAndCacheWritesOnce) {
  const domain::Usage usage{
      .input_tokens = 100, .output_tokens = 20, .cache_read_tokens = 1'000, .cache_write_tokens = 7, .known = true};
  EXPECT_EQ(tokens_to_charge(usage, sonnet_4()), 207U);
}

TEST(QuotaTokens, StayWithinSixtyFourBitsForAbsurdReports) {
  const domain::TokenRule dearest{.output = 1'000, .cache_write = 1'000, .cache_read = 1'000, .held_output = 1'000};
  const domain::Usage absurd{.input_tokens = UINT32_MAX,
                             .output_tokens = UINT32_MAX,
                             .cache_read_tokens = UINT32_MAX,
                             .cache_write_tokens = UINT32_MAX,
                             .known = true};
  EXPECT_EQ(tokens_to_charge(absurd, dearest), 3'001 * std::uint64_t{UINT32_MAX});
}

TEST(TokenRules, AreThoseOfTheDate) {
  domain::Model model;
  const base::WallTime day_one{24h};
  EXPECT_EQ(model.token_rule(day_one).output, 1U) << "a model without rules counts every token once";
  model.token_rules = {{.from = day_one, .output = 5}, {.from = base::WallTime{48h}, .output = 10}};
  EXPECT_EQ(model.token_rule(base::WallTime{}).output, 5U) << "before the first date, the first";
  EXPECT_EQ(model.token_rule(day_one).output, 5U);
  EXPECT_EQ(model.token_rule(base::WallTime{48h}).output, 10U);
}

}  // namespace
}  // namespace portolan::quota
