// SPDX-License-Identifier: Apache-2.0
// Which calls are refused when the gateway itself is the bottleneck: the lowest class first, and no more than
// needed.
//
// The measure is how long ready work waits for the reactor (world/queue_probe.h). As in CoDel (RFC 8289), what
// counts is the least wait of an interval: a burst leaves a moment without a queue, a standing queue does not.
// While the least wait is above the target the level rises, else it falls; the level says what share of which
// classes is refused: 0.4 is two fifths of the batch calls, 1.4 all of those and two fifths of the standard ones.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/time.h"
#include "domain/call.h"

namespace portolan::quota {

/// One reactor's. observe() and sheds() on its thread only; level() and wait() on any. All times are real time:
/// world time may run faster.
class Shedder {
 public:
  static constexpr base::Duration target = base::milliseconds{20};
  static constexpr base::Duration interval = base::milliseconds{100};

  /// A probe came back at `now` after it had waited `wait`.
  void observe(base::Duration wait, base::Instant now);

  /// True when a call of `call_class` is to be refused; `chance` is uniform in [0, 1).
  bool sheds(domain::CallClass call_class, double chance, base::Instant now) const;

  /// 0: nothing is refused; 3: everything.
  double level() const { return level_.load(std::memory_order_relaxed); }
  /// The least wait of the last whole interval.
  base::Duration wait() const { return base::Duration{wait_ns_.load(std::memory_order_relaxed)}; }

 private:
  base::Instant interval_ends_{};
  base::Instant observed_at_{};
  base::Duration least_ = base::Duration::max();
  std::atomic<double> level_{0};
  std::atomic<std::int64_t> wait_ns_{0};
};

}  // namespace portolan::quota
