// SPDX-License-Identifier: Apache-2.0
// What the gateway has seen of each Region: how soon it answers, how often it fails, whether it asked us to wait.
//
// One Fleet is shared by all reactors; every field is an atomic, no lock. Two reactors that report at the same
// moment may lose one of two samples of a latency, never a count in flight. It only ever learns from real attempts:
// nothing is sent to a Region merely to see whether it lives.
//
// Latency. A peak-sensitive moving average (Finagle's Peak EWMA): it rises with a time constant of one second and
// falls with ten, so a Region that slows down is noticed at once and one quick answer does not clear it. The weight
// of a sample comes from the time since the one before, not from their number; a busy Region is not judged by its
// tail. The estimate ages toward the catalog's expectation (plan.h): a stale sample means "unsure", not "still
// slow".
//
// Breaker. Three hard failures in a row open it for 1 s, then 2 s, 4 s … up to 60 s. When the hold is over the
// Region is half open: one ordinary call that was permitted to go there is its trial (attempt_begun hands it out).
// If it ends well the Region is healthy; if not the next hold begins. Failures of attempts that were already on
// their way do not lengthen a hold, and good ends of streams that began before the failure prove nothing and are
// not counted.
//
// Cooling. A Region that throttles is left alone for what it asked, at least 1 s, 2 s, 4 s … up to 30 s.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "base/time.h"
#include "domain/call.h"
#include "domain/catalog.h"

namespace portolan::route {

/// What a token of the prompt costs before the first token of the answer. Not a property of one Region: it is taken
/// off every sample and added to every expectation, so that a long prompt does not look like a slow Region.
inline constexpr double input_token_ms = 0.05;

/// The most that a token of the answer should cost. A whole (not streamed) reply comes when its last token is made;
/// only what is beyond this counts against the Region.
inline constexpr double output_token_ms = 30;

/// Hard failures in a row that open the breaker.
inline constexpr std::uint32_t breaker_failures = 3;
inline constexpr base::Duration breaker_hold = std::chrono::seconds{1};
inline constexpr base::Duration breaker_hold_max = std::chrono::seconds{60};
inline constexpr base::Duration cooling = std::chrono::seconds{1};
inline constexpr base::Duration cooling_max = std::chrono::seconds{30};
/// What a Region may ask for with retry-after; a larger wish is cut to this.
inline constexpr base::Duration retry_after_max = std::chrono::minutes{5};

/// One Region as plain values at one moment: what plan() judges.
struct Health {
  double first_token_ms = 0;  // estimate without the prompt's own cost; meaningful when measured
  bool measured = false;
  base::Instant measured_at{};
  std::uint32_t in_flight = 0;
  base::Instant cooling_until{};  // throttled: asked us to wait
  base::Instant open_until{};  // breaker: do not use before this, unless nothing else is permitted; epoch: closed
  bool on_trial = false;       // half open, and a call is finding out
  std::uint32_t failures_in_a_row = 0;
};

/// True for the errors that speak against the Region: it cannot be reached, is silent, breaks, or refuses our
/// credentials. A refused request, an absent model version, a throttle or a caller that left do not.
bool hard_failure(base::Code code);

class Fleet {
 public:
  Health health(domain::RegionIndex region) const;

  /// An attempt begins. Every begun attempt ends with exactly one of attempt_served, _failed, _abandoned.
  ///
  /// False, and nothing is counted: the Region is coming back from failure and another call is its trial; take the
  /// next candidate. With `last_resort` (no candidate is left) the answer is always true.
  bool attempt_begun(domain::RegionIndex region, bool last_resort = true);

  /// The first byte of a streamed reply came `after` sending.
  void first_byte(domain::RegionIndex region, base::Duration after, std::uint32_t input_tokens, base::Instant now);
  /// A whole reply of `output_tokens` came `after` sending. It can only say that a Region is slow: how soon the
  /// first token was there is not visible in it.
  void whole_reply(domain::RegionIndex region, base::Duration after, std::uint32_t input_tokens,
                   std::uint32_t output_tokens, base::Instant now);

  /// The attempt ended well after `lasting`. Closes the breaker unless a failure came after the attempt had begun.
  void attempt_served(domain::RegionIndex region, base::Instant now, base::Duration lasting = {});
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
    std::atomic<std::int64_t> open_until_ns{0};  // 0: closed
    std::atomic<std::int64_t> failed_at_ns{0};
    std::atomic<std::uint32_t> failures_in_a_row{0};
    std::atomic<std::uint32_t> opened_in_a_row{0};
    std::atomic<std::uint32_t> throttled_in_a_row{0};
    std::atomic<bool> on_trial{false};
  };

  static void sample(Cell& cell, double first_token_ms, base::Instant now);
  static void cool(Cell& cell, base::Duration retry_after, base::Instant now);
  static void count_failure(Cell& cell, base::Instant now);
  static void end_attempt(Cell& cell, bool may_be_trial);

  std::array<Cell, domain::regions_max> cells_;
};

}  // namespace portolan::route
