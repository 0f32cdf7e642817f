// SPDX-License-Identifier: Apache-2.0
#include "domain/catalog_data.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fmt/format.h>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>

namespace portolan::domain {
namespace {

using base::Code;
using base::fail;
using base::Result;
using nlohmann::json;

/// The next piece of `text` up to `separator`, taken off its front.
std::string_view take(std::string_view& text, char separator) {
  const std::size_t end = std::min(text.find(separator), text.size());
  const std::string_view piece = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return piece;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> pieces;
  while (!text.empty()) pieces.push_back(take(text, separator));
  return pieces;
}

struct Table {
  std::string_view date;
  std::vector<std::vector<std::string_view>> rows;  // each as wide as the header
};

/// Lines that begin with # are comments; "# date: " among them is the file's date. The first other line must be
/// `header`.
Result<Table> read_csv(std::string_view text, std::string_view header) {
  constexpr std::string_view date_mark = "# date: ";
  Table table;
  bool header_seen = false;
  while (!text.empty()) {
    const std::string_view line = take(text, '\n');
    if (line.starts_with(date_mark)) table.date = line.substr(date_mark.size());
    if (line.empty() || line.starts_with('#')) continue;
    if (!header_seen) {
      if (line != header) return fail(Code::config_invalid, fmt::format("expected the header {}", header));
      header_seen = true;
      continue;
    }
    table.rows.push_back(split(line, ','));
    if (table.rows.back().size() != split(header, ',').size())
      return fail(Code::config_invalid, fmt::format("the row \"{}\" does not fit the header {}", line, header));
  }
  if (!header_seen || table.date.empty())
    return fail(Code::config_invalid, fmt::format("a date and the header {} are missing", header));
  return table;
}

Result<double> number(std::string_view text) {
  double value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size() || !(value >= 0))
    return fail(Code::config_invalid, fmt::format("\"{}\" is not a number", text));
  return value;
}

/// How a Region outside the measurements is reached: through its neighbour, and so much farther.
struct Estimate {
  RegionIndex neighbour = region_none;
  double extra_ms = 0;
};
using Estimates = std::array<std::optional<Estimate>, regions_max>;

RoundTrip estimated(const Catalog& catalog, const std::vector<std::vector<RoundTrip>>& measured,
                    const Estimates& estimates, RegionIndex from, RegionIndex to) {
  RoundTrip result;
  double extra_ms = 0;
  const auto stand_in = [&](RegionIndex region) {
    const std::optional<Estimate>& estimate = estimates[region];
    if (!estimate) return region;
    if (from != to) extra_ms += estimate->extra_ms;
    const std::string pair =
        fmt::format("{} ~ {}", catalog.region(region).name, catalog.region(estimate->neighbour).name);
    if (!result.estimated_from.contains(pair))
      result.estimated_from += result.estimated_from.empty() ? pair : ", " + pair;
    return estimate->neighbour;
  };
  const RegionIndex near_from = stand_in(from);
  const RegionIndex near_to = stand_in(to);
  const RoundTrip& base = measured[near_from][near_to];
  result.p50_ms = base.p50_ms + extra_ms;
  result.p90_ms = base.p90_ms + extra_ms;
  result.p99_ms = base.p99_ms + extra_ms;
  return result;
}

/// One of `token_rules`: rules by date, the oldest first.
Result<std::vector<TokenRule>> read_token_rules(const std::string& name, const json& entries) {
  constexpr unsigned multiplier_max = 1000;
  std::vector<TokenRule> rules;
  for (const json& entry : entries) {
    TokenRule rule{.output = entry.at("output"),
                   .cache_write = entry.at("cache_write"),
                   .cache_read = entry.at("cache_read"),
                   .held_output = entry.at("held_output"),
                   .holds_cache_reads = entry.at("holds_cache_reads")};
    if (!base::parse_time(entry.at("from").get<std::string>(), rule.from))
      return fail(Code::config_invalid, fmt::format("models.json: token rules {}: \"from\" is no time", name));
    if (!rules.empty() && rule.from <= rules.back().from)
      return fail(Code::config_invalid,
                  fmt::format("models.json: token rules {}: a rule must begin after the one before it", name));
    if (rule.output == 0 ||
        std::max({rule.output, rule.cache_write, rule.cache_read, rule.held_output}) > multiplier_max)
      return fail(Code::config_invalid, fmt::format("models.json: token rules {}: output is 1 to {}, the others at "
                                                    "most {}",
                                                    name, multiplier_max, multiplier_max));
    rules.push_back(rule);
  }
  if (rules.empty()) return fail(Code::config_invalid, fmt::format("models.json: token rules {}: none", name));
  return rules;
}

}  // namespace

Result<std::shared_ptr<const Catalog>> parse_catalog(const CatalogData& data) {
  CatalogBuilder builder;
  try {
    TRY_VOID(builder.read_regions(data.regions_csv));
    TRY_VOID(builder.read_round_trips(data.region_rtt_csv, data.region_neighbours_csv));
    TRY_VOID(builder.read_models(data.models_json));
    TRY_VOID(builder.read_profiles(data.profiles_json));
  } catch (const json::exception& bad) {  // a missing member, a wrong type: the reader below would be all checks
    return fail(Code::config_invalid, fmt::format("catalog: {}", bad.what()));
  }
  return std::shared_ptr<const Catalog>{std::move(builder.catalog)};
}

Result<> CatalogBuilder::read_regions(std::string_view csv) {
  TRY(const Table table, read_csv(csv, "name,geography,partition,opt_in"));
  note_date(table.date);
  for (const auto& row : table.rows) {
    if (catalog->find_region(row[0]) != region_none)
      return fail(Code::config_invalid, fmt::format("regions.csv: {} is listed twice", row[0]));
    if (row[3] != "yes" && row[3] != "no")
      return fail(Code::config_invalid, fmt::format("regions.csv: {}: opt_in is yes or no", row[0]));
    if (catalog->regions_.size() == regions_max)
      return fail(Code::config_invalid, fmt::format("regions.csv: more than {} Regions", regions_max));
    catalog->regions_.push_back({.name = std::string{row[0]},
                                 .geography = std::string{row[1]},
                                 .partition = std::string{row[2]},
                                 .opt_in = row[3] == "yes"});
  }
  return {};
}

Result<> CatalogBuilder::read_round_trips(std::string_view measured_csv, std::string_view neighbours_csv) {
  const std::size_t size = catalog->regions_.size();
  std::vector<std::vector<RoundTrip>> measured(size, std::vector<RoundTrip>(size));
  TRY(const Table times, read_csv(measured_csv, "src,dst,p10_ms,p25_ms,p50_ms,p75_ms,p90_ms,p99_ms,avg_ms"));
  for (const auto& row : times.rows) {
    TRY(const RegionIndex from, region(row[0], "region_rtt.csv"));
    TRY(const RegionIndex to, region(row[1], "region_rtt.csv"));
    RoundTrip& trip = measured[from][to];
    TRY(trip.p50_ms, number(row[4]));
    TRY(trip.p90_ms, number(row[6]));
    TRY(trip.p99_ms, number(row[7]));
  }

  Estimates estimates;
  TRY(const Table neighbours, read_csv(neighbours_csv, "region,neighbour,distance_km,extra_ms"));
  for (const auto& row : neighbours.rows) {
    TRY(const RegionIndex far, region(row[0], "region_neighbours.csv"));
    Estimate estimate;
    TRY(estimate.neighbour, region(row[1], "region_neighbours.csv"));
    TRY(estimate.extra_ms, number(row[3]));
    estimates[far] = estimate;
  }

  catalog->round_trips_.assign(size, std::vector<RoundTrip>(size));
  const auto count = static_cast<RegionIndex>(size);
  for (RegionIndex from = 0; from < count; ++from) {
    for (RegionIndex to = 0; to < count; ++to) {
      RoundTrip& trip = catalog->round_trips_[from][to];
      trip = estimated(*catalog, measured, estimates, from, to);
      if (trip.p50_ms <= 0)
        return fail(Code::config_invalid,
                    fmt::format("region_rtt.csv: nothing from {} to {}, nor a neighbour for it",
                                catalog->region(from).name, catalog->region(to).name));
    }
  }
  return {};
}

Result<> CatalogBuilder::read_models(std::string_view text) {
  const json file = json::parse(text);
  note_date(file.at("date").get<std::string>());
  std::map<std::string, std::vector<TokenRule>> rules;
  for (const auto& [name, entries] : file.at("token_rules").items()) {
    TRY(rules[name], read_token_rules(name, entries));
  }
  for (const json& entry : file.at("models")) {
    Model model{.id = entry.at("id"),
                .name = entry.at("name"),
                .provider = entry.at("provider"),
                .body_dialect = entry.at("body_dialect"),
                .output_tokens_default = entry.at("output_tokens_default"),
                .output_tokens_max = entry.at("output_tokens_max")};
    const auto named = rules.find(entry.at("token_rules").get<std::string>());
    if (named == rules.end())
      return fail(Code::config_invalid, fmt::format("models.json: {}: no such token_rules", model.id));
    model.token_rules = named->second;
    for (const json& name : entry.value("in_region", json::array())) {
      TRY(const RegionIndex index, region(name.get<std::string>(), model.id));
      model.in_region.add(index);
    }
    model.profile_only = model.in_region.empty();
    if (model.output_tokens_default > model.output_tokens_max)
      return fail(Code::config_invalid, fmt::format("models.json: {}: output numbers contradict", model.id));
    catalog->models_.push_back(std::make_unique<const Model>(std::move(model)));
  }
  std::ranges::sort(catalog->models_, {}, [](const auto& model) -> const std::string& { return model->id; });
  const auto same_id = [](const auto& a, const auto& b) { return a->id == b->id; };
  if (const auto twice = std::ranges::adjacent_find(catalog->models_, same_id); twice != catalog->models_.end())
    return fail(Code::config_invalid, fmt::format("models.json: {} is listed twice", (*twice)->id));
  return {};
}

Result<> CatalogBuilder::read_profiles(std::string_view text) {
  const auto file = nlohmann::ordered_json::parse(text);  // ordered: a group may name an earlier one
  note_date(file.at("date").get<std::string>());
  Groups groups;
  for (const auto& [name, words] : file.at("groups").items()) {
    TRY(groups[name], regions(words.template get<std::string>(), groups, {}, name));
  }
  for (const auto& entry : file.at("profiles")) {
    for (const auto& id_json : entry.at("ids")) {
      Profile profile{.id = id_json.template get<std::string>()};
      const std::size_t dot = std::min(profile.id.find('.'), profile.id.size());
      const std::string prefix = profile.id.substr(0, dot);
      profile.kind = prefix == "global" ? ProfileKind::global : ProfileKind::geographic;
      profile.model =
          catalog->find_model(std::string_view{profile.id}.substr(std::min(dot + 1, profile.id.size())));
      if (!profile.model)
        return fail(Code::config_invalid, fmt::format("profiles.json: {}: no such model", profile.id));
      profile.name = fmt::format("{} {} {}", file.at("prefixes").at(prefix).template get<std::string>(),
                                 profile.model->provider, profile.model->name);
      for (const auto& route : entry.at("routes")) {
        TRY_VOID(add_route(profile, route.at("from").template get<std::string>(),
                           route.at("to").template get<std::string>(), groups));
      }
      add_profile(std::move(profile));
    }
  }
  sort_profiles();
  const auto same_id = [](const auto& a, const auto& b) { return a->id == b->id; };
  if (const auto twice = std::ranges::adjacent_find(catalog->profiles_, same_id); twice != catalog->profiles_.end())
    return fail(Code::config_invalid, fmt::format("profiles.json: {} is listed twice", (*twice)->id));
  return {};
}

Result<> CatalogBuilder::add_route(Profile& profile, std::string_view from, std::string_view to,
                                   const Groups& groups) const {
  TRY(const RegionMask sources, regions(from, groups, {}, profile.id));
  for (const RegionIndex source : sources) {
    const Region& home = catalog->region(source);
    if (profile.sources.contains(source))
      return fail(Code::config_invalid,
                  fmt::format("profiles.json: {}: two routes from {}", profile.id, home.name));
    TRY(const RegionMask destinations, regions(to, groups, RegionMask::of(source), profile.id));
    for (const RegionIndex destination : destinations)
      if (catalog->region(destination).partition != home.partition)
        return fail(Code::config_invalid, fmt::format("profiles.json: {}: {} to {} leaves the partition",
                                                      profile.id, home.name, catalog->region(destination).name));
    profile.sources.add(source);
    profile.destinations[source] = destinations;
  }
  return {};
}

void CatalogBuilder::copy(const Catalog& from) {
  catalog->regions_ = from.regions_;
  catalog->round_trips_ = from.round_trips_;
  catalog->date_ = from.date_;
  for (const auto& model : from.models_) catalog->models_.push_back(std::make_unique<const Model>(*model));
  for (const auto& profile : from.profiles_) {
    Profile copied = *profile;
    copied.model = catalog->find_model(profile->model->id);
    add_profile(std::move(copied));
  }
}

void CatalogBuilder::add_profile(Profile profile) {
  catalog->profiles_.push_back(std::make_unique<const Profile>(std::move(profile)));
}

void CatalogBuilder::sort_profiles() {
  std::ranges::sort(catalog->profiles_, {}, [](const auto& profile) -> const std::string& { return profile->id; });
}

Result<RegionIndex> CatalogBuilder::region(std::string_view name, std::string_view where) const {
  const RegionIndex index = catalog->find_region(name);
  if (index == region_none) return fail(Code::config_invalid, fmt::format("{}: unknown Region {}", where, name));
  return index;
}

/// Words: Regions, groups, or "itself".
Result<RegionMask> CatalogBuilder::regions(std::string_view words, const Groups& groups, RegionMask itself,
                                           std::string_view where) const {
  RegionMask mask;
  for (const std::string_view word : split(words, ' ')) {
    if (word == "itself" && !itself.empty()) {
      mask = mask | itself;
    } else if (const auto group = groups.find(word); group != groups.end()) {
      mask = mask | group->second;
    } else {
      TRY(const RegionIndex index, region(word, where));
      mask.add(index);
    }
  }
  if (mask.empty()) return fail(Code::config_invalid, fmt::format("{}: names no Region", where));
  return mask;
}

void CatalogBuilder::note_date(std::string_view date) {
  if (date > catalog->date_) catalog->date_ = date;
}

}  // namespace portolan::domain
