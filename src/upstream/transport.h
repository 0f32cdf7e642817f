// SPDX-License-Identifier: Apache-2.0
// How bytes reach a Region and come back: the seam between the call's logic and the network.
//
// Two transports exist: Pools (pools.h), over real sockets, and the scripted one of the conversation tests. A Flow
// is one exchange with one Region; it is taken from a Transport, used by one coroutine and released exactly once.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "domain/region.h"
#include "wire/http.h"
#include "world/reactor.h"

namespace portolan::upstream {

/// Asked right before the first byte of a request would leave, however long it took to connect. An Error ends the
/// exchange, and nothing is sent.
class Clearance {
 public:
  virtual ~Clearance() = default;
  virtual base::Result<void> ask() = 0;
};

/// A request as it goes out. Views must live until Flow::start returned.
struct Outgoing {
  std::string_view head;  // request line, fields and blank line
  std::string_view body;
  Clearance* clearance = nullptr;  // null: nobody has to be asked
};

class Flow {
 public:
  virtual ~Flow() = default;

  /// Connects when no kept connection is at hand (within `connect`), sends, and waits until `by` for the reply's
  /// head. The head and its views are valid until the first next(). Errors: upstream_refused,
  /// upstream_connect_timeout, upstream_silent, upstream_cut, upstream_malformed; overloaded when this process has
  /// no descriptor left; what the clearance says.
  virtual world::Task<base::Result<const wire::ResponseHead*>> start(Outgoing outgoing, base::Duration connect,
                                                                     base::Instant by) = 0;
  /// The next piece of the reply's body, chunk framing removed; empty at its end. Valid until the next call. A body
  /// that ends before its framing says so is upstream_cut.
  virtual world::Task<base::Result<std::string_view>> next(base::Instant by) = 0;

  /// True when part of a request has left on the connection.
  virtual bool sent() const = 0;

  /// The caller has left: what start() or next() waits for, now or later, ends at once with Code::caller_gone.
  /// Never resumes anybody before it returns.
  virtual void abandon() = 0;

  /// The exchange is over. `reusable` only after next() returned the end.
  virtual void release(bool reusable) = 0;
};

struct Release {
  void operator()(Flow* flow) const { flow->release(false); }
};
/// Dropping it closes the connection; finish() gives it back for reuse.
using FlowPointer = std::unique_ptr<Flow, Release>;
inline void finish(FlowPointer flow) {
  flow.release()->release(true);
}

class Transport {
 public:
  virtual ~Transport() = default;
  /// A flow to a Region that has an endpoint. Never waits.
  virtual FlowPointer open(domain::RegionIndex region) = 0;
  /// Makes sure, in the background, that a connection stands ready. Only ever called for Regions that a call in
  /// hand is permitted to reach. Costs nothing when one does, or when it was tried a moment ago.
  virtual void warm(domain::RegionIndex region) = 0;
};

}  // namespace portolan::upstream
