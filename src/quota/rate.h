// SPDX-License-Identifier: Apache-2.0
// One limit per minute or day as a GCRA (generic cell rate algorithm, ITU-T I.371), without locks.
//
// The state is the "theoretical arrival time": the instant at which all that was charged will have refilled. The
// burst fits between now and one burst's time ahead; so at most the burst may be used at once, and over any span of
// time at most the burst once plus what refills during the span. Amounts are turned into time when they are
// charged, in whole nanoseconds, rounded up: rounding never exceeds a limit.
//
// What a charge did not use comes back as a bucket takes it: up to full, no further. Once the limit has stood
// wholly unused since the charge, all of it has refilled and nothing comes back.
#pragma once

#include <atomic>
#include <cstdint>
#include <expected>

#include "base/time.h"

namespace portolan::quota {

inline constexpr base::Duration minute = std::chrono::minutes{1};
inline constexpr base::Duration day = std::chrono::hours{24};

/// What a take() charged. Keep it to settle().
struct Charge {
  base::Instant at{};
  base::Duration refill{};  // the time in which it refills
};

/// `burst` may be used at once; `amount` refills evenly in each window. All functions may be called from any
/// thread.
class Rate {
 public:
  /// `amount` 0: unlimited. `burst` 0: as much as the amount.
  explicit Rate(std::uint64_t amount = 0, base::Duration window = minute, std::uint64_t burst = 0)
      : window_ns_(static_cast<std::uint64_t>(window.count())) {
    set(amount, burst);
  }

  /// Sets another limit. What is in use stays in use, as the time in which it refills. A take at the very moment
  /// may meet the new amount with the old burst; the next one does not.
  void set(std::uint64_t amount, std::uint64_t burst = 0);
  std::uint64_t amount() const { return amount_.load(std::memory_order_relaxed); }
  std::uint64_t burst() const { return burst_.load(std::memory_order_relaxed); }
  bool unlimited() const { return amount() == 0; }

  /// Charges `units` if they fit now. Else nothing is charged and the error says how long until they would fit,
  /// were nobody else to come: Duration::max() when they are more than the whole burst.
  std::expected<Charge, base::Duration> take(std::uint64_t units, base::Instant now);
  /// The same answer, charging nothing. For explain.
  std::expected<Charge, base::Duration> peek(std::uint64_t units, base::Instant now) const;

  /// Makes `charge` one of `used` after all: more of it may leave a debt, which later takes wait for.
  void settle(const Charge& charge, std::uint64_t used);

  /// Whoever is limited says that less is left than is believed: no more than `units`.
  void leave_at_most(std::uint64_t units, base::Instant now);

  /// What could be taken now; UINT64_MAX without a limit.
  std::uint64_t available(base::Instant now) const;
  /// What has to refill before anything can be taken.
  std::uint64_t debt(base::Instant now) const;

  /// When all that was charged will have refilled; and to begin there, in another process.
  base::Instant refilled_at() const;
  void restore(base::Instant refilled_at);

 private:
  static constexpr std::int64_t never_ns = INT64_MIN / 4;

  std::int64_t cost_ns(std::uint64_t units) const;
  std::uint64_t units(std::int64_t ns) const;
  std::unexpected<base::Duration> refused(std::uint64_t units, std::int64_t wait_ns) const;
  std::int64_t wait_ns(std::int64_t arrival, std::int64_t cost, std::int64_t now) const;

  std::atomic<std::int64_t> arrival_ns_{never_ns};
  /// When a take last found arrival_ns_ in the past and started it anew.
  std::atomic<std::int64_t> busy_since_ns_{never_ns};
  std::atomic<std::uint64_t> amount_{0};
  std::atomic<std::uint64_t> burst_{0};
  std::atomic<std::int64_t> burst_ns_{0};  // the time in which the burst refills
  std::uint64_t window_ns_;
};

}  // namespace portolan::quota
