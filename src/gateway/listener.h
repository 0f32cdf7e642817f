// SPDX-License-Identifier: Apache-2.0
// Accepts callers on one reactor: a plain port that speaks HTTP/1.1 and h2c, and a TLS port that offers h2 and
// http/1.1.
//
// Each reactor has its own sockets on the same ports (SO_REUSEPORT), so a connection stays where the kernel put it.
#pragma once

#include <boost/asio/basic_socket_acceptor.hpp>
#include <memory>
#include <unordered_set>

#include "gateway/connection.h"
#include "world/descriptors.h"
#include "world/tls.h"

namespace portolan::gateway {

class Listener {
 public:
  Listener(world::Reactor& reactor, Journey& journey, observe::Counters& counters, Occupancy& occupancy);
  ~Listener();

  enum class Speaks : std::uint8_t { plain, tls };
  /// Binds and listens. Port 0: any; the port that was taken is returned. Code::config_invalid. Before the reactor
  /// runs.
  base::Result<std::uint16_t> listen(const std::string& address, std::uint16_t port, Speaks speaks);
  /// Accepts on a socket that listens already: a predecessor's. Before the reactor runs. Code::config_invalid.
  base::Result<void> adopt(world::Descriptor listening, Speaks speaks);
  /// The sockets that listen. Before drain().
  std::vector<int> sockets() const;
  /// What the TLS port shows and asks for, from the next connection on. Before listen(… Speaks::tls), and at will
  /// on the reactor's thread.
  void use_tls(std::shared_ptr<const world::ServerTls> tls) { tls_ = std::move(tls); }

  /// That no other process listens there. SO_REUSEPORT alone would let a second gateway share the port unseen, and
  /// with it the traffic. Port 0 is always free. Code::config_invalid.
  static base::Result<void> expect_free(const std::string& address, std::uint16_t port);

  /// On the reactor's thread: stop accepting, drain every connection. The sockets live on if another process has
  /// them too, with what waits in them.
  void drain();
  std::size_t connections() const { return connections_.size(); }

 private:
  using Acceptor = world::asio::basic_socket_acceptor<world::Tcp, world::Executor>;
  using TlsPointer = std::shared_ptr<const world::ServerTls>;
  void begin(std::shared_ptr<Acceptor> acceptor, Speaks speaks);
  world::Task<void> accept(std::shared_ptr<Acceptor> acceptor, Speaks speaks);
  bool is_full(world::Socket& newest) const;
  world::Task<void> make_room(Acceptor& acceptor);
  world::Task<void> serve(std::shared_ptr<world::Conduit> conduit, TlsPointer tls);
  world::Task<void> turn_away(std::shared_ptr<world::Conduit> conduit, TlsPointer tls);
  world::Task<base::Result<bool>> speaks_http2(world::Conduit& conduit, TlsPointer tls, base::Duration silence_max,
                                               std::string& first);
  world::Task<void> serve_http1(std::shared_ptr<world::Conduit> conduit, std::string_view first);
  world::Task<void> serve_http2(std::shared_ptr<world::Conduit> conduit, std::string_view first);

  Port port_;
  TlsPointer tls_;
  std::vector<std::shared_ptr<Acceptor>> acceptors_;
  std::unordered_set<world::Conduit*> silent_;  // accepted, but have not said yet what they speak
  std::unordered_set<Connection*> connections_;
  std::size_t turned_away_ = 0;  // at this moment
  world::SpareDescriptor spare_;
};

}  // namespace portolan::gateway
