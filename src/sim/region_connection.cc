// SPDX-License-Identifier: Apache-2.0
#include "sim/region_connection.h"

#include <algorithm>
#include <boost/asio/write.hpp>
#include <openssl/ssl.h>

#include "sim/region_http1.h"
#include "sim/region_http2.h"
#include "sim/region_server.h"

namespace portolan::sim {
namespace {
namespace asio = boost::asio;
using boost::system::error_code;
constexpr std::string_view http2_preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
}  // namespace

RegionConnection::RegionConnection(asio::ip::tcp::socket socket, RegionServer& server, asio::ssl::context* tls)
    : socket_(std::move(socket)),
      tls_(tls != nullptr ? std::make_unique<TlsStream>(socket_, *tls) : nullptr),
      server_(server) {}

void RegionConnection::start(bool silent) {
  silent_ = silent;
  error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  // A handshake says something, so a silent Region begins none.
  if (tls_ == nullptr || !silent_) begin();
}

void RegionConnection::begin() {
  if (begun_) return;
  begun_ = true;
  if (tls_ == nullptr) return read();
  tls_->async_handshake(asio::ssl::stream_base::server, [self = shared_from_this()](error_code failure) {
    if (self->closed_) return;
    if (failure) return self->close();
    self->read();
  });
}

void RegionConnection::read() {
  const auto then = [self = shared_from_this()](error_code failure, std::size_t size) {
    if (self->closed_) return;
    if (failure) return self->close();
    self->on_read(size);
  };
  if (tls_ != nullptr)
    tls_->async_read_some(asio::buffer(in_), then);
  else
    socket_.async_read_some(asio::buffer(in_), then);
}

void RegionConnection::on_read(std::size_t size) {
  server_.counts().bytes_in += size;
  std::string_view bytes{in_.data(), size};
  if (!protocol_) {
    preface_ += bytes;
    bytes = preface_;
    if (http2_preface.starts_with(bytes.substr(0, http2_preface.size()))) {
      if (bytes.size() < http2_preface.size()) return read();
      protocol_ = std::make_unique<RegionHttp2>(*this);
    } else {
      protocol_ = std::make_unique<RegionHttp1>(*this);
    }
  }
  const bool understood = closing_ || protocol_->receive(bytes);
  if (closed_) return;
  if (!understood) {
    close_when_sent();
    if (closed_) return;
  }
  read();
}

void RegionConnection::flush() {
  if (silent_ || closed_ || !writing_.empty()) return;
  if (queued_.empty()) {
    if (closing_) say_farewell();
    return;
  }
  writing_.swap(queued_);
  // Counted before the peer can see them; what could not be sent is taken back.
  server_.counts().bytes_out += writing_.size();
  const auto then = [self = shared_from_this()](error_code failure, std::size_t size) {
    self->on_written(failure, size);
  };
  if (tls_ != nullptr)
    asio::async_write(*tls_, asio::buffer(writing_), then);
  else
    asio::async_write(socket_, asio::buffer(writing_), then);
}

void RegionConnection::on_written(error_code failure, std::size_t size) {
  std::uint64_t& bytes_out = server_.counts().bytes_out;
  bytes_out -= std::min<std::uint64_t>(bytes_out, writing_.size() - size);
  writing_.clear();
  if (closed_) return;
  if (failure) return close();
  flush();
}

/// Under TLS an orderly end is said (RFC 8446 section 6.1), without waiting for the caller's own word.
void RegionConnection::say_farewell() {
  if (tls_ == nullptr || SSL_is_init_finished(tls_->native_handle()) == 0) return close();
  if (std::exchange(farewell_said_, true)) return;
  SSL_set_shutdown(tls_->native_handle(), SSL_RECEIVED_SHUTDOWN);
  tls_->async_shutdown([self = shared_from_this()](error_code) { self->close(); });
}

void RegionConnection::close_when_sent() {
  closing_ = true;
  flush();
}

void RegionConnection::reset() {
  if (closed_) return;
  error_code ignored;
  socket_.set_option(asio::socket_base::linger(true, 0), ignored);
  close();
}

void RegionConnection::set_silent(bool silent) {
  silent_ = silent;
  if (silent) return;
  begin();
  flush();
}

void RegionConnection::close() {
  if (closed_) return;
  closed_ = true;
  error_code ignored;
  socket_.close(ignored);
  if (protocol_) protocol_->abandon();
  server_.forget(*this);
}

}  // namespace portolan::sim
