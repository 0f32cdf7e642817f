// SPDX-License-Identifier: Apache-2.0
// What callers hold of the gateway as a whole: connections, and memory for the bodies of their requests.
//
// Shared by all reactors, so it is touched once a connection and, for bodies beyond a first few KiB, once for each
// further 64 KiB; an ordinary call touches nothing here. Relaxed atomics: a limit may be overshot by what reactors
// take in the same instant.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace portolan::gateway {

struct Occupancy {
  std::atomic<std::uint64_t> connections{0};
  std::atomic<std::uint64_t> body_bytes{0};
};

/// What one request's body takes of Occupancy::body_bytes, given back when it is destroyed. Bodies of at most
/// `free_bytes` take nothing: the connection's buffer, which limits.connections_max bounds, holds that much anyway.
class BodyShare {
 public:
  static constexpr std::size_t free_bytes = 16 * 1024;

  explicit BodyShare(Occupancy& occupancy) : occupancy_(occupancy) {}
  ~BodyShare() { give_back(); }
  BodyShare(const BodyShare&) = delete;
  BodyShare& operator=(const BodyShare&) = delete;

  /// The body has `bytes` now. False: all bodies together would be beyond `limit`; nothing more is taken.
  bool grow_to(std::size_t bytes, std::uint64_t limit) {
    if (bytes <= free_bytes || bytes <= taken_) return true;
    const std::size_t wanted = (bytes + step - 1) / step * step;
    const std::size_t more = wanted - taken_;
    if (occupancy_.body_bytes.fetch_add(more, std::memory_order_relaxed) + more > limit) {
      occupancy_.body_bytes.fetch_sub(more, std::memory_order_relaxed);
      return false;
    }
    taken_ = wanted;
    return true;
  }
  void give_back() {
    if (taken_ > 0) occupancy_.body_bytes.fetch_sub(std::exchange(taken_, 0), std::memory_order_relaxed);
  }

 private:
  static constexpr std::size_t step = 64 * 1024;
  Occupancy& occupancy_;
  std::size_t taken_ = 0;
};

}  // namespace portolan::gateway
