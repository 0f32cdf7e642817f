// SPDX-License-Identifier: Apache-2.0
#include "quota/meter.h"

#include <fmt/format.h>

namespace portolan::quota {
namespace {

using base::Code;

std::unexpected<base::Error> too_many_requests(const Rate& requests, base::Duration wait) {
  return base::fail(
      Code::quota_exceeded,
      fmt::format("Too many requests: the tenant's limit of {} per minute is used up; one more fits in {}.",
                  requests.per_minute(), base::format_duration(wait)),
      wait);
}

std::unexpected<base::Error> too_many_tokens(const Rate& tokens, std::uint64_t asked, base::Instant now,
                                             base::Duration wait) {
  if (wait == base::Duration::max())
    return base::fail(
        Code::quota_exceeded,
        fmt::format("Too many tokens: this call asks for {} (input and the most output it may produce), "
                    "more than the tenant's whole limit of {} per minute, so waiting cannot help. Ask for "
                    "less output or raise the limit.",
                    asked, tokens.per_minute()));
  return base::fail(
      Code::quota_exceeded,
      fmt::format("Too many tokens: this call asks for {} (input and the most output it may produce), {} "
                  "are left of the tenant's {} per minute; it fits in {}.",
                  asked, tokens.available(now), tokens.per_minute(), base::format_duration(wait)),
      wait);
}

}  // namespace

void Meter::set_limits(std::uint64_t requests_per_minute, std::uint64_t tokens_per_minute) {
  requests_.set(requests_per_minute);
  tokens_.set(tokens_per_minute);
}

base::Result<domain::Reservation> Meter::reserve(std::uint64_t tokens, base::Instant now) {
  const auto request = requests_.take(1, now);
  if (!request) return too_many_requests(requests_, request.error());
  const auto charge = tokens_.take(tokens, now);
  if (!charge) {
    requests_.settle(*request, 0);
    return too_many_tokens(tokens_, tokens, now, charge.error());
  }
  return domain::Reservation{
      .tokens_reserved = tokens, .reserved_at = charge->at, .refill = charge->refill, .held = true};
}

base::Result<domain::Reservation> Meter::would_reserve(std::uint64_t tokens, base::Instant now) const {
  if (const auto request = requests_.peek(1, now); !request) return too_many_requests(requests_, request.error());
  const auto charge = tokens_.peek(tokens, now);
  if (!charge) return too_many_tokens(tokens_, tokens, now, charge.error());
  return domain::Reservation{.tokens_reserved = tokens, .reserved_at = charge->at, .refill = charge->refill};
}

void Meter::settle(domain::Reservation& reservation, std::uint64_t tokens_used) {
  if (!reservation.held) return;
  reservation.held = false;
  tokens_.settle({.at = reservation.reserved_at, .refill = reservation.refill}, tokens_used);
}

std::uint64_t tokens_to_reserve(const domain::Inference& inference) {
  return std::uint64_t{inference.input_tokens} + inference.output_tokens_max;
}

std::uint64_t tokens_to_settle(const domain::Usage& usage, const domain::Model& model) {
  return std::uint64_t{usage.input_tokens} + usage.cache_write_tokens +
         std::uint64_t{usage.output_tokens} * model.output_burndown;
}

}  // namespace portolan::quota
