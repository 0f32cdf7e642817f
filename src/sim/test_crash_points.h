// SPDX-License-Identifier: Apache-2.0
// For tests: how many seeds a crash test tries.
#pragma once

#include <cstdint>
#include <cstdlib>

namespace portolan::sim {

/// ./dev sim asks for more.
inline const std::uint64_t crash_points = [] {
  const char* wanted = std::getenv("PORTOLAN_CRASH_POINTS");
  return wanted == nullptr ? 1000 : std::strtoull(wanted, nullptr, 10);
}();

}  // namespace portolan::sim
