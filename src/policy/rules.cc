// SPDX-License-Identifier: Apache-2.0
#include "policy/rules.h"

#include <algorithm>
#include <fmt/format.h>

#include "policy/sentence.h"

namespace portolan::policy {
namespace {

bool leaves_the_source(const domain::Inference& inference) {
  if (inference.profile == nullptr) return false;
  const domain::RegionMask destinations = inference.profile->destinations_from(inference.source);
  return inference.profile->kind == domain::ProfileKind::global ||
         destinations != domain::RegionMask::of(inference.source);
}

bool is_frozen(const domain::Inference& inference, const domain::Freeze& freeze) {
  switch (freeze.scope) {
    case domain::FreezeScope::global:
      return inference.profile != nullptr && inference.profile->kind == domain::ProfileKind::global;
    case domain::FreezeScope::cross_region:
      return leaves_the_source(inference);
    case domain::FreezeScope::profile:
      return inference.profile != nullptr && inference.profile->id == freeze.profile;
    case domain::FreezeScope::all:
      return true;
  }
  return true;
}

}  // namespace

std::optional<Refusal> Rules::refuse(const domain::Principal& principal, const domain::Inference& inference,
                                     const domain::Catalog& catalog) const {
  const auto freeze = std::ranges::find_if(
      freezes_, [&](const domain::Freeze& candidate) { return is_frozen(inference, candidate); });
  if (freeze == freezes_.end()) return std::nullopt;
  return Refusal{
      .by = domain::Denial::freeze,
      .error = base::error(
          base::Code::access_denied,
          fmt::format("{} with an explicit deny in a freeze: {} is frozen since {} by {}: {}",
                      not_authorized(principal, inference, catalog), describe(*freeze),
                      base::iso8601(std::chrono::floor<base::seconds>(freeze->since)), freeze->by, freeze->why))};
}

}  // namespace portolan::policy
