// SPDX-License-Identifier: Apache-2.0
// HTTP/1 on real sockets: where one request ends and the next begins, and what is refused.
#include "gateway/test_gateway.h"

namespace portolan::gateway::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

const std::string hello = converse_reply("Hello.");

/// A gateway whose Regions say hello.
struct Hello : ListeningGateway {
  explicit Hello(std::string_view more = "") : ListeningGateway(more) {
    regions.script("us-east-1", {replies(200, hello)});
    port = start();
  }
  std::uint16_t port;
};

std::string chunked(std::string_view body, std::size_t size) {
  std::string text = converse();
  text.erase(text.find("content-length"));
  text += "transfer-encoding: chunked\r\n\r\n";
  for (std::size_t at = 0; at < body.size(); at += size) {
    wire::append_chunk_size(text, std::min(size, body.size() - at));
    text += std::string(body.substr(at, size)) + "\r\n";
  }
  return text + "0\r\n\r\n";
}

TEST(Http1, KeepsTheConnectionForTheNextRequest) {
  Hello gateway;
  Caller caller(gateway.port);
  for (int i = 0; i < 3; ++i) {
    caller.send(converse());
    const std::string reply = caller.until(hello);
    EXPECT_THAT(reply, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(reply, HasSubstr("content-length: " + std::to_string(hello.size())));
    EXPECT_THAT(reply, HasSubstr("\r\ndate: "));
    EXPECT_THAT(reply, Not(HasSubstr("connection:")));
  }
  EXPECT_EQ(gateway.records(), 3u);
}

TEST(Http1, AnswersPipelinedRequestsInOrder) {
  Hello gateway;
  Caller caller(gateway.port);
  caller.send(converse() + get("/v2/nothing") + "\r\n" + converse());
  EXPECT_THAT(caller.until(hello), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(caller.until("\"}"), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(caller.until(hello), StartsWith("HTTP/1.1 200"));
}

TEST(Http1, TakesARequestByteByByte) {
  Hello gateway;
  Caller caller(gateway.port);
  for (const char c : converse()) caller.send({&c, 1});
  EXPECT_THAT(caller.until(hello), StartsWith("HTTP/1.1 200"));
}

TEST(Http1, TakesChunkedBodiesWhateverTheirChunks) {
  Hello gateway;
  Caller caller(gateway.port);
  for (const std::size_t size : {1u, 7u, 4096u}) {
    caller.send(chunked(say_hello, size) + converse());
    EXPECT_THAT(caller.until(hello), StartsWith("HTTP/1.1 200")) << size;
    EXPECT_THAT(caller.until(hello), StartsWith("HTTP/1.1 200")) << "the request behind it";
  }
  const std::string long_body = R"({"messages":[{"role":"user","content":[{"text":")" + std::string(300'000, 'a') +
                                R"("}]}],"inferenceConfig":{"maxTokens":5}})";
  caller.send(chunked(long_body, 10'000));
  EXPECT_THAT(caller.until(hello), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(gateway.regions.seen().back().body, long_body);
}

TEST(Http1, SaysContinueToWhoAsksForIt) {
  Hello gateway;
  Caller caller(gateway.port);
  const std::string text =
      post("/model/" + std::string(sonnet) + "/converse", say_hello, "alice-key", "expect: 100-continue\r\n");
  const std::size_t head = text.find("\r\n\r\n") + 4;
  caller.send(text.substr(0, head));
  EXPECT_EQ(caller.until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  caller.send(text.substr(head));
  EXPECT_THAT(caller.until(hello), StartsWith("HTTP/1.1 200"));
}

TEST(Http1, DoesNotInviteABodyThatIsTooLarge) {
  Hello gateway("limits: {body_bytes_max: 1KiB}");
  Caller caller(gateway.port);
  caller.send(
      "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 1025\r\n\r\n");
  const std::string reply = caller.until_closed();
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(reply, HasSubstr(R"("type":"invalid_request_error")"));
}

TEST(Http1, TheAnswerToABodyTooLargeArrivesAlthoughTheCallerIsStillSending) {
  Hello gateway("limits: {body_bytes_max: 1KiB}");
  for (const bool is_chunked : {false, true}) {
    Caller caller(gateway.port);
    const std::string body(600'000, 'a');
    const std::string target = "/model/" + std::string(sonnet) + "/converse";
    caller.send(is_chunked ? chunked(body, 50'000) : post(target, body));
    const std::string reply = caller.until_closed();
    EXPECT_THAT(reply, StartsWith("HTTP/1.1 413"));
    EXPECT_THAT(reply, HasSubstr("connection: close"));
    EXPECT_FALSE(caller.was_reset());
  }
  EXPECT_EQ(gateway.records(), 2u);
}

TEST(Http1, AHeadTooLargeIs431) {
  Hello gateway("limits: {head_bytes_max: 4KiB}");
  for (const std::string& fields : {"x: " + std::string(5000, 'a') + "\r\n", [] {
                                      std::string many;
                                      for (int i = 0; i < 100; ++i) many += "f" + std::to_string(i) + ": v\r\n";
                                      return many;
                                    }()}) {
    Caller caller(gateway.port);
    caller.send("GET /v1/models HTTP/1.1\r\nhost: a\r\n" + fields + "\r\n");
    EXPECT_THAT(caller.until_closed(), StartsWith("HTTP/1.1 431"));
  }
}

TEST(Http1, ARequestThatDoesNotEndIs408HoweverItDribbles) {
  Hello gateway("deadlines: {head: 200ms}");
  const std::string text = converse();
  for (const std::size_t begun : {std::size_t{30}, text.size() - 5}) {
    Caller caller(gateway.port);
    caller.send(text.substr(0, begun));
    // A byte at a time, each long before the time is over, must not keep the connection for ever.
    const auto from = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < 4; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds{80});
      caller.send(text.substr(begun + i, 1));
    }
    EXPECT_THAT(caller.until_closed(), StartsWith("HTTP/1.1 408"));
    EXPECT_LT(std::chrono::steady_clock::now() - from, std::chrono::seconds{2});
  }
}

TEST(Http1, AnIdleConnectionIsClosedWithoutAWord) {
  Hello gateway("deadlines: {idle: 100ms}");
  Caller fresh(gateway.port);
  Caller used(gateway.port);
  used.send(converse());
  EXPECT_THAT(used.until(hello), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(used.until_closed(), "");
  EXPECT_EQ(fresh.until_closed(), "");
  EXPECT_TRUE(fresh.closed());
  EXPECT_TRUE(gateway.empties());
}

TEST(Http1, ServesHttp10) {
  Hello gateway;
  std::string text = converse();
  text.replace(text.find("HTTP/1.1"), 8, "HTTP/1.0");
  Caller once(gateway.port);
  once.send(text);
  EXPECT_THAT(once.until_closed(), AllOf(HasSubstr("connection: close"), HasSubstr(hello)));
  text.insert(text.find("content-type"), "connection: keep-alive\r\n");
  Caller kept(gateway.port);
  kept.send(text);
  EXPECT_THAT(kept.until(hello), HasSubstr("connection: keep-alive"));
  kept.send(text);
  EXPECT_THAT(kept.until(hello), StartsWith("HTTP/1.1 200"));
}

TEST(Http1, StreamsInChunksAndToHttp10UntilTheClose) {
  ListeningGateway gateway;
  gateway.regions.script("us-east-1", {streams(a_whole_stream())});
  const std::uint16_t port = gateway.start();
  Caller caller(port);
  caller.send(converse_stream());
  const std::string reply = caller.until("0\r\n\r\n");
  EXPECT_THAT(reply, HasSubstr("transfer-encoding: chunked\r\n"));
  EXPECT_THAT(reply, Not(HasSubstr("content-length")));
  std::string_view rest = std::string_view{reply}.substr(reply.find("\r\n\r\n") + 4);
  wire::ChunkedReader chunks;
  std::string body;
  while (!rest.empty() && !chunks.done()) body += chunks.next(rest).value();
  std::string sent;
  for (const std::string& frame : a_whole_stream()) sent += frame;
  EXPECT_EQ(body, sent);

  std::string text = converse_stream();
  text.replace(text.find("HTTP/1.1"), 8, "HTTP/1.0");
  Caller old(port);
  old.send(text);
  const std::string old_reply = old.until_closed();
  EXPECT_THAT(old_reply, Not(HasSubstr("chunked")));
  EXPECT_EQ(old_reply.substr(old_reply.find("\r\n\r\n") + 4), sent);
}

TEST(Http1, ClosesWhenAskedTo) {
  Hello gateway;
  Caller caller(gateway.port);
  std::string text = converse();
  text.insert(text.find("content-type"), "connection: close\r\n");
  caller.send(text);
  EXPECT_THAT(caller.until_closed(), AllOf(HasSubstr("connection: close"), HasSubstr(hello)));
}

TEST(Http1, HeadAndOptionsAreAnsweredAndTheConnectionStaysInStep) {
  Hello gateway;
  Caller caller(gateway.port);
  caller.send(get("/v1/models", "HEAD") + get("/v1/models", "OPTIONS") + converse());
  const std::string head = caller.until("\r\n\r\n");
  EXPECT_THAT(head, AllOf(StartsWith("HTTP/1.1 405"), HasSubstr("\r\nallow: GET\r\n")));
  EXPECT_THAT(caller.until("}}"), StartsWith("HTTP/1.1 405")) << "no body came with the answer to HEAD";
  EXPECT_THAT(caller.until(hello), StartsWith("HTTP/1.1 200"));
}

TEST(Http1, WhatTwoParsersMightReadDifferentlyIsRefusedAndTheConnectionClosed) {
  Hello gateway;
  const std::string start = "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\n";
  const std::string smuggled = "GET /v1/models HTTP/1.1\r\nhost: a\r\n\r\n";
  for (const std::string& text : {
           start + "content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
           start + "content-length: 5\r\ncontent-length: 6\r\n\r\nhello" + smuggled,
           start + "content-length: +5\r\n\r\nhello" + smuggled,
           start + "transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + smuggled,
           start + "transfer-encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n" + smuggled,
           start + "transfer-encoding: chunked\r\n\r\n-1\r\n\r\n" + smuggled,
           start + "content-length : 5\r\n\r\nhello" + smuggled,
           start + "x: a\r\n folded\r\n\r\n" + smuggled,
           start + "host: b\r\n\r\n" + smuggled,
           std::string("POST /v1/chat/completions HTTP/1.1\r\n\r\n") + smuggled,
           std::string("GET http://b/v1/models HTTP/1.1\r\nhost: a\r\n\r\n") + smuggled,
           std::string("GET /v1/models HTTP/1.1\nhost: a\n\n") + smuggled,
           std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 15),
           std::string("complete nonsense\r\n\r\n"),
       }) {
    Caller caller(gateway.port);
    caller.send(text);
    const std::string reply = caller.until_closed();
    EXPECT_THAT(reply, StartsWith("HTTP/1.1 400")) << text;
    EXPECT_EQ(reply.find("}HTTP/1.1"), std::string::npos) << "what followed was answered: " << text;
  }
}

TEST(Http1, MakesRoomForALongBodyAsItComes) {
  Hello gateway;
  const std::string body = std::string(say_hello) + std::string(3'000'000, ' ');
  Caller caller(gateway.port);
  EXPECT_TRUE(caller.send(post("/model/" + std::string(sonnet) + "/converse", body)));
  EXPECT_THAT(caller.until(hello), StartsWith("HTTP/1.1 200"));
  EXPECT_TRUE(caller.send(converse()));
  EXPECT_THAT(caller.until(hello), StartsWith("HTTP/1.1 200"));
}

/// Under AddressSanitizer: whoever waits for the rest of a request must not look into the configuration that is
/// gone.
TEST(Http1, AReloadInTheMiddleOfARequestHarmsNoRequest) {
  Hello gateway;
  const std::string text = converse();
  const std::string in_chunks = chunked(say_hello, 20);
  const std::size_t body = text.find("\r\n\r\n") + 4;
  for (const auto& [request, cut] : {std::pair{text, std::size_t{30}}, std::pair{text, body + 10},
                                     std::pair{in_chunks, in_chunks.find("\r\n\r\n") + 30}}) {
    Caller caller(gateway.port);
    caller.send(request.substr(0, cut));
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
    gateway.reload();
    caller.send(request.substr(cut));
    EXPECT_THAT(caller.until(hello), StartsWith("HTTP/1.1 200")) << cut;
  }
}

TEST(Http1, SkipsAFewEmptyLinesBeforeARequestAndNoEndlessRow) {
  Hello gateway;
  Caller few(gateway.port);
  few.send("\r\n\r\n" + converse());
  EXPECT_THAT(few.until(hello), StartsWith("HTTP/1.1 200"));
  Caller many(gateway.port);
  many.send("\r\n\r\n\r\n\r\n\r\n\r\n" + converse());
  EXPECT_THAT(many.until_closed(), StartsWith("HTTP/1.1 400"));
}

TEST(Http1, ACallerThatGoesAwayLeavesNothingBehind) {
  Hello gateway;
  const std::string text = converse();
  std::size_t callers = 0;
  for (std::size_t sent = 0; sent <= text.size(); sent += 37, ++callers)
    Caller(gateway.port).send(text.substr(0, sent));
  for (int i = 0; i < 200 && gateway.counters.connections.load() < callers; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  for (int i = 0; i < 200 && gateway.counters.connections_open.load() > 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  EXPECT_EQ(gateway.counters.connections.load(), callers);
  EXPECT_EQ(gateway.counters.connections_open.load(), 0);
  EXPECT_TRUE(gateway.empties());
}

TEST(Http1, DrainClosesIdleConnectionsAndFinishesBusyOnes) {
  ListeningGateway gateway;
  Act slow = replies(200, hello);
  slow.after = std::chrono::milliseconds{150};
  gateway.regions.script("us-east-1", {replies(200, hello), slow});
  const std::uint16_t port = gateway.start();
  Caller idle(port);
  idle.send(converse());
  EXPECT_THAT(idle.until(hello), StartsWith("HTTP/1.1 200"));
  Caller silent(port);
  Caller busy(port);
  busy.send(converse());
  while (gateway.open_flows() == 0) std::this_thread::yield();
  gateway.drain();
  EXPECT_EQ(idle.until_closed(), "");
  EXPECT_EQ(silent.until_closed(), "");
  EXPECT_THAT(busy.until_closed(),
              AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("connection: close"), HasSubstr(hello)));
  EXPECT_TRUE(gateway.empties());
}

TEST(Http1, WhileItDrainsAKeptConnectionIsServedOnceMoreAndToldThatItEnds) {
  ListeningGateway gateway;
  gateway.regions.script("us-east-1", {replies(200, hello)});
  const std::uint16_t port = gateway.start();
  Caller kept(port);
  kept.send(converse());
  EXPECT_THAT(kept.until(hello), Not(HasSubstr("connection: close")));
  Caller silent(port);
  Caller begun(port);
  begun.send("POST ");
  while (gateway.connections() < 2) std::this_thread::yield();
  gateway.drain();
  for (Caller* caller : {&kept, &silent}) {
    caller->send(converse());
    EXPECT_THAT(caller->until_closed(),
                AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("connection: close"), HasSubstr(hello)));
  }
  // Part of a request has come: the rest may take longer than the grace.
  std::this_thread::sleep_for(std::chrono::milliseconds{1200});
  begun.send(converse().substr(5));
  EXPECT_THAT(begun.until_closed(), StartsWith("HTTP/1.1 200"));
  EXPECT_TRUE(gateway.empties());
}

TEST(Http1, AStreamThatBeganBeforeTheDrainIsFollowedByOneMoreRequest) {
  ListeningGateway gateway;
  Act slow = slowly(std::chrono::milliseconds{40}, streams(a_whole_stream()));
  gateway.regions.script("us-east-1", {slow, replies(200, hello)});
  const std::uint16_t port = gateway.start();
  Caller caller(port);
  caller.send(converse_stream());
  EXPECT_THAT(caller.until("\r\n\r\n"), Not(HasSubstr("connection: close"))) << "it could not be told";
  gateway.drain();
  caller.until("\r\n0\r\n\r\n");
  caller.send(converse());
  EXPECT_THAT(caller.until_closed(),
              AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("connection: close"), HasSubstr(hello)));
  EXPECT_TRUE(gateway.empties());
}

TEST(Http1, BeyondTheConnectionsAllowedTheAnswerIs503) {
  Hello gateway("limits: {connections_max: 1}");
  Caller first(gateway.port);
  first.send(converse());
  EXPECT_THAT(first.until(hello), StartsWith("HTTP/1.1 200"));
  Caller second(gateway.port);
  EXPECT_THAT(second.until_closed(), AllOf(StartsWith("HTTP/1.1 503"), HasSubstr("retry-after: 1")));
}

}  // namespace
}  // namespace portolan::gateway::testing
