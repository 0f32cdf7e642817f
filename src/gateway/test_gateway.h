// SPDX-License-Identifier: Apache-2.0
// For tests: a listener on a loopback port before Regions that follow a script, and a caller on a blocking socket.
#pragma once

#include <arpa/inet.h>
#include <chrono>
#include <future>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include "gateway/listener.h"
#include "gateway/test_conversation.h"

namespace portolan::gateway::testing {

class ListeningGateway : public Ground<world::RealClock> {
 public:
  explicit ListeningGateway(std::string_view more_configuration = "") : Ground(more_configuration) {
    port_ = listener_.listen("127.0.0.1", 0, Listener::Speaks::plain).value();
  }
  ~ListeningGateway() {
    drain();
    // Callers are gone by now: what waits for them, or for its record, ends and frees itself.
    if (thread_.joinable()) empties();
    recorder->flush();
    if (thread_.joinable()) on_reactor([] {});
    reactor.io.stop();
    if (thread_.joinable()) thread_.join();
  }

  /// Opens a TLS port too. Before start().
  std::uint16_t listen_tls(std::shared_ptr<const world::ServerTls> tls) {
    listener_.use_tls(std::move(tls));
    return listener_.listen("127.0.0.1", 0, Listener::Speaks::tls).value();
  }
  void use_tls(std::shared_ptr<const world::ServerTls> tls) {
    on_reactor([&] { listener_.use_tls(std::move(tls)); });
  }

  /// After the scripts are written: from now on the reactor's thread reads them.
  std::uint16_t start() {
    thread_ = std::thread([this] { reactor.io.run(); });
    return port_;
  }
  void drain() {
    if (thread_.joinable()) on_reactor([this] { listener_.drain(); });
  }
  /// Puts the same configuration in force anew, and the one before out of memory.
  void reload() {
    auto after = std::make_shared<const Snapshot>(snapshot->config, allowances);
    on_reactor([&] { journey.use(after); });
    snapshot = std::move(after);
  }
  std::size_t connections() {
    std::size_t count = 0;
    on_reactor([&] { count = listener_.connections(); });
    return count;
  }
  /// True when no connection is left within a second.
  bool empties() {
    for (int i = 0; i < 200 && connections() > 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds{5});
    return connections() == 0;
  }
  int open_flows() {
    int count = 0;
    on_reactor([&] { count = regions.open_flows(); });
    return count;
  }
  /// True when nothing waits on a Region any more, within three seconds.
  bool abandons() {
    for (int i = 0; i < 600 && open_flows() > 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds{5});
    return open_flows() == 0;
  }
  /// The records of all calls, once as many are over.
  std::vector<Json> records_of(std::size_t calls) {
    for (int i = 0; i < 600 && records() < calls; ++i) std::this_thread::sleep_for(std::chrono::milliseconds{5});
    std::vector<Json> found;
    EXPECT_TRUE(trail::scan(disk, "data/trail", [&found](std::string_view json) {
      found.push_back(Json::parse(json));
      return true;
    }));
    return found;
  }
  std::size_t records() {
    recorder->flush();
    std::size_t count = 0;
    EXPECT_TRUE(trail::scan(disk, "data/trail", [&count](std::string_view) { return ++count > 0; }));
    return count;
  }

  Occupancy occupancy;

 private:
  template <class Work>
  void on_reactor(Work work) {
    std::promise<void> done;
    world::asio::post(reactor.io, [&] {
      work();
      done.set_value();
    });
    done.get_future().wait();
  }

  Listener listener_{reactor, journey, counters, occupancy};
  std::uint16_t port_ = 0;
  std::thread thread_;
};

/// A caller that waits at most five seconds for anything.
class Caller {
 public:
  explicit Caller(std::uint16_t port, int receive_buffer_bytes = 0) {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer_bytes > 0)
      ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
  }
  ~Caller() { ::close(socket_); }
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;

  void end_sending() { ::shutdown(socket_, SHUT_WR); }
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  /// Reads until what was received holds `text`, and takes everything up to its end. What came instead, if it never
  /// does.
  std::string until(std::string_view text) {
    std::size_t found;
    while ((found = received_.find(text)) == std::string::npos && read_more()) {
    }
    const std::size_t end = found == std::string::npos ? received_.size() : found + text.size();
    std::string taken = received_.substr(0, end);
    received_.erase(0, end);
    return taken;
  }
  std::string until_closed() {
    while (read_more()) {
    }
    return std::exchange(received_, {});
  }
  /// One read of what is there; empty at the end.
  std::string some() {
    if (received_.empty()) read_more();
    return std::exchange(received_, {});
  }
  bool closed() const { return closed_; }
  bool was_reset() const { return reset_; }

 private:
  bool read_more() {
    pollfd ready{.fd = socket_, .events = POLLIN, .revents = 0};
    if (closed_ || ::poll(&ready, 1, 5000) <= 0) return false;
    char buffer[65536];
    const ssize_t size = ::recv(socket_, buffer, sizeof buffer, 0);
    closed_ = size <= 0;
    reset_ = size < 0;
    if (size > 0) received_.append(buffer, static_cast<std::size_t>(size));
    return !closed_;
  }

  int socket_ = -1;
  std::string received_;
  bool closed_ = false;
  bool reset_ = false;
};

}  // namespace portolan::gateway::testing
