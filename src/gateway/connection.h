// SPDX-License-Identifier: Apache-2.0
// What every caller's connection has in common, whichever version of HTTP it speaks.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/journey.h"
#include "gateway/occupancy.h"
#include "world/conduit.h"

namespace portolan::gateway {

/// What the connections of one reactor share. Owned by the reactor's Listener.
struct Port {
  Port(world::Reactor& reactor_, Journey& journey_, observe::Counters& counters_, Occupancy& occupancy_)
      : reactor(reactor_), journey(journey_), counters(counters_), occupancy(occupancy_) {}
  world::Reactor& reactor;
  Journey& journey;
  observe::Counters& counters;
  Occupancy& occupancy;
  bool draining = false;

  /// As it is now: whoever waits holds the snapshot instead, for a reload may come meanwhile.
  const config::Config& config() const { return journey.snapshot()->config; }
  /// The value of the Date field, made once a second. SDKs learn their clock's skew from it.
  std::string_view date();
  /// What is said about a body that does not fit in memory beside the others.
  base::Error no_room_for_body() const;

 private:
  std::string date_;
  std::int64_t date_s_ = -1;
};

/// Longer than a round trip; not longer than a second, within which a key that is revoked has to be refused
/// everywhere.
inline constexpr base::Duration drain_grace = base::seconds{1};

/// How long what a caller still sends is read and dropped, so that no reset keeps it from reading why it was
/// refused.
inline constexpr base::Duration linger_max = base::seconds{2};

/// What a body of that size is granted beyond a deadline, either way: a second for each 64 KiB.
inline base::Duration transfer_time(std::uint64_t bytes) {
  return base::seconds{bytes / (64 * 1024)};
}

/// A caller's connection. Lives as long as its coroutines; the Listener only knows it to tell it to drain.
class Connection {
 public:
  virtual ~Connection() = default;
  /// Ends once what is in hand is finished. A caller who was not told that this connection ends, and may be sending
  /// the next request, has drain_grace to do so: it is served, and told with the answer.
  virtual void drain() = 0;
};

/// Peer and TLS as text, kept for the connection's calls: who calls, and what their records say.
struct PeerFacts {
  explicit PeerFacts(const world::Conduit& conduit)
      : address(conduit.peer_address()),
        tls_version(conduit.tls_version()),
        tls_cipher(conduit.tls_cipher()),
        certificate_names(conduit.peer_names()) {}
  std::string address;
  std::string tls_version;
  std::string tls_cipher;
  std::vector<std::string> certificate_names;
};

}  // namespace portolan::gateway
