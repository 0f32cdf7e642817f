// SPDX-License-Identifier: Apache-2.0
// How long work that is ready waits for its reactor: the measure of a gateway that is itself the bottleneck.
//
// The probe makes a descriptor of its own readable and is told when the reactor gets to it. The kernel serves what
// is ready in the order in which it became so, hence the probe waits behind the same callers and Regions that a
// request does. Processor time would not tell: a reactor that is always busy may keep nobody waiting.
#pragma once

#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <cstdint>
#include <functional>

#include "world/reactor.h"

namespace portolan::world {

/// Belongs to one reactor; only its thread may call it. At most one probe is under way.
class QueueProbe {
 public:
  /// `told` gets the real time that the probe waited and the world time of its return.
  using Told = std::move_only_function<void(base::Duration waited, base::Instant now)>;
  QueueProbe(Reactor& reactor, Told told);

  /// Sends a probe unless one is under way or was sent within the last few milliseconds. Costs a comparison then,
  /// two system calls otherwise.
  void ask(base::Instant now) {
    if (!under_way_ && now >= next_at_) send(now);
  }

 private:
  void send(base::Instant now);

  const Clock& clock_;
  Told told_;
  asio::posix::basic_stream_descriptor<Executor> descriptor_;
  base::Duration pause_world_;
  std::uint64_t value_ = 0;
  base::Instant sent_at_{};
  base::Instant next_at_{};
  bool under_way_ = false;
};

}  // namespace portolan::world
