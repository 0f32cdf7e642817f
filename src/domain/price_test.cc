// SPDX-License-Identifier: Apache-2.0
// Look-up order, arithmetic and mistakes of prices; spot checks of the shipped ones against their source.
#include "domain/price.h"

#include <gtest/gtest.h>
#include <limits>

#include "domain/money.h"
#include "domain/price_import.h"

namespace portolan::domain {
namespace {

constexpr std::string_view sonnet = "anthropic.claude-sonnet-4-5-20250929-v1:0";
constexpr std::string_view us_sonnet = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";

const Catalog& catalog() {
  return *Catalog::builtin();
}

PriceBook book(std::vector<PriceDefinition> overlay = {}, std::vector<PriceDefinition> file = {}) {
  const std::vector<PriceDefinition> layers[] = {shipped_prices().definitions, std::move(file), std::move(overlay)};
  return PriceBook::compile(catalog(), layers, "test");
}

const Price* find(const PriceBook& prices, std::string_view profile, std::string_view region = "us-east-1",
                  ServiceTier tier = ServiceTier::standard) {
  const Profile* found = catalog().find_profile(profile);
  EXPECT_NE(found, nullptr) << profile;
  return found == nullptr ? nullptr : prices.find(found, *found->model, tier, catalog().find_region(region));
}

PriceDefinition of_model(std::string_view price_class, std::string input, std::string output) {
  PriceDefinition definition;
  definition.model = sonnet;
  definition.price_class = price_class;
  definition.input = std::move(input);
  definition.output = std::move(output);
  return definition;
}

TEST(Prices, EveryShippedDefinitionCanBeUsed) {
  EXPECT_EQ(shipped_prices().date, "2026-11-22");
  EXPECT_TRUE(shipped_prices().source.contains("litellm"));
  for (const PriceDefinition& definition : shipped_prices().definitions) {
    const auto mistake = check(definition, catalog(), nullptr);
    EXPECT_FALSE(mistake) << definition.profile << definition.model << ": " << mistake->member << " "
                          << mistake->what;
  }
  for (const auto& [model, tokens] : shipped_prices().input_tokens_max) {
    EXPECT_NE(catalog().find_model(model), nullptr) << model;
    EXPECT_GE(tokens, 128'000u);
  }
}

TEST(Prices, GlobalIsCheaperThanGeographicAsPublished) {
  const PriceBook prices = book();
  const Price* global = find(prices, "global.anthropic.claude-opus-4-6-v1");
  const Price* geographic = find(prices, "us.anthropic.claude-opus-4-8");
  ASSERT_TRUE(global && geographic);
  EXPECT_EQ(global->rates.input, 5'000'000);  // 5e-06 USD a token
  EXPECT_EQ(global->rates.output, 25'000'000);
  EXPECT_EQ(global->rates.cache_read, 500'000);
  EXPECT_EQ(geographic->rates.input, 5'500'000);
  EXPECT_EQ(geographic->rates.cache_write_5m, 6'875'000);
  EXPECT_EQ(geographic->rates.cache_write_1h, 11'000'000);
}

TEST(Prices, AProfilesOwnPriceGoesBeforeThatOfItsClass) {
  const PriceBook prices = book();
  EXPECT_EQ(find(prices, "us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0", "us-gov-west-1")->rates.input,
            3'600'000);
  EXPECT_EQ(find(prices, us_sonnet)->rates.input, 3'300'000);
}

TEST(Prices, AnUnknownPriceIsNothingNotZero) {
  const PriceBook prices = book();
  EXPECT_EQ(find(prices, "ca.amazon.nova-lite-v1:0", "ca-central-1"), nullptr);
  EXPECT_EQ(find(prices, "global.twelvelabs.pegasus-1-2-v1:0"), nullptr);
  EXPECT_EQ(find(prices, us_sonnet, "us-east-1", ServiceTier::flex), nullptr);
  // GovCloud has a price list of its own, which the commercial price of the class says nothing about.
  EXPECT_EQ(find(prices, "us-gov.anthropic.claude-3-7-sonnet-20250219-v1:0", "us-gov-west-1"), nullptr);
}

TEST(Prices, WhatTheOperatorSaysGoesBeforeTheFileAndThatBeforeTheCatalog) {
  PriceBook prices = book({}, {of_model("geographic", "3", "15")});
  EXPECT_EQ(find(prices, us_sonnet)->rates.input, 3'000'000);
  EXPECT_EQ(find(prices, "global.anthropic.claude-sonnet-4-5-20250929-v1:0")->rates.input, 3'000'000);
  prices = book({of_model("geographic", "2.5", "12")}, {of_model("geographic", "3", "15")});
  EXPECT_EQ(find(prices, us_sonnet)->rates.input, 2'500'000);
  EXPECT_EQ(find(prices, us_sonnet)->rates.cache_read, 2'500'000);  // none given: billed as input
}

TEST(Prices, ARegionsOwnPriceGoesBeforeTheOneForEveryRegion) {
  PriceDefinition tokyo = of_model("geographic", "3.96", "16.5");
  tokyo.regions = {"ap-northeast-1"};
  const PriceBook prices = book({tokyo, of_model("geographic", "3", "15")});
  const std::string_view jp = "jp.anthropic.claude-sonnet-4-5-20250929-v1:0";
  EXPECT_EQ(find(prices, jp, "ap-northeast-1")->rates.input, 3'960'000);
  EXPECT_EQ(find(prices, jp, "ap-northeast-3")->rates.input, 3'000'000);
}

TEST(Prices, AClassMayBeAFactorOfAnother) {
  PriceDefinition discount;
  discount.model = sonnet;
  discount.price_class = "geographic";
  discount.factor = "1.1";
  discount.of_class = "global";
  EXPECT_FALSE(check(discount, catalog(), nullptr));
  const PriceBook prices = book({discount, of_model("global", "2", "10")});
  EXPECT_EQ(find(prices, us_sonnet)->rates.input, 2'200'000);
  EXPECT_EQ(find(prices, us_sonnet)->rates.output, 11'000'000);
}

TEST(Prices, ChargeEachKindOfTokenItsPriceAndRoundUpOnce) {
  const Price* price = find(book(), us_sonnet);
  ASSERT_NE(price, nullptr);
  // 1000 × 3.3 + 100 × 16.5 + 500 × 0.33 + 200 × 4.125 a million tokens
  Usage usage{.input_tokens = 1000,
              .output_tokens = 100,
              .cache_read_tokens = 500,
              .cache_write_tokens = 200,
              .known = true};
  EXPECT_EQ(cost_micros(*price, usage, false), 3300 + 1650 + 165 + 825);
  EXPECT_EQ(cost_micros(*price, usage, true), 3300 + 1650 + 165 + 1320);
  usage = {.input_tokens = 1, .known = true};
  EXPECT_EQ(cost_micros(*price, usage, false), 4);  // 3.3 micro-units
}

TEST(Prices, ALongContextIsDearerAsAWhole) {
  const Price* price = find(book(), us_sonnet);
  ASSERT_NE(price, nullptr);
  EXPECT_EQ(cost_micros(*price, {.input_tokens = 200'000, .known = true}, false), 660'000);
  EXPECT_EQ(cost_micros(*price, {.input_tokens = 200'001, .known = true}, false), 1'320'007);
  // Cached tokens count for the threshold.
  EXPECT_EQ(cost_micros(*price, {.input_tokens = 1, .cache_read_tokens = 200'000, .known = true}, false),
            7 + 132'000);
}

TEST(Prices, TheMostThatACallCanCostIsNeverLessThanWhatItCosts) {
  const Price* price = find(book(), us_sonnet);
  ASSERT_NE(price, nullptr);
  for (const std::uint32_t input : {0u, 1u, 999u, 200'000u, 200'001u, 400'000u}) {
    for (const std::uint32_t output : {0u, 1u, 4096u}) {
      for (const std::uint32_t cached : {0u, 1u, 500u}) {
        if (cached > input) continue;
        const Usage usage{
            .input_tokens = input - cached, .output_tokens = output, .cache_write_tokens = cached, .known = true};
        for (const bool for_1h : {false, true})
          EXPECT_GE(*cost_micros_max(*price, {input, output, cached > 0}), *cost_micros(*price, usage, for_1h))
              << input << " " << output << " " << cached;
      }
    }
  }
  EXPECT_EQ(cost_micros_max(*price, {1000, 100, false}), 3300 + 1650);
}

TEST(Prices, AnAbsurdUsageIsAnErrorNotAWrappedNumber) {
  const Price dear{.rates = {.input = 1'000'000'000, .output = std::numeric_limits<std::int64_t>::max()}};
  EXPECT_FALSE(cost_micros(dear, {.output_tokens = 4'000'000'000u, .known = true}, false));
}

TEST(Prices, RefuseWrongUnitsByPlausibility) {
  const PriceBook known = book();
  const auto refused = [&](std::string input, std::string output) {
    const auto mistake = check(of_model("geographic", std::move(input), std::move(output)), catalog(), &known);
    return mistake ? mistake->member : "";
  };
  EXPECT_EQ(refused("3.3", "16.5"), "");
  EXPECT_EQ(refused("2.1", "10"), "");
  EXPECT_EQ(refused("0.0033", "0.0165"), "input");        // for a thousand tokens
  EXPECT_EQ(refused("0.0000033", "0.0000165"), "input");  // for one
  EXPECT_EQ(refused("3300", "16500"), "input");           // for a thousand million
  EXPECT_EQ(refused("3.3", "0.0165"), "output");
  EXPECT_EQ(refused("-3.3", "16.5"), "input");
  EXPECT_EQ(refused("0", "16.5"), "input");
  EXPECT_EQ(refused("99999999999999999999", "16.5"), "input");
  EXPECT_EQ(refused("3.3", ""), "output");
}

TEST(Prices, NameTheMemberThatIsWrong) {
  const auto member = [](const PriceDefinition& definition) {
    const auto mistake = check(definition, catalog(), nullptr);
    return mistake ? mistake->member + ": " + mistake->what : "";
  };
  PriceDefinition definition = of_model("geografic", "1", "2");
  EXPECT_TRUE(member(definition).starts_with("class: "));
  definition = of_model("global", "1", "2");
  definition.model += "x";
  EXPECT_TRUE(member(definition).contains("did you mean")) << member(definition);
  definition = of_model("global", "1", "2");
  definition.profile = us_sonnet;
  EXPECT_TRUE(member(definition).starts_with(": must name either"));
  definition = of_model("global", "1", "2");
  definition.regions = {"us-east-9"};
  EXPECT_TRUE(member(definition).starts_with("regions: "));
  definition = of_model("global", "1", "2");
  definition.tier = "cheap";
  EXPECT_TRUE(member(definition).starts_with("tier: "));
  definition = of_model("global", "1", "2");
  definition.long_input = "2";
  EXPECT_TRUE(member(definition).starts_with("long_input: "));
  definition.long_above_tokens = 200'000;
  EXPECT_TRUE(member(definition).starts_with("long_output: "));
}

TEST(Prices, ReadBackWhatTheyWrite) {
  const std::string text = write_prices(shipped_prices());
  const auto again = parse_prices(text);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(write_prices(*again), text);
  EXPECT_EQ(again->definitions.size(), shipped_prices().definitions.size());
  EXPECT_EQ(again->input_tokens_max, shipped_prices().input_tokens_max);
}

TEST(Prices, RefuseAFileThatIsNotTheirs) {
  const auto message = [](std::string_view text) {
    const auto read = parse_prices(text);
    return read ? "" : read.error().message;
  };
  EXPECT_NE(message("[]"), "");
  EXPECT_NE(message(R"({"source": "x", "date": "y", "prices": []})"), "");
  const std::string head = R"({"source":"x","date":"y","currency":"USD","unit":"million tokens",)";
  EXPECT_EQ(message(head + R"("prices":[]})"), "");
  EXPECT_TRUE(
      message(head + R"("prices":[{"model":"m","inptu":3}]})").starts_with("prices[0]: there is no member"));
  EXPECT_TRUE(message(head + R"("prices":[{"model":"m"},{"input":true}]})").starts_with("prices[1]: input"));
  EXPECT_NE(message(R"({"source":"x","date":"y","currency":"EUR","unit":"million tokens","prices":[]})"), "");
  EXPECT_NE(message(R"({"source":"x","date":"y","currency":"USD","unit":"token","prices":[]})"), "");
}

constexpr std::string_view litellm_file = R"({
  "sample_spec": {"input_cost_per_token": 0.0, "mode": "one of: chat"},
  "anthropic.claude-sonnet-4-5-20250929-v1:0": {"input_cost_per_token": 3e-06, "output_cost_per_token": 1.5e-05,
    "litellm_provider": "bedrock_converse", "max_input_tokens": 200000},
  "us.anthropic.claude-sonnet-4-5-20250929-v1:0": {"input_cost_per_token": 3.3e-06, "output_cost_per_token": 1.65e-05,
    "cache_creation_input_token_cost": 4.125e-06, "cache_read_input_token_cost": 3.3e-07,
    "input_cost_per_token_above_200k_tokens": 6.6e-06, "output_cost_per_token_above_200k_tokens": 2.475e-05},
  "eu.anthropic.claude-sonnet-4-5-20250929-v1:0": {"input_cost_per_token": 3.3e-06, "output_cost_per_token": 1.65e-05,
    "cache_creation_input_token_cost": 4.125e-06, "cache_read_input_token_cost": 3.3e-07,
    "input_cost_per_token_above_200k_tokens": 6.6e-06, "output_cost_per_token_above_200k_tokens": 2.475e-05},
  "us.amazon.nova-lite-v1:0": {"input_cost_per_token": 6e-08, "output_cost_per_token": 2.4e-07,
    "input_cost_per_token_flex": 3e-08, "output_cost_per_token_flex": 1.2e-07},
  "eu.amazon.nova-lite-v1:0": {"input_cost_per_token": 7.8e-08, "output_cost_per_token": 3.12e-07},
  "bedrock/us-gov-west-1/amazon.nova-pro-v1:0": {"input_cost_per_token": 9.6e-07, "output_cost_per_token": 3.84e-06},
  "amazon.nova-premier-v1:0": {"input_cost_per_token": 0, "output_cost_per_token": 0},
  "twelvelabs.pegasus-1-2-v1:0": {"input_cost_per_video_per_second": 0.00049, "output_cost_per_token": 7.5e-06},
  "gpt-4": {"input_cost_per_token": 3e-05, "output_cost_per_token": 6e-05}
})";

TEST(PriceImport, TakesWhatTheCatalogHasFromLitellmsFile) {
  const auto imported = import_litellm_prices(litellm_file, catalog(), "a file", "2026-11-22");
  ASSERT_TRUE(imported) << imported.error().message;
  EXPECT_EQ(imported->entries, 9u);
  EXPECT_EQ(imported->of_others, 1u);
  EXPECT_EQ(imported->left_out.size(), 2u);
  const std::vector<PriceDefinition> layers[] = {imported->prices.definitions};
  const PriceBook prices = PriceBook::compile(catalog(), layers, "imported");
  EXPECT_EQ(find(prices, us_sonnet)->rates.input, 3'300'000);
  EXPECT_EQ(find(prices, us_sonnet)->long_rates.output, 24'750'000);
  EXPECT_EQ(find(prices, us_sonnet)->long_above_tokens, 200'000u);
  EXPECT_EQ(find(prices, "global.anthropic.claude-sonnet-4-5-20250929-v1:0")->rates.input, 3'000'000);
  // All geographic entries agree, so another geography of the same model has that price.
  EXPECT_EQ(find(prices, "jp.anthropic.claude-sonnet-4-5-20250929-v1:0", "ap-northeast-1")->rates.input, 3'300'000);
  // These do not agree, so what a third one costs is not known.
  EXPECT_EQ(find(prices, "apac.amazon.nova-lite-v1:0", "ap-south-1"), nullptr);
  EXPECT_EQ(find(prices, "us.amazon.nova-lite-v1:0", "us-east-1", ServiceTier::flex)->rates.input, 30'000);
  const Model& pro = *catalog().find_model("amazon.nova-pro-v1:0");
  EXPECT_EQ(prices.find(nullptr, pro, ServiceTier::standard, catalog().find_region("us-gov-west-1"))->rates.input,
            960'000);
  EXPECT_EQ(prices.find(nullptr, pro, ServiceTier::standard, catalog().find_region("us-east-1")), nullptr);
  EXPECT_EQ(imported->prices.input_tokens_max.at(std::string(sonnet)), 200'000u);
}

TEST(PriceImport, RefusesFiguresThatAreNotForOneToken) {
  for (const std::string_view figure : {"3.0", "0.0033", "-3e-06", "\"x\"", "true", "1e99"}) {
    const std::string text = R"({"us.anthropic.claude-sonnet-4-5-20250929-v1:0": {"input_cost_per_token": )" +
                             std::string(figure) + R"(, "output_cost_per_token": 1.65e-05}})";
    const auto imported = import_litellm_prices(text, catalog(), "a file", "today");
    ASSERT_FALSE(imported) << figure;
    EXPECT_TRUE(imported.error().message.starts_with("us.anthropic.claude-sonnet-4-5")) << imported.error().message;
  }
}

TEST(PriceImport, RefusesAFileOfSomethingElse) {
  for (const std::string_view text :
       {"", "[]", "{}", R"({"gpt-4": {"input_cost_per_token": 3e-05}})", R"({"a": 1})"})
    EXPECT_FALSE(import_litellm_prices(text, catalog(), "a file", "today")) << text;
}

}  // namespace
}  // namespace portolan::domain
