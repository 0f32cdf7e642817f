// SPDX-License-Identifier: Apache-2.0
// From the catalog's data files to a Catalog. Private to the room; tests use it to see bad data refused.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "domain/catalog.h"

namespace portolan::domain {

/// The texts of the five files of catalog/, whose README.md says what each means.
struct CatalogData {
  std::string_view regions_csv;
  std::string_view region_rtt_csv;
  std::string_view region_neighbours_csv;
  std::string_view models_json;
  std::string_view profiles_json;
};

/// Fails with Code::config_invalid, naming file and entry, when the data contradicts itself.
base::Result<std::shared_ptr<const Catalog>> parse_catalog(const CatalogData& data);

/// Fills the private parts of a Catalog, step by step in the order of its functions.
struct CatalogBuilder {
  std::shared_ptr<Catalog> catalog{new Catalog};

  base::Result<> read_regions(std::string_view csv);
  base::Result<> read_round_trips(std::string_view measured_csv, std::string_view neighbours_csv);
  base::Result<> read_models(std::string_view text);
  base::Result<> read_profiles(std::string_view text);

  /// Starts from another catalog; profiles then point to this one's models.
  void copy(const Catalog& from);
  void add_profile(Profile profile);
  /// Sorts by id, as the look-ups expect.
  void sort_profiles();

 private:
  using Groups = std::map<std::string, RegionMask, std::less<>>;
  base::Result<RegionIndex> region(std::string_view name, std::string_view where) const;
  base::Result<RegionMask> regions(std::string_view words, const Groups& groups, RegionMask itself,
                                   std::string_view where) const;
  base::Result<> add_route(Profile& profile, std::string_view from, std::string_view to,
                           const Groups& groups) const;
  /// The catalog is as old as its newest file.
  void note_date(std::string_view date);
};

}  // namespace portolan::domain
