// SPDX-License-Identifier: Apache-2.0
#include "quota/reservation.h"

#include <optional>
#include <utility>

namespace portolan::quota {
namespace {

/// The error for the limit, of all owners', that makes the call wait longest.
base::Error refusal_by(const Owners& owners, std::uint64_t tokens, base::Instant now) {
  const Allowance* who = nullptr;
  std::optional<Obstacle> longest;
  for (const Allowance* allowance : owners.span()) {
    const std::optional<Obstacle> obstacle = allowance->obstacle(tokens, now);
    if (!obstacle || (longest && obstacle->wait <= longest->wait)) continue;
    longest = obstacle;
    who = allowance;
  }
  if (who != nullptr) return refusal(*who, *longest, tokens, now);
  // Another call gave back, a moment later, what was missing.
  return base::error(base::Code::quota_exceeded, "Too many calls at this moment; try again.", base::seconds{1});
}

}  // namespace

base::Result<Reservation> Reservation::hold(const Owners& owners, std::uint64_t tokens, base::Instant now) {
  Reservation reservation;
  reservation.at_ = now;
  reservation.tokens_ = tokens;
  reservation.held_ = true;
  for (Allowance* allowance : owners.span()) {
    Part& part = reservation.parts_[reservation.size_];
    if (!allowance->take(tokens, now, part.taken)) {
      reservation.cancel();
      return std::unexpected(refusal_by(owners, tokens, now));
    }
    part.allowance = allowance;
    ++reservation.size_;
  }
  return reservation;
}

base::Result<void> Reservation::would_hold(const Owners& owners, std::uint64_t tokens, base::Instant now) {
  for (const Allowance* allowance : owners.span())
    if (allowance->obstacle(tokens, now)) return std::unexpected(refusal_by(owners, tokens, now));
  return {};
}

Reservation& Reservation::operator=(Reservation&& other) noexcept {
  if (this == &other) return *this;
  expire();
  parts_ = other.parts_;
  size_ = other.size_;
  tokens_ = other.tokens_;
  at_ = other.at_;
  held_ = std::exchange(other.held_, false);
  return *this;
}

void Reservation::settle(std::uint64_t tokens_used) {
  if (!std::exchange(held_, false)) return;
  for (const Part& part : parts()) part.allowance->settle(part.taken, at_, tokens_, tokens_used);
}

void Reservation::cancel() {
  if (!std::exchange(held_, false)) return;
  for (const Part& part : parts()) part.allowance->cancel(part.taken, at_, tokens_);
}

void Reservation::expire() {
  if (!std::exchange(held_, false)) return;
  for (const Part& part : parts()) part.allowance->expire(tokens_);
}

}  // namespace portolan::quota
