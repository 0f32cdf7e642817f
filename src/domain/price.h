// SPDX-License-Identifier: Apache-2.0
// What a call costs: prices by profile or by (model, class), and the arithmetic from tokens to micro-units.
//
// A price is looked up in this order, and a look-up that finds nothing says so; an unknown price is never zero:
//   1. of the inference profile itself,
//   2. of its model in the profile's class: in-Region (called by its bare id), geographic or global,
//   3. of its model as a factor of another class, where the data states one.
// In each step an entry for the Region that is called goes before one for every Region. All of it is asked of what
// the operator's configuration says first, then of the imported file, then of the shipped catalog
// (catalog/prices.json).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "domain/call.h"
#include "domain/catalog.h"

namespace portolan::domain {

enum class PriceClass : std::uint8_t { in_region, geographic, global };
inline constexpr std::size_t price_class_count = 3;
std::string_view name(PriceClass price_class);
std::optional<PriceClass> price_class(std::string_view text);
/// The class that a call by this profile is billed in. Null: the model was called by its bare id.
PriceClass price_class_of(const Profile* profile);

/// Bedrock's service tiers (the header X-Amzn-Bedrock-Service-Tier). "default" is standard.
enum class ServiceTier : std::uint8_t { standard, priority, flex };
inline constexpr std::size_t service_tier_count = 3;
std::string_view name(ServiceTier tier);
/// Nothing for a tier that has no price of its own here ("reserved" is billed by the month).
std::optional<ServiceTier> service_tier(std::string_view text);

/// In pico-units for one token. All are known: a catalog that gives no cache price bills those tokens as input.
struct TokenRates {
  std::int64_t input = 0;
  std::int64_t output = 0;
  std::int64_t cache_read = 0;
  std::int64_t cache_write_5m = 0;
  std::int64_t cache_write_1h = 0;
};

struct Price {
  TokenRates rates;
  /// A call with more input tokens than this, cached ones included, is billed at `long_rates`. 0: never.
  std::uint32_t long_above_tokens = 0;
  TokenRates long_rates;
};

/// The most that a call can report as used.
struct UsageBound {
  std::uint64_t input_tokens = 0;
  std::uint64_t output_tokens = 0;
  bool writes_cache = false;  // any of the input may be billed as a cache write
};

/// What the reported tokens cost. `cache_for_1h`: cache writes are billed at the price of an hour.
/// Code::invalid_field when no amount can hold it.
base::Result<std::int64_t> cost_micros(const Price& price, const Usage& usage, bool cache_for_1h);
/// The most that a call within `bound` can cost.
base::Result<std::int64_t> cost_micros_max(const Price& price, const UsageBound& bound);

/// A price as a file says it. Figures are decimal texts, in units of currency for a million tokens.
struct PriceDefinition {
  std::string profile;               // either this
  std::string model;                 // or this, with a class
  std::string price_class;           // "in_region", "geographic", "global"
  std::string tier;                  // "standard" when empty
  std::vector<std::string> regions;  // Regions called; empty: every one, of a model every commercial one
  std::string input, output, cache_read, cache_write_5m, cache_write_1h;
  std::uint32_t long_above_tokens = 0;
  std::string long_input, long_output, long_cache_read, long_cache_write_5m, long_cache_write_1h;
  /// In place of figures: those of the model's other class, times this.
  std::string factor, of_class;
};

/// The member of a PriceDefinition that is wrong, and why.
struct PriceMistake {
  std::string member;  // "input", "model"; empty: the whole
  std::string what;
};

/// All prices, made ready for one catalog. Immutable; shared by all threads. A call looks up with no allocation.
class PriceBook {
 public:
  /// Layers are given from the weakest to the strongest; of two entries for the same thing the later holds. Entries
  /// for profiles and models that the catalog lacks are passed over. `version` names all of it in records. Every
  /// definition must have passed check().
  static PriceBook compile(const Catalog& catalog, std::span<const std::vector<PriceDefinition>> layers,
                           std::string version);

  /// Null: unknown.
  const Price* find(const Inference& inference, ServiceTier tier, RegionIndex region) const;
  const Price* find(const Profile* profile, const Model& model, ServiceTier tier, RegionIndex region) const;
  const std::string& version() const { return version_; }

 private:
  struct Entry {
    RegionMask regions;
    Price price;
  };
  using ByTier = std::array<std::vector<Entry>, service_tier_count>;
  using ByClass = std::array<ByTier, price_class_count>;
  struct Layer {
    std::unordered_map<const Profile*, ByTier> of_profile;
    std::unordered_map<const Model*, ByClass> of_model;
  };
  void add_figures(const Catalog& catalog, const PriceDefinition& definition);
  void add_factor(const Catalog& catalog, const PriceDefinition& definition);

  std::vector<Layer> layers_;  // the strongest first
  std::string version_;
};

/// Whether a definition can be used; `known` are prices that it may be compared with (none: null). A figure that is
/// far from every price there is, or from the known one of the same thing, is most likely one for a thousand
/// tokens, or for one, in place of one for a million.
std::optional<PriceMistake> check(const PriceDefinition& definition, const Catalog& catalog,
                                  const PriceBook* known);

/// What catalog/prices.json says, and where from. Built once; CHECKs that the shipped data is sound.
struct ShippedPrices {
  std::vector<PriceDefinition> definitions;
  /// The context window of a model, by id: the most input tokens that it takes.
  std::unordered_map<std::string, std::uint32_t> input_tokens_max;
  std::string source;
  std::string date;
};
const ShippedPrices& shipped_prices();

/// Reads the format of catalog/prices.json. Code::config_invalid, naming the entry and the member. Entries are not
/// compared with a catalog yet.
base::Result<ShippedPrices> parse_prices(std::string_view text);
/// Writes it. parse_prices reads back the same.
std::string write_prices(const ShippedPrices& prices);

}  // namespace portolan::domain
