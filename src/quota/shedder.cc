// SPDX-License-Identifier: Apache-2.0
#include "quota/shedder.h"

#include <algorithm>

namespace portolan::quota {

namespace {
constexpr double level_max = 3;
// An interval's step up grows with the queue: one that is five times too long must not take five seconds to be met.
constexpr double step_up = 0.05;
constexpr double steps_up_max = 8;
constexpr double step_down = 0.05;
// What was seen that long ago says nothing about now. Probes are sent when calls come, so silence means no load.
constexpr base::Duration stale_after = base::seconds{1};
}  // namespace

void Shedder::observe(base::Duration wait, base::Instant now) {
  if (now - observed_at_ > stale_after && now - observed_at_ > wait + stale_after) {
    level_.store(0, std::memory_order_relaxed);
    interval_ends_ = now + interval;
    least_ = base::Duration::max();
  }
  observed_at_ = now;
  least_ = std::min(least_, wait);
  if (now < interval_ends_) return;
  const double excess = static_cast<double>(least_.count()) / static_cast<double>(target.count());
  const double step = excess > 1 ? step_up * std::min(excess, steps_up_max) : -step_down;
  level_.store(std::clamp(level() + step, 0.0, level_max), std::memory_order_relaxed);
  wait_ns_.store(least_.count(), std::memory_order_relaxed);
  interval_ends_ = now + interval;
  least_ = base::Duration::max();
}

bool Shedder::sheds(domain::CallClass call_class, double chance, base::Instant now) const {
  if (now - observed_at_ > stale_after) return false;
  return chance < level() - static_cast<double>(call_class);
}

}  // namespace portolan::quota
