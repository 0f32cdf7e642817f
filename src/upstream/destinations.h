// SPDX-License-Identifier: Apache-2.0
// Where each Region is: a configuration's endpoints made ready to connect to. Names are resolved and trust is
// loaded when a configuration is, on the thread that loads it; so a name that is unknown or a file that cannot be
// read keeps a configuration from coming into force, and no call ever waits for either.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "config/config.h"
#include "world/reactor.h"
#include "world/tls.h"

namespace portolan::upstream {

struct Destination {
  world::Tcp::endpoint address;                 // port 0: this Region has no endpoint
  std::string host;                             // as it was configured: what its certificate has to say
  std::string name;                             // host:port, for messages
  std::shared_ptr<const world::ClientTls> tls;  // null: plaintext

  /// True when a connection to one is as good as a connection to the other.
  bool same_as(const Destination& other) const;
};

/// By Region index. Immutable; shared by the reactors.
using Destinations = std::array<Destination, domain::regions_max>;

/// Resolves and loads; waits for the resolver. Code::config_invalid names the endpoint or the file.
base::Result<std::shared_ptr<const Destinations>> find_destinations(const std::vector<config::Endpoint>& endpoints,
                                                                    base::WallTime now);

}  // namespace portolan::upstream
