// SPDX-License-Identifier: Apache-2.0
// Retries in proportion to load: a failing Region must not make us multiply the traffic on the others.
//
// A bucket of tokens, one a retry. Each call begun earns budget_percent/100 of a token; what was earned is kept up
// to `floor`, and each call in flight lends one token more. So a Region that dies under n calls lets each of them
// move once, while sustained retries stay at budget_percent of the rate of calls: what was lent is earned back
// before anything can be lent again. Ten tokens a second are earned whatever the traffic (Finagle's RetryBudget
// does the same), so that a storm leaves no debt that a quiet gateway could never pay off. Lock-free; any thread.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/time.h"

namespace portolan::route {

class RetryBudget {
 public:
  explicit RetryBudget(unsigned budget_percent, std::uint32_t floor = 100);
  /// `now` is world time; without it nothing is earned by time.
  void call_begun(base::Instant now = {});
  void call_ended();
  /// True and one token less, or false: do not retry.
  bool take();
  /// Between call_begun() and call_ended(), over all reactors.
  std::int64_t calls_in_flight() const { return in_flight_.load(std::memory_order_relaxed); }
  void set_percent(unsigned budget_percent);
  /// What take() could give now, in tokens; never negative.
  double tokens() const;

 private:
  std::atomic<std::int64_t> begun_ms_{0};   // when the last call began
  std::atomic<std::int64_t> earned_milli_;  // negative: lent by the calls in flight
  std::atomic<std::int64_t> in_flight_{0};
  std::atomic<unsigned> budget_percent_;
  std::int64_t floor_milli_;
};

}  // namespace portolan::route
