// SPDX-License-Identifier: Apache-2.0
// The look-ups of a Catalog, and the operator's own profiles. How the shipped data is read: catalog_data.cc.
#include "domain/catalog.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>

#include "domain/catalog_data.h"
#include "domain/nearest.h"

namespace portolan::domain {
namespace {

using base::Code;
using base::fail;
using base::Result;

constexpr std::size_t profile_id_length_max = 128;

template <class T>
const T* find_by_id(const std::vector<std::unique_ptr<const T>>& sorted, std::string_view id) {
  const auto at = std::lower_bound(sorted.begin(), sorted.end(), id,
                                   [](const auto& entry, std::string_view wanted) { return entry->id < wanted; });
  return at != sorted.end() && (*at)->id == id ? at->get() : nullptr;
}

template <class T>
std::vector<std::string_view> ids(const std::vector<std::unique_ptr<const T>>& entries) {
  std::vector<std::string_view> all;
  for (const auto& entry : entries) all.push_back(entry->id);
  return all;
}

/// The characters of Bedrock's own ids; above all no '/', which would break paths and ARNs, and no glob.
bool is_profile_id(std::string_view id) {
  const auto is_allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == ':' || c == '-';
  };
  return !id.empty() && id.size() <= profile_id_length_max && std::ranges::all_of(id, is_allowed);
}

Result<RegionMask> resolve(const Catalog& catalog, const std::vector<std::string>& names,
                           std::string_view profile) {
  RegionMask mask;
  for (const std::string& name : names) {
    const RegionIndex region = catalog.find_region(name);
    if (region == region_none)
      return fail(Code::config_invalid, fmt::format("profile {}: unknown Region \"{}\"{}", profile, name,
                                                    did_you_mean(catalog.nearest_region(name))));
    mask.add(region);
  }
  return mask;
}

/// A set of Regions in more than one partition can never be reached with one partition's credentials.
bool in_one_partition(const Catalog& catalog, RegionMask mask) {
  std::set<std::string_view> partitions;
  for (const RegionIndex region : mask) partitions.insert(catalog.region(region).partition);
  return partitions.size() <= 1;
}

Result<Profile> resolve(const Catalog& catalog, const ProfileDefinition& definition) {
  if (!is_profile_id(definition.id))
    return fail(Code::config_invalid, fmt::format("profile id \"{}\": must be 1 to {} letters, digits or . _ : -",
                                                  std::string_view{definition.id}.substr(0, profile_id_length_max),
                                                  profile_id_length_max));
  if (catalog.find_profile(definition.id))
    return fail(Code::config_invalid,
                fmt::format("profile {}: this id exists already; choose another", definition.id));
  if (catalog.find_model(definition.id))
    return fail(Code::config_invalid,
                fmt::format("profile {}: a model has this id; choose another", definition.id));
  const Model* model = catalog.find_model(definition.model_id);
  if (!model)
    return fail(Code::config_invalid,
                fmt::format("profile {}: unknown model \"{}\"{}", definition.id, definition.model_id,
                            did_you_mean(catalog.nearest_model(definition.model_id))));
  TRY(const RegionMask destinations, resolve(catalog, definition.destinations, definition.id));
  if (destinations.empty())
    return fail(Code::config_invalid,
                fmt::format("profile {}: has no destinations; name at least one Region", definition.id));
  TRY(const RegionMask named_sources, resolve(catalog, definition.sources, definition.id));
  const RegionMask sources = named_sources.empty() ? destinations : named_sources;
  if (!in_one_partition(catalog, sources | destinations))
    return fail(Code::config_invalid,
                fmt::format("profile {}: mixes Regions of different partitions ({}); define one profile for each",
                            definition.id, catalog.names(sources | destinations)));
  Profile profile{.id = definition.id,
                  .name = definition.name.empty() ? definition.id : definition.name,
                  .kind = ProfileKind::geographic,
                  .model = model,
                  .sources = sources,
                  .policy_mode = definition.policy_mode};
  for (const RegionIndex source : sources) profile.destinations[source] = destinations;
  return profile;
}

}  // namespace

Result<std::shared_ptr<const Catalog>> Catalog::with_profiles(const Catalog& from,
                                                              std::span<const ProfileDefinition> definitions) {
  CatalogBuilder builder;
  builder.copy(from);
  std::vector<Profile> added;
  std::set<std::string_view> seen;
  for (const ProfileDefinition& definition : definitions) {
    if (!seen.insert(definition.id).second)
      return fail(Code::config_invalid,
                  fmt::format("profile {}: defined twice; ids must be unique", definition.id));
    TRY(Profile profile, resolve(*builder.catalog, definition));
    added.push_back(std::move(profile));
  }
  for (Profile& profile : added) builder.add_profile(std::move(profile));
  builder.sort_profiles();
  return std::shared_ptr<const Catalog>{std::move(builder.catalog)};
}

Result<> Catalog::check(const ProfileDefinition& definition) const {
  TRY_VOID(resolve(*this, definition));
  return {};
}

RegionIndex Catalog::find_region(std::string_view name) const {
  for (std::size_t i = 0; i < regions_.size(); ++i)
    if (regions_[i].name == name) return static_cast<RegionIndex>(i);
  return region_none;
}

std::string Catalog::names(RegionMask mask) const {
  std::string list;
  for (const RegionIndex region : mask) {
    if (region >= regions_.size()) break;
    if (!list.empty()) list += ", ";
    list += regions_[region].name;
  }
  return list;
}

const TokenRule& Model::token_rule(base::WallTime at) const {
  static const TokenRule plain{};
  const TokenRule* found = token_rules.empty() ? &plain : &token_rules.front();
  for (const TokenRule& rule : token_rules)
    if (rule.from <= at) found = &rule;
  return *found;
}

const Model* Catalog::find_model(std::string_view id) const {
  return find_by_id(models_, id);
}
const Profile* Catalog::find_profile(std::string_view id) const {
  return find_by_id(profiles_, id);
}

std::string Catalog::nearest_region(std::string_view name) const {
  std::vector<std::string_view> known;
  for (const Region& region : regions_) known.push_back(region.name);
  return nearest_name(name, known);
}

std::string Catalog::nearest_model(std::string_view name) const {
  return nearest_name(name, ids(models_));
}
std::string Catalog::nearest_profile(std::string_view name) const {
  return nearest_name(name, ids(profiles_));
}

}  // namespace portolan::domain
