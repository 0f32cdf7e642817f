// SPDX-License-Identifier: Apache-2.0
#include "quota/rate.h"

#include <algorithm>

namespace portolan::quota {
namespace {

/// Centuries: only a garbled count comes near. They keep every sum inside 64 bits.
constexpr std::int64_t cost_ns_max = INT64_MAX / 8;
constexpr std::int64_t arrival_ns_max = INT64_MAX / 2;

std::int64_t rate_ns(base::Instant at) {
  return at.time_since_epoch().count();
}

}  // namespace

void Rate::set(std::uint64_t amount, std::uint64_t burst) {
  amount_.store(amount, std::memory_order_relaxed);
  burst_.store(burst == 0 ? amount : burst, std::memory_order_relaxed);
  burst_ns_.store(cost_ns(this->burst()), std::memory_order_relaxed);
}

/// The time in which `units` refill; 0 when there is no limit.
std::int64_t Rate::cost_ns(std::uint64_t units) const {
  const std::uint64_t limit = amount();
  if (limit == 0) return 0;
  std::uint64_t product = 0;
  // Half the range is kept free for the rounding. A division of 128 bits costs several times one of 64.
  if (!__builtin_mul_overflow(units, window_ns_, &product) && product <= UINT64_MAX / 2) [[likely]]
    return static_cast<std::int64_t>(std::min<std::uint64_t>((product + limit - 1) / limit, cost_ns_max));
  const auto ns = (static_cast<unsigned __int128>(units) * window_ns_ + limit - 1) / limit;
  return ns > cost_ns_max ? cost_ns_max : static_cast<std::int64_t>(ns);
}

/// What refills in `ns`, rounded down.
std::uint64_t Rate::units(std::int64_t ns) const {
  const auto whole = static_cast<unsigned __int128>(ns) * amount() / window_ns_;
  return whole > UINT64_MAX ? UINT64_MAX : static_cast<std::uint64_t>(whole);
}

/// How long until `cost` fits behind `arrival`; 0 when it fits now.
std::int64_t Rate::wait_ns(std::int64_t arrival, std::int64_t cost, std::int64_t now) const {
  const std::int64_t burst_ns = burst_ns_.load(std::memory_order_relaxed);
  return std::max<std::int64_t>(0, std::max(arrival, now) + cost - burst_ns - now);
}

std::unexpected<base::Duration> Rate::refused(std::uint64_t units, std::int64_t wait_ns) const {
  return std::unexpected(units > burst() ? base::Duration::max() : base::Duration{wait_ns});
}

std::expected<Charge, base::Duration> Rate::take(std::uint64_t units, base::Instant now) {
  const std::int64_t cost = cost_ns(units);
  if (cost == 0) return Charge{.at = now};
  const std::int64_t now_ns = rate_ns(now);
  std::int64_t arrival = arrival_ns_.load(std::memory_order_relaxed);
  while (true) {
    if (const std::int64_t ns = wait_ns(arrival, cost, now_ns); ns > 0) return refused(units, ns);
    // Before the charge, so that a settle() which sees the charge also sees that the limit had been unused. Two
    // first takes at once may both write; one of them may then get nothing back, which errs towards the limit.
    if (arrival < now_ns) busy_since_ns_.store(now_ns, std::memory_order_relaxed);
    if (arrival_ns_.compare_exchange_weak(arrival, std::max(arrival, now_ns) + cost, std::memory_order_release,
                                          std::memory_order_relaxed))
      return Charge{.at = now, .refill = base::Duration{cost}};
  }
}

std::expected<Charge, base::Duration> Rate::peek(std::uint64_t units, base::Instant now) const {
  const std::int64_t cost = cost_ns(units);
  if (cost == 0) return Charge{.at = now};
  const std::int64_t ns = wait_ns(arrival_ns_.load(std::memory_order_relaxed), cost, rate_ns(now));
  if (ns > 0) return refused(units, ns);
  return Charge{.at = now, .refill = base::Duration{cost}};
}

void Rate::settle(const Charge& charge, std::uint64_t used) {
  const std::int64_t delta = cost_ns(used) - charge.refill.count();
  if (delta == 0) return;
  std::int64_t arrival = arrival_ns_.load(std::memory_order_acquire);
  std::int64_t settled = 0;
  do {
    if (delta < 0 && busy_since_ns_.load(std::memory_order_relaxed) > rate_ns(charge.at)) return;
    // A charge that was never made (the limit was off) starts from its own moment, not from the last use long ago.
    settled = std::max(arrival, delta > 0 ? rate_ns(charge.at) : arrival) + delta;
  } while (
      !arrival_ns_.compare_exchange_weak(arrival, std::min(settled, arrival_ns_max), std::memory_order_acquire));
}

void Rate::leave_at_most(std::uint64_t units, base::Instant now) {
  if (unlimited()) return;
  const std::int64_t at_least = rate_ns(now) + burst_ns_.load(std::memory_order_relaxed) - cost_ns(units);
  std::int64_t arrival = arrival_ns_.load(std::memory_order_relaxed);
  while (arrival < at_least && !arrival_ns_.compare_exchange_weak(arrival, at_least, std::memory_order_relaxed)) {
  }
}

std::uint64_t Rate::available(base::Instant now) const {
  if (unlimited()) return UINT64_MAX;
  const std::int64_t backlog =
      std::max<std::int64_t>(0, arrival_ns_.load(std::memory_order_relaxed) - rate_ns(now));
  const std::int64_t burst_ns = burst_ns_.load(std::memory_order_relaxed);
  return backlog >= burst_ns ? 0 : std::min(units(burst_ns - backlog), burst());
}

std::uint64_t Rate::debt(base::Instant now) const {
  if (unlimited()) return 0;
  const std::int64_t backlog = arrival_ns_.load(std::memory_order_relaxed) - rate_ns(now);
  const std::int64_t over = backlog - burst_ns_.load(std::memory_order_relaxed);
  return over > 0 ? units(over) : 0;
}

base::Instant Rate::refilled_at() const {
  return base::Instant{base::Duration{arrival_ns_.load(std::memory_order_relaxed)}};
}

void Rate::restore(base::Instant refilled_at) {
  arrival_ns_.store(std::min(rate_ns(refilled_at), arrival_ns_max), std::memory_order_relaxed);
}

}  // namespace portolan::quota
