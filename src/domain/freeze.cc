// SPDX-License-Identifier: Apache-2.0
#include "domain/freeze.h"

#include <algorithm>
#include <array>

namespace portolan::domain {

namespace {
constexpr std::array<std::string_view, freeze_scope_count> freeze_scopes{"global", "cross-region", "profile",
                                                                         "all"};
}

std::string_view name(FreezeScope scope) {
  return freeze_scopes[static_cast<std::size_t>(scope)];
}

std::optional<FreezeScope> freeze_scope(std::string_view name) {
  const auto found = std::ranges::find(freeze_scopes, name);
  if (found == freeze_scopes.end()) return std::nullopt;
  return static_cast<FreezeScope>(found - freeze_scopes.begin());
}

std::string describe(const Freeze& freeze) {
  switch (freeze.scope) {
    case FreezeScope::global:
      return "Global inference";
    case FreezeScope::cross_region:
      return "cross-Region inference";
    case FreezeScope::profile:
      return "inference profile " + freeze.profile;
    case FreezeScope::all:
      return "all inference";
  }
  return "all inference";
}

}  // namespace portolan::domain
