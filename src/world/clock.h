// SPDX-License-Identifier: Apache-2.0
// The clock door. Everything above world/ is given a Clock or, better, just an Instant.
#pragma once

#include "base/time.h"

namespace portolan::world {

class Clock {
 public:
  virtual ~Clock() = default;
  /// World time: monotonic, scaled by --time-scale. Never goes back.
  virtual base::Instant now() const = 0;
  /// UTC. May jump; never used for deadlines.
  virtual base::WallTime wall() const = 0;
  /// How much real time a span of world time takes.
  virtual base::Duration to_real(base::Duration world) const = 0;
};

/// The machine's clocks. `time_scale` 10 makes world time run ten times as fast as the wall.
class RealClock final : public Clock {
 public:
  explicit RealClock(double time_scale = 1.0);
  base::Instant now() const override;
  base::WallTime wall() const override;
  base::Duration to_real(base::Duration world) const override;
  double time_scale() const { return time_scale_; }

 private:
  double time_scale_;
  std::int64_t start_ns_;
};

}  // namespace portolan::world
