// SPDX-License-Identifier: Apache-2.0
#include "route/fleet.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace portolan::route {
namespace {

constexpr double rise_s = 1;
constexpr double fall_s = 10;
constexpr double first_token_floor_ms = 1;

std::int64_t to_ns(base::Instant at) {
  return at.time_since_epoch().count();
}
base::Instant to_instant(std::int64_t ns) {
  return base::Instant{base::Duration{ns}};
}

/// `first` · 2^times, at most `most`.
base::Duration doubled(base::Duration first, std::uint32_t times, base::Duration most) {
  return std::min(first * (std::int64_t{1} << std::min(times, 20u)), most);
}

/// Raises `value` to `at_least`; never lowers it.
void raise(std::atomic<std::int64_t>& value, std::int64_t at_least) {
  std::int64_t seen = value.load(std::memory_order_relaxed);
  while (seen < at_least && !value.compare_exchange_weak(seen, at_least, std::memory_order_relaxed)) {
  }
}

}  // namespace

bool hard_failure(base::Code code) {
  switch (code) {
    case base::Code::upstream_refused:
    case base::Code::upstream_untrusted:
    case base::Code::upstream_connect_timeout:
    case base::Code::upstream_silent:
    case base::Code::upstream_cut:
    case base::Code::upstream_malformed:
    case base::Code::upstream_unavailable:
    case base::Code::upstream_error:
    case base::Code::upstream_model_timeout:
    case base::Code::stream_cut:
    case base::Code::upstream_credentials:
      return true;
    // upstream_model_error (424) is left out: a request that makes a model fail would open the breaker of one
    // Region after the other.
    default:
      return false;
  }
}

Health Fleet::health(domain::RegionIndex region) const {
  const Cell& cell = cells_[region];
  const std::uint32_t first_token_us = cell.first_token_us.load(std::memory_order_relaxed);
  return Health{.first_token_ms = first_token_us / 1000.0,
                .measured = first_token_us != 0,
                .measured_at = to_instant(cell.measured_at_ns.load(std::memory_order_relaxed)),
                .in_flight = cell.in_flight.load(std::memory_order_relaxed),
                .cooling_until = to_instant(cell.cooling_until_ns.load(std::memory_order_relaxed)),
                .open_until = to_instant(cell.open_until_ns.load(std::memory_order_relaxed)),
                .on_trial = cell.on_trial.load(std::memory_order_relaxed),
                .failures_in_a_row = cell.failures_in_a_row.load(std::memory_order_relaxed)};
}

bool Fleet::attempt_begun(domain::RegionIndex region, bool last_resort) {
  Cell& cell = cells_[region];
  const bool closed = cell.open_until_ns.load(std::memory_order_relaxed) == 0;
  if (!closed && cell.on_trial.exchange(true, std::memory_order_relaxed) && !last_resort) return false;
  cell.in_flight.fetch_add(1, std::memory_order_relaxed);
  return true;
}

void Fleet::first_byte(domain::RegionIndex region, base::Duration after, std::uint32_t input_tokens,
                       base::Instant now) {
  sample(cells_[region], base::to_ms(after) - input_tokens * input_token_ms, now);
}

void Fleet::whole_reply(domain::RegionIndex region, base::Duration after, std::uint32_t input_tokens,
                        std::uint32_t output_tokens, base::Instant now) {
  Cell& cell = cells_[region];
  const double at_least_ms = base::to_ms(after) - input_tokens * input_token_ms - output_tokens * output_token_ms;
  const std::uint32_t known_us = cell.first_token_us.load(std::memory_order_relaxed);
  // What an unmeasured Region would have to exceed is its prior, which only plan() knows; a second is beyond any.
  const double threshold_ms = known_us == 0 ? 1000.0 : known_us / 1000.0;
  if (at_least_ms > threshold_ms) sample(cell, at_least_ms, now);
}

void Fleet::sample(Cell& cell, double first_token_ms, base::Instant now) {
  constexpr double ms_max = std::numeric_limits<std::uint32_t>::max() / 1000.0;
  const double sample_us = std::clamp(first_token_ms, first_token_floor_ms, ms_max) * 1000;
  const std::int64_t before_ns = cell.measured_at_ns.load(std::memory_order_relaxed);
  raise(cell.measured_at_ns, to_ns(now));
  const double elapsed_s = static_cast<double>(std::max<std::int64_t>(to_ns(now) - before_ns, 0)) / 1e9;
  std::uint32_t known_us = cell.first_token_us.load(std::memory_order_relaxed);
  std::uint32_t next_us = 0;
  do {
    const double known = known_us;
    const double keep = known_us == 0 ? 0 : std::exp(-elapsed_s / (sample_us > known ? rise_s : fall_s));
    next_us = static_cast<std::uint32_t>(keep * known + (1 - keep) * sample_us);
  } while (!cell.first_token_us.compare_exchange_weak(known_us, next_us, std::memory_order_relaxed));
}

void Fleet::attempt_served(domain::RegionIndex region, base::Instant now, base::Duration lasting) {
  Cell& cell = cells_[region];
  const std::int64_t begun_ns = to_ns(now - lasting);
  if (begun_ns >= cell.cooling_until_ns.load(std::memory_order_relaxed))
    cell.throttled_in_a_row.store(0, std::memory_order_relaxed);
  const bool after_failure = begun_ns >= cell.failed_at_ns.load(std::memory_order_relaxed);
  if (after_failure) {
    cell.failures_in_a_row.store(0, std::memory_order_relaxed);
    cell.opened_in_a_row.store(0, std::memory_order_relaxed);
    cell.open_until_ns.store(0, std::memory_order_relaxed);
  }
  end_attempt(cell, after_failure);
}

void Fleet::attempt_failed(domain::RegionIndex region, base::Code code, base::Duration retry_after,
                           base::Instant now) {
  Cell& cell = cells_[region];
  if (code == base::Code::upstream_throttled || retry_after > base::Duration{}) cool(cell, retry_after, now);
  if (hard_failure(code)) count_failure(cell, now);
  end_attempt(cell, true);
}

void Fleet::attempt_abandoned(domain::RegionIndex region) {
  end_attempt(cells_[region], true);
}

void Fleet::cool(Cell& cell, base::Duration retry_after, base::Instant now) {
  // A hundred calls that were on their way get a hundred throttles; that is one event, not a hundred steps.
  base::Duration wait{};
  if (cell.cooling_until_ns.load(std::memory_order_relaxed) <= to_ns(now))
    wait = doubled(cooling, cell.throttled_in_a_row.fetch_add(1, std::memory_order_relaxed), cooling_max);
  wait = std::max(wait, std::min(retry_after, retry_after_max));
  raise(cell.cooling_until_ns, to_ns(now + wait));
}

void Fleet::count_failure(Cell& cell, base::Instant now) {
  raise(cell.failed_at_ns, to_ns(now));
  const std::uint32_t failures = cell.failures_in_a_row.fetch_add(1, std::memory_order_relaxed) + 1;
  std::int64_t open_until_ns = cell.open_until_ns.load(std::memory_order_relaxed);
  const bool half_open = open_until_ns != 0 && open_until_ns <= to_ns(now);
  const bool closed = open_until_ns == 0;
  if (!half_open && !(closed && failures >= breaker_failures)) return;
  const std::uint32_t times = cell.opened_in_a_row.load(std::memory_order_relaxed);
  const std::int64_t until_ns = to_ns(now + doubled(breaker_hold, times, breaker_hold_max));
  // Only the one who moves open_until counts the opening; the others failed at the same moment.
  if (cell.open_until_ns.compare_exchange_strong(open_until_ns, until_ns, std::memory_order_relaxed))
    cell.opened_in_a_row.fetch_add(1, std::memory_order_relaxed);
}

void Fleet::end_attempt(Cell& cell, bool may_be_trial) {
  cell.in_flight.fetch_sub(1, std::memory_order_relaxed);
  // A failed or abandoned attempt from before the failure gives back a trial that is not its own. The worst that
  // follows is one more call that tries; a trial that is never given back would be far worse.
  if (may_be_trial && cell.on_trial.load(std::memory_order_relaxed))
    cell.on_trial.store(false, std::memory_order_relaxed);
}

}  // namespace portolan::route
