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
  /// `told` gets how long the probe waited and when it came back. All in real time: however fast the world runs, a
  /// queue is as long as the machine makes it.
  using Told = std::move_only_function<void(base::Duration waited, base::Instant real_now)>;
  QueueProbe(Reactor& reactor, Told told);

  /// Sends a probe unless one is under way or was sent within the last few milliseconds. Costs a look at the clock
  /// then, two system calls otherwise. Gives the real time.
  base::Instant ask();

 private:
  void send(base::Instant real_now);

  Told told_;
  asio::posix::basic_stream_descriptor<Executor> descriptor_;
  std::uint64_t value_ = 0;
  base::Instant sent_at_{};
  base::Instant next_at_{};
  bool under_way_ = false;
};

}  // namespace portolan::world
