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

namespace {

constexpr std::size_t turned_away_max = 128;  // at a time, for each reactor; more are closed without a word
constexpr base::Duration turning_away_max = base::seconds{1};
constexpr std::string_view full_answer =
    "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
// Empty SETTINGS, which must come first, and GOAWAY: no stream was taken, ENHANCE_YOUR_CALM (RFC 9113 section 6.8).
constexpr std::string_view full_goaway{
    "\0\0\0\4\0\0\0\0\0"
    "\0\0\x1c\7\0\0\0\0\0"
    "\0\0\0\0\0\0\0\x0b"
    "too many connections",
    9 + 9 + 8 + 20};

}  // namespace

Listener::Listener(world::Reactor& reactor, Journey& journey, observe::Counters& counters, Occupancy& occupancy)
    : port_(reactor, journey, counters, occupancy) {}

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

Result<std::uint16_t> Listener::listen(const std::string& address, std::uint16_t port, Speaks speaks) {
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
  const std::uint16_t taken = acceptor->local_endpoint().port();
  begin(std::move(acceptor), speaks);
  return taken;
}

Result<void> Listener::adopt(world::Descriptor listening, Speaks speaks) {
  auto acceptor = std::make_shared<Acceptor>(port_.reactor.io.get_executor());
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  ErrorCode error;
  if (::getsockname(listening.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    error = ErrorCode(errno, boost::system::system_category());
  if (!error)
    acceptor->assign(address.ss_family == AF_INET6 ? world::Tcp::v6() : world::Tcp::v4(), listening.get(), error);
  if (error) return base::fail(Code::config_invalid, "an inherited socket cannot be used: " + error.message());
  listening.release();
  begin(std::move(acceptor), speaks);
  return {};
}

std::vector<int> Listener::sockets() const {
  std::vector<int> sockets;
  for (const auto& acceptor : acceptors_) sockets.push_back(acceptor->native_handle());
  return sockets;
}

void Listener::begin(std::shared_ptr<Acceptor> acceptor, Speaks speaks) {
  acceptors_.push_back(acceptor);
  asio::co_spawn(port_.reactor.io, accept(std::move(acceptor), speaks), asio::detached);
}

Task<void> Listener::accept(std::shared_ptr<Acceptor> acceptor, Speaks speaks) {
  while (acceptor->is_open()) {
    world::Socket socket(port_.reactor.io.get_executor());
    ErrorCode error;
    co_await acceptor->async_accept(socket, world::into(error));
    if (error == asio::error::operation_aborted || (error && !acceptor->is_open())) break;
    if (error) {
      co_await make_room(*acceptor);
      continue;
    }
    const bool full = is_full(socket);
    // Open before it is counted: whoever sees the count sees that it is open, until it is not any more.
    if (!full) port_.counters.connections_open.fetch_add(1, std::memory_order_relaxed);
    port_.counters.connections.fetch_add(1, std::memory_order_relaxed);
    auto conduit = std::make_shared<world::Conduit>(port_.reactor, std::move(socket));
    conduit->prepare();
    // A connection keeps the certificates that it began with, whatever is reloaded meanwhile.
    const TlsPointer tls = speaks == Speaks::tls ? tls_ : nullptr;
    if (full) {
      port_.counters.connections_refused.fetch_add(1, std::memory_order_relaxed);
      if (turned_away_ == turned_away_max) continue;
      ++turned_away_;
      silent_.insert(conduit.get());
      asio::co_spawn(port_.reactor.io, turn_away(conduit, tls), asio::detached);
      continue;
    }
    port_.occupancy.connections.fetch_add(1, std::memory_order_relaxed);
    silent_.insert(conduit.get());  // at once, so that a drain finds it
    asio::co_spawn(port_.reactor.io, serve(conduit, tls), asio::detached);
  }
}

/// One connection too many, or so few descriptors left that Regions and the trail would soon lack them.
bool Listener::is_full(world::Socket& newest) const {
  if (port_.occupancy.connections.load(std::memory_order_relaxed) >= port_.config().limits.connections_max)
    return true;
  const auto descriptor = static_cast<std::size_t>(newest.native_handle());
  return descriptor >= world::descriptors_max() / 4 * 3;
}

/// No connection could be accepted: no descriptor is left, or the caller has gone already. Those that wait are told
/// rather than left, a bounded number at a time; then a pause, so that this never spins.
Task<void> Listener::make_room(Acceptor& acceptor) {
  for (int told = 0; told < 64 && spare_.turn_away_one(acceptor.native_handle(), full_answer); ++told) {
    port_.counters.connections.fetch_add(1, std::memory_order_relaxed);
    port_.counters.connections_refused.fetch_add(1, std::memory_order_relaxed);
  }
  co_await world::sleep_for(base::milliseconds{50}, port_.reactor.clock);
}

Task<void> Listener::serve(std::shared_ptr<world::Conduit> conduit, TlsPointer tls) {
  std::string first;
  const Result<bool> http2 = co_await speaks_http2(*conduit, tls, port_.config().deadlines.idle, first);
  silent_.erase(conduit.get());
  if (http2 && *http2)
    co_await serve_http2(conduit, first);
  else if (http2)
    co_await serve_http1(conduit, first);
  port_.counters.connections_open.fetch_sub(1, std::memory_order_relaxed);
  port_.occupancy.connections.fetch_sub(1, std::memory_order_relaxed);
}

/// In the protocol that the caller speaks, once it has said which; and what it sends is read for a moment, for
/// closing on unread bytes would reset the connection before the answer is read (RFC 9112 section 9.6).
Task<void> Listener::turn_away(std::shared_ptr<world::Conduit> conduit, TlsPointer tls) {
  std::string first;
  const Result<bool> http2 = co_await speaks_http2(*conduit, tls, turning_away_max, first);
  ErrorCode error;
  conduit->give_up_at(port_.reactor.clock.now() + turning_away_max);
  const std::string_view answer = http2 && *http2 ? full_goaway : full_answer;
  const bool told = co_await conduit->write(answer, error);
  if (told) {
    co_await conduit->shut_down();
    conduit->give_up_at(port_.reactor.clock.now() + turning_away_max);
    std::array<char, 4096> dropped;
    while (!error) co_await conduit->read_some(asio::buffer(dropped), error);
  }
  silent_.erase(conduit.get());
  --turned_away_;
}

/// By the HTTP/2 preface, which both ALPN and prior knowledge begin with. `first` gets the bytes that were read.
Task<Result<bool>> Listener::speaks_http2(world::Conduit& conduit, TlsPointer tls, base::Duration silence_max,
                                          std::string& first) {
  const config::Deadlines deadlines = port_.config().deadlines;
  if (tls != nullptr) {
    conduit.give_up_at(port_.reactor.clock.now() + std::min(silence_max, deadlines.head));
    const Result<void> agreed = co_await conduit.accept_tls(*tls);
    if (!agreed) {
      port_.counters.tls_handshakes_failed.fetch_add(1, std::memory_order_relaxed);
      co_return base::fail(agreed.error());
    }
  }
  while (first.size() < http2_preface.size()) {
    if (port_.draining) silence_max = std::min(silence_max, drain_grace);
    conduit.give_up_at(port_.reactor.clock.now() +
                       (first.empty() ? silence_max : std::min(silence_max, deadlines.head)));
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
  if (port_.draining) connection->drain();
  co_await connection->run(first);
  connections_.erase(connection.get());
}

void Listener::drain() {
  if (port_.draining) return;
  port_.draining = true;
  for (const auto& acceptor : acceptors_) {
    // Given up rather than closed: of a socket that a successor has too, closing would leave the reactor its
    // events.
    ErrorCode ignored;
    const world::Descriptor listening(acceptor->release(ignored));
  }
  // Telling one may end it, which changes the set.
  const std::vector<Connection*> told(connections_.begin(), connections_.end());
  for (Connection* connection : told) connection->drain();
  const base::Instant by = port_.reactor.clock.now() + drain_grace;
  for (world::Conduit* conduit : silent_) conduit->give_up_at(by);
}

}  // namespace portolan::gateway
