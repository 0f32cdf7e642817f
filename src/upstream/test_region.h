// SPDX-License-Identifier: Apache-2.0
// For tests: a server on loopback that does with each connection, plain or under TLS, what a script says.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <thread>
#include <vector>

#include "world/tls.h"

namespace portolan::upstream::testing {

namespace asio = boost::asio;
using asio::ip::tcp;

/// One accepted connection, on a thread of its own. Closed when the script ends.
class Line {
 public:
  Line(tcp::socket socket, const world::ServerTls* tls) : socket_(std::move(socket)) {
    boost::system::error_code failure;
    socket_.set_option(tcp::no_delay(true), failure);
    if (tls == nullptr) return;
    tls_ = std::make_unique<asio::ssl::stream<tcp::socket&>>(socket_, tls->context());
    tls_->handshake(asio::ssl::stream_base::server, failure);
    broken_ = failure.failed();
  }

  /// A request without a body; empty when the connection ends first.
  std::string request() {
    std::size_t end;
    while ((end = received_.find("\r\n\r\n")) == std::string::npos) {
      char buffer[4096];
      boost::system::error_code failure;
      const auto room = asio::buffer(buffer);
      const std::size_t got = broken_ ? 0
                              : tls_  ? tls_->read_some(room, failure)
                                      : socket_.read_some(room, failure);
      if (got == 0) return {};
      received_.append(buffer, got);
    }
    std::string whole = received_.substr(0, end + 4);
    received_.erase(0, end + 4);
    return whole;
  }
  void write(std::string_view text) {
    boost::system::error_code failure;
    if (broken_) return;
    tls_ ? asio::write(*tls_, asio::buffer(text), failure) : asio::write(socket_, asio::buffer(text), failure);
  }
  /// Answers one request; false when none came.
  bool answer(std::string_view body) {
    if (request().empty()) return false;
    write("HTTP/1.1 200 OK\r\ncontent-length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body));
    return true;
  }
  /// True when the other side ends the connection; waits for it.
  bool sees_end() { return request().empty(); }
  void say_farewell() {
    boost::system::error_code ignored;
    if (tls_) tls_->shutdown(ignored);
  }
  int handle() { return socket_.native_handle(); }

 private:
  tcp::socket socket_;
  std::unique_ptr<asio::ssl::stream<tcp::socket&>> tls_;
  std::string received_;
  bool broken_ = false;
};

using Script = std::function<void(Line&)>;

class TestRegion {
 public:
  /// The n-th connection gets the n-th script; further ones are closed at once.
  explicit TestRegion(std::vector<Script> scripts, std::shared_ptr<const world::ServerTls> tls = nullptr)
      : scripts_(std::move(scripts)), tls_(std::move(tls)), acceptor_(io_, {asio::ip::address_v4::loopback(), 0}) {
    accepting_ = std::thread([this] { accept(); });
  }
  ~TestRegion() {
    ::shutdown(acceptor_.native_handle(), SHUT_RDWR);
    accepting_.join();
    {
      const std::scoped_lock lock(mutex_);
      for (const int line : lines_) ::shutdown(line, SHUT_RDWR);
    }
    for (std::thread& thread : threads_) thread.join();
  }
  TestRegion(const TestRegion&) = delete;
  TestRegion& operator=(const TestRegion&) = delete;

  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

 private:
  void accept() {
    for (std::size_t count = 0;; ++count) {
      boost::system::error_code failure;
      tcp::socket socket = acceptor_.accept(failure);
      if (failure) return;
      if (count >= scripts_.size()) continue;
      threads_.emplace_back(
          [this, count, connected = std::move(socket)]() mutable { serve(count, std::move(connected)); });
    }
  }
  void serve(std::size_t count, tcp::socket socket) {
    const int handle = socket.native_handle();
    {
      const std::scoped_lock lock(mutex_);
      lines_.push_back(handle);
    }
    Line line(std::move(socket), tls_.get());
    scripts_[count](line);
    const std::scoped_lock lock(mutex_);
    std::erase(lines_, handle);
  }

  std::vector<Script> scripts_;
  std::shared_ptr<const world::ServerTls> tls_;
  asio::io_context io_;
  tcp::acceptor acceptor_;
  std::mutex mutex_;
  std::vector<int> lines_;            // open ones, so that the end need not wait for them
  std::vector<std::thread> threads_;  // one for each connection; touched by accepting_ alone while that runs
  std::thread accepting_;
};

}  // namespace portolan::upstream::testing
