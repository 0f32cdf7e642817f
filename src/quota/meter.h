// SPDX-License-Identifier: Apache-2.0
// Stop 5 and stop 8: a tenant's requests and tokens per minute, reserved before the call and settled after it.
//
// Each limit is a GCRA (rate.h): no minute edge to burst across and no lock. A reservation charges input + max
// output tokens; settlement returns what was not used or charges what was used beyond it, which may leave a debt
// that later calls wait for.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "base/time.h"
#include "domain/call.h"
#include "quota/rate.h"

namespace portolan::quota {

/// A tenant's meter. Lives in the gateway across configuration reloads (limits are set anew, usage stays). Any
/// thread.
class Meter {
 public:
  /// 0: unlimited.
  void set_limits(std::uint64_t requests_per_minute, std::uint64_t tokens_per_minute);

  /// Code::quota_exceeded with retry_after, its message naming the limit, what was asked and what is left.
  /// A call that could never fit (more tokens than a whole minute's limit) is refused with that said.
  base::Result<domain::Reservation> reserve(std::uint64_t tokens, base::Instant now);
  /// The same answer without holding anything.
  base::Result<domain::Reservation> would_reserve(std::uint64_t tokens, base::Instant now) const;
  /// Exactly once for each held reservation; a second time does nothing. `tokens_used` is in quota tokens (output
  /// times its burndown). Afterwards the meter stands as if `tokens_used` had been reserved in the first place.
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
