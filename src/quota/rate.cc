// SPDX-License-Identifier: Apache-2.0
#include "quota/rate.h"

#include <algorithm>

namespace portolan::quota {
namespace {

constexpr std::int64_t minute_ns = 60'000'000'000;
/// Centuries: only a garbled count comes near. They keep every sum inside 64 bits.
constexpr std::int64_t cost_ns_max = INT64_MAX / 8;
constexpr std::int64_t arrival_ns_max = INT64_MAX / 2;

std::int64_t to_ns(base::Instant at) {
  return at.time_since_epoch().count();
}

/// The time in which `amount` refills; 0 when there is no limit. Rounded up: rounding never exceeds a limit.
std::int64_t cost_ns(std::uint64_t amount, std::uint64_t per_minute) {
  if (per_minute == 0) return 0;
  const auto ns = (static_cast<unsigned __int128>(amount) * minute_ns + per_minute - 1) / per_minute;
  return ns > cost_ns_max ? cost_ns_max : static_cast<std::int64_t>(ns);
}

/// How long until `cost` fits behind `arrival`; 0 when it fits now.
std::int64_t wait_ns(std::int64_t arrival, std::int64_t cost, std::int64_t now) {
  return std::max<std::int64_t>(0, std::max(arrival, now) + cost - minute_ns - now);
}

std::unexpected<base::Duration> refused(std::uint64_t amount, std::uint64_t per_minute, std::int64_t ns) {
  return std::unexpected(amount > per_minute ? base::Duration::max() : base::Duration{ns});
}

}  // namespace

std::expected<Charge, base::Duration> Rate::take(std::uint64_t amount, base::Instant now) {
  const std::uint64_t limit = per_minute();
  const std::int64_t cost = cost_ns(amount, limit);
  if (cost == 0) return Charge{.at = now};
  const std::int64_t now_ns = to_ns(now);
  std::int64_t arrival = arrival_ns_.load(std::memory_order_relaxed);
  while (true) {
    if (const std::int64_t ns = wait_ns(arrival, cost, now_ns); ns > 0) return refused(amount, limit, ns);
    // Before the charge, so that a settle() which sees the charge also sees that the limit had been unused. Two
    // first takes at once may both write; one of them may then get nothing back, which errs towards the limit.
    if (arrival < now_ns) busy_since_ns_.store(now_ns, std::memory_order_relaxed);
    if (arrival_ns_.compare_exchange_weak(arrival, std::max(arrival, now_ns) + cost, std::memory_order_release,
                                          std::memory_order_relaxed))
      return Charge{.at = now, .refill = base::Duration{cost}};
  }
}

std::expected<Charge, base::Duration> Rate::peek(std::uint64_t amount, base::Instant now) const {
  const std::uint64_t limit = per_minute();
  const std::int64_t cost = cost_ns(amount, limit);
  if (cost == 0) return Charge{.at = now};
  const std::int64_t ns = wait_ns(arrival_ns_.load(std::memory_order_relaxed), cost, to_ns(now));
  if (ns > 0) return refused(amount, limit, ns);
  return Charge{.at = now, .refill = base::Duration{cost}};
}

void Rate::settle(const Charge& charge, std::uint64_t used) {
  const std::int64_t delta = cost_ns(used, per_minute()) - charge.refill.count();
  if (delta == 0) return;
  std::int64_t arrival = arrival_ns_.load(std::memory_order_acquire);
  std::int64_t settled;
  do {
    if (delta < 0 && busy_since_ns_.load(std::memory_order_relaxed) > to_ns(charge.at)) return;
    // A charge that was never made (the limit was off) starts from its own moment, not from the last use long ago.
    settled = std::max(arrival, delta > 0 ? to_ns(charge.at) : arrival) + delta;
  } while (
      !arrival_ns_.compare_exchange_weak(arrival, std::min(settled, arrival_ns_max), std::memory_order_acquire));
}

std::uint64_t Rate::available(base::Instant now) const {
  const std::uint64_t limit = per_minute();
  if (limit == 0) return UINT64_MAX;
  const std::int64_t backlog = std::max<std::int64_t>(0, arrival_ns_.load(std::memory_order_relaxed) - to_ns(now));
  if (backlog >= minute_ns) return 0;
  return static_cast<std::uint64_t>(static_cast<unsigned __int128>(minute_ns - backlog) * limit / minute_ns);
}

}  // namespace portolan::quota
