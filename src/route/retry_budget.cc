// SPDX-License-Identifier: Apache-2.0
#include "route/retry_budget.h"

#include <algorithm>

namespace portolan::route {
namespace {
constexpr std::int64_t token_milli = 1000;
constexpr std::int64_t earned_a_second_min = 10;  // tokens; in a millisecond as many thousandths
}  // namespace

RetryBudget::RetryBudget(unsigned budget_percent, std::uint32_t floor)
    : earned_milli_(floor * token_milli), budget_percent_(budget_percent), floor_milli_(floor * token_milli) {}

void RetryBudget::call_begun(base::Instant now) {
  in_flight_.fetch_add(1, std::memory_order_relaxed);
  std::int64_t earn_milli = budget_percent_.load(std::memory_order_relaxed) * token_milli / 100;
  // The exchange gives every span of time to exactly one call. Beyond a minute the floor is full anyway.
  const std::int64_t now_ms = now.time_since_epoch() / base::milliseconds{1};
  const std::int64_t before_ms = begun_ms_.exchange(now_ms, std::memory_order_relaxed);
  if (before_ms != 0 && now_ms > before_ms)
    earn_milli += std::min<std::int64_t>(now_ms - before_ms, 60'000) * earned_a_second_min;
  std::int64_t earned_milli = earned_milli_.load(std::memory_order_relaxed);
  while (earned_milli < floor_milli_ &&
         !earned_milli_.compare_exchange_weak(earned_milli, std::min(earned_milli + earn_milli, floor_milli_),
                                              std::memory_order_relaxed)) {
  }
}

void RetryBudget::call_ended() {
  in_flight_.fetch_sub(1, std::memory_order_relaxed);
}

bool RetryBudget::take() {
  std::int64_t earned_milli = earned_milli_.load(std::memory_order_relaxed);
  do {
    const std::int64_t lent_milli = in_flight_.load(std::memory_order_relaxed) * token_milli;
    if (earned_milli + lent_milli < token_milli) return false;
  } while (
      !earned_milli_.compare_exchange_weak(earned_milli, earned_milli - token_milli, std::memory_order_relaxed));
  return true;
}

void RetryBudget::set_percent(unsigned budget_percent) {
  budget_percent_.store(budget_percent, std::memory_order_relaxed);
}

double RetryBudget::tokens() const {
  const std::int64_t milli =
      earned_milli_.load(std::memory_order_relaxed) + in_flight_.load(std::memory_order_relaxed) * token_milli;
  return static_cast<double>(std::max<std::int64_t>(milli, 0)) / static_cast<double>(token_milli);
}

}  // namespace portolan::route
