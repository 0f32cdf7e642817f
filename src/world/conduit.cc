// SPDX-License-Identifier: Apache-2.0
#include "world/conduit.h"

#include <array>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/write.hpp>
#include <poll.h>
#include <sys/socket.h>

namespace portolan::world {
namespace {

constexpr unsigned char alpn_offered[] = "\x02h2\x08http/1.1";

int select_alpn(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in, unsigned in_size,
                void*) {
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, alpn_offered, sizeof alpn_offered - 1, in, in_size) !=
      OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_NOACK;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

Conduit::Conduit(Reactor& reactor, Socket socket)
    : Deadline(reactor.wheel), reactor_(reactor), socket_(std::move(socket)) {}

Conduit::~Conduit() = default;

void Conduit::prepare() {
  ErrorCode ignored;
  socket_.set_option(Tcp::no_delay(true), ignored);
  socket_.non_blocking(true, ignored);
}

Task<base::Result<void>> Conduit::accept_tls(asio::ssl::context& context) {
  tls_ = std::make_unique<asio::ssl::stream<Socket&>>(socket_, context);
  ErrorCode error;
  co_await tls_->async_handshake(asio::ssl::stream_base::server, into(error));
  if (error)
    co_return base::fail(base::Code::network, "TLS handshake with " + peer_address() + ": " + error.message());
  co_return base::Result<void>{};
}

Task<base::Result<void>> Conduit::connect_tls(asio::ssl::context& context, const std::string& host) {
  tls_ = std::make_unique<asio::ssl::stream<Socket&>>(socket_, context);
  SSL_set_tlsext_host_name(tls_->native_handle(), host.c_str());
  tls_->set_verify_mode(asio::ssl::verify_peer);
  tls_->set_verify_callback(asio::ssl::host_name_verification(host));
  ErrorCode error;
  co_await tls_->async_handshake(asio::ssl::stream_base::client, into(error));
  if (error)
    co_return base::fail(base::Code::upstream_refused, "TLS handshake with " + host + ": " + error.message());
  co_return base::Result<void>{};
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

void Conduit::shut_down() {
  ErrorCode ignored;
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

base::Result<std::unique_ptr<asio::ssl::context>> server_tls(const std::string& certificate_file,
                                                             const std::string& private_key_file) {
  auto context = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_server);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  SSL_CTX_set_alpn_select_cb(context->native_handle(), select_alpn, nullptr);
  ErrorCode error;
  context->use_certificate_chain_file(certificate_file, error);
  if (error)
    return base::fail(base::Code::config_invalid, "certificate " + certificate_file + ": " + error.message());
  context->use_private_key_file(private_key_file, asio::ssl::context::pem, error);
  if (error)
    return base::fail(base::Code::config_invalid, "private key " + private_key_file + ": " + error.message());
  return context;
}

base::Result<std::unique_ptr<asio::ssl::context>> client_tls() {
  auto context = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_client);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  ErrorCode error;
  context->set_default_verify_paths(error);
  if (error) return base::fail(base::Code::config_invalid, "system trust store: " + error.message());
  return context;
}

}  // namespace portolan::world
