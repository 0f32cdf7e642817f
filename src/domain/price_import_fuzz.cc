// SPDX-License-Identifier: Apache-2.0
// Any text is imported or refused; what was imported can be used, and reads back as it was written.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "domain/price_import.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace portolan;
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  const domain::Catalog& catalog = *domain::Catalog::builtin();
  (void)domain::parse_prices(text);
  const auto imported = domain::import_litellm_prices(text, catalog, "fuzz", "2026-11-22");
  if (!imported) {
    CHECK(!imported.error().message.empty());
    return 0;
  }
  for (const domain::PriceDefinition& definition : imported->prices.definitions)
    CHECK(!domain::check(definition, catalog, nullptr));
  const std::string written = domain::write_prices(imported->prices);
  const auto again = domain::parse_prices(written);
  CHECK(again.has_value());
  CHECK(domain::write_prices(*again) == written);
  return 0;
}
