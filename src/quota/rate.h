// SPDX-License-Identifier: Apache-2.0
// One limit per minute as a GCRA (generic cell rate algorithm, ITU-T I.371), without locks.
//
// The state is the "theoretical arrival time": the instant at which all that was charged will have refilled. A
// minute's worth fits between now and one minute ahead; so at most the limit may be used at once, and over any span
// of time at most the limit once plus what refills during the span. Amounts are turned into time when they are
// charged.
#pragma once

#include <atomic>
#include <cstdint>
#include <expected>

#include "base/time.h"

namespace portolan::quota {

/// What a take() charged. Keep it to settle().
struct Charge {
  base::Instant at{};
  base::Duration refill{};  // the time in which it refills
};

/// A minute's worth may be used at once; it refills evenly. All functions may be called from any thread.
class Rate {
 public:
  /// 0: unlimited.
  explicit Rate(std::uint64_t per_minute = 0) : per_minute_(per_minute) {}

  /// Sets another limit. What is in use stays in use, as the share of a minute that it took of the old limit.
  void set(std::uint64_t per_minute) { per_minute_.store(per_minute, std::memory_order_relaxed); }
  std::uint64_t per_minute() const { return per_minute_.load(std::memory_order_relaxed); }
  bool unlimited() const { return per_minute() == 0; }

  /// Charges `amount` if it fits now. Else nothing is charged and the error says how long until it would fit, were
  /// nobody else to come: Duration::max() when it is more than a whole minute's limit.
  std::expected<Charge, base::Duration> take(std::uint64_t amount, base::Instant now);
  /// The same answer, charging nothing. For explain.
  std::expected<Charge, base::Duration> peek(std::uint64_t amount, base::Instant now) const;

  /// Makes `charge` one of `used` after all. Afterwards the state is what it would be had `used` been taken then;
  /// that may leave a debt, which later takes wait for. If the limit has been wholly unused in between, all of the
  /// charge has refilled already and nothing is given back.
  void settle(const Charge& charge, std::uint64_t used);

  /// What could be taken now.
  std::uint64_t available(base::Instant now) const;

 private:
  static constexpr std::int64_t never_ns = INT64_MIN / 4;

  std::atomic<std::int64_t> arrival_ns_{never_ns};
  /// When a take last found arrival_ns_ in the past and started it anew.
  std::atomic<std::int64_t> busy_since_ns_{never_ns};
  std::atomic<std::uint64_t> per_minute_;
};

}  // namespace portolan::quota
