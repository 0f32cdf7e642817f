// SPDX-License-Identifier: Apache-2.0
// One accepted connection of a Region: bytes in and out, counted; the protocol is told by the first bytes (the
// HTTP/2 preface, or else HTTP/1.1). Under TLS the bytes counted are those inside. All on the sandbox's thread.
#pragma once

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace portolan::sim {

class RegionServer;

/// Speaks HTTP on a connection, which owns it.
class RegionProtocol {
 public:
  virtual ~RegionProtocol() = default;
  /// Takes what arrived. False: nothing more can be understood; the connection closes once its output is sent.
  virtual bool receive(std::string_view bytes) = 0;
  /// The connection has gone; exchanges in progress end.
  virtual void abandon() = 0;
};

class RegionConnection : public std::enable_shared_from_this<RegionConnection> {
 public:
  /// `tls` null: plain.
  RegionConnection(boost::asio::ip::tcp::socket socket, RegionServer& server, boost::asio::ssl::context* tls);

  void start(bool silent);
  void queue(std::string_view bytes) { queued_ += bytes; }
  void flush();
  void close_when_sent();
  /// RST, at once.
  void reset();
  /// While silent nothing is written; what is queued waits.
  void set_silent(bool silent);

  std::size_t backlog() const { return queued_.size() + writing_.size(); }
  bool closed() const { return closed_; }
  RegionServer& server() { return server_; }

 private:
  using TlsStream = boost::asio::ssl::stream<boost::asio::ip::tcp::socket&>;
  void begin();
  void read();
  void on_read(std::size_t size);
  void on_written(boost::system::error_code failure, std::size_t size);
  void say_farewell();
  void close();

  boost::asio::ip::tcp::socket socket_;
  std::unique_ptr<TlsStream> tls_;  // null: plain
  RegionServer& server_;
  std::unique_ptr<RegionProtocol> protocol_;
  std::string preface_;  // what came before the protocol was known
  std::string queued_;
  std::string writing_;  // in the hands of an async_write
  bool begun_ = false;   // reads, or shakes hands
  bool silent_ = false;
  bool closing_ = false;
  bool farewell_said_ = false;
  bool closed_ = false;
  std::array<char, 16 * 1024> in_;
};

}  // namespace portolan::sim
