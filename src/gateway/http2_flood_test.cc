// SPDX-License-Identifier: Apache-2.0
// HTTP/2 peers that send what costs us more than them: ended with GOAWAY, without harm to others.
#include "gateway/test_http2.h"

namespace portolan::gateway::testing {
namespace {

using Frame = RawHttp2::Frame;

const std::string hello = converse_reply("Hello.");

struct Hello : ListeningGateway {
  Hello() {
    regions.script("us-east-1", {replies(200, hello)});
    port = start();
  }
  /// What the peer of a flood is told, and that others are served afterwards.
  std::optional<std::uint32_t> ends_with(RawHttp2& flood) {
    const std::optional<Frame> goaway = flood.next_of(NGHTTP2_GOAWAY);
    EXPECT_TRUE(flood.until_connection_closes());
    Http2Caller good(port);
    EXPECT_TRUE(good.until_ended(good.converse()));
    if (!goaway) return std::nullopt;
    return goaway->error();
  }
  std::uint16_t port;
};

constexpr std::uint32_t calm = NGHTTP2_ENHANCE_YOUR_CALM;

/// Sends until the gateway has had enough, and at most `times` times.
void repeat(RawHttp2& caller, std::string_view bytes, int times) {
  std::string many;
  for (int i = 0; i < 50; ++i) many += bytes;
  for (int i = 0; i < times / 50 && caller.send(many); ++i) {
  }
}

TEST(FrameAllowance, HasABurstRefillsWithTimeAndEarns) {
  struct {
    base::Instant at{std::chrono::hours{1}};
    base::Instant now() const { return at; }
  } clock;
  FrameAllowance allowance(clock.now());
  for (std::uint32_t i = 0; i < FrameAllowance::burst; ++i) ASSERT_TRUE(allowance.spend(clock)) << i;
  EXPECT_FALSE(allowance.spend(clock));
  allowance.earn(2);
  EXPECT_TRUE(allowance.spend(clock));
  EXPECT_TRUE(allowance.spend(clock));
  EXPECT_FALSE(allowance.spend(clock));
  clock.at += base::milliseconds{50};
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(allowance.spend(clock)) << i;
  EXPECT_FALSE(allowance.spend(clock));
  clock.at += std::chrono::hours{1};
  for (std::uint32_t i = 0; i < FrameAllowance::burst; ++i) ASSERT_TRUE(allowance.spend(clock)) << i;
  EXPECT_FALSE(allowance.spend(clock)) << "no more than the burst is kept";
}

TEST(FrameAllowance, WhatCameSlowlyNeverEndsAConnection) {
  struct {
    base::Instant at{std::chrono::hours{1}};
    base::Instant now() const { return at; }
  } clock;
  FrameAllowance allowance(clock.now());
  for (int i = 0; i < 10'000; ++i, clock.at += base::milliseconds{11}) ASSERT_TRUE(allowance.spend(clock)) << i;
}

TEST(Http2Flood, RapidReset) {
  Hello gateway;
  RawHttp2 caller(gateway.port);
  bool taken = true;
  for (std::int32_t stream = 1; taken && stream < 6000; stream += 2) {
    const std::string block = caller.block(request_fields(converse_path(), "POST"));
    taken = caller.send(
        RawHttp2::frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, stream, block) +
        RawHttp2::frame(NGHTTP2_RST_STREAM, 0, stream, RawHttp2::number(NGHTTP2_CANCEL)));
  }
  EXPECT_EQ(gateway.ends_with(caller), calm);
  EXPECT_EQ(gateway.counters.connections_flooding.load(), 1u);
}

TEST(Http2Flood, ResetStreamsWhoseCallsAreNotOverCountAsStreams) {
  ListeningGateway gateway("limits: {streams_max: 10}");
  gateway.regions.script("us-east-1", {replies(200, hello)});
  RawHttp2 caller(gateway.start());
  std::string burst;
  for (std::int32_t stream = 1; stream < 200; stream += 2) {
    const std::string block = caller.block(request_fields("/v1/models", "GET"));
    burst += RawHttp2::frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, stream, block);
    burst += RawHttp2::frame(NGHTTP2_RST_STREAM, 0, stream, RawHttp2::number(NGHTTP2_CANCEL));
  }
  caller.send(burst);
  std::this_thread::sleep_for(std::chrono::milliseconds{100});
  EXPECT_LT(gateway.records(), 60u) << "most of the hundred were never begun";
}

TEST(Http2Flood, ResetsThatThePeerMakesUsSend) {
  Hello gateway;
  RawHttp2 caller(gateway.port);
  bool taken = true;
  for (std::int32_t stream = 1; taken && stream < 6000; stream += 2) {
    const std::string block = caller.block(request_fields(converse_path(), "POST"));
    // A window update of zero is a fault of the stream (RFC 9113 section 6.9).
    taken = caller.send(RawHttp2::frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, stream, block) +
                        RawHttp2::frame(NGHTTP2_WINDOW_UPDATE, 0, stream, RawHttp2::number(0)));
  }
  EXPECT_TRUE(gateway.ends_with(caller).has_value());
}

TEST(Http2Flood, Continuations) {
  Hello gateway;
  RawHttp2 caller(gateway.port);
  caller.send(RawHttp2::frame(NGHTTP2_HEADERS, 0, 1, caller.block(request_fields(converse_path()))));
  repeat(caller, RawHttp2::frame(NGHTTP2_CONTINUATION, 0, 1, caller.block({{"x", "y"}})), 5000);
  gateway.ends_with(caller);  // closed, and others are served
}

TEST(Http2Flood, PingsSettingsPrioritiesAndWindowUpdates) {
  for (const std::string& frame : {
           RawHttp2::frame(NGHTTP2_PING, 0, 0, "12345678"),
           RawHttp2::frame(NGHTTP2_SETTINGS, 0, 0, ""),
           RawHttp2::frame(NGHTTP2_SETTINGS, 0, 0, std::string("\0\4\0\1\0\0", 6)),
           RawHttp2::frame(NGHTTP2_PRIORITY, 0, 1, std::string("\0\0\0\0\x10", 5)),
           RawHttp2::frame(NGHTTP2_WINDOW_UPDATE, 0, 0, RawHttp2::number(1)),
       }) {
    Hello gateway;
    RawHttp2 caller(gateway.port);
    repeat(caller, frame, 20'000);
    EXPECT_EQ(gateway.ends_with(caller), calm) << int{static_cast<std::uint8_t>(frame[3])};
    EXPECT_EQ(gateway.counters.connections_flooding.load(), 1u);
  }
}

TEST(Http2Flood, EmptyDataFrames) {
  Hello gateway;
  RawHttp2 caller(gateway.port);
  caller.headers(1, request_fields(converse_path()), false);
  repeat(caller, RawHttp2::frame(NGHTTP2_DATA, 0, 1, ""), 20'000);
  EXPECT_EQ(gateway.ends_with(caller), calm);
}

TEST(Http2Flood, ManySettingsInOneFrame) {
  Hello gateway;
  RawHttp2 caller(gateway.port);
  std::string entries;
  for (int i = 0; i < 1000; ++i) entries += std::string("\0\4\0\1\0\0", 6);
  caller.send(RawHttp2::frame(NGHTTP2_SETTINGS, 0, 0, entries));
  EXPECT_TRUE(gateway.ends_with(caller).has_value());
}

TEST(Http2Flood, AWindowThatOverflowsEndsTheConnection) {
  Hello gateway;
  RawHttp2 caller(gateway.port);
  for (int i = 0; i < 2; ++i)
    caller.send(RawHttp2::frame(NGHTTP2_WINDOW_UPDATE, 0, 0, RawHttp2::number(0x7fffffff)));
  EXPECT_EQ(gateway.ends_with(caller), static_cast<std::uint32_t>(NGHTTP2_FLOW_CONTROL_ERROR));
}

TEST(Http2Flood, AHeaderBombIsRefusedBeforeItIsKept) {
  Hello gateway;
  RawHttp2 caller(gateway.port);
  // One field of 4,000 bytes enters the compression table; each byte that follows names it again.
  std::string block = caller.block(request_fields(converse_path()));
  const std::string field = caller.block({{"x-bomb", std::string(3000, 'b')}});
  block += field;
  const std::string again = caller.block({{"x-bomb", std::string(3000, 'b')}});
  ASSERT_LT(again.size(), 4u) << "it is in the table";
  while (block.size() + again.size() < 16'000) block += again;
  caller.send(RawHttp2::frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1, block));
  const auto answer = caller.next_of(NGHTTP2_HEADERS);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->stream, 1);
  Http2Caller good(gateway.port);
  EXPECT_TRUE(good.until_ended(good.converse()));
  EXPECT_EQ(gateway.records(), 2u);
  EXPECT_EQ(gateway.regions.seen().size(), 1u);
}

TEST(Http2Flood, AClientThatAcknowledgesEveryPieceOfALongStreamIsNone) {
  ListeningGateway gateway;
  std::vector<std::string> pieces{message_start()};
  for (int i = 0; i < 2500; ++i) pieces.push_back(text_delta("word"));
  pieces.push_back(message_stop());
  pieces.push_back(metadata());
  gateway.regions.script("us-east-1", {streams(pieces)});
  Http2Caller caller(gateway.start(), 400);
  const std::int32_t stream = caller.post("/model/" + std::string(sonnet) + "/converse-stream", say_hello);
  std::size_t taken = 0;
  EXPECT_TRUE(caller.until([&] {
    const std::size_t there = caller.reply(stream).body.size();
    caller.take(stream, there - taken);
    taken = there;
    caller.flush();
    return caller.reply(stream).ended;
  }));
  EXPECT_EQ(gateway.counters.connections_flooding.load(), 0u);
}

}  // namespace
}  // namespace portolan::gateway::testing
