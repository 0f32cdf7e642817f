// SPDX-License-Identifier: Apache-2.0
#include "domain/denial.h"

#include <array>

namespace portolan::domain {

std::string_view name(Denial denial) {
  constexpr std::array<std::string_view, denial_count> names{
      "tenant", "freeze", "unnamed", "identity", "boundary", "session", "resource", "scp", "rcp", "listener"};
  return names[static_cast<std::size_t>(denial)];
}

}  // namespace portolan::domain
