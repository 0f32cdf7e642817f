// SPDX-License-Identifier: Apache-2.0
// A freeze: inference that an operator has switched off until further notice, whatever policies allow.
//
// It is not a policy: nothing is evaluated, nothing can go wrong in it, and it is in force everywhere at once. Kept
// in the data directory (store/policy_store.h), judged at stop 4 and before every attempt (policy/rules.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace portolan::domain {

enum class FreezeScope : std::uint8_t {
  global,        // calls by Global profiles
  cross_region,  // calls by any profile that may leave the source Region
  profile,       // calls by one profile
  all,           // every call that runs a model
};
inline constexpr std::size_t freeze_scope_count = 4;
/// "global", "cross-region", "profile", "all": as on the command line.
std::string_view name(FreezeScope scope);
std::optional<FreezeScope> freeze_scope(std::string_view name);

struct Freeze {
  FreezeScope scope = FreezeScope::all;
  std::string profile;  // the id, for FreezeScope::profile; else empty
  base::WallTime since{};
  std::string by;   // who said so, in their own words
  std::string why;  // for the callers who are refused

  bool same_target(const Freeze& other) const { return scope == other.scope && profile == other.profile; }
};

/// What is frozen, for people: "cross-Region inference", "inference profile us.…".
std::string describe(const Freeze& freeze);

}  // namespace portolan::domain
