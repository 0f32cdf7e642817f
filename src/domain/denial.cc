// SPDX-License-Identifier: Apache-2.0
#include "domain/denial.h"

#include <array>

namespace portolan::domain {

std::string_view name(Denial denial) {
  constexpr std::array<std::string_view, denial_count> names{
      "tenant", "freeze", "unnamed", "identity", "boundary", "session", "resource", "scp", "rcp", "listener"};
  return names[static_cast<std::size_t>(denial)];
}

std::string_view name(ShadowVerdict verdict) {
  constexpr std::array<std::string_view, shadow_verdict_count> names{"same", "deny", "prune", "allow"};
  return names[static_cast<std::size_t>(verdict)];
}

}  // namespace portolan::domain
