// SPDX-License-Identifier: Apache-2.0
#include "upstream/destinations.h"

#include <boost/asio/ip/address.hpp>
#include <map>

namespace portolan::upstream {

using base::Code;
using base::Result;

namespace {

Result<world::Tcp::endpoint> resolve(const config::Endpoint& endpoint) {
  world::ErrorCode error;
  const auto address = world::asio::ip::make_address(endpoint.host, error);
  if (!error) return world::Tcp::endpoint{address, endpoint.port};
  world::asio::io_context io;
  world::Tcp::resolver resolver(io);
  const auto found = resolver.resolve(endpoint.host, std::to_string(endpoint.port), error);
  if (error || found.empty())
    return base::fail(Code::config_invalid,
                      "endpoint " + endpoint.host_header + ": cannot resolve the name: " + error.message());
  return found.begin()->endpoint();
}

}  // namespace

bool Destination::same_as(const Destination& other) const {
  if (address != other.address || host != other.host || (tls == nullptr) != (other.tls == nullptr)) return false;
  return tls == nullptr || tls->trusts_as(*other.tls);
}

Result<std::shared_ptr<const Destinations>> find_destinations(const std::vector<config::Endpoint>& endpoints,
                                                              base::WallTime now) {
  auto destinations = std::make_shared<Destinations>();
  std::map<std::string, std::shared_ptr<const world::ClientTls>> by_ca_file;
  for (const config::Endpoint& endpoint : endpoints) {
    Destination& destination = (*destinations)[endpoint.region];
    TRY(destination.address, resolve(endpoint));
    destination.host = endpoint.host;
    destination.name = endpoint.host_header;
    if (!endpoint.tls) continue;
    std::shared_ptr<const world::ClientTls>& trust = by_ca_file[endpoint.ca_file];
    if (trust == nullptr) {
      TRY(trust, world::ClientTls::load(endpoint.ca_file, now));
    }
    destination.tls = trust;
  }
  return destinations;
}

}  // namespace portolan::upstream
