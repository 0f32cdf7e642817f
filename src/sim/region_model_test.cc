// SPDX-License-Identifier: Apache-2.0
#include "sim/region_model.h"

#include <algorithm>
#include <gtest/gtest.h>

namespace portolan::sim {
namespace {

using namespace std::chrono_literals;

constexpr base::Instant start{1h};

RegionTraits traits() {
  return {.region = "eu-west-1",
          .seed = 5,
          .round_trip_p50_ms = 80,
          .round_trip_p90_ms = 100,
          .models = {{.id = "m.two", .output_burndown = 5, .output_tokens_default = 100, .output_tokens_max = 1000},
                     {.id = "m.one"}}};
}

ModelRequest request(std::string_view prompt = "#tokens=10", std::uint32_t max = 50) {
  return {.account = "a", .model = "m.two", .prompt = prompt, .input_tokens = 20, .output_tokens_max = max};
}

TEST(Answer, TheWordsDependOnPromptModelAndSeedAlone) {
  const std::uint64_t key = answer_key("p", "m", 1);
  EXPECT_EQ(answer_text(key, 40), answer_text(answer_key("p", "m", 1), 40));
  EXPECT_NE(answer_text(key, 40), answer_text(answer_key("q", "m", 1), 40));
  EXPECT_NE(answer_text(key, 40), answer_text(answer_key("p", "n", 1), 40));
  EXPECT_NE(answer_text(key, 40), answer_text(answer_key("p", "m", 2), 40));
  EXPECT_TRUE(answer_text(key, 40).starts_with(answer_text(key, 13)));
}

TEST(Answer, NeedsNoEscapeInJson) {
  for (std::uint32_t i = 0; i < 2000; ++i)
    for (const char c : answer_token(77, i)) {
      EXPECT_NE(c, '"');
      EXPECT_NE(c, '\\');
      EXPECT_GE(static_cast<unsigned char>(c), 0x20);
    }
}

TEST(Answer, IsAsLongAsThePromptAsks) {
  EXPECT_EQ(answer_length("say #tokens=123 words", 1), 123u);
  for (const std::string_view prompt : {"#tokens=", "#tokens=0", "#tokens=99999999", "#tokens=-3", "hello", ""})
    for (std::uint64_t key = 0; key < 200; ++key) {
      const std::uint32_t length = answer_length(prompt, key);
      EXPECT_GE(length, 20u);
      EXPECT_LE(length, 200u);
      EXPECT_EQ(answer_length(prompt, key), length);
    }
  EXPECT_NE(answer_length("hello", 1), answer_length("hello", 2));
}

TEST(RegionModel, TheSameSeedGivesTheSameTimes) {
  RegionModel one{traits()};
  RegionModel two{traits()};
  RegionTraits other_traits = traits();
  other_traits.seed = 6;
  RegionModel other{other_traits};
  bool differs = false;
  for (int i = 0; i < 20; ++i) {
    auto a = one.admit(request(), start).value();
    auto b = two.admit(request(), start).value();
    auto c = other.admit(request(), start).value();
    EXPECT_EQ(a.round_trip, b.round_trip);
    EXPECT_EQ(a.first_token, b.first_token);
    EXPECT_EQ(one.next_gap(a), two.next_gap(b));
    differs = differs || a.first_token != c.first_token;
  }
  EXPECT_TRUE(differs);
}

TEST(RegionModel, RoundTripsHaveTheQuantilesOfTheCatalog) {
  RegionModel model{traits()};
  std::vector<double> times_ms;
  for (int i = 0; i < 10'000; ++i) times_ms.push_back(base::to_ms(model.round_trip(false)));
  std::ranges::sort(times_ms);
  EXPECT_NEAR(times_ms[5000], 80, 2);
  EXPECT_NEAR(times_ms[9000], 100, 2);
  EXPECT_GT(times_ms.front(), 20);
}

TEST(RegionModel, ANewConnectionPaysAnotherRoundTrip) {
  RegionModel model{traits()};
  double sum_ms = 0;
  for (int i = 0; i < 1000; ++i) sum_ms += base::to_ms(model.round_trip(true));
  EXPECT_NEAR(sum_ms / 1000, 165, 10);
}

TEST(RegionModel, LongPromptsAndLoadDelayTheFirstToken) {
  RegionTraits loaded = traits();
  loaded.capacity = 10;
  RegionModel model{loaded};
  ModelRequest asked = request();
  const double idle_ms = base::to_ms(model.admit(asked, start)->first_token);
  EXPECT_NEAR(idle_ms, 180, 80);
  for (int i = 0; i < 8; ++i) EXPECT_TRUE(model.admit(asked, start).has_value());
  auto last = model.admit(asked, start).value();
  EXPECT_GT(base::to_ms(last.first_token), 3 * idle_ms);
  EXPECT_GT(base::to_ms(model.next_gap(last)), 15);
  EXPECT_EQ(model.in_progress(), 10u);
  RegionModel idle{traits()};
  asked.input_tokens = 100'000;
  EXPECT_GT(base::to_ms(idle.admit(asked, start)->first_token), 3000);
}

TEST(RegionModel, RefusesBeyondItsCapacityUntilAPlaceIsFree) {
  RegionTraits small = traits();
  small.capacity = 1;
  RegionModel model{small};
  const auto first = model.admit(request(), start);
  ASSERT_TRUE(first.has_value());
  const auto second = model.admit(request(), start);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().status, 503);
  EXPECT_EQ(second.error().type, "ServiceUnavailableException");
  model.finish(*first, 10, start + 1s);
  EXPECT_TRUE(model.admit(request(), start + 1s).has_value());
}

TEST(RegionModel, HoldsInputAndMaxTokensAndSettlesWithTheBurndown) {
  RegionTraits limited = traits();
  limited.quota.tokens_per_minute = 1000;
  limited.refill_law = RefillLaw::fixed;
  RegionModel model{limited};
  ModelRequest asked = request("#tokens=10", 900);
  asked.input_tokens = 90;
  asked.cache_write_tokens = 10;
  const auto first = model.admit(asked, start);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->tokens_held, 1000u);
  const auto second = model.admit(request(), start);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().status, 429);
  EXPECT_EQ(second.error().message, "Too many tokens, please wait before trying again.");
  model.finish(*first, 10, start);  // 90 + 10 + 10 × 5 = 150 of 1000
  asked.output_tokens_max = 750;    // 90 + 10 + 750 = 850: exactly what is left
  EXPECT_TRUE(model.admit(asked, start).has_value());
  EXPECT_FALSE(model.admit(request("x", 1), start).has_value());
}

TEST(RegionModel, AnUnsaidLimitHoldsTheDefaultOfTheModel) {
  RegionModel model{traits()};
  const auto generation = model.admit(request("#tokens=500", 0), start).value();
  EXPECT_EQ(generation.tokens_held, 120u);
  EXPECT_EQ(generation.output_tokens, 100u);
  EXPECT_TRUE(generation.truncated);
}

TEST(RegionModel, QuotasOfModelsAndAccountsAreApart) {
  RegionTraits limited = traits();
  limited.quota.requests_per_minute = 1;
  RegionModel model{limited};
  ModelRequest asked = request();
  EXPECT_TRUE(model.admit(asked, start).has_value());
  EXPECT_EQ(model.admit(asked, start).error().message, "Too many requests, please wait before trying again.");
  asked.model = "m.one";
  EXPECT_TRUE(model.admit(asked, start).has_value());
  asked.account = "b";
  EXPECT_TRUE(model.admit(asked, start).has_value());
  EXPECT_FALSE(model.admit(asked, start).has_value());
}

TEST(RegionModel, RefusesModelsNotOfferedAndLimitsBeyondTheModel) {
  RegionModel model{traits()};
  ModelRequest asked = request();
  asked.model = "m.three";
  EXPECT_EQ(model.admit(asked, start).error().status, 404);
  EXPECT_EQ(model.admit(request("x", 1001), start).error().type, "ValidationException");
  EXPECT_TRUE(model.admit(request("x", 1000), start).has_value());
  EXPECT_EQ(model.in_progress(), 1u);
}

TEST(RegionModel, WithoutLatencyNothingTakesTime) {
  RegionTraits still = traits();
  still.latency = false;
  RegionModel model{still};
  auto generation = model.admit(request(), start).value();
  EXPECT_EQ(generation.first_token, base::Duration::zero());
  EXPECT_EQ(generation.round_trip, base::Duration::zero());
  EXPECT_EQ(model.next_gap(generation), base::Duration::zero());
}

}  // namespace
}  // namespace portolan::sim
