// SPDX-License-Identifier: Apache-2.0
// One TCP connection, plain or under TLS, with one deadline for whatever it waits for.
//
// The network door: gateway and upstream read and write through it and never see OpenSSL. Belongs to one reactor. A
// read and a write may be in progress at the same time; two reads or two writes may not. When the deadline runs out
// the operations in progress end with an error and timed_out() says why.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "world/reactor.h"
#include "world/tls.h"

namespace portolan::world {

class Conduit final : private Deadline {
 public:
  Conduit(Reactor& reactor, Socket socket);
  ~Conduit() override;

  /// Sets TCP_NODELAY and non-blocking mode. Call once, after accept or connect.
  void prepare();

  /// Performs the TLS handshake as server or client. `alpn` tells what was agreed ("h2", "http/1.1" or empty). The
  /// server's name, or its address when `host` is one, is verified: Code::upstream_untrusted when its certificate
  /// is not to be believed, with the reason; Code::upstream_refused when the handshake failed otherwise. Callers
  /// that fail it are Code::network.
  Task<base::Result<void>> accept_tls(const ServerTls& tls);
  Task<base::Result<void>> connect_tls(const ClientTls& tls, const std::string& host);
  bool is_tls() const { return tls_ != nullptr; }
  std::string_view alpn() const;
  std::string tls_version() const;  // "TLSv1.3"
  std::string tls_cipher() const;   // "TLS_AES_128_GCM_SHA256"
  /// Of the certificate that the peer showed and that was verified (tls.h); empty when it showed none.
  std::vector<std::string> peer_names() const;

  /// Reads what is there, at least one byte. 0 with an error set at the end of the stream: asio::error::eof when
  /// the peer ended it in order; under TLS asio::ssl::error::stream_truncated when the connection ended without the
  /// peer's word (RFC 8446 section 6.1), which an attacker can bring about.
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

  /// True while the peer has neither closed nor sent anything: an idle pooled connection may be used again. When it
  /// is false under TLS what came is lost. Not while a read is in progress.
  bool is_quiet();
  /// True when the peer has reset the connection, as far as the kernel knows by now. A peer that only ended its
  /// sending side may still wait for its answer.
  bool peer_reset();
  /// The same, or it has ended its sending side, whatever it sent before that is still unread.
  bool peer_closed();
  bool is_open() const { return socket_.is_open(); }
  /// Ends the sending side so that the peer reads an orderly end: under TLS with a close_notify, which is given a
  /// second to leave. Reading goes on. Not while a write is in progress. The deadline is disarmed.
  Task<void> shut_down();
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

}  // namespace portolan::world
