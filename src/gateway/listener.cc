// SPDX-License-Identifier: Apache-2.0
#include "gateway/listener.h"

#include <sys/socket.h>

#include "gateway/http1.h"
#include "gateway/http2.h"

namespace portolan::gateway {

using base::Code;
using base::Result;
using world::ErrorCode;
using world::Task;
namespace asio = world::asio;

Listener::Listener(world::Reactor& reactor, Journey& journey, observe::Counters& counters)
    : port_(reactor, journey, counters) {}

Listener::~Listener() = default;

Result<void> Listener::expect_free(const std::string& address, std::uint16_t port) {
  ErrorCode error;
  const auto where = asio::ip::make_address(address, error);
  if (error || port == 0) return {};  // listen() says what is wrong with an address
  asio::io_context io;
  asio::ip::tcp::acceptor probe(io);
  const world::Tcp::endpoint endpoint{where, port};
  probe.open(endpoint.protocol(), error);
  if (!error) probe.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) probe.bind(endpoint, error);
  if (!error) probe.listen(1, error);
  if (!error) return {};
  return base::fail(Code::config_invalid,
                    "cannot listen on " + address + ":" + std::to_string(port) + ": " + error.message());
}

Result<std::uint16_t> Listener::listen(const std::string& address, std::uint16_t port, asio::ssl::context* tls) {
  ErrorCode error;
  const auto where = asio::ip::make_address(address, error);
  if (error) return base::fail(Code::config_invalid, "listen.address " + address + " is not an IP address");
  const world::Tcp::endpoint endpoint{where, port};
  auto acceptor = std::make_shared<Acceptor>(port_.reactor.io.get_executor());
  acceptor->open(endpoint.protocol(), error);
  if (!error) acceptor->set_option(asio::socket_base::reuse_address(true), error);
  const int on = 1;
  if (!error && ::setsockopt(acceptor->native_handle(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0)
    error = ErrorCode(errno, boost::system::system_category());
  if (!error) acceptor->bind(endpoint, error);
  if (!error) acceptor->listen(1024, error);
  if (error)
    return base::fail(Code::config_invalid,
                      "cannot listen on " + address + ":" + std::to_string(port) + ": " + error.message());
  acceptors_.push_back(acceptor);
  asio::co_spawn(port_.reactor.io, accept(acceptor, tls), asio::detached);
  return acceptor->local_endpoint().port();
}

Task<void> Listener::accept(std::shared_ptr<Acceptor> acceptor, asio::ssl::context* tls) {
  while (acceptor->is_open()) {
    world::Socket socket(port_.reactor.io.get_executor());
    ErrorCode error;
    co_await acceptor->async_accept(socket, world::into(error));
    if (error == asio::error::operation_aborted || !acceptor->is_open()) break;
    if (error) {
      // Out of file descriptors, or the caller left already: wait a moment rather than spin.
      co_await world::sleep_for(base::milliseconds{50}, port_.reactor.clock);
      continue;
    }
    port_.counters.connections.fetch_add(1, std::memory_order_relaxed);
    if (port_.counters.connections_open.load(std::memory_order_relaxed) >= port_.config().limits.connections_max) {
      constexpr std::string_view full =
          "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
      socket.non_blocking(true, error);
      socket.write_some(asio::buffer(full), error);
      continue;
    }
    port_.counters.connections_open.fetch_add(1, std::memory_order_relaxed);
    auto conduit = std::make_shared<world::Conduit>(port_.reactor, std::move(socket));
    conduit->prepare();
    asio::co_spawn(port_.reactor.io, serve(conduit, tls), asio::detached);
  }
}

Task<void> Listener::serve(std::shared_ptr<world::Conduit> conduit, asio::ssl::context* tls) {
  silent_.insert(conduit.get());
  std::string first;
  const Result<bool> http2 = co_await speaks_http2(*conduit, tls, first);
  silent_.erase(conduit.get());
  if (http2 && *http2)
    co_await serve_http2(conduit, first);
  else if (http2)
    co_await serve_http1(conduit, first);
  port_.counters.connections_open.fetch_sub(1, std::memory_order_relaxed);
}

/// By the HTTP/2 preface, which both ALPN and prior knowledge begin with. `first` gets the bytes that were read.
Task<Result<bool>> Listener::speaks_http2(world::Conduit& conduit, asio::ssl::context* tls, std::string& first) {
  const config::Deadlines& deadlines = port_.config().deadlines;
  if (tls != nullptr) {
    conduit.give_up_at(port_.reactor.clock.now() + deadlines.head);
    CO_TRY_VOID(co_await conduit.accept_tls(*tls));
  }
  while (first.size() < http2_preface.size()) {
    conduit.give_up_at(port_.reactor.clock.now() + (first.empty() ? deadlines.idle : deadlines.head));
    std::array<char, 4096> buffer;
    ErrorCode error;
    const std::size_t got = co_await conduit.read_some(asio::buffer(buffer), error);
    if (error) co_return base::fail(Code::caller_gone, "The caller said nothing.");
    first.append(buffer.data(), got);
    const std::size_t compared = std::min(first.size(), http2_preface.size());
    if (first.compare(0, compared, http2_preface, 0, compared) != 0) break;
  }
  conduit.no_deadline();
  co_return first.starts_with(http2_preface);
}

Task<void> Listener::serve_http1(std::shared_ptr<world::Conduit> conduit, std::string_view first) {
  Http1Connection connection(port_, *conduit);
  connections_.insert(&connection);
  co_await connection.run(first);
  connections_.erase(&connection);
}

Task<void> Listener::serve_http2(std::shared_ptr<world::Conduit> conduit, std::string_view first) {
  const auto connection = std::make_shared<Http2Connection>(port_, conduit);
  connections_.insert(connection.get());
  co_await connection->run(first);
  connections_.erase(connection.get());
}

void Listener::drain() {
  port_.draining = true;
  for (const auto& acceptor : acceptors_) {
    ErrorCode ignored;
    acceptor->close(ignored);
  }
  // Telling one may end it, which changes the set.
  const std::vector<Connection*> told(connections_.begin(), connections_.end());
  for (Connection* connection : told) connection->drain();
  for (world::Conduit* conduit : silent_) conduit->close();
}

}  // namespace portolan::gateway
