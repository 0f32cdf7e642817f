// SPDX-License-Identifier: Apache-2.0
#include "sim/region_quota.h"

#include <algorithm>
#include <fmt/format.h>

namespace portolan::sim {
namespace {

constexpr base::Duration minute = std::chrono::minutes{1};

base::Instant floor_to(base::Instant at, base::Duration step) {
  return at - at.time_since_epoch() % step;
}

}  // namespace

std::string_view name(RefillLaw law) {
  switch (law) {
    case RefillLaw::bucket:
      return "bucket";
    case RefillLaw::sliding:
      return "sliding";
    case RefillLaw::fixed:
      return "fixed";
  }
  return "?";
}

base::Result<RefillLaw> parse_refill_law(std::string_view text) {
  for (const RefillLaw law : {RefillLaw::bucket, RefillLaw::sliding, RefillLaw::fixed})
    if (text == name(law)) return law;
  return base::fail(base::Code::usage,
                    fmt::format("refill law '{}' is not known; use bucket, sliding or fixed", text));
}

void RegionMeter::advance(base::Instant now) {
  switch (law_) {
    case RefillLaw::bucket: {
      if (now <= advanced_to_) return;
      const double refill =
          static_cast<double>(limit_) * ((now - advanced_to_) / std::chrono::duration<double>(minute));
      const auto whole = static_cast<std::int64_t>(std::min(refill, 9e15));
      if (whole >= used_) {
        used_ = 0;
        advanced_to_ = now;
      } else if (whole > 0) {
        // Only the time that whole units took is spent, so that frequent calls lose no fraction.
        used_ -= whole;
        advanced_to_ += base::Duration{static_cast<std::int64_t>(
            static_cast<double>(whole) / static_cast<double>(limit_) * static_cast<double>(minute.count()))};
      }
      return;
    }
    case RefillLaw::sliding:
      while (!slots_.empty() && slots_.front().at + minute <= now) {
        used_ -= slots_.front().amount;
        slots_.pop_front();
      }
      return;
    case RefillLaw::fixed: {
      const base::Instant window = floor_to(now, minute);
      if (window <= advanced_to_) return;
      const std::int64_t windows =
          std::min<std::int64_t>((window - floor_to(advanced_to_, minute)) / minute, 1'000'000);
      used_ = std::max<std::int64_t>(0, used_ - limit_ * windows);
      advanced_to_ = window;
      return;
    }
  }
}

void RegionMeter::charge(std::int64_t amount, base::Instant at) {
  used_ += amount;
  if (law_ != RefillLaw::sliding) return;
  if (slots_.empty() || slots_.back().at < at) slots_.push_back({at, 0});
  slots_.back().amount += amount;
}

bool RegionMeter::take(std::uint64_t amount, base::Instant now) {
  if (limit_ == 0) return true;
  advance(now);
  if (amount > static_cast<std::uint64_t>(limit_)) return false;
  if (used_ + static_cast<std::int64_t>(amount) > limit_) return false;
  charge(static_cast<std::int64_t>(amount), now);
  return true;
}

void RegionMeter::settle(std::uint64_t held, std::uint64_t used, base::Instant taken_at, base::Instant now) {
  if (limit_ == 0) return;
  advance(now);
  const std::int64_t difference = static_cast<std::int64_t>(used) - static_cast<std::int64_t>(held);
  if (difference > 0) {
    charge(difference, now);
    return;
  }
  switch (law_) {
    case RefillLaw::bucket:
      used_ = std::max<std::int64_t>(0, used_ + difference);
      return;
    case RefillLaw::fixed:
      // What was held in an earlier window went with that window.
      if (taken_at >= advanced_to_) used_ += difference;
      return;
    case RefillLaw::sliding: {
      const auto slot = std::ranges::lower_bound(slots_, taken_at, {}, &Slot::at);
      if (slot == slots_.end() || slot->at != taken_at) return;
      slot->amount += difference;
      used_ += difference;
      return;
    }
  }
}

std::int64_t RegionMeter::balance(base::Instant now) {
  advance(now);
  return limit_ - used_;
}

}  // namespace portolan::sim
