// SPDX-License-Identifier: Apache-2.0
#include "quota/allowance.h"

#include <algorithm>
#include <fmt/format.h>

namespace portolan::quota {
namespace {

/// When a call that is under way will end is not known; this is the shortest that a retry-after can say.
constexpr base::Duration concurrency_wait = base::seconds{1};

}  // namespace

std::string_view name(Limit limit) {
  constexpr std::array<std::string_view, limit_count> names{"requests_per_minute", "tokens_per_minute",
                                                            "tokens_per_day", "concurrency"};
  return names[static_cast<std::size_t>(limit)];
}

void Allowance::set(const domain::Limits& limits) {
  requests_.set(limits.requests_per_minute, limits.requests_burst);
  tokens_.set(limits.tokens_per_minute, limits.tokens_burst);
  day_tokens_.set(limits.tokens_per_day);
  calls_max_.store(limits.concurrency, std::memory_order_relaxed);
}

domain::Limits Allowance::limits() const {
  const auto burst = [](const Rate& rate) { return rate.burst() == rate.amount() ? 0 : rate.burst(); };
  return {.requests_per_minute = requests_.amount(),
          .tokens_per_minute = tokens_.amount(),
          .tokens_per_day = day_tokens_.amount(),
          .concurrency = calls_max_.load(std::memory_order_relaxed),
          .requests_burst = burst(requests_),
          .tokens_burst = burst(tokens_)};
}

bool Allowance::take_call() {
  const std::uint64_t calls_max = calls_max_.load(std::memory_order_relaxed);
  if (calls_max == 0) {
    calls_.fetch_add(1, std::memory_order_relaxed);
    return true;
  }
  std::uint64_t calls = calls_.load(std::memory_order_relaxed);
  do {
    if (calls >= calls_max) return false;
  } while (!calls_.compare_exchange_weak(calls, calls + 1, std::memory_order_relaxed));
  return true;
}

bool Allowance::take(std::uint64_t tokens, base::Instant now, Taken& taken) {
  if (!take_call()) return false;
  const auto request = requests_.take(1, now);
  if (request) {
    if (const auto minutes = tokens_.take(tokens, now)) {
      if (const auto days = day_tokens_.take(tokens, now)) {
        tokens_held_.fetch_add(tokens, std::memory_order_relaxed);
        taken = {.request = request->refill, .tokens = minutes->refill, .day_tokens = days->refill};
        return true;
      }
      tokens_.settle(*minutes, 0);
    }
    requests_.settle(*request, 0);
  }
  calls_.fetch_sub(1, std::memory_order_relaxed);
  return false;
}

std::optional<Obstacle> Allowance::obstacle(std::uint64_t tokens, base::Instant now) const {
  std::optional<Obstacle> longest;
  const auto consider = [&](Limit limit, base::Duration wait) {
    if (!longest || wait > longest->wait) longest = {.limit = limit, .wait = wait};
  };
  if (const auto request = requests_.peek(1, now); !request) consider(Limit::requests_per_minute, request.error());
  if (const auto minutes = tokens_.peek(tokens, now); !minutes) consider(Limit::tokens_per_minute, minutes.error());
  if (const auto days = day_tokens_.peek(tokens, now); !days) consider(Limit::tokens_per_day, days.error());
  const std::uint64_t calls_max = calls_max_.load(std::memory_order_relaxed);
  if (calls_max != 0 && calls_held() >= calls_max) consider(Limit::concurrency, concurrency_wait);
  return longest;
}

void Allowance::end(std::uint64_t held) {
  calls_.fetch_sub(1, std::memory_order_relaxed);
  tokens_held_.fetch_sub(held, std::memory_order_relaxed);
}

void Allowance::settle(const Taken& taken, base::Instant at, std::uint64_t held, std::uint64_t used) {
  tokens_.settle({.at = at, .refill = taken.tokens}, used);
  day_tokens_.settle({.at = at, .refill = taken.day_tokens}, used);
  end(held);
}

void Allowance::cancel(const Taken& taken, base::Instant at, std::uint64_t held) {
  requests_.settle({.at = at, .refill = taken.request}, 0);
  settle(taken, at, held, 0);
}

void Allowance::expire(std::uint64_t held) {
  end(held);
}

const Rate& Allowance::rate(Limit limit) const {
  if (limit == Limit::requests_per_minute) return requests_;
  return limit == Limit::tokens_per_day ? day_tokens_ : tokens_;
}

Reading Allowance::reading(Limit limit, base::Instant now) const {
  if (limit == Limit::concurrency) {
    const std::uint64_t calls_max = calls_max_.load(std::memory_order_relaxed);
    const std::uint64_t calls = calls_held();
    return {.kind = limit,
            .limit = calls_max,
            .burst = calls_max,
            .available = calls_max == 0 ? UINT64_MAX : calls_max - std::min(calls, calls_max),
            .used = calls};
  }
  const Rate& of = rate(limit);
  const std::uint64_t available = of.available(now);
  return {.kind = limit,
          .limit = of.amount(),
          .burst = of.burst(),
          .available = available,
          .used = of.unlimited() ? 0 : of.burst() - available,
          .debt = of.debt(now)};
}

void Allowance::leave_at_most(Limit limit, std::uint64_t units, base::Instant now) {
  if (limit == Limit::requests_per_minute) requests_.leave_at_most(units, now);
  if (limit == Limit::tokens_per_minute) tokens_.leave_at_most(units, now);
  if (limit == Limit::tokens_per_day) day_tokens_.leave_at_most(units, now);
}

AllowanceState Allowance::state() const {
  return {.requests_refilled = requests_.refilled_at(),
          .tokens_refilled = tokens_.refilled_at(),
          .day_tokens_refilled = day_tokens_.refilled_at()};
}

void Allowance::restore(const AllowanceState& state) {
  requests_.restore(state.requests_refilled);
  tokens_.restore(state.tokens_refilled);
  day_tokens_.restore(state.day_tokens_refilled);
}

base::Error refusal(const Allowance& allowance, const Obstacle& obstacle, std::uint64_t tokens, base::Instant now) {
  const Reading reading = allowance.reading(obstacle.limit, now);
  const std::string& owner = allowance.owner();
  const bool never = obstacle.wait == base::Duration::max();
  std::string message;
  if (obstacle.limit == Limit::concurrency) {
    message = fmt::format(
        "Too many calls at once: {} has {} under way, and its concurrency limit is {}; one more fits when one "
        "ends.",
        owner, reading.used, reading.limit);
  } else if (obstacle.limit == Limit::requests_per_minute) {
    message = fmt::format("Too many requests: the limit of {} per minute of {} is used up; one more fits in {}.",
                          reading.limit, owner, base::format_duration(obstacle.wait));
  } else {
    const std::string_view window = obstacle.limit == Limit::tokens_per_day ? "day" : "minute";
    const std::string at_once =
        reading.burst == reading.limit ? std::string{} : fmt::format(", {} at once", reading.burst);
    const std::string asks =
        fmt::format("Too many tokens: this call asks for {} (input and the most output it may produce)", tokens);
    message = never
                  ? fmt::format(
                        "{}, more than the whole limit of {} per {}{} of {}, so waiting cannot help. Ask "
                        "for less output or have the limit raised.",
                        asks, reading.limit, window, at_once, owner)
                  : fmt::format("{}, {} are left of the {} per {}{} of {}; it fits in {}.", asks, reading.available,
                                reading.limit, window, at_once, owner, base::format_duration(obstacle.wait));
  }
  return base::error(base::Code::quota_exceeded, std::move(message), never ? base::Duration{} : obstacle.wait);
}

}  // namespace portolan::quota
