// SPDX-License-Identifier: Apache-2.0
// One TCP connection, plain or under TLS, with one deadline for whatever it waits for.
//
// The network door: gateway and upstream read and write through it and never see OpenSSL. Belongs to one reactor. A
// read and a write may be in progress at the same time; two reads or two writes may not. When the deadline runs out
// the operations in progress end with an error and timed_out() says why.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "world/reactor.h"

namespace portolan::world {

class Conduit final : private Deadline {
 public:
  Conduit(Reactor& reactor, Socket socket);
  ~Conduit() override;

  /// Sets TCP_NODELAY and non-blocking mode. Call once, after accept or connect.
  void prepare();

  /// Performs the TLS handshake as server or client; `alpn` tells what was agreed ("h2", "http/1.1" or empty).
  Task<base::Result<void>> accept_tls(asio::ssl::context& context);
  Task<base::Result<void>> connect_tls(asio::ssl::context& context, const std::string& host);
  bool is_tls() const { return tls_ != nullptr; }
  std::string_view alpn() const;
  std::string tls_version() const;  // "TLSv1.3"
  std::string tls_cipher() const;   // "TLS_AES_128_GCM_SHA256"

  /// Reads what is there, at least one byte. 0 with an error set at the end of the stream.
  Task<std::size_t> read_some(asio::mutable_buffer buffer, ErrorCode& error);
  /// Writes all of both pieces (the second may be empty). Tries at once and waits only for what the kernel did not
  /// take.
  Task<bool> write(std::string_view first, std::string_view second, ErrorCode& error);
  Task<bool> write(std::string_view bytes, ErrorCode& error) { return write(bytes, {}, error); }

  /// From now until disarmed: what still waits at `at` fails.
  void give_up_at(base::Instant at) { arm(at); }
  void no_deadline() { disarm(); }
  bool timed_out() const { return expired(); }
  /// What waits now ends with an error; the connection stays open.
  void cancel();

  /// True while the peer has neither closed nor sent anything: an idle pooled connection may be used again.
  bool is_quiet();
  /// True when the peer has reset the connection, as far as the kernel knows by now. A peer that only ended its
  /// sending side may still wait for its answer.
  bool peer_reset();
  /// The same, or it has ended its sending side, whatever it sent before that is still unread.
  bool peer_closed();
  bool is_open() const { return socket_.is_open(); }
  /// Ends the sending side so that the peer reads an orderly end.
  void shut_down();
  void close();

  Socket& socket() { return socket_; }
  Reactor& reactor() { return reactor_; }
  std::string peer_address() const;

 private:
  void on_expired() override;
  Task<bool> write_rest(std::string_view first, std::string_view second, ErrorCode& error);

  Reactor& reactor_;
  Socket socket_;
  std::unique_ptr<asio::ssl::stream<Socket&>> tls_;
};

/// A TLS context for a listener: TLS 1.2 and 1.3, ALPN h2 then http/1.1. Code::config_invalid with OpenSSL's
/// reason.
base::Result<std::unique_ptr<asio::ssl::context>> server_tls(const std::string& certificate_file,
                                                             const std::string& private_key_file);
/// A TLS context for upstream connections: the system's trust store, names verified.
base::Result<std::unique_ptr<asio::ssl::context>> client_tls();

}  // namespace portolan::world
