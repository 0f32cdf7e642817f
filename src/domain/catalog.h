// SPDX-License-Identifier: Apache-2.0
// The catalog: which Regions, models and inference profiles exist, and how far apart the Regions are.
//
// All of it is data with a source and a date (catalog/*.csv, *.json at the root of the repository, embedded into
// the binary); no Region or model name is a constant in code. A Catalog is immutable once built and shared by all
// threads. Pointers and references into it live as long as it does.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "domain/application_profile.h"
#include "domain/region.h"

namespace portolan::domain {

/// How a model's tokens count against a quota, from a date on (Bedrock User Guide, quotas-token-burndown.html). An
/// input token counts once; billing is 1:1 whatever these say.
struct TokenRule {
  base::WallTime from{};          // in force from then on, until the next rule's
  unsigned output = 1;            // the burndown: what an output token costs when the call is over
  unsigned cache_write = 1;       // what a token written to the cache costs
  unsigned cache_read = 0;        // what a token read from the cache costs
  unsigned held_output = 1;       // what a token of the output limit holds when the call starts
  bool holds_cache_reads = true;  // tokens that the cache may serve are held all the same
};

/// A foundation model as a provider offers it.
struct Model {
  std::string id;        // "anthropic.claude-sonnet-4-5-20250929-v1:0"
  std::string name;      // "Claude Sonnet 4.5"
  std::string provider;  // "Anthropic"
  /// The wire format of an InvokeModel body: "anthropic", "nova", "llama" …
  std::string body_dialect;
  std::vector<TokenRule> token_rules;  // by date, the oldest first; empty: every token counts once
  /// What is reserved when the caller names no limit, and the most a caller may ask.
  unsigned output_tokens_default = 4096;
  unsigned output_tokens_max = 65536;
  /// Cannot be called by its bare id: "on-demand throughput isn't supported".
  bool profile_only = true;
  /// Where it may be called by its bare id (In-Region). Empty when profile_only.
  RegionMask in_region;

  /// The newest rule in force; before the first, that one.
  const TokenRule& token_rule(base::WallTime at) const;
};

enum class ProfileKind : std::uint8_t { geographic, global, application };
std::string_view name(ProfileKind kind);

/// An inference profile: a name for (model, set of destinations). The set depends on the source Region, and the
/// source need not be one of its own destinations (us-east-2 for us.anthropic.claude-3-5-sonnet-20240620-v1:0).
struct Profile {
  std::string id;    // "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
  std::string name;  // "US Anthropic Claude Sonnet 4.5"
  ProfileKind kind = ProfileKind::geographic;
  const Model* model = nullptr;                        // owned by the same Catalog
  RegionMask sources;                                  // where the profile can be called
  std::array<RegionMask, regions_max> destinations{};  // by source Region; empty where it cannot be called
  std::string policy_mode;                             // how policies judge it, if its definition says
  /// Of an application profile: what was made, which outlives this, and the profile that it copies, if it copies
  /// one and not a model.
  const ApplicationProfile* application = nullptr;
  const Profile* copy_of = nullptr;

  /// Its calls may run wherever the provider likes. The kind of an application profile does not say.
  bool is_global() const { return (copy_of != nullptr ? copy_of->kind : kind) == ProfileKind::global; }
  RegionMask destinations_from(RegionIndex source) const {
    return source < regions_max ? destinations[source] : RegionMask{};
  }
};

/// Round-trip time between two Regions, and whether it was measured or estimated from a named neighbour.
struct RoundTrip {
  double p50_ms = 0;
  double p90_ms = 0;
  double p99_ms = 0;
  /// Empty when measured; else how it was estimated: "us-gov-west-1 ~ us-west-2".
  std::string estimated_from;
};

/// A profile that an operator defines in the configuration.
struct ProfileDefinition {
  std::string id;
  std::string name;
  std::string model_id;
  std::vector<std::string> sources;  // empty: every Region of the destinations
  std::vector<std::string> destinations;
  std::string policy_mode;  // "strict", "subset"; empty: not said
};

class Catalog {
 public:
  /// The catalog that ships in the binary. Built once; CHECKs that the shipped data is sound (a test loads it).
  static std::shared_ptr<const Catalog> builtin();

  /// A copy with the operator's profiles added. Fails with Code::config_invalid, naming the profile and what is
  /// wrong.
  static base::Result<std::shared_ptr<const Catalog>> with_profiles(const Catalog& from,
                                                                    std::span<const ProfileDefinition> definitions);

  /// Whether with_profiles would take this definition; the same Errors. For a reader that reports many at once.
  base::Result<> check(const ProfileDefinition& definition) const;

  std::span<const Region> regions() const { return regions_; }
  const Region& region(RegionIndex index) const { return regions_[index]; }
  /// region_none when there is no such Region.
  RegionIndex find_region(std::string_view name) const;
  /// Comma-separated names in catalog order: for messages.
  std::string names(RegionMask mask) const;

  const RoundTrip& round_trip(RegionIndex from, RegionIndex to) const { return round_trips_[from][to]; }

  std::span<const std::unique_ptr<const Model>> models() const { return models_; }
  const Model* find_model(std::string_view id) const;

  std::span<const std::unique_ptr<const Profile>> profiles() const { return profiles_; }
  const Profile* find_profile(std::string_view id) const;

  /// The known name nearest to `name` by edit distance, or empty when nothing is near. For "did you mean".
  std::string nearest_region(std::string_view name) const;
  std::string nearest_model(std::string_view name) const;
  std::string nearest_profile(std::string_view name) const;

  /// When the shipped data was taken from its sources: "2026-11-01".
  std::string_view date() const { return date_; }

 private:
  Catalog() = default;
  friend struct CatalogBuilder;

  std::vector<Region> regions_;
  std::vector<std::vector<RoundTrip>> round_trips_;
  std::vector<std::unique_ptr<const Model>> models_;      // sorted by id
  std::vector<std::unique_ptr<const Profile>> profiles_;  // sorted by id
  std::string date_;
};

}  // namespace portolan::domain
