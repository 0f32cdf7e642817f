// SPDX-License-Identifier: Apache-2.0
// What said no at stop 4: one word in metrics and in records.
#pragma once

#include <cstdint>
#include <string_view>

namespace portolan::domain {

enum class Denial : std::uint8_t {
  tenant,    // the configuration's rules for the tenant, or the key's own
  freeze,    // an operator has switched it off
  unnamed,   // policies are in force and the organisation does not name the principal
  identity,  // and from here on the kind of policy
  boundary,
  session,
  resource,
  service_control,
  resource_control,
  listener,
};
inline constexpr std::size_t denial_count = 10;
std::string_view name(Denial denial);

/// What policies that are only tried would have done to a call that they did not judge.
enum class ShadowVerdict : std::uint8_t {
  same,
  deny,
  prune,  // serve it in fewer Regions
  allow,  // serve it, or in more Regions
};
inline constexpr std::size_t shadow_verdict_count = 4;
std::string_view name(ShadowVerdict verdict);

}  // namespace portolan::domain
