// SPDX-License-Identifier: Apache-2.0
// The TLS port on real sockets: how connections begin, how they end, and what a reload changes.
#include "gateway/listener.h"

#include <openssl/ssl.h>

#include "gateway/test_gateway.h"
#include "sim/test_certificates.h"

namespace portolan::gateway::testing {
namespace {

using sim::testing::Certificates;
using sim::testing::wall_now;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::string hello = converse_reply("Hello.");

std::shared_ptr<const world::ServerTls> show(const world::CertificateFiles& files) {
  return world::ServerTls::load({.certificates = {files}}, wall_now()).value();
}

/// A caller under TLS that waits at most five seconds for anything and believes everybody.
class TlsCaller {
 public:
  explicit TlsCaller(std::uint16_t port) : context_(SSL_CTX_new(TLS_client_method())) {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval limit{.tv_sec = 5, .tv_usec = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
    ssl_ = SSL_new(context_);
    SSL_set_fd(ssl_, socket_);
    connected_ = SSL_connect(ssl_) == 1;
  }
  ~TlsCaller() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
    ::close(socket_);
  }
  TlsCaller(const TlsCaller&) = delete;
  TlsCaller& operator=(const TlsCaller&) = delete;

  bool connected() const { return connected_; }
  bool send(std::string_view bytes) { return SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size())) > 0; }
  std::string until(std::string_view text) {
    while (!received_.contains(text) && read_more()) {
    }
    return std::exchange(received_, {});
  }
  /// True when the gateway ends the connection with a close_notify, and not by merely closing it.
  bool ends_in_order() {
    while (read_more()) {
    }
    return SSL_get_error(ssl_, 0) == SSL_ERROR_ZERO_RETURN;
  }
  /// True once the gateway has closed the socket, and not only its sending side: what arrives then is answered by a
  /// reset.
  bool is_closed_within(std::chrono::milliseconds limit) {
    const auto until = std::chrono::steady_clock::now() + limit;
    while (std::chrono::steady_clock::now() < until) {
      if (::send(socket_, "x", 1, MSG_NOSIGNAL) < 0) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds{50});
    }
    return false;
  }
  /// Whose certificate was shown.
  std::string shown() const { return world::peer_names(ssl_).back(); }

 private:
  bool read_more() {
    char buffer[4096];
    const int got = SSL_read(ssl_, buffer, sizeof buffer);
    if (got > 0) received_.append(buffer, static_cast<std::size_t>(got));
    return got > 0;
  }

  SSL_CTX* context_;
  SSL* ssl_ = nullptr;
  int socket_ = -1;
  bool connected_ = false;
  std::string received_;
};

/// A gateway with a TLS port whose Regions say hello.
struct TlsGateway : ListeningGateway {
  explicit TlsGateway(std::string_view more = "") : ListeningGateway(more) {
    regions.script("us-east-1", {replies(200, hello)});
    port = listen_tls(show(certificates.loopback("first")));
    start();
  }
  Certificates certificates;
  std::uint16_t port;
};

std::string closing(std::string request) {
  return request.insert(request.find("\r\n") + 2, "connection: close\r\n");
}

TEST(TlsListener, ServesCallsAndEndsTheConnectionWithACloseNotify) {
  TlsGateway gateway;
  TlsCaller caller(gateway.port);
  ASSERT_TRUE(caller.connected());
  caller.send(converse());
  EXPECT_THAT(caller.until(hello), StartsWith("HTTP/1.1 200"));
  caller.send(closing(converse()));
  EXPECT_THAT(caller.until(hello), HasSubstr("connection: close"));
  EXPECT_TRUE(caller.ends_in_order());
  EXPECT_TRUE(gateway.empties());
}

TEST(TlsListener, EndsARefusedRequestInOrder) {
  TlsGateway gateway;
  TlsCaller caller(gateway.port);
  caller.send("NONSENSE\r\n\r\n");
  EXPECT_THAT(caller.until("\"}"), StartsWith("HTTP/1.1 400"));
  EXPECT_TRUE(caller.ends_in_order());
}

TEST(TlsListener, EndsAnIdleConnectionInOrderWhenItDrains) {
  TlsGateway gateway;
  TlsCaller caller(gateway.port);
  caller.send(converse());
  EXPECT_THAT(caller.until(hello), StartsWith("HTTP/1.1 200"));
  gateway.drain();
  EXPECT_TRUE(caller.ends_in_order());
}

TEST(TlsListener, ShowsANewCertificateToNewConnectionsAndLeavesTheOldOnesAlone) {
  TlsGateway gateway;
  TlsCaller before(gateway.port);
  EXPECT_EQ(before.shown(), "subject:CN=first");
  gateway.use_tls(show(gateway.certificates.loopback("second")));
  TlsCaller after(gateway.port);
  EXPECT_EQ(after.shown(), "subject:CN=second");
  for (TlsCaller* caller : {&before, &after}) {
    caller->send(converse());
    EXPECT_THAT(caller->until(hello), StartsWith("HTTP/1.1 200"));
  }
}

TEST(TlsListener, EndsAndCountsAHandshakeThatIsNone) {
  TlsGateway gateway;
  Caller plain(gateway.port);
  plain.send(converse());
  plain.until_closed();
  EXPECT_TRUE(plain.closed());
  EXPECT_EQ(gateway.counters.tls_handshakes_failed.load(), 1u);
  TlsCaller caller(gateway.port);
  caller.send(converse());
  EXPECT_THAT(caller.until(hello), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(gateway.records(), 1u) << "what never became a call has no record";
}

TEST(TlsListener, EndsAHandshakeThatDoesNotComeAbout) {
  TlsGateway gateway("deadlines: {head: 50ms}\n");
  Caller silent(gateway.port);
  const auto begun = std::chrono::steady_clock::now();
  silent.until_closed();
  EXPECT_TRUE(silent.closed());
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds{2});
}

TEST(TlsListener, LetsGoOfACallerThatWasTurnedAwayThoughItStays) {
  TlsGateway gateway("limits: {connections_max: 1}\n");
  TlsCaller first(gateway.port);
  first.send(converse());
  EXPECT_THAT(first.until(hello), StartsWith("HTTP/1.1 200"));
  TlsCaller second(gateway.port);
  second.send("GET ");
  EXPECT_THAT(second.until("\r\n\r\n"), StartsWith("HTTP/1.1 503"));
  EXPECT_TRUE(second.is_closed_within(std::chrono::seconds{4}));
}

}  // namespace
}  // namespace portolan::gateway::testing
