// SPDX-License-Identifier: Apache-2.0
// What the gateway has seen of each Region: how soon it answers, how often it fails, whether it asked us to wait.
//
// One Fleet is shared by all reactors; every field is an atomic, no lock. It only ever learns from real attempts.
// An estimate ages toward the catalog's expectation, so that a Region that was once slow is tried again: a stale sample
// means "unsure", not "still slow" and not "fast".
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "base/time.h"
#include "domain/call.h"
#include "domain/catalog.h"

namespace portolan::route {

/// One Region as plain values at one moment: what plan() judges.
struct Health {
  double first_token_ms = 0;       // estimate without the prompt's own cost; meaningful when measured
  bool measured = false;
  base::Instant measured_at{};
  std::uint32_t in_flight = 0;
  base::Instant cooling_until{};   // throttled: asked us to wait
  base::Instant open_until{};      // breaker: do not use before this, unless nothing else is permitted
  std::uint32_t failures_in_a_row = 0;
};

class Fleet {
 public:
  Health health(domain::RegionIndex region) const;

  void attempt_begun(domain::RegionIndex region);
  /// The first byte came. `uncached_input_tokens` normalises: a long prompt must not look like a slow Region.
  void first_byte(domain::RegionIndex region, base::Duration after, std::uint32_t input_tokens, base::Instant now);
  /// The attempt ended well.
  void attempt_served(domain::RegionIndex region, base::Instant now);
  /// The attempt failed. `retry_after` is what the Region asked for, or zero.
  void attempt_failed(domain::RegionIndex region, base::Code code, base::Duration retry_after, base::Instant now);
  /// Neither: the caller went away, or the Region refused the request for the caller's own fault.
  void attempt_abandoned(domain::RegionIndex region);

 private:
  struct alignas(64) Cell {
    std::atomic<std::uint32_t> in_flight{0};
    std::atomic<std::uint32_t> first_token_us{0};  // 0: not measured
    std::atomic<std::int64_t> measured_at_ns{0};
    std::atomic<std::int64_t> cooling_until_ns{0};
    std::atomic<std::int64_t> open_until_ns{0};
    std::atomic<std::uint32_t> failures_in_a_row{0};
    std::atomic<std::uint32_t> opened_in_a_row{0};
    std::atomic<std::uint32_t> throttled_in_a_row{0};
  };
  std::array<Cell, domain::regions_max> cells_;
};

}  // namespace portolan::route
