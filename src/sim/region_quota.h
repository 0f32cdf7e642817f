// SPDX-License-Identifier: Apache-2.0
// What a Region lets one account do with one model in a minute, counted as the Bedrock User Guide describes it
// (quotas-token-burndown.html): input + max_tokens is held when a request starts, and replaced by
// input + cache writes + output × burndown when it ends. The final amount may exceed the hold, so a meter can go
// into debt. How the balance refills is not documented, hence three laws to choose from.
//
// Pure: time is an argument. One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace portolan::sim {

enum class RefillLaw : std::uint8_t {
  bucket,   // a minute's worth at most, refilled continuously
  sliding,  // what was taken in the last 60 s counts
  fixed,    // the count starts anew at each full minute of the world clock; debt is carried over
};
std::string_view name(RefillLaw law);
/// Fails with Code::usage, naming the three laws.
base::Result<RefillLaw> parse_refill_law(std::string_view text);

/// Limits of one (account, model) in one Region. Zero: no limit.
struct QuotaLimits {
  std::uint64_t requests_per_minute = 0;
  std::uint64_t tokens_per_minute = 0;
};

/// One limited amount per minute.
class RegionMeter {
 public:
  /// `per_minute` 0 admits everything.
  RegionMeter(RefillLaw law, std::uint64_t per_minute) : law_(law), limit_(static_cast<std::int64_t>(per_minute)) {}

  /// Takes `amount` when the balance has it; otherwise takes nothing and returns false.
  bool take(std::uint64_t amount, base::Instant now);
  /// Replaces the `held` amount, taken at `taken_at`, by what was really used. May leave a debt.
  void settle(std::uint64_t held, std::uint64_t used, base::Instant taken_at, base::Instant now);
  /// What could be taken now; negative when in debt. Meaningless without a limit.
  std::int64_t balance(base::Instant now);

 private:
  struct Slot {
    base::Instant at;
    std::int64_t amount;
  };

  void advance(base::Instant now);
  void charge(std::int64_t amount, base::Instant at);

  RefillLaw law_;
  std::int64_t limit_;
  std::int64_t used_ = 0;        // sliding: the sum of slots_; fixed: in this window; bucket: limit − balance
  base::Instant advanced_to_{};  // bucket: refilled up to here; fixed: the start of the window
  std::deque<Slot> slots_;       // sliding only; one for each amount of the last minute, so at most limit_ + debts
};

}  // namespace portolan::sim
