// SPDX-License-Identifier: Apache-2.0
// The process's file descriptors, which run out.
#pragma once

#include <cstddef>
#include <string_view>

namespace portolan::world {

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
