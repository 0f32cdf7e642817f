// SPDX-License-Identifier: Apache-2.0
#include "world/clock.h"

#include <chrono>

namespace portolan::world {
namespace {
std::int64_t steady_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}
}  // namespace

RealClock::RealClock(double time_scale) : time_scale_(time_scale), start_ns_(steady_ns()) {}

base::Instant RealClock::now() const {
  const std::int64_t elapsed_ns = steady_ns() - start_ns_;
  const std::int64_t scaled_ns =
      time_scale_ == 1.0 ? elapsed_ns : static_cast<std::int64_t>(static_cast<double>(elapsed_ns) * time_scale_);
  // Starts at one hour, so that "an hour ago" is still a valid Instant in arithmetic near the start.
  return base::Instant{std::chrono::hours{1} + base::Duration{scaled_ns}};
}

base::WallTime RealClock::wall() const {
  return std::chrono::floor<base::microseconds>(std::chrono::system_clock::now());
}

base::Duration RealClock::to_real(base::Duration world) const {
  return base::Duration{static_cast<std::int64_t>(static_cast<double>(world.count()) / time_scale_)};
}

}  // namespace portolan::world
