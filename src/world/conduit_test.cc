// SPDX-License-Identifier: Apache-2.0
// Two ends of one connection on loopback, plain and under TLS: what each sees of the other's doings.
#include "world/conduit.h"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/ssl/error.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include "sim/test_certificates.h"

namespace portolan::world {
namespace {

using sim::testing::Certificates;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// A connected pair: `caller` connected, `server` accepted.
class Pair : public ::testing::Test {
 protected:
  Pair() {
    asio::basic_socket_acceptor<Tcp, Executor> acceptor(reactor.io.get_executor(),
                                                        Tcp::endpoint{asio::ip::address_v4::loopback(), 0});
    Socket to(reactor.io.get_executor());
    to.connect(acceptor.local_endpoint());
    Socket from = acceptor.accept();
    caller = std::make_unique<Conduit>(reactor, std::move(to));
    server = std::make_unique<Conduit>(reactor, std::move(from));
    caller->prepare();
    server->prepare();
  }

  /// Starts a coroutine; run() ends when all have.
  void start(Task<void> task) {
    ++running_;
    asio::co_spawn(reactor.io, std::move(task), [this](std::exception_ptr thrown) {
      EXPECT_EQ(thrown, nullptr);
      --running_;
    });
  }
  void run() {
    reactor.io.restart();
    while (running_ > 0 && reactor.io.run_one_for(std::chrono::seconds{10}) > 0) {
    }
    ASSERT_EQ(running_, 0) << "something waits for ever";
  }

  /// What the kernel has taken from one end has reached the other within this, on loopback.
  static void settle() { std::this_thread::sleep_for(milliseconds{20}); }

  const RealClock clock;
  Reactor reactor{0, clock};
  std::unique_ptr<Conduit> caller;
  std::unique_ptr<Conduit> server;

 private:
  int running_ = 0;
};

Task<void> write(Conduit& conduit, std::string_view first, std::string_view second, bool& written,
                 ErrorCode& error) {
  written = co_await conduit.write(first, second, error);
}

/// Reads until `size` bytes are there or the stream ends; `error` says how it ended.
Task<void> read(Conduit& conduit, std::size_t size, std::string& bytes, ErrorCode& error) {
  char buffer[8192];
  error.clear();
  while (!error && bytes.size() < size) {
    const auto room = asio::buffer(buffer);
    const std::size_t got = co_await conduit.read_some(room, error);
    bytes.append(buffer, got);
  }
}

Task<void> shut_down(Conduit& conduit) {
  co_await conduit.shut_down();
}

TEST_F(Pair, CarriesBothPiecesOfAWriteInOrder) {
  bool written = false;
  ErrorCode write_error, read_error;
  std::string bytes;
  start(write(*caller, "head ", "and body", written, write_error));
  start(read(*server, 13, bytes, read_error));
  run();
  EXPECT_TRUE(written);
  EXPECT_EQ(bytes, "head and body");
}

TEST_F(Pair, WaitsForAReaderWhenTheKernelTakesNoMore) {
  const std::string much(32 << 20, 'x');
  bool written = false;
  ErrorCode write_error, read_error;
  std::string bytes;
  start(write(*caller, "first", much, written, write_error));
  start(read(*server, much.size() + 5, bytes, read_error));
  run();
  EXPECT_TRUE(written);
  EXPECT_EQ(bytes.size(), much.size() + 5);
  EXPECT_TRUE(bytes.starts_with("firstxxx"));
}

TEST_F(Pair, EndsAReadAtItsDeadlineAndStaysOpen) {
  ErrorCode error;
  std::string bytes;
  const base::Instant begun = clock.now();
  server->give_up_at(begun + milliseconds{30});
  start(read(*server, 1, bytes, error));
  run();
  EXPECT_EQ(error, asio::error::operation_aborted);
  EXPECT_TRUE(server->timed_out());
  EXPECT_GE(clock.now() - begun, milliseconds{30});
  EXPECT_TRUE(server->is_open());
  // Armed anew it has not run out, and reads again.
  server->give_up_at(clock.now() + std::chrono::seconds{5});
  EXPECT_FALSE(server->timed_out());
  bool written = false;
  ErrorCode write_error;
  start(write(*caller, "late", {}, written, write_error));
  start(read(*server, 4, bytes, error));
  run();
  EXPECT_EQ(bytes, "late");
}

TEST_F(Pair, EndsAWriteThatNobodyReadsAtItsDeadline) {
  const std::string much(32 << 20, 'x');
  bool written = true;
  ErrorCode error;
  caller->give_up_at(clock.now() + milliseconds{30});
  start(write(*caller, much, {}, written, error));
  run();
  EXPECT_FALSE(written);
  EXPECT_TRUE(caller->timed_out());
}

TEST_F(Pair, ADisarmedDeadlineDoesNotFire) {
  ErrorCode error, write_error;
  std::string bytes;
  bool written = false;
  server->give_up_at(clock.now() + milliseconds{20});
  server->no_deadline();
  start(read(*server, 1, bytes, error));
  reactor.io.run_for(milliseconds{60});
  start(write(*caller, "x", {}, written, write_error));
  run();
  EXPECT_FALSE(error);
  EXPECT_EQ(bytes, "x");
}

TEST_F(Pair, IsQuietOnlyWhileNothingHasCome) {
  EXPECT_TRUE(server->is_quiet());
  bool written = false;
  ErrorCode error;
  start(write(*caller, "stray", {}, written, error));
  run();
  settle();
  EXPECT_FALSE(server->is_quiet());
  // Looking takes nothing away.
  std::string bytes;
  start(read(*server, 5, bytes, error));
  run();
  EXPECT_EQ(bytes, "stray");
  EXPECT_TRUE(server->is_quiet());
  server->close();
  EXPECT_FALSE(server->is_quiet());
}

TEST_F(Pair, AnEndedSendingSideIsClosedButNotReset) {
  start(shut_down(*caller));
  run();
  settle();
  EXPECT_FALSE(server->is_quiet());
  EXPECT_TRUE(server->peer_closed());
  EXPECT_FALSE(server->peer_reset());
  ErrorCode error;
  std::string bytes;
  start(read(*server, 1, bytes, error));
  run();
  EXPECT_EQ(error, asio::error::eof);
  // The other direction still works.
  bool written = false;
  ErrorCode write_error;
  start(write(*server, "answer", {}, written, write_error));
  start(read(*caller, 6, bytes, error));
  run();
  EXPECT_EQ(bytes, "answer");
}

TEST_F(Pair, SeesAReset) {
  EXPECT_FALSE(server->peer_reset());
  EXPECT_FALSE(server->peer_closed());
  caller->socket().set_option(asio::socket_base::linger(true, 0));
  caller->close();
  settle();
  EXPECT_TRUE(server->peer_reset());
  EXPECT_TRUE(server->peer_closed());
  EXPECT_FALSE(server->is_quiet());
}

TEST_F(Pair, AClosedConduitCountsAsLostOnEverySide) {
  server->close();
  EXPECT_FALSE(server->is_open());
  EXPECT_TRUE(server->peer_reset());
  EXPECT_TRUE(server->peer_closed());
  EXPECT_EQ(server->peer_address(), "unknown");
}

TEST_F(Pair, KnowsItsPeersAddress) {
  EXPECT_EQ(server->peer_address(), "127.0.0.1");
  EXPECT_FALSE(server->is_tls());
  EXPECT_EQ(server->alpn(), "");
  EXPECT_EQ(server->tls_version(), "");
  EXPECT_THAT(server->peer_names(), IsEmpty());
}

Task<void> accept_tls(Conduit& conduit, const ServerTls& tls, base::Result<void>& result) {
  result = co_await conduit.accept_tls(tls);
}
Task<void> connect_tls(Conduit& conduit, const ClientTls& tls, std::string host, base::Result<void>& result) {
  result = co_await conduit.connect_tls(tls, host);
}

class TlsPair : public Pair {
 protected:
  std::shared_ptr<const ServerTls> server_tls(ServerTls::Options options) {
    auto loaded = ServerTls::load(options, clock.wall());
    EXPECT_TRUE(loaded) << loaded.error().message;
    return *loaded;
  }
  std::shared_ptr<const ServerTls> server_tls(const CertificateFiles& files) {
    return server_tls({.certificates = {files}});
  }
  std::shared_ptr<const ClientTls> client_tls() {
    return ClientTls::load(certificates.ca_file(), clock.wall()).value();
  }
  void offer(const ClientTls& tls, std::string_view protocols) {
    SSL_CTX_set_alpn_protos(tls.context().native_handle(), reinterpret_cast<const unsigned char*>(protocols.data()),
                            static_cast<unsigned>(protocols.size()));
  }
  /// Both ends of a handshake; the results are in accepted and connected.
  void shake_hands(const ServerTls& offered, const ClientTls& demanded, const std::string& host = "127.0.0.1") {
    start(accept_tls(*server, offered, accepted));
    start(connect_tls(*caller, demanded, host, connected));
    run();
  }
  void expect_untrusted(const ServerTls& offered, const std::string& host, const std::string& why) {
    const auto trust = client_tls();
    shake_hands(offered, *trust, host);
    ASSERT_FALSE(connected);
    EXPECT_EQ(connected.error().facts().name, "upstream_untrusted");
    EXPECT_THAT(connected.error().message, HasSubstr(why));
    EXPECT_FALSE(accepted);
  }

  Certificates certificates;
  base::Result<void> accepted, connected;
};

TEST_F(TlsPair, AgreesOnAProtocolAndCarriesBytes) {
  const auto offered = server_tls(certificates.loopback());
  const auto demanded = client_tls();
  offer(*demanded, "\x08http/1.1\x02h2");
  shake_hands(*offered, *demanded);
  ASSERT_TRUE(accepted) << accepted.error().message;
  ASSERT_TRUE(connected) << connected.error().message;
  EXPECT_EQ(server->alpn(), "h2") << "the server's preference decides";
  EXPECT_EQ(caller->alpn(), "h2");
  EXPECT_EQ(server->tls_version(), "TLSv1.3");
  EXPECT_THAT(server->tls_cipher(), ::testing::StartsWith("TLS_"));
  EXPECT_THAT(server->peer_names(), IsEmpty());
  bool written = false;
  ErrorCode write_error, read_error;
  std::string bytes;
  start(write(*caller, "head ", "and body", written, write_error));
  start(read(*server, 13, bytes, read_error));
  run();
  EXPECT_EQ(bytes, "head and body");
}

TEST_F(TlsPair, AgreesOnNothingWhenTheCallerOffersNothingKnown) {
  const auto offered = server_tls(certificates.loopback());
  const auto demanded = client_tls();
  offer(*demanded, "\x06spdy/3");
  shake_hands(*offered, *demanded);
  ASSERT_TRUE(accepted) << accepted.error().message;
  EXPECT_EQ(server->alpn(), "");
}

TEST_F(TlsPair, TakesTls12WithForwardSecrecyOnly) {
  const auto offered = server_tls(certificates.loopback());
  const auto demanded = client_tls();
  SSL_CTX_set_max_proto_version(demanded->context().native_handle(), TLS1_2_VERSION);
  shake_hands(*offered, *demanded);
  ASSERT_TRUE(accepted) << accepted.error().message;
  EXPECT_EQ(server->tls_version(), "TLSv1.2");
  EXPECT_THAT(server->tls_cipher(), ::testing::StartsWith("ECDHE-"));
}

TEST_F(TlsPair, RefusesOlderVersionsAndWeakCiphers) {
  const auto offered = server_tls(certificates.loopback());
  const auto demanded = client_tls();
  SSL_CTX* raw = demanded->context().native_handle();
  SSL_CTX_set_max_proto_version(raw, TLS1_2_VERSION);
  ASSERT_EQ(SSL_CTX_set_cipher_list(raw, "ECDHE-ECDSA-AES128-SHA:AES128-SHA:@SECLEVEL=0"), 1);
  shake_hands(*offered, *demanded);
  EXPECT_FALSE(accepted);
  ASSERT_FALSE(connected);
  EXPECT_EQ(connected.error().facts().name, "upstream_refused");
}

TEST_F(TlsPair, RefusesTls11) {
  const auto offered = server_tls(certificates.loopback());
  const auto demanded = client_tls();
  SSL_CTX* raw = demanded->context().native_handle();
  SSL_CTX_set_min_proto_version(raw, TLS1_1_VERSION);
  SSL_CTX_set_max_proto_version(raw, TLS1_1_VERSION);
  SSL_CTX_set_cipher_list(raw, "ALL:@SECLEVEL=0");
  shake_hands(*offered, *demanded);
  ASSERT_FALSE(accepted);
  EXPECT_THAT(accepted.error().message, HasSubstr("unsupported protocol"));
}

TEST_F(TlsPair, GivesUpAHandshakeAtItsDeadline) {
  const auto offered = server_tls(certificates.loopback());
  server->give_up_at(clock.now() + milliseconds{30});
  start(accept_tls(*server, *offered, accepted));  // the caller says nothing
  run();
  EXPECT_FALSE(accepted);
  EXPECT_TRUE(server->timed_out());
}

TEST_F(TlsPair, GivesUpAHandshakeWithAServerThatSaysNothing) {
  const auto demanded = client_tls();
  caller->give_up_at(clock.now() + milliseconds{30});
  start(connect_tls(*caller, *demanded, "127.0.0.1", connected));
  run();
  EXPECT_FALSE(connected);
  EXPECT_TRUE(caller->timed_out());
}

TEST_F(TlsPair, EndsAHandshakeWithPlainBytesAtOnce) {
  const auto offered = server_tls(certificates.loopback());
  server->give_up_at(clock.now() + std::chrono::seconds{5});
  bool written = false;
  ErrorCode error;
  start(accept_tls(*server, *offered, accepted));
  start(write(*caller, "GET / HTTP/1.1\r\nhost: x\r\n\r\n", {}, written, error));
  run();
  ASSERT_FALSE(accepted);
  EXPECT_FALSE(server->timed_out());
  EXPECT_THAT(accepted.error().message, HasSubstr("http request"));
}

TEST_F(TlsPair, BelievesOnlyTheRightNameOfAKnownAuthorityInItsTime) {
  const auto named = certificates.issue("named", {.subject = "named", .dns_names = {"region.example"}});
  const auto offered = server_tls(named);
  const auto trust = client_tls();
  shake_hands(*offered, *trust, "region.example");
  EXPECT_TRUE(connected) << connected.error().message;
}

TEST_F(TlsPair, RefusesAnotherName) {
  const auto offered = server_tls(certificates.loopback());
  expect_untrusted(*offered, "region.example", "hostname mismatch");
}

TEST_F(TlsPair, RefusesAnotherAddress) {
  const auto offered = server_tls(certificates.loopback());
  expect_untrusted(*offered, "127.0.0.2", "IP address mismatch");
}

TEST_F(TlsPair, RefusesAnUnknownAuthority) {
  const Certificates others;
  const auto offered = server_tls(others.loopback());
  expect_untrusted(*offered, "127.0.0.1", "unable to get local issuer certificate");
}

TEST_F(TlsPair, ReadsAnOrderlyEndAfterACloseNotify) {
  const auto offered = server_tls(certificates.loopback());
  const auto demanded = client_tls();
  shake_hands(*offered, *demanded);
  ErrorCode error, write_error;
  std::string bytes;
  bool written = false;
  start(write(*server, "the end", {}, written, write_error));
  run();
  start(shut_down(*server));
  start(read(*caller, 100, bytes, error));
  run();
  EXPECT_EQ(bytes, "the end");
  EXPECT_EQ(error, asio::error::eof);
  // The side that ended still reads.
  start(write(*caller, "late", {}, written, write_error));
  bytes.clear();
  start(read(*server, 4, bytes, error));
  run();
  EXPECT_EQ(bytes, "late");
  EXPECT_FALSE(error);
}

TEST_F(TlsPair, TellsATruncatedEndFromAnOrderlyOne) {
  const auto offered = server_tls(certificates.loopback());
  const auto demanded = client_tls();
  shake_hands(*offered, *demanded);
  ErrorCode error;
  std::string bytes;
  server->socket().shutdown(Tcp::socket::shutdown_send);  // as whoever stands between them could
  start(read(*caller, 1, bytes, error));
  run();
  EXPECT_EQ(error, asio::ssl::error::stream_truncated);
}

TEST_F(TlsPair, AFarewellThatNobodyReadsTakesNoLongerThanASecond) {
  const auto offered = server_tls(certificates.loopback());
  const auto demanded = client_tls();
  shake_hands(*offered, *demanded);
  const std::string much(32 << 20, 'x');
  bool written = true;
  ErrorCode error;
  server->give_up_at(clock.now() + milliseconds{30});
  start(write(*server, much, {}, written, error));
  run();
  ASSERT_FALSE(written);
  const base::Instant begun = clock.now();
  start(shut_down(*server));
  run();
  EXPECT_LE(clock.now() - begun, milliseconds{1500});
}

TEST_F(TlsPair, AnUnfinishedHandshakeIsEndedWithoutAFarewell) {
  const auto offered = server_tls(certificates.loopback());
  server->give_up_at(clock.now() + milliseconds{10});
  start(accept_tls(*server, *offered, accepted));
  run();
  start(shut_down(*server));
  run();
  settle();
  EXPECT_TRUE(caller->peer_closed());
}

}  // namespace
}  // namespace portolan::world
