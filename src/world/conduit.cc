// SPDX-License-Identifier: Apache-2.0
#include "world/conduit.h"

#include <array>
#include <boost/asio/write.hpp>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

namespace portolan::world {
namespace {

constexpr base::Duration farewell_max = base::seconds{1};

}  // namespace

Conduit::Conduit(Reactor& reactor, Socket socket)
    : Deadline(reactor.wheel), reactor_(reactor), socket_(std::move(socket)) {}

Conduit::~Conduit() = default;

void Conduit::prepare() {
  ErrorCode ignored;
  socket_.set_option(Tcp::no_delay(true), ignored);
  socket_.non_blocking(true, ignored);
}

Task<base::Result<void>> Conduit::accept_tls(const ServerTls& tls) {
  tls_ = std::make_unique<asio::ssl::stream<Socket&>>(socket_, tls.context());
  ErrorCode error;
  co_await tls_->async_handshake(asio::ssl::stream_base::server, into(error));
  if (error)
    co_return base::fail(base::Code::network, "TLS handshake with " + peer_address() + ": " + error.message());
  co_return base::Result<void>{};
}

Task<base::Result<void>> Conduit::connect_tls(const ClientTls& tls, const std::string& host) {
  tls_ = std::make_unique<asio::ssl::stream<Socket&>>(socket_, tls.context());
  SSL* ssl = tls_->native_handle();
  // An address is looked for among the certificate's addresses, and is no name to ask for (RFC 6066 section 3).
  if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str()) != 1) {
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (SSL_set1_host(ssl, host.c_str()) != 1 || SSL_set_tlsext_host_name(ssl, host.c_str()) != 1)
      co_return base::fail(base::Code::upstream_refused, "TLS handshake: the name cannot be asked for");
  }
  ErrorCode error;
  co_await tls_->async_handshake(asio::ssl::stream_base::client, into(error));
  if (!error) co_return base::Result<void>{};
  if (const long verdict = SSL_get_verify_result(ssl); verdict != X509_V_OK)
    co_return base::fail(base::Code::upstream_untrusted,
                         std::string{"its certificate is not trusted: "} + X509_verify_cert_error_string(verdict));
  co_return base::fail(base::Code::upstream_refused, "TLS handshake: " + error.message());
}

std::string_view Conduit::alpn() const {
  if (tls_ == nullptr) return {};
  const unsigned char* protocol = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(tls_->native_handle(), &protocol, &size);
  return {reinterpret_cast<const char*>(protocol), size};
}

std::string Conduit::tls_version() const {
  return tls_ != nullptr ? SSL_get_version(tls_->native_handle()) : "";
}

std::string Conduit::tls_cipher() const {
  return tls_ != nullptr ? SSL_get_cipher_name(tls_->native_handle()) : "";
}

std::vector<std::string> Conduit::peer_names() const {
  if (tls_ == nullptr) return {};
  return world::peer_names(tls_->native_handle());
}

Task<std::size_t> Conduit::read_some(asio::mutable_buffer buffer, ErrorCode& error) {
  // Not coroutines themselves: they hand on the operation's own awaitable, which saves a frame a read.
  if (tls_ != nullptr) return tls_->async_read_some(buffer, into(error));
  return socket_.async_read_some(buffer, into(error));
}

Task<bool> Conduit::write(std::string_view first, std::string_view second, ErrorCode& error) {
  error.clear();
  if (tls_ == nullptr) {
    const std::array<asio::const_buffer, 2> pieces{asio::buffer(first), asio::buffer(second)};
    const std::size_t sent = socket_.write_some(pieces, error);
    if (!error && sent == first.size() + second.size()) co_return true;
    if (error && error != asio::error::would_block && error != asio::error::try_again) co_return false;
    error.clear();
    const std::size_t of_first = std::min(sent, first.size());
    first.remove_prefix(of_first);
    second.remove_prefix(sent - of_first);
  }
  co_return co_await write_rest(first, second, error);
}

Task<bool> Conduit::write_rest(std::string_view first, std::string_view second, ErrorCode& error) {
  const std::array<asio::const_buffer, 2> pieces{asio::buffer(first), asio::buffer(second)};
  if (tls_ != nullptr)
    co_await asio::async_write(*tls_, pieces, into(error));
  else
    co_await asio::async_write(socket_, pieces, into(error));
  co_return !error;
}

bool Conduit::is_quiet() {
  if (!socket_.is_open()) return false;
  if (tls_ != nullptr) {
    // What waits may be no more than session tickets, so records are taken and judged. The socket does not block.
    char stray = 0;
    ErrorCode error;
    const std::size_t got = tls_->read_some(asio::buffer(&stray, 1), error);
    return got == 0 && (error == asio::error::would_block || error == asio::error::try_again);
  }
  char byte = 0;
  const ssize_t got = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

bool Conduit::peer_reset() {
  if (!socket_.is_open()) return true;
  char byte = 0;
  const ssize_t got = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR;
}

bool Conduit::peer_closed() {
  if (!socket_.is_open()) return true;
  pollfd state{.fd = socket_.native_handle(), .events = POLLRDHUP, .revents = 0};
  return ::poll(&state, 1, 0) > 0;
}

Task<void> Conduit::shut_down() {
  ErrorCode ignored;
  SSL* ssl = tls_ != nullptr ? tls_->native_handle() : nullptr;
  const bool owes_word = ssl != nullptr && socket_.is_open() && SSL_is_init_finished(ssl) != 0 &&
                         (SSL_get_shutdown(ssl) & SSL_SENT_SHUTDOWN) == 0;
  if (owes_word) {
    // As if the peer had said its word already: else the operation would wait for it.
    const int received = SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN;
    SSL_set_shutdown(ssl, SSL_RECEIVED_SHUTDOWN);
    give_up_at(reactor_.clock.now() + farewell_max);
    co_await tls_->async_shutdown(into(ignored));
    no_deadline();
    SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | received);
  }
  socket_.shutdown(Tcp::socket::shutdown_send, ignored);
}

void Conduit::close() {
  disarm();
  ErrorCode ignored;
  socket_.close(ignored);
}

std::string Conduit::peer_address() const {
  ErrorCode error;
  const auto endpoint = socket_.remote_endpoint(error);
  return error ? "unknown" : endpoint.address().to_string();
}

// Cancelling leaves the connection open: the waiter is told and decides what to do with it.
void Conduit::cancel() {
  ErrorCode ignored;
  socket_.cancel(ignored);
}

void Conduit::on_expired() {
  cancel();
}

}  // namespace portolan::world
