// SPDX-License-Identifier: Apache-2.0
// For tests: a small caller on blocking sockets that signs with a signer of its own, reads HTTP/1.1 replies with a
// time limit on every wait, and takes event streams apart.
#pragma once

#include <algorithm>
#include <arpa/inet.h>
#include <chrono>
#include <cstdint>
#include <map>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/sha256.h"
#include "base/time.h"

namespace portolan::sim::testing {

struct TestCredentials {
  std::string access_key_id = "AKIDSANDBOX";
  std::string secret = "sandbox-secret";
  std::string region;
};

/// The headers a minimal signer adds: host and x-amz-date signed, the path encoded once more.
inline std::vector<std::pair<std::string, std::string>> sign(const TestCredentials& credentials,
                                                             std::string_view method, std::string_view path,
                                                             std::string_view host, std::string_view body,
                                                             base::WallTime at,
                                                             std::string_view host_name = "host") {
  const auto text = [](const base::Digest& digest) {
    return std::string(reinterpret_cast<const char*>(digest.data()), digest.size());
  };
  std::string encoded;
  for (const char c : path) {
    if (c == '/')
      encoded += '/';
    else
      base::percent_encode(std::string_view(&c, 1), encoded);
  }
  const std::string date = base::amz_date(at);
  const std::string scope = date.substr(0, 8) + "/" + credentials.region + "/bedrock/aws4_request";
  const std::string names = std::string(host_name) + ";x-amz-date";
  const std::string canonical = std::string(method) + "\n" + encoded + "\n\n" + std::string(host_name) + ":" +
                                std::string(host) + "\nx-amz-date:" + date + "\n\n" + names + "\n" +
                                base::to_hex(base::sha256(body));
  const std::string to_sign =
      "AWS4-HMAC-SHA256\n" + date + "\n" + scope + "\n" + base::to_hex(base::sha256(canonical));
  std::string key = "AWS4" + credentials.secret;
  for (const std::string& step :
       {date.substr(0, 8), credentials.region, std::string("bedrock"), std::string("aws4_request")})
    key = text(base::HmacKey(key).mac(step));
  return {{"x-amz-date", date},
          {"authorization", "AWS4-HMAC-SHA256 Credential=" + credentials.access_key_id + "/" + scope +
                                ", SignedHeaders=" + names +
                                ", Signature=" + base::to_hex(base::HmacKey(key).mac(to_sign))}};
}

struct Event {
  std::map<std::string, std::string> headers;
  std::string payload;
  bool crc_right = true;
};

/// Whole frames at the start of `bytes`; an incomplete last one is left out.
inline std::vector<Event> events_of(std::string_view bytes) {
  std::vector<Event> events;
  while (bytes.size() >= 16) {
    const auto* at = reinterpret_cast<const std::uint8_t*>(bytes.data());
    const std::uint32_t total = base::get_be32(at);
    const std::uint32_t headers_size = base::get_be32(at + 4);
    if (total < 16 + headers_size || total > bytes.size()) break;
    Event event;
    event.crc_right = base::crc32({at, 8}) == base::get_be32(at + 8) &&
                      base::crc32({at, total - 4}) == base::get_be32(at + total - 4);
    std::string_view headers = bytes.substr(12, headers_size);
    while (!headers.empty()) {
      const auto name_size = static_cast<std::uint8_t>(headers[0]);
      const std::string name{headers.substr(1, name_size)};
      const std::size_t value_size =
          base::get_be16(reinterpret_cast<const std::uint8_t*>(headers.data()) + 2 + name_size);
      event.headers[name] = headers.substr(4 + name_size, value_size);
      headers.remove_prefix(4 + name_size + value_size);
    }
    event.payload = bytes.substr(12 + headers_size, total - headers_size - 16);
    events.push_back(std::move(event));
    bytes.remove_prefix(total);
  }
  return events;
}

struct Received {
  int status = 0;
  std::map<std::string, std::string> headers;
  std::string body;  // chunks joined
  std::size_t chunks = 0;
  bool complete = false;   // the end of the reply was there
  bool closed = false;     // the connection ended
  bool was_reset = false;  // … with RST
  bool timed_out = false;
  double elapsed_ms = 0;
  std::size_t bytes = 0;  // as received
};

class TestConnection {
 public:
  TestConnection(const std::string& address, std::uint16_t port) : host_(address + ":" + std::to_string(port)) {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    inet_pton(AF_INET, address.c_str(), &to.sin_addr);
    connected_ = ::connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
    error_ = connected_ ? 0 : errno;
  }
  ~TestConnection() { ::close(socket_); }
  TestConnection(const TestConnection&) = delete;
  TestConnection& operator=(const TestConnection&) = delete;

  bool connected() const { return connected_; }
  int connect_error() const { return error_; }
  const std::string& host() const { return host_; }
  std::size_t bytes_sent() const { return bytes_sent_; }

  void send(std::string_view bytes) {
    bytes_sent_ += bytes.size();
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  void post(const TestCredentials& credentials, const std::string& path, const std::string& body) {
    std::string text = "POST " + path + " HTTP/1.1\r\nHost: " + host_ + "\r\nContent-Type: application/json\r\n";
    const base::WallTime now = std::chrono::floor<base::microseconds>(std::chrono::system_clock::now());
    for (const auto& [name, value] : sign(credentials, "POST", path, host_, body, now))
      text += name + ": " + value + "\r\n";
    started_ = std::chrono::steady_clock::now();
    send(text + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  }

  /// Reads one reply, or what comes of it within the limit.
  Received receive(std::chrono::milliseconds limit = std::chrono::seconds{10}) {
    Received reply;
    const auto until = std::chrono::steady_clock::now() + limit;
    while (!parse(reply) && !reply.closed) {
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
      pollfd ready{.fd = socket_, .events = POLLIN, .revents = 0};
      if (left.count() <= 0 || ::poll(&ready, 1, static_cast<int>(left.count())) <= 0) {
        reply.timed_out = true;
        break;
      }
      char buffer[65536];
      const ssize_t size = ::recv(socket_, buffer, sizeof buffer, 0);
      if (size > 0) {
        in_.append(buffer, static_cast<std::size_t>(size));
        bytes_received_ += static_cast<std::size_t>(size);
      } else {
        reply.closed = true;
        reply.was_reset = size < 0;
      }
    }
    if (reply.complete) in_.erase(0, reply_size_);
    reply.bytes = bytes_received_;
    reply.elapsed_ms =
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - started_).count();
    return reply;
  }

 private:
  // Reads all of in_ from its start: wasteful, and simple. True when the reply is complete.
  bool parse(Received& reply) {
    const std::size_t head_end = in_.find("\r\n\r\n");
    if (head_end == std::string::npos) return false;
    const std::string_view head = std::string_view(in_).substr(0, head_end + 2);
    reply.status = std::stoi(std::string(head.substr(9, 3)));
    reply.headers.clear();
    for (std::size_t line = head.find("\r\n") + 2; line < head.size();) {
      const std::size_t end = head.find("\r\n", line);
      const std::size_t colon = head.find(": ", line);
      reply.headers[std::string(head.substr(line, colon - line))] = head.substr(colon + 2, end - colon - 2);
      line = end + 2;
    }
    std::string_view rest = std::string_view(in_).substr(head_end + 4);
    if (!reply.headers.contains("transfer-encoding")) {
      const std::size_t length = std::stoul(reply.headers.at("content-length"));
      reply.body = rest.substr(0, length);
      reply.complete = rest.size() >= length;
      reply_size_ = head_end + 4 + length;
      return reply.complete;
    }
    reply.body.clear();
    reply.chunks = 0;
    while (true) {
      const std::size_t line = rest.find("\r\n");
      if (line == std::string_view::npos) return false;
      const std::size_t size = std::stoul(std::string(rest.substr(0, line)), nullptr, 16);
      if (rest.size() < line + 2 + size + 2) return false;
      reply.body += rest.substr(line + 2, size);
      rest.remove_prefix(line + 2 + size + 2);
      if (size == 0) break;
      ++reply.chunks;
    }
    reply_size_ = in_.size() - rest.size();
    return reply.complete = true;
  }

  int socket_ = -1;
  bool connected_ = false;
  int error_ = 0;
  std::string host_;
  std::string in_;
  std::size_t reply_size_ = 0;
  std::size_t bytes_sent_ = 0;
  std::size_t bytes_received_ = 0;
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
};

}  // namespace portolan::sim::testing
