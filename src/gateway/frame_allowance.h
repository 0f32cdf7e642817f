// SPDX-License-Identifier: Apache-2.0
// How many HTTP/2 frames that carry nothing a caller may send: resets, pings, settings, priorities, window updates,
// empty DATA, and faults for which we reset its streams (RFC 9113 section 10.5). nghttp2 drops frames of unknown
// types by itself and does not tell of them.
//
// A token bucket: each costs the sender a few bytes and us a parse, an answer or a cancelled call (CVE-2023-44487
// "rapid reset", CVE-2019-9512 to 9518, CVE-2025-8671 "made you reset"). A client that follows a stream closely
// sends up to two window updates for each DATA frame that it gets, so each of those earns two.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.h"

namespace portolan::gateway {

class FrameAllowance {
 public:
  static constexpr std::uint32_t burst = 1000;
  static constexpr std::int64_t per_second = 100;

  /// `now`: when the connection began.
  explicit FrameAllowance(base::Instant now) : refilled_at_(now) {}

  /// True when one more may be taken. The clock is read only when the bucket seems empty.
  template <class Clock>
  bool spend(const Clock& clock) {
    if (left_ == 0) refill(clock.now());
    if (left_ == 0) return false;
    --left_;
    return true;
  }
  void earn(std::uint32_t frames) { left_ = std::min(burst, left_ + frames); }

 private:
  void refill(base::Instant now) {
    const std::int64_t earned = (now - refilled_at_) / (base::Duration{base::seconds{1}} / per_second);
    if (earned > 0) refilled_at_ = now;
    left_ = static_cast<std::uint32_t>(std::min<std::int64_t>(burst, earned));
  }

  std::uint32_t left_ = burst;
  base::Instant refilled_at_;
};

}  // namespace portolan::gateway
