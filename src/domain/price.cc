// SPDX-License-Identifier: Apache-2.0
#include "domain/price.h"

#include <algorithm>
#include <fmt/format.h>

#include "domain/money.h"
#include "domain/nearest.h"

namespace portolan::domain {
namespace {

using base::Result;

constexpr int figure_digits = 6;  // of a figure for a million tokens: a pico-unit for one
/// 1,000 USD for a million tokens. The dearest published price is 600.
constexpr std::int64_t rate_max = 1'000'000'000;
constexpr std::int64_t likely_factor_max = 20;
constexpr int factor_digits = 6;
constexpr std::int64_t factor_one = 1'000'000;
constexpr std::int64_t factor_max = 10 * factor_one;

TokenRates dearest(const TokenRates& a, const TokenRates& b) {
  return {.input = std::max(a.input, b.input),
          .output = std::max(a.output, b.output),
          .cache_read = std::max(a.cache_read, b.cache_read),
          .cache_write_5m = std::max(a.cache_write_5m, b.cache_write_5m),
          .cache_write_1h = std::max(a.cache_write_1h, b.cache_write_1h)};
}

std::int64_t rate(const std::string& figure, std::int64_t otherwise) {
  return figure.empty() ? otherwise : parse_decimal(figure, figure_digits, Finer::rounded_up).value_or(otherwise);
}

/// A catalog that has no price for a cache write has none that is above input; tokens read from a cache are then
/// billed as if they had not been.
TokenRates rates_of(const std::string& input, const std::string& output, const std::string& cache_read,
                    const std::string& cache_write_5m, const std::string& cache_write_1h) {
  TokenRates rates;
  rates.input = rate(input, 0);
  rates.output = rate(output, 0);
  rates.cache_read = rate(cache_read, rates.input);
  rates.cache_write_5m = rate(cache_write_5m, rates.input);
  rates.cache_write_1h = rate(cache_write_1h, rates.cache_write_5m);
  return rates;
}

Price price_of(const PriceDefinition& definition) {
  Price price;
  price.rates = rates_of(definition.input, definition.output, definition.cache_read, definition.cache_write_5m,
                         definition.cache_write_1h);
  price.long_above_tokens = definition.long_above_tokens;
  if (price.long_above_tokens > 0)
    price.long_rates = dearest(rates_of(definition.long_input, definition.long_output, definition.long_cache_read,
                                        definition.long_cache_write_5m, definition.long_cache_write_1h),
                               TokenRates{});
  return price;
}

/// Rounded up, as every price is that is finer than a pico-unit.
std::int64_t times(std::int64_t rate, std::int64_t factor) {
  __extension__ using Wide = __int128;
  const Wide product = (static_cast<Wide>(rate) * factor + (factor_one - 1)) / factor_one;
  return static_cast<std::int64_t>(product);
}

TokenRates times(const TokenRates& rates, std::int64_t factor) {
  return {.input = times(rates.input, factor),
          .output = times(rates.output, factor),
          .cache_read = times(rates.cache_read, factor),
          .cache_write_5m = times(rates.cache_write_5m, factor),
          .cache_write_1h = times(rates.cache_write_1h, factor)};
}

/// Where a price holds. One of a model that names no Regions is one of the commercial partition: GovCloud and China
/// have price lists of their own.
RegionMask mask_of(const Catalog& catalog, const PriceDefinition& definition) {
  if (definition.regions.empty() && !definition.profile.empty()) return RegionMask::from_bits(~std::uint64_t{0});
  RegionMask mask;
  for (RegionIndex region = 0; region < catalog.regions().size(); ++region) {
    const bool named =
        std::ranges::find(definition.regions, catalog.region(region).name) != definition.regions.end();
    if (definition.regions.empty() ? catalog.region(region).partition == "aws" : named) mask.add(region);
  }
  return mask;
}

std::size_t tier_index(const PriceDefinition& definition) {
  return static_cast<std::size_t>(service_tier(definition.tier).value_or(ServiceTier::standard));
}

std::size_t class_index(std::string_view text) {
  return static_cast<std::size_t>(price_class(text).value_or(PriceClass::in_region));
}

struct Figure {
  std::string_view member;
  const std::string* text;
  bool needed;
  std::int64_t known;  // 0: nothing to compare with
};

std::optional<PriceMistake> check_figure(const Figure& figure) {
  const auto wrong = [&](std::string what) { return PriceMistake{std::string(figure.member), std::move(what)}; };
  if (figure.text->empty()) {
    if (figure.needed) return wrong("must be given, in USD for a million tokens");
    return std::nullopt;
  }
  const auto value = parse_decimal(*figure.text, figure_digits, Finer::rounded_up);
  if (!value) return wrong(value.error().message);
  if (*value == 0 && figure.needed)
    return wrong("must not be 0: an unknown price is left out, and then known to be unknown");
  if (*value > rate_max)
    return wrong(fmt::format(
        "must be at most 1000 USD for a million tokens, not {}; give the price of a million tokens", *figure.text));
  if (figure.known > 0 && *value > 0 &&
      (*value / likely_factor_max > figure.known || *value < figure.known / likely_factor_max))
    return wrong(
        fmt::format("is {}, more than {} times off the known price of {}; give the price of a million tokens, "
                    "not of a thousand or of one",
                    *figure.text, likely_factor_max, format_decimal(figure.known, figure_digits)));
  return std::nullopt;
}

std::optional<PriceMistake> check_figures(const PriceDefinition& definition, const Price* known) {
  const bool is_long = definition.long_above_tokens > 0;
  const auto rate_known = [&](std::int64_t TokenRates::* member) {
    return known != nullptr ? known->rates.*member : 0;
  };
  const Figure figures[] = {
      {"input", &definition.input, true, rate_known(&TokenRates::input)},
      {"output", &definition.output, true, rate_known(&TokenRates::output)},
      {"cache_read", &definition.cache_read, false, rate_known(&TokenRates::cache_read)},
      {"cache_write_5m", &definition.cache_write_5m, false, rate_known(&TokenRates::cache_write_5m)},
      {"cache_write_1h", &definition.cache_write_1h, false, rate_known(&TokenRates::cache_write_1h)},
      {"long_input", &definition.long_input, is_long, 0},
      {"long_output", &definition.long_output, is_long, 0},
      {"long_cache_read", &definition.long_cache_read, false, 0},
      {"long_cache_write_5m", &definition.long_cache_write_5m, false, 0},
      {"long_cache_write_1h", &definition.long_cache_write_1h, false, 0},
  };
  for (const Figure& figure : figures) {
    if (!is_long && figure.member.starts_with("long_") && !figure.text->empty())
      return PriceMistake{std::string(figure.member), "is of no use without long_above_tokens"};
    if (auto mistake = check_figure(figure)) return mistake;
  }
  return std::nullopt;
}

std::optional<PriceMistake> check_factor(const PriceDefinition& definition) {
  if (!definition.input.empty() || !definition.output.empty())
    return PriceMistake{"factor", "stands in place of figures; give either"};
  if (definition.model.empty()) return PriceMistake{"factor", "is for a model and a class"};
  const auto of = price_class(definition.of_class);
  if (!of) return PriceMistake{"of_class", "must be in_region, geographic or global: what the factor multiplies"};
  if (definition.of_class == definition.price_class) return PriceMistake{"of_class", "must be another class"};
  const auto factor = parse_decimal(definition.factor, factor_digits, Finer::rounded_up);
  if (!factor) return PriceMistake{"factor", factor.error().message};
  if (*factor == 0 || *factor > factor_max) return PriceMistake{"factor", "must be above 0 and at most 10"};
  return std::nullopt;
}

std::optional<PriceMistake> check_subject(const PriceDefinition& definition, const Catalog& catalog) {
  if (definition.profile.empty() == definition.model.empty())
    return PriceMistake{"", "must name either a profile, or a model and a class"};
  if (!definition.profile.empty()) {
    if (!definition.price_class.empty()) return PriceMistake{"class", "is for a model; a profile has its own"};
    if (catalog.find_profile(definition.profile) == nullptr)
      return PriceMistake{"profile", fmt::format("unknown profile {}{}", definition.profile,
                                                 did_you_mean(catalog.nearest_profile(definition.profile)))};
  } else {
    if (!price_class(definition.price_class))
      return PriceMistake{"class", "must be in_region, geographic or global"};
    if (catalog.find_model(definition.model) == nullptr)
      return PriceMistake{"model", fmt::format("unknown model {}{}", definition.model,
                                               did_you_mean(catalog.nearest_model(definition.model)))};
  }
  if (!definition.tier.empty() && !service_tier(definition.tier))
    return PriceMistake{"tier", "must be standard, priority or flex"};
  for (const std::string& region : definition.regions)
    if (catalog.find_region(region) == region_none)
      return PriceMistake{"regions",
                          fmt::format("unknown Region {}{}", region, did_you_mean(catalog.nearest_region(region)))};
  return std::nullopt;
}

/// The price that is known by now for what the definition names.
const Price* known_price(const PriceDefinition& definition, const Catalog& catalog, const PriceBook& known) {
  const ServiceTier tier = service_tier(definition.tier).value_or(ServiceTier::standard);
  const RegionIndex region = definition.regions.empty() ? 0 : catalog.find_region(definition.regions.front());
  if (const Profile* profile = catalog.find_profile(definition.profile))
    return known.find(profile, *profile->model, tier, region);
  const Model* model = catalog.find_model(definition.model);
  const auto wanted = price_class(definition.price_class);
  if (model == nullptr || !wanted) return nullptr;
  Profile stand_in;  // no catalog's: found by its class
  stand_in.kind = *wanted == PriceClass::global ? ProfileKind::global : ProfileKind::geographic;
  return known.find(*wanted == PriceClass::in_region ? nullptr : &stand_in, *model, tier, region);
}

}  // namespace

std::string_view name(PriceClass price_class) {
  switch (price_class) {
    case PriceClass::in_region:
      return "in_region";
    case PriceClass::geographic:
      return "geographic";
    case PriceClass::global:
      return "global";
  }
  return "in_region";
}

std::optional<PriceClass> price_class(std::string_view text) {
  for (const PriceClass known : {PriceClass::in_region, PriceClass::geographic, PriceClass::global})
    if (name(known) == text) return known;
  return std::nullopt;
}

PriceClass price_class_of(const Profile* profile) {
  if (profile == nullptr) return PriceClass::in_region;
  return profile->kind == ProfileKind::global ? PriceClass::global : PriceClass::geographic;
}

std::string_view name(ServiceTier tier) {
  switch (tier) {
    case ServiceTier::standard:
      return "standard";
    case ServiceTier::priority:
      return "priority";
    case ServiceTier::flex:
      return "flex";
  }
  return "standard";
}

std::optional<ServiceTier> service_tier(std::string_view text) {
  if (text.empty() || text == "default" || text == "standard") return ServiceTier::standard;
  if (text == "priority") return ServiceTier::priority;
  if (text == "flex") return ServiceTier::flex;
  return std::nullopt;
}

Result<std::int64_t> cost_micros(const Price& price, const Usage& usage, bool cache_for_1h) {
  const std::uint64_t input =
      std::uint64_t{usage.input_tokens} + usage.cache_read_tokens + usage.cache_write_tokens;
  const bool is_long = price.long_above_tokens > 0 && input > price.long_above_tokens;
  const TokenRates& rates = is_long ? price.long_rates : price.rates;
  Picos cost;
  cost.add(usage.input_tokens, rates.input);
  cost.add(usage.output_tokens, rates.output);
  cost.add(usage.cache_read_tokens, rates.cache_read);
  cost.add(usage.cache_write_tokens, cache_for_1h ? rates.cache_write_1h : rates.cache_write_5m);
  return cost.micros();
}

Result<std::int64_t> cost_micros_max(const Price& price, const UsageBound& bound) {
  const bool may_be_long = price.long_above_tokens > 0 && bound.input_tokens > price.long_above_tokens;
  const TokenRates rates = may_be_long ? dearest(price.rates, price.long_rates) : price.rates;
  // What a cache holds may be billed above or, as nobody does, below fresh input: the dearest of all it may be.
  std::int64_t input = std::max(rates.input, rates.cache_read);
  if (bound.writes_cache) input = std::max({input, rates.cache_write_5m, rates.cache_write_1h});
  Picos cost;
  cost.add(bound.input_tokens, input);
  cost.add(bound.output_tokens, rates.output);
  return cost.micros();
}

PriceBook PriceBook::compile(const Catalog& catalog, std::span<const std::vector<PriceDefinition>> layers,
                             std::string version) {
  PriceBook book;
  book.version_ = std::move(version);
  for (const std::vector<PriceDefinition>& layer : layers) {
    book.layers_.emplace(book.layers_.begin());
    for (const PriceDefinition& definition : layer)
      if (definition.factor.empty()) book.add_figures(catalog, definition);
    for (const PriceDefinition& definition : layer)
      if (!definition.factor.empty()) book.add_factor(catalog, definition);
  }
  return book;
}

void PriceBook::add_figures(const Catalog& catalog, const PriceDefinition& definition) {
  Layer& layer = layers_.front();
  const std::size_t tier = tier_index(definition);
  std::vector<Entry>* entries = nullptr;
  if (const Profile* profile = catalog.find_profile(definition.profile)) {
    entries = &layer.of_profile[profile][tier];
  } else if (const Model* model = catalog.find_model(definition.model)) {
    entries = &layer.of_model[model][class_index(definition.price_class)][tier];
  }
  if (entries == nullptr) return;
  const RegionMask regions = mask_of(catalog, definition);
  std::erase_if(*entries, [&](const Entry& entry) { return entry.regions == regions; });
  entries->insert(definition.regions.empty() ? entries->end() : entries->begin(),
                  Entry{regions, price_of(definition)});
}

void PriceBook::add_factor(const Catalog& catalog, const PriceDefinition& definition) {
  const Model* model = catalog.find_model(definition.model);
  if (model == nullptr) return;
  const std::size_t tier = tier_index(definition);
  std::vector<Entry>& target = layers_.front().of_model[model][class_index(definition.price_class)][tier];
  if (!target.empty()) return;  // a stated price goes before a derived one
  const std::int64_t factor =
      parse_decimal(definition.factor, factor_digits, Finer::rounded_up).value_or(factor_one);
  for (const Layer& layer : layers_) {
    const auto classes = layer.of_model.find(model);
    if (classes == layer.of_model.end()) continue;
    const std::vector<Entry>& of = classes->second[class_index(definition.of_class)][tier];
    if (of.empty()) continue;
    for (const Entry& entry : of)
      target.push_back({entry.regions, Price{.rates = times(entry.price.rates, factor),
                                             .long_above_tokens = entry.price.long_above_tokens,
                                             .long_rates = times(entry.price.long_rates, factor)}});
    return;
  }
}

const Price* PriceBook::find(const Inference& inference, ServiceTier tier, RegionIndex region) const {
  return inference.model != nullptr ? find(inference.profile, *inference.model, tier, region) : nullptr;
}

const Price* PriceBook::find(const Profile* profile, const Model& model, ServiceTier tier,
                             RegionIndex region) const {
  const auto at_tier = static_cast<std::size_t>(tier);
  const auto first = [region](const std::vector<Entry>& entries) -> const Price* {
    for (const Entry& entry : entries)
      if (entry.regions.contains(region)) return &entry.price;
    return nullptr;
  };
  for (const Layer& layer : layers_) {
    if (const auto exact = layer.of_profile.find(profile); exact != layer.of_profile.end())
      if (const Price* price = first(exact->second[at_tier])) return price;
    if (const auto classes = layer.of_model.find(&model); classes != layer.of_model.end())
      if (const Price* price = first(classes->second[static_cast<std::size_t>(price_class_of(profile))][at_tier]))
        return price;
  }
  return nullptr;
}

std::optional<PriceMistake> check(const PriceDefinition& definition, const Catalog& catalog,
                                  const PriceBook* known) {
  if (auto mistake = check_subject(definition, catalog)) return mistake;
  if (!definition.factor.empty()) return check_factor(definition);
  return check_figures(definition, known != nullptr ? known_price(definition, catalog, *known) : nullptr);
}

}  // namespace portolan::domain
