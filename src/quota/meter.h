// SPDX-License-Identifier: Apache-2.0
// Stop 5 and stop 8: a tenant's requests and tokens per minute, reserved before the call and settled after it.
//
// Each limit is a GCRA (generic cell rate algorithm): one atomic "theoretical arrival time" on the monotonic clock, so
// there is no minute edge to burst across and no lock. A reservation charges input + max output tokens; settlement
// returns what was not used or charges what was used beyond it, which may leave a debt that later calls wait for.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/result.h"
#include "base/time.h"
#include "domain/call.h"

namespace portolan::quota {

/// One rate. A minute's worth may be used at once; it refills evenly.
class Rate {
 public:
  /// 0: unlimited.
  explicit Rate(std::uint64_t per_minute = 0);
  void set(std::uint64_t per_minute);
  std::uint64_t per_minute() const;
  bool unlimited() const;
  /// Charges `amount` if it fits now; else nothing is charged and `wait` says how long until it would fit.
  bool take(std::uint64_t amount, base::Instant now, base::Duration& wait);
  /// Would take() succeed? Charges nothing. For explain.
  bool peek(std::uint64_t amount, base::Instant now, base::Duration& wait) const;
  /// Gives back (negative: charges) after the fact; always succeeds.
  void settle(std::int64_t give_back);
  /// What could be taken now.
  std::uint64_t available(base::Instant now) const;

 private:
  std::atomic<std::int64_t> arrival_ns_{INT64_MIN / 4};
  std::atomic<std::uint64_t> per_minute_;
};

/// A tenant's meter. Lives in the gateway across configuration reloads (limits are set anew, usage stays).
class Meter {
 public:
  void set_limits(std::uint64_t requests_per_minute, std::uint64_t tokens_per_minute);

  /// Code::quota_exceeded with retry_after, its message naming the limit, what was asked and what is left.
  /// A call that could never fit (more tokens than a whole minute's limit) is refused with that said.
  base::Result<domain::Reservation> reserve(std::uint64_t tokens, base::Instant now);
  /// The same answer without holding anything.
  base::Result<domain::Reservation> would_reserve(std::uint64_t tokens, base::Instant now) const;
  /// Exactly once for each held reservation. `tokens_used` is in quota tokens (output times its burndown).
  void settle(domain::Reservation& reservation, std::uint64_t tokens_used);

  std::uint64_t tokens_available(base::Instant now) const { return tokens_.available(now); }

 private:
  Rate requests_;
  Rate tokens_;
};

/// Quota tokens that are held for a call: input plus the asked output, not multiplied (aws: quotas-token-burndown).
std::uint64_t tokens_to_reserve(const domain::Inference& inference);
/// Quota tokens finally charged: input + cache writes + output × burndown; cache reads never count.
std::uint64_t tokens_to_settle(const domain::Usage& usage, const domain::Model& model);

}  // namespace portolan::quota
