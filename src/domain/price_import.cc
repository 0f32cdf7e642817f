// SPDX-License-Identifier: Apache-2.0
#include "domain/price_import.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "domain/money.h"

namespace portolan::domain {
namespace {

using base::Code;
using base::fail;
using base::Result;
using nlohmann::json;

constexpr int token_figure_digits = 12;  // of a figure for one token: a pico-unit
constexpr int million_figure_digits = 6;
constexpr std::uint32_t long_context_tokens = 200'000;
constexpr std::uint64_t window_max = 1'000'000'000;

struct LitellmMember {
  const char* key;
  std::string PriceDefinition::* figure;
};
constexpr LitellmMember standard_figures[] = {
    {"input_cost_per_token", &PriceDefinition::input},
    {"output_cost_per_token", &PriceDefinition::output},
    {"cache_read_input_token_cost", &PriceDefinition::cache_read},
    {"cache_creation_input_token_cost", &PriceDefinition::cache_write_5m},
    {"cache_creation_input_token_cost_above_1hr", &PriceDefinition::cache_write_1h},
    {"input_cost_per_token_above_200k_tokens", &PriceDefinition::long_input},
    {"output_cost_per_token_above_200k_tokens", &PriceDefinition::long_output},
    {"cache_read_input_token_cost_above_200k_tokens", &PriceDefinition::long_cache_read},
    {"cache_creation_input_token_cost_above_200k_tokens", &PriceDefinition::long_cache_write_5m},
    {"cache_creation_input_token_cost_above_1hr_above_200k_tokens", &PriceDefinition::long_cache_write_1h},
};

std::unexpected<base::Error> wrong_member(std::string_view key, std::string_view member, std::string_view what) {
  return fail(Code::config_invalid, fmt::format("{}: {}: {}", key.substr(0, 128), member, what));
}

/// A figure for one token as one for a million. Empty when the entry has none.
Result<std::string> million_figure(const std::string& key, const json& entry, const std::string& member) {
  const auto at = entry.find(member);
  if (at == entry.end() || at->is_null()) return std::string{};
  std::string text;
  if (const auto* said = at->get_ptr<const std::string*>()) {
    text = *said;
  } else if (at->is_number_float()) {
    char buffer[64];
    text.assign(buffer, std::to_chars(buffer, buffer + sizeof buffer, at->get<double>()).ptr);
  } else if (at->is_number()) {
    text = at->dump();
  } else {
    return wrong_member(key, member, "a number is expected");
  }
  const auto picos = parse_decimal(text, token_figure_digits, Finer::rounded_up);
  if (!picos) return wrong_member(key, member, picos.error().message);
  return format_decimal(*picos, million_figure_digits);
}

/// The entry at one tier: LiteLLM writes "_priority" or "_flex" behind the members' names.
Result<std::optional<PriceDefinition>> read_tier(const std::string& key, const json& entry, ServiceTier tier) {
  PriceDefinition definition;
  const std::string suffix = tier == ServiceTier::standard ? "" : "_" + std::string(name(tier));
  for (const LitellmMember& member : standard_figures) {
    TRY(definition.*member.figure, million_figure(key, entry, member.key + suffix));
  }
  if (definition.input.empty() || definition.output.empty()) return std::nullopt;
  if (tier != ServiceTier::standard) definition.tier = name(tier);
  if (!definition.long_input.empty() && !definition.long_output.empty()) {
    definition.long_above_tokens = long_context_tokens;
  } else {
    for (const LitellmMember& member : standard_figures)
      if (std::string_view{member.key}.contains("above_200k")) (definition.*member.figure).clear();
  }
  return definition;
}

/// What a key of LiteLLM's names here.
struct Named {
  const Profile* profile = nullptr;
  const Model* model = nullptr;
  std::string region;
};

std::optional<Named> name_of(std::string_view key, const Catalog& catalog) {
  constexpr std::string_view by_region = "bedrock/";
  Named named;
  if (key.starts_with(by_region)) {
    key.remove_prefix(by_region.size());
    const std::size_t slash = key.find('/');
    if (slash == std::string_view::npos || catalog.find_region(key.substr(0, slash)) == region_none)
      return std::nullopt;
    named.region = key.substr(0, slash);
    key.remove_prefix(slash + 1);
  }
  named.profile = named.region.empty() ? catalog.find_profile(key) : nullptr;
  named.model = named.profile != nullptr ? named.profile->model : catalog.find_model(key);
  if (named.model == nullptr) return std::nullopt;
  return named;
}

bool same_figures(const PriceDefinition& a, const PriceDefinition& b) {
  return a.long_above_tokens == b.long_above_tokens &&
         std::ranges::all_of(standard_figures,
                             [&](const LitellmMember& member) { return a.*member.figure == b.*member.figure; });
}

/// The entries of geographic profiles by (model, tier), and whether they agree.
struct GeographicPrices {
  PriceDefinition figures;
  bool agree = true;
};

class LitellmImport {
 public:
  LitellmImport(const Catalog& catalog, ImportedPrices& imported) : catalog_(catalog), imported_(imported) {}

  Result<void> take(const std::string& key, const json& entry) {
    ++imported_.entries;
    const std::optional<Named> named = name_of(key, catalog_);
    if (!entry.is_object() || !named) {
      ++imported_.of_others;
      return {};
    }
    const auto window = entry.find("max_input_tokens");
    if (window != entry.end() && window->is_number_unsigned() && window->get<std::uint64_t>() <= window_max) {
      std::uint32_t& known = imported_.prices.input_tokens_max[named->model->id];
      known = std::max(known, window->get<std::uint32_t>());
    }
    bool found = false;
    for (const ServiceTier tier : {ServiceTier::standard, ServiceTier::priority, ServiceTier::flex}) {
      TRY(std::optional<PriceDefinition> definition, read_tier(key, entry, tier));
      if (!definition) continue;
      found = true;
      TRY_VOID(add(key, *named, *std::move(definition)));
    }
    if (!found) imported_.left_out.push_back(key + ": has no price for input and output tokens");
    return {};
  }

  void finish() {
    for (auto& [of, prices] : geographic_) {
      if (prices.agree) {
        prices.figures.model = of.first->id;
        prices.figures.price_class = name(PriceClass::geographic);
        imported_.prices.definitions.push_back(prices.figures);
      }
    }
  }

 private:
  Result<void> add(const std::string& key, const Named& named, PriceDefinition definition) {
    if (definition.input == "0" || definition.output == "0") {
      imported_.left_out.push_back(key + ": a price of 0, which stands for an unknown one there");
      return {};
    }
    if (named.profile != nullptr) {
      definition.profile = named.profile->id;
    } else {
      definition.model = named.model->id;
      const bool in_region = !named.region.empty() || !named.model->profile_only;
      definition.price_class = name(in_region ? PriceClass::in_region : PriceClass::global);
      if (!named.region.empty()) definition.regions = {named.region};
    }
    if (const auto mistake = check(definition, catalog_, nullptr))
      return wrong_member(key, mistake->member, "the figure for one token, times a million, " + mistake->what);
    if (named.profile != nullptr && named.profile->kind == ProfileKind::geographic &&
        !named.profile->id.starts_with("us-gov."))
      note_geographic(*named.model, definition);
    imported_.prices.definitions.push_back(std::move(definition));
    return {};
  }

  void note_geographic(const Model& model, PriceDefinition figures) {
    figures.profile.clear();
    const auto [at, is_new] = geographic_.try_emplace({&model, figures.tier}, GeographicPrices{.figures = figures});
    if (!is_new) at->second.agree = at->second.agree && same_figures(at->second.figures, figures);
  }

  const Catalog& catalog_;
  ImportedPrices& imported_;
  std::map<std::pair<const Model*, std::string>, GeographicPrices> geographic_;
};

}  // namespace

Result<ImportedPrices> import_litellm_prices(std::string_view text, const Catalog& catalog, std::string source,
                                             std::string date) {
  const json file = json::parse(text, nullptr, false);
  if (!file.is_object())
    return fail(Code::config_invalid,
                "a JSON object of model names is expected, as LiteLLM's "
                "model_prices_and_context_window.json is");
  ImportedPrices imported;
  imported.prices.source = std::move(source);
  imported.prices.date = std::move(date);
  LitellmImport import(catalog, imported);
  for (const auto& [key, entry] : file.items())
    if (key != "sample_spec") TRY_VOID(import.take(key, entry));
  import.finish();
  if (imported.prices.definitions.empty())
    return fail(Code::config_invalid,
                fmt::format("none of its {} entries is a model of this catalog; is it LiteLLM's "
                            "model_prices_and_context_window.json?",
                            imported.entries));
  return imported;
}

}  // namespace portolan::domain
