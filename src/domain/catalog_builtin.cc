// SPDX-License-Identifier: Apache-2.0
// The catalog that ships in the binary: the files of catalog/, embedded by the compiler. The room's --embed-dir
// points there (src/CMakeLists.txt).
#include "base/check.h"
#include "domain/catalog.h"
#include "domain/catalog_data.h"

namespace portolan::domain {
namespace {

constexpr char regions_csv[] = {
#embed "regions.csv"
};
constexpr char region_rtt_csv[] = {
#embed "region_rtt.csv"
};
constexpr char region_neighbours_csv[] = {
#embed "region_neighbours.csv"
};
constexpr char models_json[] = {
#embed "models.json"
};
constexpr char profiles_json[] = {
#embed "profiles.json"
};

template <std::size_t size>
constexpr std::string_view text(const char (&bytes)[size]) {
  return {bytes, size};
}

std::shared_ptr<const Catalog> load_builtin() {
  auto catalog = parse_catalog({.regions_csv = text(regions_csv),
                                .region_rtt_csv = text(region_rtt_csv),
                                .region_neighbours_csv = text(region_neighbours_csv),
                                .models_json = text(models_json),
                                .profiles_json = text(profiles_json)});
  CHECK(catalog.has_value());
  return *std::move(catalog);
}

}  // namespace

std::shared_ptr<const Catalog> Catalog::builtin() {
  static const std::shared_ptr<const Catalog> catalog = load_builtin();
  return catalog;
}

}  // namespace portolan::domain
