// SPDX-License-Identifier: Apache-2.0
// When the trail's writer should wait a moment before the next group.
//
// A sync costs the same for one record as for a hundred, and more processor time than all else that is done for a
// record. So while many come, they are let gather; while few come, none waits for others. What counts is the pace
// over some tens of milliseconds: a burst within a quiet stretch (some dozen callers refused in one moment) comes
// as one group by itself, and waiting after it would only delay the next ordinary call.
//
// A leaky bucket: each record adds one, and 4,000 a second run out of it. Records that come slower never fill it.
#pragma once

#include <algorithm>
#include <cstddef>

#include "base/time.h"

namespace portolan::trail {

/// Of one writer, on its thread.
class GroupPace {
 public:
  /// A group of `records` was written at `now` (real time). True: let records gather before the next one.
  bool note(std::size_t records, base::Instant now) {
    const double passed_s = std::chrono::duration<double>(now - last_).count();
    last_ = now;
    level_ = std::max(0.0, level_ - passed_s * leak_per_second);
    level_ = std::min(level_max, level_ + static_cast<double>(records));
    return level_ >= gathers_from;
  }

 private:
  static constexpr double leak_per_second = 4000;
  static constexpr double gathers_from = 50;
  /// Full: 25 ms after the last record the gathering ends.
  static constexpr double level_max = 150;

  base::Instant last_{};
  double level_ = 0;
};

}  // namespace portolan::trail
