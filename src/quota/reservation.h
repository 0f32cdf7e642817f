// SPDX-License-Identifier: Apache-2.0
// Stop 5 and stop 8: what one call holds, of every allowance that applies to it, until it is known what it used.
//
// A Reservation is held or it is not. It ends exactly once: settled, cancelled or expired; whatever is called after
// the first of these does nothing, and one that nobody ended expires with its object, so that no way out of a call
// can leak or double a charge. Settling charges the use to the time at which it was held.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/result.h"
#include "quota/allowance.h"

namespace portolan::quota {

/// A tenant, one of its keys, an application profile, and one to spare.
inline constexpr std::size_t owners_max = 4;

/// Whose allowances a call draws on.
struct Owners {
  std::array<Allowance*, owners_max> list{};
  std::uint8_t size = 0;

  void add(Allowance* allowance) {
    if (allowance != nullptr && size < owners_max) list[size++] = allowance;
  }
  std::span<Allowance* const> span() const { return {list.data(), size}; }
};

/// Movable, not copyable. The allowances outlive it. One thread at a time; the allowances are shared.
class Reservation {
 public:
  Reservation() = default;
  /// Takes from all of `owners` or from none. Code::quota_exceeded (allowance.h) names the limit that makes the
  /// call wait longest, and how long.
  static base::Result<Reservation> hold(const Owners& owners, std::uint64_t tokens, base::Instant now);
  /// The same answer without holding anything.
  static base::Result<void> would_hold(const Owners& owners, std::uint64_t tokens, base::Instant now);

  ~Reservation() { expire(); }
  Reservation(Reservation&& other) noexcept { *this = std::move(other); }
  Reservation& operator=(Reservation&& other) noexcept;
  Reservation(const Reservation&) = delete;
  Reservation& operator=(const Reservation&) = delete;

  bool held() const { return held_; }
  std::uint64_t tokens() const { return tokens_; }

  void settle(std::uint64_t tokens_used);
  void cancel();
  void expire();

 private:
  struct Part {
    Allowance* allowance = nullptr;
    Taken taken;
  };

  std::span<const Part> parts() const { return {parts_.data(), size_}; }

  std::array<Part, owners_max> parts_;
  std::uint8_t size_ = 0;
  bool held_ = false;
  std::uint64_t tokens_ = 0;
  base::Instant at_{};
};

}  // namespace portolan::quota
