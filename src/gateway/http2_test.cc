// SPDX-License-Identifier: Apache-2.0
// HTTP/2 on real sockets: streams beside one another, flow control, and what is refused.
#include "gateway/test_http2.h"

namespace portolan::gateway::testing {
namespace {

using ::testing::HasSubstr;

const std::string hello = converse_reply("Hello.");

/// A gateway whose Regions say hello.
struct Hello : ListeningGateway {
  explicit Hello(std::string_view more = "", const std::string& reply = hello) : ListeningGateway(more) {
    regions.script("us-east-1", {replies(200, reply)});
    port = start();
  }
  std::uint16_t port;
};

Fields with(Fields fields, std::string name, std::string value) {
  fields.emplace_back(std::move(name), std::move(value));
  return fields;
}
Fields without(Fields fields, std::string_view name) {
  std::erase_if(fields, [name](const auto& field) { return field.first == name; });
  return fields;
}

TEST(Http2, ServesManyStreamsOfOneConnection) {
  Hello gateway;
  Http2Caller caller(gateway.port);
  std::vector<std::int32_t> streams;
  for (int i = 0; i < 100; ++i) streams.push_back(caller.converse());
  for (const std::int32_t stream : streams) {
    ASSERT_TRUE(caller.until_ended(stream)) << stream;
    EXPECT_EQ(caller.reply(stream).status, 200);
    EXPECT_EQ(caller.reply(stream).body, hello);
    EXPECT_EQ(caller.reply(stream).fields.at("content-length"), std::to_string(hello.size()));
    EXPECT_TRUE(caller.reply(stream).fields.contains("date"));
  }
  EXPECT_EQ(gateway.records(), 100u);
  EXPECT_EQ(gateway.counters.connections.load(), 1u);
}

TEST(Http2, TakesABodyInPiecesAndIgnoresTrailers) {
  Hello gateway;
  Http2Caller caller(gateway.port);
  const std::int32_t stream = caller.request(request_fields(converse_path()), say_hello.substr(0, 10), true);
  caller.flush();
  for (const char c : say_hello.substr(10)) {
    caller.more(stream, {&c, 1}, true);
    caller.flush();
  }
  caller.more(stream, "", false, {{"x-checksum", "of no interest"}});
  ASSERT_TRUE(caller.until_ended(stream));
  EXPECT_EQ(caller.reply(stream).status, 200);
  EXPECT_EQ(gateway.regions.seen().back().body, say_hello);
}

TEST(Http2, TakesABodyLargerThanItsWindows) {
  Hello gateway;
  Http2Caller caller(gateway.port);
  const std::string body = R"({"messages":[{"role":"user","content":[{"text":")" + std::string(6'000'000, 'a') +
                           R"("}]}],"inferenceConfig":{"maxTokens":5}})";
  const std::int32_t stream = caller.post(converse_path(), body);
  ASSERT_TRUE(caller.until_ended(stream));
  EXPECT_EQ(caller.reply(stream).status, 200);
  EXPECT_EQ(gateway.regions.seen().back().body, body);
}

TEST(Http2, ASlowReaderStallsItsOwnStreamOnly) {
  const std::string large = converse_reply(std::string(100'000, 'x'));
  Hello gateway("", large);
  Http2Caller caller(gateway.port, 1000);
  const std::int32_t slow = caller.converse();
  ASSERT_TRUE(caller.until([&] { return caller.reply(slow).body.size() == 1000; })) << "its window's worth";
  const std::int32_t other = caller.post("/v1/models", "");
  ASSERT_TRUE(caller.until_ended(other)) << "another stream's answer passes it";
  EXPECT_EQ(caller.reply(slow).body.size(), 1000u);
  for (std::size_t taken = 0; taken < large.size();) {
    const std::size_t more = caller.reply(slow).body.size() - taken;
    caller.take(slow, more);
    taken += more;
    ASSERT_TRUE(caller.until(
        [&] { return caller.reply(slow).body.size() > taken || caller.reply(slow).body.size() == large.size(); }));
    if (caller.reply(slow).body.size() == large.size()) break;
  }
  ASSERT_TRUE(caller.until_ended(slow));
  EXPECT_EQ(caller.reply(slow).body, large);
}

TEST(Http2, AStreamThatIsNotReadWaitsAndIsWholeInTheEnd) {
  ListeningGateway gateway;
  std::vector<std::string> pieces{message_start()};
  for (int i = 0; i < 40; ++i) pieces.push_back(text_delta(std::string(20'000, static_cast<char>('a' + i % 26))));
  pieces.push_back(message_stop());
  pieces.push_back(metadata());
  std::string whole;
  for (const std::string& piece : pieces) whole += piece;
  gateway.regions.script("us-east-1", {streams(pieces)});
  Http2Caller caller(gateway.start(), 10'000);
  const std::int32_t stream = caller.post("/model/" + std::string(sonnet) + "/converse-stream", say_hello);
  std::size_t taken = 0;
  ASSERT_TRUE(caller.until([&] {
    const std::size_t there = caller.reply(stream).body.size();
    caller.take(stream, there - taken);
    taken = there;
    caller.flush();
    return caller.reply(stream).ended;
  }));
  EXPECT_EQ(caller.reply(stream).body, whole);
}

TEST(Http2, AResetWhileTheRequestIsSentOrAfterTheAnswerHarmsNoOtherStream) {
  Hello gateway;
  Http2Caller caller(gateway.port);
  const std::int32_t begun = caller.request(request_fields(converse_path()), "{", true);
  caller.flush();
  caller.reset(begun);
  const std::int32_t next = caller.converse();
  ASSERT_TRUE(caller.until_ended(next));
  caller.reset(next);
  const std::int32_t last = caller.converse();
  ASSERT_TRUE(caller.until_ended(last));
  EXPECT_EQ(caller.reply(last).status, 200);
  EXPECT_EQ(gateway.records(), 2u) << "what was never complete is no call";
}

TEST(Http2, DrainSaysGoawayAndFinishesWhatItHasTaken) {
  ListeningGateway gateway;
  Act slow = replies(200, hello);
  slow.after = std::chrono::milliseconds{200};
  gateway.regions.script("us-east-1", {slow});
  const std::uint16_t port = gateway.start();
  Http2Caller idle(port);
  idle.ping();
  ASSERT_TRUE(idle.until([&] { return idle.pongs() == 1; }));
  Http2Caller busy(port);
  const std::int32_t stream = busy.converse();
  busy.flush();
  while (gateway.counters.calls_in_flight.load() == 0) std::this_thread::yield();
  gateway.drain();
  EXPECT_TRUE(idle.until_connection_closes());
  ASSERT_TRUE(idle.goaway());
  EXPECT_EQ(idle.goaway()->error, static_cast<std::uint32_t>(NGHTTP2_NO_ERROR));
  EXPECT_TRUE(busy.until_ended(stream));
  EXPECT_EQ(busy.reply(stream).status, 200);
  EXPECT_TRUE(busy.until_connection_closes());
  ASSERT_TRUE(busy.goaway());
  EXPECT_EQ(busy.goaway()->last_stream, stream);
  EXPECT_TRUE(gateway.empties());
}

TEST(Http2, DrainServesStreamsThatWereOnTheirWayAndThenTakesNoMore) {
  Hello gateway;
  Http2Caller caller(gateway.port);
  caller.ping();
  ASSERT_TRUE(caller.until([&] { return caller.pongs() == 1; }));
  // Sent in ignorance of the drain, though it arrives after it.
  const std::int32_t late = caller.converse();
  gateway.drain();
  ASSERT_TRUE(caller.until_ended(late));
  EXPECT_EQ(caller.reply(late).status, 200);
  ASSERT_TRUE(caller.until([&] { return caller.goaway().has_value(); }));
  EXPECT_EQ(caller.goaway()->last_stream, std::numeric_limits<std::int32_t>::max()) << "what is on its way counts";
  EXPECT_EQ(caller.goaway()->error, static_cast<std::uint32_t>(NGHTTP2_NO_ERROR));
  EXPECT_TRUE(caller.until_connection_closes());
  EXPECT_TRUE(gateway.empties());
}

TEST(Http2, AConnectionAcceptedAtTheMomentOfTheDrainIsClosed) {
  for (int i = 0; i < 4; ++i) {
    Hello gateway;
    Caller caller(gateway.port);
    if (i % 2 == 0) caller.send(http2_preface);
    gateway.drain();
    caller.until_closed();
    EXPECT_TRUE(caller.closed()) << i;
    EXPECT_TRUE(gateway.empties());
  }
}

TEST(Http2, AHeadTooLargeIs431AndABodyTooLarge413) {
  Hello gateway("limits: {body_bytes_max: 100KiB}");
  Http2Caller caller(gateway.port);
  const std::int32_t wide =
      caller.request(with(request_fields(converse_path()), "x-wide", std::string(33 * 1024, 'a')), say_hello);
  ASSERT_TRUE(caller.until_closed(wide));
  EXPECT_EQ(caller.reply(wide).status, 431);
  Fields many = request_fields(converse_path());
  for (int i = 0; i < 200; ++i) many.emplace_back("x-" + std::to_string(i), "v");
  const std::int32_t long_list = caller.request(many, say_hello);
  ASSERT_TRUE(caller.until_closed(long_list));
  EXPECT_EQ(caller.reply(long_list).status, 431);

  const std::int32_t large = caller.request(request_fields(converse_path()), std::string(150 * 1024, 'a'), true);
  ASSERT_TRUE(caller.until_closed(large));
  EXPECT_EQ(caller.reply(large).status, 413);
  EXPECT_TRUE(caller.reply(large).ended) << "the answer is whole although the request was not";
  EXPECT_EQ(caller.reply(large).error, static_cast<std::uint32_t>(NGHTTP2_NO_ERROR))
      << "and the rest is not wanted";
  const std::int32_t good = caller.converse();
  ASSERT_TRUE(caller.until_ended(good)) << "the connection lives on";
  EXPECT_EQ(caller.reply(good).status, 200);
  EXPECT_EQ(gateway.records(), 4u);
}

TEST(Http2, WhatTheRfcCallsMalformedIsResetAndNeverACall) {
  Hello gateway;
  const Fields good = request_fields(converse_path(), "GET");
  const std::vector<std::pair<std::string, Fields>> malformed{
      {"no method", without(good, ":method")},
      {"no path", without(good, ":path")},
      {"no scheme", without(good, ":scheme")},
      {"two paths",
       [&] {
         Fields twice = good;
         twice.insert(twice.begin(), {":path", "/v1/models"});
         return twice;
       }()},
      {"an unknown pseudo field",
       [&] {
         Fields unknown = good;
         unknown.insert(unknown.begin(), {":status", "200"});
         return unknown;
       }()},
      {"a pseudo field behind others", with(without(good, ":path"), ":path", "/v1/models")},
      {"an empty path", with(without(good, ":path"), ":path", "")},
      {"connection", with(good, "connection", "close")},
      {"keep-alive", with(good, "keep-alive", "timeout=5")},
      {"transfer-encoding", with(good, "transfer-encoding", "chunked")},
      {"upgrade", with(good, "upgrade", "websocket")},
      {"te", with(good, "te", "gzip")},
      {"an upper-case name", with(good, "X-Upper", "v")},
      {"a line feed in a value", with(good, "x", "a\nb")},
      {"a length that is not kept", with(good, "content-length", "10")},
  };
  for (const auto& [what, fields] : malformed) {
    RawHttp2 caller(gateway.port);
    caller.headers(1, fields, true);
    const auto answer = caller.next();
    ASSERT_TRUE(answer) << what;
    EXPECT_TRUE(answer->type == NGHTTP2_RST_STREAM || answer->type == NGHTTP2_GOAWAY) << what << int{answer->type};
    EXPECT_EQ(answer->error(), static_cast<std::uint32_t>(NGHTTP2_PROTOCOL_ERROR)) << what;
  }
  EXPECT_EQ(gateway.records(), 0u);
}

TEST(Http2, ABodyThatDiffersFromItsLengthIsReset) {
  Hello gateway;
  Http2Caller caller(gateway.port);
  for (const std::string& length : {"1", "100000"}) {
    const std::int32_t stream =
        caller.request(with(request_fields(converse_path()), "content-length", length), say_hello);
    ASSERT_TRUE(caller.until_closed(stream));
    EXPECT_EQ(caller.reply(stream).error, static_cast<std::uint32_t>(NGHTTP2_PROTOCOL_ERROR));
  }
  EXPECT_TRUE(gateway.regions.seen().empty());
}

TEST(Http2, TwoNamesForOneHostAreRefused) {
  Hello gateway;
  Http2Caller caller(gateway.port);
  const std::int32_t differs =
      caller.request(with(request_fields(converse_path()), "host", "evil.test"), say_hello);
  const std::int32_t same =
      caller.request(with(request_fields(converse_path()), "host", "Gateway.test"), say_hello);
  ASSERT_TRUE(caller.until_ended(differs));
  EXPECT_EQ(caller.reply(differs).status, 400);
  ASSERT_TRUE(caller.until_ended(same));
  EXPECT_EQ(caller.reply(same).status, 200);
}

TEST(Http2, PrioritiesAndFramesOfUnknownTypesAreIgnoredAndPingsAnswered) {
  Hello gateway;
  RawHttp2 raw(gateway.port);
  raw.send(RawHttp2::frame(NGHTTP2_PRIORITY, 0, 1, std::string("\0\0\0\0\x10", 5)));
  raw.send(RawHttp2::frame(0xbb, 0xff, 0, "nobody knows"));
  raw.send(RawHttp2::frame(0x10, 0, 0, std::string("\0\0\0\1", 4) + "u=1"));  // PRIORITY_UPDATE, RFC 9218
  raw.headers(1, request_fields("/v1/models", "GET"), true);
  const auto headers = raw.next();
  ASSERT_TRUE(headers);
  EXPECT_EQ(headers->type, NGHTTP2_HEADERS);
  EXPECT_EQ(headers->stream, 1);

  Http2Caller caller(gateway.port);
  caller.ping();
  EXPECT_TRUE(caller.until([&] { return caller.pongs() == 1; }));
}

TEST(Http2, ARequestThatDoesNotEndIs408WhateverElseTheConnectionDoes) {
  Hello gateway("deadlines: {head: 300ms}");
  Http2Caller caller(gateway.port);
  const std::int32_t open = caller.request(request_fields(converse_path()), "{", true);
  const auto from = std::chrono::steady_clock::now();
  int good = 0;
  while (!caller.reply(open).ended && std::chrono::steady_clock::now() - from < std::chrono::seconds{3}) {
    ASSERT_TRUE(caller.until_ended(caller.converse()));
    ++good;
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
  }
  EXPECT_EQ(caller.reply(open).status, 408);
  EXPECT_GT(good, 3);
}

TEST(Http2, ACallerThatTakesNothingOfItsAnswersLosesThem) {
  Hello gateway("deadlines: {chunk: 300ms}", converse_reply(std::string(100'000, 'x')));
  Http2Caller caller(gateway.port, 100);
  std::vector<std::int32_t> streams;
  for (int i = 0; i < 50; ++i) streams.push_back(caller.converse());
  for (const std::int32_t stream : streams) {
    ASSERT_TRUE(caller.until_closed(stream)) << "pings and window updates of the connection do not help";
    EXPECT_EQ(caller.reply(stream).error, static_cast<std::uint32_t>(NGHTTP2_CANCEL));
    caller.ping();
  }
  EXPECT_EQ(gateway.records(), 50u);
}

TEST(Http2, ACallerThatDoesNotReadItsSocketIsClosed) {
  Hello gateway("deadlines: {chunk: 300ms}", converse_reply(std::string(8'000'000, 'x')));
  Caller caller(gateway.port, 4096);
  RawHttp2 frames(caller, 1u << 30);
  frames.headers(1, request_fields(converse_path()), false);
  caller.send(RawHttp2::frame(NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, say_hello));
  for (int i = 0; i < 600 && gateway.counters.connections_open.load() > 0; ++i) {
    caller.send(RawHttp2::frame(NGHTTP2_WINDOW_UPDATE, 0, 1, RawHttp2::number(1)));
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  }
  EXPECT_EQ(gateway.counters.connections_open.load(), 0);
}

// Limits.

TEST(Http2, BeyondItsStreamsAConnectionIsRefused) {
  ListeningGateway gateway("limits: {streams_max: 3}");
  Act slow = replies(200, hello);
  slow.after = std::chrono::milliseconds{300};
  gateway.regions.script("us-east-1", {slow});
  const std::uint16_t port = gateway.start();
  Http2Caller polite(port);
  polite.ping();
  ASSERT_TRUE(polite.until([&] { return polite.pongs() == 1; }));
  EXPECT_EQ(polite.peers_streams_max(), 3u);
  RawHttp2 caller(port);
  for (std::int32_t stream = 1; stream <= 7; stream += 2) {
    caller.headers(stream, request_fields(converse_path()), false);
    caller.send(RawHttp2::frame(NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, stream, say_hello));
  }
  const auto refusal = caller.next_of(NGHTTP2_RST_STREAM);
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->stream, 7);
  EXPECT_EQ(refusal->error(), static_cast<std::uint32_t>(NGHTTP2_REFUSED_STREAM));
}

TEST(Http2, BeyondTheConnectionsAllowedItIsToldInItsOwnProtocol) {
  Hello gateway("limits: {connections_max: 1}");
  Http2Caller first(gateway.port);
  ASSERT_TRUE(first.until_ended(first.converse()));
  {
    Http2Caller second(gateway.port);
    second.converse();
    EXPECT_TRUE(second.until_connection_closes());
    ASSERT_TRUE(second.goaway());
    EXPECT_EQ(second.goaway()->last_stream, 0) << "so that the call may be sent again elsewhere";
    EXPECT_EQ(second.goaway()->error, static_cast<std::uint32_t>(NGHTTP2_ENHANCE_YOUR_CALM));
  }
  Caller third(gateway.port);
  third.send(converse());
  const std::string reply = third.until_closed();
  EXPECT_THAT(reply, HasSubstr("HTTP/1.1 503"));
  EXPECT_THAT(reply, HasSubstr("retry-after: 1"));
  EXPECT_FALSE(third.was_reset());
  EXPECT_EQ(gateway.counters.connections_refused.load(), 2u);
  ASSERT_TRUE(first.until_ended(first.converse())) << "who is in stays in";
}

TEST(Limits, BodiesBeyondTheirMemoryAre503AndTheMemoryComesBack) {
  Hello gateway("limits: {body_bytes_max: 900KiB, bodies_bytes_max: 1MiB}");
  Http2Caller holder(gateway.port);
  const std::int32_t held = holder.request(request_fields(converse_path()), std::string(700 * 1024, ' '), true);
  ASSERT_TRUE(holder.until([&] {
    holder.ping();  // so that there is something to read
    holder.flush();
    return gateway.occupancy.body_bytes.load() >= 700 * 1024;
  }));
  const std::string body = std::string(500 * 1024, ' ') + std::string(say_hello);

  Http2Caller other(gateway.port);
  const std::int32_t refused = other.post(converse_path(), body);
  ASSERT_TRUE(other.until_closed(refused));
  EXPECT_EQ(other.reply(refused).status, 503);
  EXPECT_EQ(other.reply(refused).fields.at("retry-after"), "1");
  EXPECT_THAT(other.reply(refused).body, HasSubstr("limits.bodies_bytes_max"));
  Caller old(gateway.port);
  old.send(post(converse_path(), body));
  EXPECT_THAT(old.until_closed(), HasSubstr("HTTP/1.1 503"));
  const std::int32_t small = other.converse();
  ASSERT_TRUE(other.until_ended(small));
  EXPECT_EQ(other.reply(small).status, 200) << "small bodies are not meant";

  holder.more(held, say_hello, false);
  ASSERT_TRUE(holder.until_ended(held));
  EXPECT_EQ(holder.reply(held).status, 200);
  const std::int32_t again = other.post(converse_path(), body);
  ASSERT_TRUE(other.until_ended(again));
  EXPECT_EQ(other.reply(again).status, 200);
  for (int i = 0; i < 200 && gateway.occupancy.body_bytes.load() > 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  EXPECT_EQ(gateway.occupancy.body_bytes.load(), 0u);
  EXPECT_EQ(gateway.records(), 5u);
}

TEST(Limits, AnAnnouncedLengthTakesNoMemory) {
  Hello gateway("limits: {bodies_bytes_max: 25MB}");
  std::deque<Caller> callers;
  for (int i = 0; i < 10; ++i)
    callers.emplace_back(gateway.port)
        .send("POST " + converse_path() + " HTTP/1.1\r\nhost: a\r\ncontent-length: 25000000\r\n\r\n{");
  Caller good(gateway.port);
  good.send(post(converse_path(), std::string(500 * 1024, ' ') + std::string(say_hello)));
  EXPECT_THAT(good.until(hello), HasSubstr("HTTP/1.1 200"));
}

TEST(Limits, CallsBeyondThoseAllowedInFlightAre503AndRecorded) {
  ListeningGateway gateway("limits: {calls_max: 2}");
  Act slow = replies(200, hello);
  slow.after = std::chrono::milliseconds{300};
  gateway.regions.script("us-east-1", {slow});
  Http2Caller caller(gateway.start());
  const std::int32_t first = caller.converse();
  const std::int32_t second = caller.converse();
  caller.flush();
  while (gateway.open_flows() < 2) std::this_thread::yield();
  const std::int32_t third = caller.converse();
  ASSERT_TRUE(caller.until_ended(third));
  EXPECT_EQ(caller.reply(third).status, 503);
  EXPECT_EQ(caller.reply(third).fields.at("retry-after"), "1");
  EXPECT_THAT(caller.reply(third).body, HasSubstr("limits.calls_max"));
  ASSERT_TRUE(caller.until_ended(first));
  ASSERT_TRUE(caller.until_ended(second));
  EXPECT_EQ(caller.reply(first).status, 200);
  const std::int32_t again = caller.converse();
  ASSERT_TRUE(caller.until_ended(again));
  EXPECT_EQ(caller.reply(again).status, 200);
  EXPECT_EQ(gateway.records(), 4u);
}

}  // namespace
}  // namespace portolan::gateway::testing
