// SPDX-License-Identifier: Apache-2.0
// What one owner may use: its limits and the meters behind them. An owner is a tenant, a key, an application
// profile, or an account in a Region at a provider; to the meters they are alike.
//
// A hold takes one request, some tokens and one of the calls at once, from every meter that has a limit or from
// none. It ends in exactly one of three ways, which reservation.h sees to.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/time.h"
#include "domain/limits.h"
#include "quota/rate.h"

namespace portolan::quota {

/// Which of an owner's limits.
enum class Limit : std::uint8_t { requests_per_minute, tokens_per_minute, tokens_per_day, concurrency };
inline constexpr std::size_t limit_count = 4;
std::string_view name(Limit limit);

/// What a hold took of one Allowance.
struct Taken {
  base::Duration request{}, tokens{}, day_tokens{};  // how long each takes to refill; zero: no such limit
};

/// Why a hold does not fit.
struct Obstacle {
  Limit limit;
  base::Duration wait;  // until it would fit, were nobody else to come; max(): never
};

/// One meter as people see it.
struct Reading {
  Limit kind;
  std::uint64_t limit = 0;
  std::uint64_t burst = 0;
  std::uint64_t available = 0;
  std::uint64_t used = 0;  // of the burst, holds included
  std::uint64_t debt = 0;
};

/// What outlives a process: the rates' states. Calls at once do not: with the process all its calls have ended.
struct AllowanceState {
  base::Instant requests_refilled{}, tokens_refilled{}, day_tokens_refilled{};
};

/// Lives in the gateway across configurations (limits are set anew, use stays). Any thread, no lock.
class alignas(64) Allowance {
 public:
  /// `owner` as messages name it: "tenant research".
  explicit Allowance(std::string owner) : owner_(std::move(owner)) {}

  const std::string& owner() const { return owner_; }
  void set(const domain::Limits& limits);
  domain::Limits limits() const;

  /// All or nothing. What is taken back on the way to nothing may for that moment be missed by another call.
  bool take(std::uint64_t tokens, base::Instant now, Taken& taken);
  /// The limit that would make this hold wait longest; nothing when it fits.
  std::optional<Obstacle> obstacle(std::uint64_t tokens, base::Instant now) const;

  // How a hold of `held` tokens, taken at `at`, ends.
  /// `used` tokens are charged to what was held; what is over comes back, what is missing becomes a debt.
  void settle(const Taken& taken, base::Instant at, std::uint64_t held, std::uint64_t used);
  /// Nothing has happened: the request comes back too.
  void cancel(const Taken& taken, base::Instant at, std::uint64_t held);
  /// Nobody knows what happened: all of it stays charged.
  void expire(std::uint64_t held);

  std::uint64_t tokens_available(base::Instant now) const { return tokens_.available(now); }
  std::uint64_t requests_available(base::Instant now) const { return requests_.available(now); }
  std::uint64_t tokens_held() const { return tokens_held_.load(std::memory_order_relaxed); }
  std::uint64_t calls_held() const { return calls_.load(std::memory_order_relaxed); }
  Reading reading(Limit limit, base::Instant now) const;

  /// The owner of the limits itself says that no more than this is left.
  void leave_at_most(Limit limit, std::uint64_t units, base::Instant now);

  AllowanceState state() const;
  void restore(const AllowanceState& state);

 private:
  bool take_call();
  void end(std::uint64_t held);
  const Rate& rate(Limit limit) const;

  Rate requests_{0, minute};
  Rate tokens_{0, minute};
  Rate day_tokens_{0, day};
  std::atomic<std::uint64_t> calls_{0};
  std::atomic<std::uint64_t> calls_max_{0};
  std::atomic<std::uint64_t> tokens_held_{0};
  std::string owner_;
};

/// Code::quota_exceeded for people: which limit, whose, what was asked, what is left, when it fits.
base::Error refusal(const Allowance& allowance, const Obstacle& obstacle, std::uint64_t tokens, base::Instant now);

}  // namespace portolan::quota
