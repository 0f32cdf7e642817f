// SPDX-License-Identifier: Apache-2.0
#include "load/load.h"

#include <atomic>
#include <fmt/format.h>
#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <mutex>
#include <netinet/in.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "base/check.h"
#include "wire/event_stream.h"
#include "wire/http.h"

namespace portolan::load {
namespace {

using base::Code;
using base::Duration;
using domain::Operation;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

/// A connection of the server under test, with blocking sockets.
class Peer {
 public:
  explicit Peer(int fd) : fd_(fd) {}
  void send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  /// The next request, or nothing when the caller is gone.
  bool receive() {
    for (;;) {
      wire::RequestHead head;
      std::size_t searched = 0;
      const auto whole = wire::read_request_head(held_, 64 * 1024, searched, head);
      if (whole && *whole && held_.size() >= head.head_bytes + head.content_length) {
        held_.erase(0, head.head_bytes + head.content_length);
        return true;
      }
      char bytes[16 * 1024];
      const ssize_t got = ::recv(fd_, bytes, sizeof bytes, 0);
      if (got <= 0) return false;
      held_.append(bytes, static_cast<std::size_t>(got));
    }
  }

 private:
  int fd_;
  std::string held_;
};

/// A server on a free port, a thread for each connection. The script answers call n; false closes the connection.
class Server {
 public:
  using Script = std::function<bool(const Peer&, int n)>;
  explicit Server(Script script) : script_(std::move(script)), listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    CHECK(::bind(listener_, any, size) == 0 && ::listen(listener_, 512) == 0);
    CHECK(::getsockname(listener_, any, &size) == 0);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::jthread([this] { accept(); });
  }
  ~Server() {
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    {
      const std::scoped_lock lock{mutex_};
      for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
    }
    peers_.clear();
    for (const int fd : open_) ::close(fd);
    ::close(listener_);
  }
  std::string url() const { return fmt::format("http://127.0.0.1:{}", port_); }
  int calls() const { return calls_; }

 private:
  void accept() {
    for (int fd = 0; (fd = ::accept(listener_, nullptr, nullptr)) >= 0;) {
      const std::scoped_lock lock{mutex_};
      open_.push_back(fd);
      peers_.emplace_back([this, fd] {
        Peer peer{fd};
        while (peer.receive() && script_(peer, calls_++)) {
        }
        ::shutdown(fd, SHUT_RDWR);
      });
    }
  }

  Script script_;
  int listener_;
  int port_ = 0;
  std::atomic<int> calls_ = 0;
  std::mutex mutex_;
  std::vector<int> open_;
  std::vector<std::jthread> peers_;
  std::jthread acceptor_;
};

constexpr std::string_view good =
    "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-portolan-inference-region: us-west-2\r\n\r\n{}";

std::string chunk(std::string_view payload) {
  return fmt::format("{:x}\r\n{}\r\n", payload.size(), payload);
}
std::string event(std::string_view type) {
  std::string frame;
  wire::append_event_frame(frame, type, "{}");
  return chunk(frame);
}
constexpr std::string_view stream_head =
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx-portolan-inference-region: us-east-2\r\n\r\n";

LoadOptions options_for(const Server& server) {
  return {.url = server.url(), .model = "us.anthropic.x", .api_key = "key", .wait_timeout = seconds{5}};
}

LoadReport run_or_fail(const LoadOptions& options) {
  base::Result<LoadReport> report = run(options);
  EXPECT_TRUE(report) << (report ? "" : report.error().message);
  return report ? *report : LoadReport{};
}

TEST(Load, SendsAtTheRateAndCountsByRegion) {
  Server server{[](const Peer& peer, int) { return peer.send(good), true; }};
  LoadOptions options = options_for(server);
  options.rate_per_s = 400;
  options.duration = milliseconds{500};
  const LoadReport report = run_or_fail(options);
  EXPECT_EQ(report.sent, 200u);
  EXPECT_EQ(report.complete, 200u);
  EXPECT_EQ(server.calls(), 200);
  EXPECT_THAT(report.regions, testing::ElementsAre(testing::Pair("us-west-2", 200)));
  EXPECT_TRUE(report.errors.empty());
  EXPECT_GE(report.elapsed, milliseconds{490});
  EXPECT_LT(report.connections_opened, 100u) << "connections are used again";
  EXPECT_EQ(report.lag.count, 200u);
}

// Gil Tene's test: one second in which the server does nothing must be seen by every call that fell into it, not
// only by the one that happened to be waiting.
TEST(Load, AStallShowsInEveryCallThatFellIntoIt) {
  std::atomic<steady_clock::duration> stall_end{};
  Server server{[&](const Peer& peer, int n) {
    if (n == 100) stall_end = steady_clock::now().time_since_epoch() + seconds{1};
    const auto rest = stall_end.load() - steady_clock::now().time_since_epoch();
    if (rest > Duration{}) std::this_thread::sleep_for(rest);
    peer.send(good);
    return true;
  }};
  LoadOptions options = options_for(server);
  options.rate_per_s = 200;
  options.duration = seconds{2};
  const LoadReport report = run_or_fail(options);
  EXPECT_EQ(report.complete, 400u);
  // Half of the calls fell into the second; they waited from 0 to 1 s, so a quarter of all waited over half a
  // second.
  EXPECT_LT(report.total.p50, milliseconds{250});
  EXPECT_GT(report.total.p90, milliseconds{600});
  EXPECT_GT(report.total.max, milliseconds{950});
}

TEST(Load, WithoutAFreeConnectionTheWaitCountsAsLatencyNotAsLag) {
  Server server{[](const Peer& peer, int) {
    std::this_thread::sleep_for(milliseconds{20});
    return peer.send(good), true;
  }};
  LoadOptions options = options_for(server);
  options.rate_per_s = 200;  // four times what one connection can do
  options.calls = 60;
  options.connections_max = 1;
  const LoadReport report = run_or_fail(options);
  EXPECT_EQ(report.complete, 60u);
  EXPECT_EQ(report.connections_opened, 1u);
  EXPECT_GT(report.waited_for_connection.count, 50u);
  EXPECT_EQ(report.waited_for_connection.count + report.lag.count, 60u);
  EXPECT_GT(report.total.max, milliseconds{700});
  EXPECT_LT(report.lag.p50, milliseconds{100});
  EXPECT_THAT(report.to_text(), testing::HasSubstr("raise the limit on connections"));
}

TEST(Load, SaysWhenItWasItselfTheBottleneck) {
  Server server{[](const Peer& peer, int) { return peer.send(good), true; }};
  LoadOptions options = options_for(server);
  options.rate_per_s = 1'000'000;  // beyond any generator
  options.calls = 20'000;
  options.connections_max = 32;
  options.request_bytes = 0;
  const LoadReport report = run_or_fail(options);
  EXPECT_EQ(report.sent, 20'000u);
  // Whether it shows as its own lag or as a full core depends on how many connections there are; it must show.
  EXPECT_TRUE(report.generator_limited || report.waited_for_connection.p50 > milliseconds{5});
}

TEST(Load, ReportsItsOwnLagWhenSomethingKeepsItsThreadBusy) {
  Server server{[](const Peer& peer, int) { return peer.send(good), true; }};
  LoadOptions options = options_for(server);
  options.rate_per_s = 200;
  options.duration = milliseconds{1500};
  int looks = 0;
  options.on_progress = [&](const Progress&) {
    if (looks++ == 0) std::this_thread::sleep_for(milliseconds{300});  // on the generator's own thread
    return true;
  };
  const LoadReport report = run_or_fail(options);
  EXPECT_EQ(report.sent, 300u) << "what is late is sent all the same";
  EXPECT_GT(report.lag.max, milliseconds{200});
  EXPECT_GT(report.lag.p99, milliseconds{100});
  EXPECT_GT(report.total.p99, milliseconds{100}) << "and counts from when it should have been sent";
  EXPECT_TRUE(report.generator_limited);
  EXPECT_THAT(report.to_text(), testing::HasSubstr("WARNING: the generator was the bottleneck"));
}

TEST(Load, ClosedLoopKeepsNCallsUnderWay) {
  std::atomic<int> at_once = 0, most = 0;
  Server server{[&](const Peer& peer, int) {
    const int here = ++at_once;
    for (int seen = most; seen < here && !most.compare_exchange_weak(seen, here);) {
    }
    std::this_thread::sleep_for(milliseconds{5});
    --at_once;
    peer.send(good);
    return true;
  }};
  LoadOptions options = options_for(server);
  options.concurrency = 8;
  options.calls = 400;
  const LoadReport report = run_or_fail(options);
  EXPECT_EQ(report.sent, 400u);
  EXPECT_EQ(report.complete, 400u);
  EXPECT_EQ(report.connections_opened, 8u);
  EXPECT_EQ(most, 8);
  EXPECT_FALSE(report.open_loop);
  EXPECT_EQ(report.lag.count, 0u);
  EXPECT_THAT(report.to_text(), testing::HasSubstr("closed loop, 8 at once"));
}

TEST(Load, MeasuresFirstEventAndGapsOfStreams) {
  Server server{[](const Peer& peer, int) {
    peer.send(stream_head);
    std::this_thread::sleep_for(milliseconds{60});  // the head alone is no first event
    for (const char* type : {"messageStart", "contentBlockDelta", "contentBlockDelta", "messageStop"}) {
      peer.send(event(type));
      std::this_thread::sleep_for(milliseconds{30});
    }
    peer.send(event("metadata") + "0\r\n\r\n");
    return true;
  }};
  LoadOptions options = options_for(server);
  options.operation = Operation::converse_stream;
  options.rate_per_s = 20;
  options.calls = 5;
  const LoadReport report = run_or_fail(options);
  EXPECT_EQ(report.complete, 5u);
  EXPECT_GE(report.first_byte.p50, milliseconds{60});
  EXPECT_LT(report.first_byte.p50, milliseconds{120});
  EXPECT_EQ(report.gap.count, 20u);
  EXPECT_GE(report.gap.p50, milliseconds{29});
  EXPECT_GE(report.total.p50, milliseconds{180});
}

TEST(Load, CountsTruncatedStreamsApartAndHonestExceptionsAsFailures) {
  std::string exception;
  wire::append_exception_frame(exception, "modelStreamErrorException", "{}");
  Server server{[&](const Peer& peer, int n) {
    peer.send(std::string{stream_head} + event("messageStart"));
    switch (n % 4) {
      case 0:
        peer.send(event("metadata") + "0\r\n\r\n");
        return true;
      case 1:
        return false;  // cut
      case 2:
        peer.send("0\r\n\r\n");
        return true;  // ends as if it were whole
      default:
        peer.send(chunk(exception) + "0\r\n\r\n");
        return true;
    }
  }};
  LoadOptions options = options_for(server);
  options.operation = Operation::converse_stream;
  options.concurrency = 1;
  options.calls = 40;
  const LoadReport report = run_or_fail(options);
  EXPECT_EQ(report.complete, 10u);
  EXPECT_EQ(report.truncated, 20u);
  EXPECT_EQ(report.failed, 10u);
  EXPECT_THAT(report.errors,
              testing::UnorderedElementsAre(testing::Pair("connection cut mid-answer", 10),
                                            testing::Pair("stream ended without its last event", 10),
                                            testing::Pair("stream exception modelStreamErrorException", 10)));
  EXPECT_EQ(report.connections_opened, 11u) << "a cut costs a connection, an exception does not";
}

TEST(Load, ReadsServerSentEvents) {
  Server server{[](const Peer& peer, int n) {
    peer.send(std::string{stream_head} + chunk("data: {}\n\n") + (n == 0 ? "" : chunk("data: [DONE]\n\n")) +
              "0\r\n\r\n");
    return true;
  }};
  LoadOptions options = options_for(server);
  options.operation = Operation::chat_completions;
  options.stream = true;
  options.concurrency = 1;
  options.calls = 10;
  const LoadReport report = run_or_fail(options);
  EXPECT_EQ(report.complete, 9u);
  EXPECT_EQ(report.truncated, 1u);
}

TEST(Load, CountsErrorsByKind) {
  Server server{[](const Peer& peer, int n) {
    switch (n % 5) {
      case 0:
        peer.send(good);
        return true;
      case 1:
        peer.send("HTTP/1.1 429 Too Many\r\nx-amzn-errortype: ThrottlingException\r\ncontent-length: 2\r\n\r\n{}");
        return true;
      case 2:
        return false;
      case 3:
        peer.send("what?\r\n\r\n");
        return true;
      default:
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}");
        return false;
    }
  }};
  LoadOptions options = options_for(server);
  options.concurrency = 1;
  options.calls = 50;
  const LoadReport report = run_or_fail(options);
  EXPECT_EQ(report.complete, 10u);
  EXPECT_EQ(report.truncated, 10u);
  EXPECT_EQ(report.failed, 30u);
  EXPECT_THAT(report.errors, testing::UnorderedElementsAre(testing::Pair("HTTP 429 ThrottlingException", 10),
                                                           testing::Pair("connection closed before an answer", 10),
                                                           testing::Pair("malformed answer", 10),
                                                           testing::Pair("connection cut mid-answer", 10)));
}

TEST(Load, GivesUpOnSilenceBeforeAndWithinAnAnswer) {
  Server server{[](const Peer& peer, int n) {
    if (n == 1) peer.send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{");
    std::this_thread::sleep_for(milliseconds{400});
    return false;
  }};
  LoadOptions options = options_for(server);
  options.wait_timeout = milliseconds{100};
  options.concurrency = 1;
  options.calls = 2;
  const auto began = steady_clock::now();
  const LoadReport report = run_or_fail(options);
  EXPECT_LT(steady_clock::now() - began, milliseconds{700});
  EXPECT_THAT(report.errors, testing::UnorderedElementsAre(testing::Pair("no answer in time", 1),
                                                           testing::Pair("stalled mid-answer", 1)));
}

TEST(Load, ACallThatDripsForeverEndsAtItsOwnLimit) {
  Server server{[](const Peer& peer, int) {
    peer.send(stream_head);
    for (int i = 0; i < 100; ++i) {
      peer.send(event("contentBlockDelta"));
      std::this_thread::sleep_for(milliseconds{10});
    }
    return false;
  }};
  LoadOptions options = options_for(server);
  options.operation = Operation::converse_stream;
  options.call_timeout = milliseconds{150};
  options.concurrency = 1;
  options.calls = 1;
  const LoadReport report = run_or_fail(options);
  EXPECT_LT(report.elapsed, milliseconds{400});
  EXPECT_EQ(report.truncated, 1u);
  EXPECT_THAT(report.errors, testing::ElementsAre(testing::Pair("stalled mid-answer", 1)));
}

TEST(Load, EndsEarlyWhenAskedTo) {
  Server server{[](const Peer& peer, int) { return peer.send(good), true; }};
  LoadOptions options = options_for(server);
  options.rate_per_s = 50;
  options.duration = seconds{60};
  options.on_progress = [](const Progress& progress) { return progress.sent == 0; };
  const LoadReport report = run_or_fail(options);
  EXPECT_LT(report.elapsed, seconds{3});
  EXPECT_EQ(report.sent, report.complete);
}

TEST(Load, SaysThatNobodyListens) {
  std::string url;
  {
    url = Server{[](const Peer&, int) { return false; }}.url();
  }
  LoadOptions options{.url = url, .model = "m", .api_key = "k", .rate_per_s = 1, .calls = 1};
  const auto report = run(options);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, Code::unreachable);
  EXPECT_THAT(report.error().message, testing::HasSubstr("is it running?"));
}

TEST(Load, RefusesOptionsThatContradictEachOther) {
  const LoadOptions sound{.url = "http://127.0.0.1:1", .model = "m", .api_key = "k", .rate_per_s = 1, .calls = 1};
  const std::vector<std::pair<std::string, std::function<void(LoadOptions&)>>> mistakes{
      {"model:", [](LoadOptions& o) { o.model = ""; }},
      {"credentials:", [](LoadOptions& o) { o.api_key = ""; }},
      {"credentials:", [](LoadOptions& o) { o.access_key_id = "a"; }},
      {"source Region", [](LoadOptions& o) { o.api_key = "", o.access_key_id = "a", o.secret_access_key = "s"; }},
      {"either a rate", [](LoadOptions& o) { o.concurrency = 1; }},
      {"either a rate", [](LoadOptions& o) { o.rate_per_s = 0; }},
      {"rate:", [](LoadOptions& o) { o.rate_per_s = 1e9; }},
      {"a duration", [](LoadOptions& o) { o.calls = 0; }},
      {"stream:", [](LoadOptions& o) { o.stream = true; }},
      {"operation:", [](LoadOptions& o) { o.operation = Operation::list_inference_profiles; }},
      {"connections:", [](LoadOptions& o) { o.connections_max = 0; }},
      {"timeouts", [](LoadOptions& o) { o.wait_timeout = {}; }},
      {"url", [](LoadOptions& o) { o.url = "ftp://x"; }},
  };
  for (const auto& [text, spoil] : mistakes) {
    LoadOptions options = sound;
    spoil(options);
    const auto report = run(options);
    ASSERT_FALSE(report) << text;
    EXPECT_EQ(report.error().code, Code::usage) << text;
    EXPECT_THAT(report.error().message, testing::HasSubstr(text));
  }
}

TEST(LoadReport, IsOneLineOfJson) {
  LoadReport report;
  report.sent = 3;
  report.first_byte = {.count = 3, .p50 = base::from_ms(12.345678)};
  report.errors["HTTP 503 \"x\""] = 1;
  const std::string text = report.to_json();
  EXPECT_EQ(text.find('\n'), std::string::npos);
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json["sent"], 3);
  EXPECT_EQ(json["first_byte"]["p50_ms"], 12.346);
  EXPECT_EQ(json["loop"], "open");
  EXPECT_TRUE(json["concurrency"].is_null());
}

}  // namespace
}  // namespace portolan::load
