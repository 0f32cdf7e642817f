// SPDX-License-Identifier: Apache-2.0
// The format of catalog/prices.json, and the shipped prices themselves.
#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "domain/money.h"
#include "domain/price.h"

namespace portolan::domain {
namespace {

using base::Code;
using base::fail;
using base::Result;
using Json = nlohmann::ordered_json;

constexpr char prices_json[] = {
#embed "prices.json"
};

std::unexpected<base::Error> wrong_entry(std::size_t index, std::string_view what) {
  return fail(Code::config_invalid, fmt::format("prices[{}]: {}", index, what));
}

/// A figure is a number or a text. The shortest text that reads back as the double is what the file said, since a
/// price has fewer digits than a double keeps.
std::optional<std::string> figure_text(const Json& value) {
  if (const auto* text = value.get_ptr<const std::string*>()) return *text;
  if (!value.is_number()) return std::nullopt;
  if (value.is_number_integer()) return value.dump();
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value.get<double>()).ptr;
  return std::string(buffer, end);
}

struct TextMember {
  const char* key;
  std::string PriceDefinition::* member;
  bool is_figure;
};
constexpr TextMember text_members[] = {
    {"profile", &PriceDefinition::profile, false},
    {"model", &PriceDefinition::model, false},
    {"class", &PriceDefinition::price_class, false},
    {"tier", &PriceDefinition::tier, false},
    {"input", &PriceDefinition::input, true},
    {"output", &PriceDefinition::output, true},
    {"cache_read", &PriceDefinition::cache_read, true},
    {"cache_write_5m", &PriceDefinition::cache_write_5m, true},
    {"cache_write_1h", &PriceDefinition::cache_write_1h, true},
    {"long_input", &PriceDefinition::long_input, true},
    {"long_output", &PriceDefinition::long_output, true},
    {"long_cache_read", &PriceDefinition::long_cache_read, true},
    {"long_cache_write_5m", &PriceDefinition::long_cache_write_5m, true},
    {"long_cache_write_1h", &PriceDefinition::long_cache_write_1h, true},
    {"factor", &PriceDefinition::factor, true},
    {"of_class", &PriceDefinition::of_class, false},
};

Result<PriceDefinition> read_entry(const Json& entry, std::size_t index) {
  if (!entry.is_object()) return wrong_entry(index, "an object is expected");
  PriceDefinition definition;
  for (const auto& [key, value] : entry.items()) {
    const auto* known =
        std::ranges::find_if(text_members, [&](const TextMember& member) { return key == member.key; });
    if (known != std::end(text_members)) {
      const std::optional<std::string> text =
          known->is_figure || value.is_string() ? figure_text(value) : std::nullopt;
      if (!text) return wrong_entry(index, key + (known->is_figure ? " must be a number" : " must be a text"));
      definition.*known->member = *text;
    } else if (key == "long_above_tokens") {
      if (!value.is_number_unsigned() || value.get<std::uint64_t>() > 1'000'000'000)
        return wrong_entry(index, "long_above_tokens must be a number of tokens");
      definition.long_above_tokens = value.get<std::uint32_t>();
    } else if (key == "regions") {
      if (!value.is_array()) return wrong_entry(index, "regions must be a list");
      for (const Json& region : value) {
        if (!region.is_string()) return wrong_entry(index, "regions must be a list of names");
        definition.regions.push_back(region.get<std::string>());
      }
    } else {
      return wrong_entry(index, fmt::format("there is no member \"{}\"", key.substr(0, 40)));
    }
  }
  return definition;
}

}  // namespace

Result<ShippedPrices> parse_prices(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object())
    return fail(Code::config_invalid, "a JSON object with source, date and prices is expected");
  ShippedPrices read;
  for (const auto& [key, target] : {std::pair{"source", &read.source}, std::pair{"date", &read.date}}) {
    const auto at = json.find(key);
    if (at == json.end() || !at->is_string())
      return fail(Code::config_invalid,
                  fmt::format("{}: a text is expected; a price without it cannot be judged", key));
    *target = at->get<std::string>();
  }
  if (json.value("currency", Json()) != currency || json.value("unit", Json()) != "million tokens")
    return fail(Code::config_invalid, fmt::format("currency must be \"{}\" and unit \"million tokens\"", currency));
  if (const auto windows = json.find("input_tokens_max"); windows != json.end()) {
    if (!windows->is_object()) return fail(Code::config_invalid, "input_tokens_max: an object is expected");
    for (const auto& [model, tokens] : windows->items()) {
      if (!tokens.is_number_unsigned() || tokens.get<std::uint64_t>() > 1'000'000'000)
        return fail(Code::config_invalid,
                    fmt::format("input_tokens_max: {}: a number of tokens is expected", model));
      read.input_tokens_max.emplace(model, tokens.get<std::uint32_t>());
    }
  }
  const auto prices = json.find("prices");
  if (prices == json.end() || !prices->is_array()) return fail(Code::config_invalid, "prices: a list is expected");
  for (std::size_t i = 0; i < prices->size(); ++i) {
    TRY(PriceDefinition definition, read_entry((*prices)[i], i));
    read.definitions.push_back(std::move(definition));
  }
  return read;
}

std::string write_prices(const ShippedPrices& prices) {
  std::string text = "{\n  \"source\": " + Json(prices.source).dump() +
                     ",\n  \"date\": " + Json(prices.date).dump() + ",\n  \"currency\": \"" +
                     std::string(currency) + "\",\n  \"unit\": \"million tokens\",\n";
  const std::map<std::string, std::uint32_t> windows(prices.input_tokens_max.begin(),
                                                     prices.input_tokens_max.end());
  text += "  \"input_tokens_max\": {";
  const char* lead = "\n    ";
  for (const auto& [model, tokens] : windows) {
    text += lead + Json(model).dump() + ": " + std::to_string(tokens);
    lead = ",\n    ";
  }
  text += "\n  },\n  \"prices\": [";
  lead = "\n    ";
  for (const PriceDefinition& definition : prices.definitions) {
    Json entry = Json::object();
    for (const TextMember& member : text_members)
      if (!(definition.*member.member).empty()) entry[member.key] = definition.*member.member;
    if (definition.long_above_tokens > 0) entry["long_above_tokens"] = definition.long_above_tokens;
    if (!definition.regions.empty()) entry["regions"] = definition.regions;
    text += lead + entry.dump();
    lead = ",\n    ";
  }
  return text + "\n  ]\n}\n";
}

const ShippedPrices& shipped_prices() {
  static const ShippedPrices prices = [] {
    auto read = parse_prices(std::string_view{prices_json, sizeof prices_json});
    CHECK(read.has_value());
    return *std::move(read);
  }();
  return prices;
}

}  // namespace portolan::domain
