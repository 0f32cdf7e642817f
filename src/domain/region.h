// SPDX-License-Identifier: Apache-2.0
// A Region, and sets of Regions.
//
// Inside the gateway a Region is an index into the catalog, so that the set a call may reach is one 64-bit word:
// residency is a mask that later stops can only narrow, never widen.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>

namespace portolan::domain {

using RegionIndex = std::uint8_t;
inline constexpr RegionIndex region_none = 255;
inline constexpr std::size_t regions_max = 64;

struct Region {
  std::string name;       // "eu-central-1"
  std::string geography;  // "EU": for people and for policies, never for routing
  std::string partition;  // "aws", "aws-us-gov"
  bool opt_in = false;    // an account must enable it by hand; Bedrock may route there all the same
};

/// A set of Regions. A value; copy it.
class RegionMask {
 public:
  constexpr RegionMask() = default;
  static constexpr RegionMask of(RegionIndex region) { return RegionMask{std::uint64_t{1} << region}; }
  static constexpr RegionMask from_bits(std::uint64_t bits) { return RegionMask{bits}; }

  constexpr bool contains(RegionIndex region) const { return region < regions_max && (bits_ >> region & 1) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr int size() const { return std::popcount(bits_); }
  constexpr std::uint64_t bits() const { return bits_; }
  constexpr void add(RegionIndex region) { bits_ |= std::uint64_t{1} << region; }
  constexpr void remove(RegionIndex region) { bits_ &= ~(std::uint64_t{1} << region); }

  friend constexpr RegionMask operator&(RegionMask a, RegionMask b) { return RegionMask{a.bits_ & b.bits_}; }
  friend constexpr RegionMask operator|(RegionMask a, RegionMask b) { return RegionMask{a.bits_ | b.bits_}; }
  friend constexpr RegionMask operator-(RegionMask a, RegionMask b) { return RegionMask{a.bits_ & ~b.bits_}; }
  friend constexpr bool operator==(RegionMask, RegionMask) = default;

  /// Iterates the Regions in catalog order: `for (RegionIndex region : mask)`.
  class Iterator {
   public:
    constexpr explicit Iterator(std::uint64_t rest) : rest_(rest) {}
    constexpr RegionIndex operator*() const { return static_cast<RegionIndex>(std::countr_zero(rest_)); }
    constexpr Iterator& operator++() {
      rest_ &= rest_ - 1;
      return *this;
    }
    friend constexpr bool operator==(Iterator, Iterator) = default;

   private:
    std::uint64_t rest_;
  };
  constexpr Iterator begin() const { return Iterator{bits_}; }
  constexpr Iterator end() const { return Iterator{0}; }

 private:
  constexpr explicit RegionMask(std::uint64_t bits) : bits_(bits) {}
  std::uint64_t bits_ = 0;
};

}  // namespace portolan::domain
