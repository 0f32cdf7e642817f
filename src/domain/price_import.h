// SPDX-License-Identifier: Apache-2.0
// Prices from LiteLLM's model_prices_and_context_window.json (github.com/BerriAI/litellm, MIT licence), which many
// keep up to date. Its keys are model names, with a geography's prefix or a Region's name before some of them; its
// figures are units of currency for one token.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "domain/price.h"

namespace portolan::domain {

struct ImportedPrices {
  ShippedPrices prices;
  /// Entries that were left out, and why, for people: "anthropic.x: its price is 0, which means unknown there".
  std::vector<std::string> left_out;
  std::size_t entries = 0;    // in the file
  std::size_t of_others = 0;  // of models and providers that the catalog does not have
};

/// Takes the entries of Bedrock's models that `catalog` has. `source` and `date` say where `text` is from. A
/// model's entry without a prefix is its in-Region price where it can be called so, else the price of the global
/// class. When all geographic entries of a model agree (GovCloud aside), they become the price of its geographic
/// class. Code::config_invalid, naming the entry: not LiteLLM's format, or a figure that cannot be one for a single
/// token.
base::Result<ImportedPrices> import_litellm_prices(std::string_view text, const Catalog& catalog,
                                                   std::string source, std::string date);

}  // namespace portolan::domain
