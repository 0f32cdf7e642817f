// SPDX-License-Identifier: Apache-2.0
// The process's file descriptors, which run out.
#pragma once

#include <cstddef>
#include <string_view>
#include <utility>

namespace portolan::world {

/// A descriptor that closes itself; -1 is none.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor();
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

/// How many the process may have (RLIMIT_NOFILE, the soft limit, as it stands now). The kernel hands out the lowest
/// free number, so a new descriptor's number tells how many are in use.
std::size_t descriptors_max();

/// One descriptor kept back. When none is left, connections would wait in a listening socket's queue unheard; with
/// the spare one each can be taken, told and closed.
class SpareDescriptor {
 public:
  SpareDescriptor();
  ~SpareDescriptor();
  SpareDescriptor(const SpareDescriptor&) = delete;
  SpareDescriptor& operator=(const SpareDescriptor&) = delete;

  /// Accepts one connection from the non-blocking socket `listening`, sends it `farewell` as far as it goes at once
  /// and closes it. False when none was waiting or even this failed.
  bool turn_away_one(int listening, std::string_view farewell);

 private:
  int spare_ = -1;
};

}  // namespace portolan::world
