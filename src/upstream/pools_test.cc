// SPDX-License-Identifier: Apache-2.0
// Connections to Regions on real sockets: which are kept, which are never used again, and which are refused.
#include "upstream/pools.h"

#include <future>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <unistd.h>

#include "sim/test_certificates.h"
#include "upstream/test_region.h"

namespace portolan::upstream {
namespace {

using sim::testing::Certificates;
using sim::testing::wall_now;
using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::Line;
using testing::TestRegion;
using world::Task;

constexpr domain::RegionIndex region = 3;

/// What came of one exchange.
struct Got {
  int status = 0;
  std::string body;
  std::string error;  // the code's name; empty when the reply was whole
  std::string message;
};

Task<void> exchange(Pools& pools, base::Duration connect, base::Instant by, Got& got) {
  FlowPointer flow = pools.open(region);
  const Outgoing outgoing{.head = "GET / HTTP/1.1\r\nhost: region\r\n\r\n", .body = {}};
  const auto started = co_await flow->start(outgoing, connect, by);
  if (!started) {
    got.error = started.error().facts().name;
    got.message = started.error().message;
    co_return;
  }
  got.status = (*started)->status;
  for (;;) {
    const auto piece = co_await flow->next(by);
    if (!piece) {
      got.error = piece.error().facts().name;
      got.message = piece.error().message;
      co_return;
    }
    if (piece->empty()) break;
    got.body.append(*piece);
  }
  finish(std::move(flow));
}

class PoolsTest : public ::testing::Test {
 protected:
  explicit PoolsTest(double time_scale = 1) : clock(time_scale) {}

  static config::Endpoint endpoint(std::uint16_t port, const std::string& host = "127.0.0.1") {
    return {.region = region, .host = host, .port = port, .host_header = host + ":" + std::to_string(port)};
  }
  void go_to(const config::Endpoint& where) {
    const auto found = find_destinations({where}, clock.wall());
    ASSERT_TRUE(found) << found.error().message;
    pools.set_destinations(**found);
  }
  Got call(base::Duration wait = std::chrono::seconds{5}, base::Duration connect = std::chrono::seconds{1}) {
    Got got;
    bool done = false;
    reactor.io.restart();
    world::asio::co_spawn(reactor.io, exchange(pools, connect, clock.now() + wait, got),
                          [&done](std::exception_ptr thrown) {
                            EXPECT_EQ(thrown, nullptr);
                            done = true;
                          });
    while (!done && reactor.io.run_one_for(std::chrono::seconds{10}) > 0) {
    }
    EXPECT_TRUE(done) << "the exchange hangs";
    return got;
  }
  /// Lets what the kernel holds arrive, and coroutines go on.
  void settle() {
    reactor.io.restart();
    reactor.io.run_for(milliseconds{30});
  }
  std::uint64_t connects() const { return pools.counts(region).connects; }
  std::uint64_t reuses() const { return pools.counts(region).reuses; }
  std::int64_t open() const { return pools.counts(region).open; }

  const world::RealClock clock;
  world::Reactor reactor{0, clock};
  Pools pools{reactor};
};

void answer_all(Line& line) {
  while (line.answer("hello")) {
  }
}

TEST_F(PoolsTest, KeepsAConnectionForTheNextExchange) {
  const TestRegion server({answer_all});
  go_to(endpoint(server.port()));
  for (int i = 0; i < 3; ++i) {
    const Got got = call();
    EXPECT_EQ(got.status, 200) << got.message;
    EXPECT_EQ(got.body, "hello");
  }
  EXPECT_EQ(connects(), 1u);
  EXPECT_EQ(reuses(), 2u);
  EXPECT_EQ(open(), 1);
}

TEST_F(PoolsTest, SendsOnceMoreWhenAKeptConnectionTurnsOutStale) {
  const TestRegion server({[](Line& line) {
                             line.answer("first");
                             line.request();  // and closes
                           },
                           [](Line& line) { line.answer("second"); }});
  go_to(endpoint(server.port()));
  EXPECT_EQ(call().body, "first");
  const Got got = call();
  EXPECT_EQ(got.error, "") << "what a stale connection does is no failure of the Region";
  EXPECT_EQ(got.body, "second");
  EXPECT_EQ(connects(), 2u);
}

TEST_F(PoolsTest, SendsNoThirdTime) {
  const auto close_after_request = [](Line& line) { line.request(); };
  const TestRegion server({[](Line& line) {
                             line.answer("first");
                             line.request();
                           },
                           close_after_request, answer_all});
  go_to(endpoint(server.port()));
  EXPECT_EQ(call().body, "first");
  EXPECT_EQ(call().error, "upstream_cut");
  EXPECT_EQ(connects(), 2u);
}

TEST_F(PoolsTest, AFailureOnANewConnectionCounts) {
  const TestRegion server({[](Line& line) { line.request(); }, answer_all});
  go_to(endpoint(server.port()));
  EXPECT_EQ(call().error, "upstream_cut");
  EXPECT_EQ(connects(), 1u);
  EXPECT_EQ(open(), 0);
}

TEST_F(PoolsTest, NeverSendsAgainOnceAnAnswerHasBegun) {
  const TestRegion server({[](Line& line) {
                             line.answer("first");
                             line.request();
                             line.write("HTTP/1.1 200 O");
                           },
                           answer_all});
  go_to(endpoint(server.port()));
  EXPECT_EQ(call().body, "first");
  EXPECT_EQ(call().error, "upstream_cut");
  EXPECT_EQ(connects(), 1u);
}

TEST_F(PoolsTest, SilenceOnAKeptConnectionIsTheRegionsOwn) {
  const TestRegion server({[](Line& line) {
                             line.answer("first");
                             line.request();
                             line.sees_end();
                           },
                           answer_all});
  go_to(endpoint(server.port()));
  EXPECT_EQ(call().body, "first");
  EXPECT_EQ(call(milliseconds{50}).error, "upstream_silent");
  EXPECT_EQ(connects(), 1u);
  EXPECT_EQ(open(), 0);
}

TEST_F(PoolsTest, AConnectionThatTheRegionClosedWhileIdleIsNotTried) {
  const TestRegion server({[](Line& line) { line.answer("first"); }, [](Line& line) { line.answer("second"); }});
  go_to(endpoint(server.port()));
  EXPECT_EQ(call().body, "first");
  settle();
  EXPECT_EQ(call().body, "second");
  EXPECT_EQ(reuses(), 0u);
}

constexpr std::string_view stray_reply = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nSTRAY";

TEST_F(PoolsTest, BytesThatCameUnaskedAreNeverTakenAsAnAnswer) {
  const TestRegion server({[](Line& line) {
                             line.answer("first");
                             line.write(stray_reply);
                             line.sees_end();
                           },
                           [](Line& line) { line.answer("second"); }});
  go_to(endpoint(server.port()));
  EXPECT_EQ(call().body, "first");
  settle();
  EXPECT_EQ(call().body, "second");
  EXPECT_EQ(reuses(), 0u);
}

TEST_F(PoolsTest, BytesBehindAReplyEndItsConnection) {
  const TestRegion server({[](Line& line) {
                             line.request();
                             line.write("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfirst" +
                                        std::string(stray_reply));
                             line.sees_end();
                           },
                           [](Line& line) { line.answer("second"); }});
  go_to(endpoint(server.port()));
  EXPECT_EQ(call().body, "first");
  EXPECT_EQ(call().body, "second");
}

TEST_F(PoolsTest, ARegionThatWantsToCloseIsTakenAtItsWord) {
  const TestRegion server({[](Line& line) {
                             line.request();
                             line.write("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nfirst");
                             line.sees_end();
                           },
                           [](Line& line) { line.answer("second"); }});
  go_to(endpoint(server.port()));
  EXPECT_EQ(call().body, "first");
  EXPECT_EQ(call().body, "second");
  EXPECT_EQ(connects(), 2u);
}

TEST_F(PoolsTest, ABodyThatEndsEarlyIsCut) {
  const TestRegion server({[](Line& line) {
    line.request();
    line.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
  }});
  go_to(endpoint(server.port()));
  const Got got = call();
  EXPECT_EQ(got.body, "half");
  EXPECT_EQ(got.error, "upstream_cut");
}

TEST_F(PoolsTest, AnotherEndpointDropsWhatIsIdle) {
  std::promise<void> ended;
  const TestRegion before({[&ended](Line& line) {
    line.answer("before");
    if (line.sees_end()) ended.set_value();
  }});
  const TestRegion after({[](Line& line) { line.answer("after"); }});
  go_to(endpoint(before.port()));
  EXPECT_EQ(call().body, "before");
  go_to(endpoint(before.port()));
  EXPECT_EQ(open(), 1) << "the same endpoint again changes nothing";
  go_to(endpoint(after.port()));
  EXPECT_EQ(open(), 0);
  EXPECT_EQ(ended.get_future().wait_for(std::chrono::seconds{5}), std::future_status::ready);
  EXPECT_EQ(call().body, "after");
}

TEST_F(PoolsTest, ALaneInUseDuringAReloadFinishesAndIsNotKept) {
  std::promise<void> reloaded;
  std::shared_future<void> go_on = reloaded.get_future().share();
  const TestRegion before({[go_on](Line& line) {
    line.request();
    go_on.wait();
    line.write("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nbefore");
    line.sees_end();
  }});
  const TestRegion after({[](Line& line) { line.answer("after"); }});
  go_to(endpoint(before.port()));
  Got got;
  bool done = false;
  world::asio::co_spawn(reactor.io,
                        exchange(pools, std::chrono::seconds{1}, clock.now() + std::chrono::seconds{5}, got),
                        [&done](std::exception_ptr) { done = true; });
  settle();
  ASSERT_FALSE(done);
  go_to(endpoint(after.port()));
  reloaded.set_value();
  reactor.io.restart();
  while (!done && reactor.io.run_one_for(std::chrono::seconds{5}) > 0) {
  }
  EXPECT_EQ(got.body, "before") << got.message;
  EXPECT_EQ(open(), 0);
  EXPECT_EQ(call().body, "after");
}

TEST_F(PoolsTest, SaysWhoRefusedAConnection) {
  const int held = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);  // bound, not listening
  sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(held, reinterpret_cast<sockaddr*>(&address), size), 0);
  ::getsockname(held, reinterpret_cast<sockaddr*>(&address), &size);
  const std::uint16_t port = ntohs(address.sin_port);
  go_to(endpoint(port));
  const Got got = call();
  EXPECT_EQ(got.error, "upstream_refused");
  EXPECT_THAT(got.message, AllOf(HasSubstr("127.0.0.1:" + std::to_string(port)), HasSubstr("refused")));
  EXPECT_EQ(pools.counts(region).connects_failed, 1u);
  ::close(held);
}

TEST_F(PoolsTest, GivesUpAConnectionThatDoesNotComeAboutInTime) {
  // A listener whose queue is full drops what asks to connect.
  const int full = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(full, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(full, 0), 0);
  ::getsockname(full, reinterpret_cast<sockaddr*>(&address), &size);
  std::vector<int> queued;
  for (int i = 0; i < 4; ++i) {
    queued.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    (void)::connect(queued.back(), reinterpret_cast<const sockaddr*>(&address), size);
  }
  go_to(endpoint(ntohs(address.sin_port)));
  const Got got = call(std::chrono::seconds{5}, milliseconds{50});
  EXPECT_EQ(got.error, "upstream_connect_timeout");
  EXPECT_THAT(got.message, HasSubstr("no connection within 50ms"));
  for (const int socket : queued) ::close(socket);
  ::close(full);
}

TEST_F(PoolsTest, WarmsOneConnectionAndUsesIt) {
  const TestRegion server({answer_all, answer_all});
  go_to(endpoint(server.port()));
  pools.warm(region);
  pools.warm(region);
  settle();
  EXPECT_EQ(connects(), 1u);
  EXPECT_EQ(call().body, "hello");
  EXPECT_EQ(connects(), 1u);
  EXPECT_EQ(reuses(), 1u);
}

class FastPools : public PoolsTest {
 protected:
  FastPools() : PoolsTest(1000) {}
};

TEST_F(FastPools, KeepsNoConnectionBeyondAMinute) {
  const TestRegion server({answer_all, answer_all});
  go_to(endpoint(server.port()));
  const base::Duration long_wait = std::chrono::hours{1};
  EXPECT_EQ(call(long_wait, long_wait).body, "hello");
  std::this_thread::sleep_for(milliseconds{70});
  EXPECT_EQ(call(long_wait, long_wait).body, "hello");
  EXPECT_EQ(connects(), 2u);
  EXPECT_EQ(reuses(), 0u);
}

class TlsPools : public PoolsTest {
 protected:
  static std::shared_ptr<const world::ServerTls> show(const world::CertificateFiles& files,
                                                      base::WallTime at = wall_now()) {
    auto loaded = world::ServerTls::load({.certificates = {files}}, at);
    EXPECT_TRUE(loaded) << loaded.error().message;
    return *loaded;
  }
  config::Endpoint secure(std::uint16_t port, const std::string& host = "127.0.0.1") {
    config::Endpoint where = endpoint(port, host);
    where.tls = true;
    where.ca_file = certificates.ca_file();
    return where;
  }
  /// A Region that shows `tls` is refused: by name, with the reason, before a byte of a request has left.
  void expect_untrusted(std::shared_ptr<const world::ServerTls> tls, const std::string& host,
                        const std::string& why) {
    std::promise<std::string> heard;
    const TestRegion server({[&heard](Line& line) { heard.set_value(line.request()); }}, std::move(tls));
    go_to(secure(server.port(), host));
    const Got got = call();
    EXPECT_EQ(got.error, "upstream_untrusted");
    EXPECT_EQ(got.message, host + ":" + std::to_string(server.port()) + ": its certificate is not trusted: " + why);
    EXPECT_EQ(pools.counts(region).connects_failed, 1u);
    EXPECT_EQ(heard.get_future().get(), "");
    EXPECT_EQ(open(), 0);
  }

  Certificates certificates;
};

TEST_F(TlsPools, BelievesAPrivateAuthorityAndKeepsTheConnection) {
  const TestRegion server({answer_all}, show(certificates.loopback()));
  go_to(secure(server.port()));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(call().body, "hello");
  EXPECT_EQ(connects(), 1u);
  EXPECT_EQ(reuses(), 2u);
}

TEST_F(TlsPools, HoldsTheConfiguredNameAgainstTheCertificateNotTheAddressItResolvesTo) {
  const auto by_name = certificates.issue("by-name", {.dns_names = {"localhost"}});
  const TestRegion server({answer_all}, show(by_name));
  go_to(secure(server.port(), "localhost"));
  const Got got = call();
  EXPECT_EQ(got.body, "hello") << got.message;
}

TEST_F(TlsPools, RefusesAnUnknownAuthority) {
  const Certificates others;
  expect_untrusted(show(others.loopback()), "127.0.0.1", "unable to get local issuer certificate");
}

TEST_F(TlsPools, RefusesAPublicAuthorityWhereAPrivateOneIsNamedAndTheOtherWayRound) {
  const TestRegion server({answer_all}, show(certificates.loopback()));
  config::Endpoint where = secure(server.port());
  where.ca_file.clear();  // the system's
  go_to(where);
  EXPECT_EQ(call().error, "upstream_untrusted");
}

TEST_F(TlsPools, RefusesAnotherName) {
  expect_untrusted(show(certificates.issue("other", {.dns_names = {"region.example"}})), "localhost",
                   "hostname mismatch");
}

TEST_F(TlsPools, RefusesAnotherAddress) {
  expect_untrusted(show(certificates.issue("other", {.addresses = {"127.0.0.2"}})), "127.0.0.1",
                   "IP address mismatch");
}

TEST_F(TlsPools, RefusesAnExpiredCertificate) {
  const auto old = certificates.issue("old", {.addresses = {"127.0.0.1"}, .validity = sim::testing::expired()});
  expect_untrusted(show(old, wall_now() - std::chrono::days{5}), "127.0.0.1", "certificate has expired");
}

TEST_F(TlsPools, RefusesACertificateBeforeItsTime) {
  const auto early =
      certificates.issue("early", {.addresses = {"127.0.0.1"}, .validity = sim::testing::not_yet_valid()});
  expect_untrusted(show(early, wall_now() + std::chrono::days{5}), "127.0.0.1", "certificate is not yet valid");
}

TEST_F(TlsPools, GivesUpAHandshakeWithinTheTimeToConnect) {
  const TestRegion server({[](Line& line) { line.sees_end(); }});  // takes the hello and says nothing
  go_to(secure(server.port()));
  const Got got = call(std::chrono::seconds{5}, milliseconds{50});
  EXPECT_EQ(got.error, "upstream_connect_timeout");
}

TEST_F(TlsPools, ARegionThatSpeaksPlainIsRefused) {
  const TestRegion server({[](Line& line) { line.write("HTTP/1.1 400 Bad Request\r\n\r\n"); }});
  go_to(secure(server.port()));
  const Got got = call();
  EXPECT_EQ(got.error, "upstream_refused");
  EXPECT_THAT(got.message, HasSubstr("TLS handshake: "));
}

TEST_F(TlsPools, SessionTicketsOfAWarmConnectionAreNoStrayBytes) {
  const TestRegion server({answer_all}, show(certificates.loopback()));
  go_to(secure(server.port()));
  pools.warm(region);
  settle();
  EXPECT_EQ(call().body, "hello");
  EXPECT_EQ(connects(), 1u);
  EXPECT_EQ(reuses(), 1u);
}

TEST_F(TlsPools, BytesThatCameUnaskedAreNeverTakenAsAnAnswer) {
  const TestRegion server({[](Line& line) {
                             line.answer("first");
                             line.write(stray_reply);
                             line.sees_end();
                           },
                           [](Line& line) { line.answer("second"); }},
                          show(certificates.loopback()));
  go_to(secure(server.port()));
  EXPECT_EQ(call().body, "first");
  settle();
  EXPECT_EQ(call().body, "second");
  EXPECT_EQ(reuses(), 0u);
}

TEST_F(TlsPools, ABodyWithoutALengthEndsOnlyWithTheRegionsWord) {
  constexpr std::string_view endless = "HTTP/1.1 200 OK\r\n\r\nall of it";
  const TestRegion server({[=](Line& line) {
                             line.request();
                             line.write(endless);
                             line.say_farewell();
                           },
                           [=](Line& line) {
                             line.request();
                             line.write(endless);
                           }},
                          show(certificates.loopback()));
  go_to(secure(server.port()));
  const Got whole = call();
  EXPECT_EQ(whole.error, "") << whole.message;
  EXPECT_EQ(whole.body, "all of it");
  const Got truncated = call();
  EXPECT_EQ(truncated.error, "upstream_cut") << "anybody on the way can close a connection";
}

TEST_F(TlsPools, OtherTrustDropsWhatIsIdle) {
  const TestRegion server({answer_all, answer_all}, show(certificates.loopback()));
  go_to(secure(server.port()));
  EXPECT_EQ(call().body, "hello");
  go_to(secure(server.port()));
  EXPECT_EQ(open(), 1) << "the same authorities, read again";
  const Certificates others;
  config::Endpoint distrusting = secure(server.port());
  distrusting.ca_file = others.ca_file();
  go_to(distrusting);
  EXPECT_EQ(open(), 0);
  EXPECT_EQ(call().error, "upstream_untrusted");
}

TEST_F(TlsPools, AnAuthorityThatCannotBeReadKeepsAConfigurationOut) {
  config::Endpoint where = secure(443);
  where.ca_file = "/nowhere/ca.pem";
  const auto found = find_destinations({where}, wall_now());
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().facts().name, "config_invalid");
  EXPECT_THAT(found.error().message, HasSubstr("/nowhere/ca.pem cannot be read"));
}

}  // namespace
}  // namespace portolan::upstream
