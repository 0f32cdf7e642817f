// SPDX-License-Identifier: Apache-2.0
// A caller that leaves while a Region works on its call: the exchange is dropped at once, and the record tells.
#include "gateway/test_gateway.h"
#include "gateway/test_http2.h"

namespace portolan::gateway::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::string hello = converse_reply("Hello.");

Act takes(base::Duration time, Act act) {
  act.after = time;
  return act;
}

/// A Region whose caller leaves while it works.
Act left_alone(Act act, Answer& answer) {
  act.meanwhile = [&answer] { answer.leave(); };
  return act;
}

TEST(Abandonment, ACallThatWaitsForItsFirstByteEndsAndNoOtherRegionIsTried) {
  for (const std::string& text : {converse(), converse_stream(), chat(false), chat(true)}) {
    Conversation talk;
    Answer answer;
    talk.region("us-east-1", {left_alone(takes(std::chrono::seconds{5}, replies(200, hello)), answer)});
    talk.ask(text, answer);
    EXPECT_EQ(answer.status, 499);
    EXPECT_EQ(talk.attempts(), "us-east-1 caller_gone");
    EXPECT_EQ(talk.stage(), "attempt");
    EXPECT_EQ(talk.record().at("errorCode"), "RequestCanceledException");
    EXPECT_EQ(talk.fleet.health(0).failures_in_a_row, 0u) << "the Region was not at fault";
    EXPECT_FALSE(talk.regions.seen()[0].reused_after);
  }
}

TEST(Abandonment, AReplyThatHasBegunIsDroppedToo) {
  Conversation talk;
  Answer answer;
  const Act act = slowly(std::chrono::seconds{1}, in_pieces_of(20, replies(200, hello)));
  talk.region("us-east-1", {left_alone(act, answer)});
  talk.ask(converse(), answer);
  EXPECT_EQ(answer.status, 499);
  EXPECT_EQ(talk.attempts(), "us-east-1 caller_gone");
}

TEST(Abandonment, IsNotAFailureThatOtherRegionsMakeUpFor) {
  Conversation talk;
  Answer answer;
  Act refusal = slowly(std::chrono::seconds{1}, throttles(1));
  talk.region("us-east-1", {left_alone(refusal, answer)});
  talk.ask(converse(), answer);
  EXPECT_EQ(answer.status, 499);
  EXPECT_EQ(talk.regions.seen().size(), 1u);
}

TEST(Abandonment, IsChargedWhatTheRegionWasAsked) {
  Conversation talk;
  Answer answer;
  talk.region("us-east-1", {left_alone(takes(std::chrono::milliseconds{1}, replies(200, hello)), answer)});
  talk.ask(converse(sonnet, "otto-key"), answer);
  const std::uint64_t asked = talk.record().at("portolan").at("inputTokensEstimated");
  EXPECT_GT(asked, 0u);
  EXPECT_EQ(talk.allowance(2).tokens_available(talk.clock.now()), 1000 - asked);
}

/// Its Regions take half a minute.
struct Slow : ListeningGateway {
  Slow() {
    regions.script("us-east-1", {takes(std::chrono::seconds{30}, replies(200, hello))});
    port = start();
  }
  void waits_for_a_region() {
    while (open_flows() == 0) std::this_thread::yield();
  }
  std::uint16_t port;
};

TEST(Abandonment, AnHttp1CallerThatClosesIsFoundOut) {
  for (const std::string& text : {converse(), converse_stream(), chat(false), converse() + converse()}) {
    Slow gateway;
    {
      Caller caller(gateway.port);
      caller.send(text);
      gateway.waits_for_a_region();
    }
    EXPECT_TRUE(gateway.abandons());
    EXPECT_TRUE(gateway.empties());
    const std::vector<Json> records = gateway.records_of(1);
    ASSERT_EQ(records.size(), 1u) << "what stood behind it began";
    EXPECT_EQ(records[0].at("errorCode"), "RequestCanceledException");
    const Json& attempts = records[0].at("portolan").at("attempts");
    ASSERT_EQ(attempts.size(), 1u);
    EXPECT_EQ(attempts[0].at("region"), "us-east-1");
    EXPECT_EQ(attempts[0].at("error"), "caller_gone");
  }
}

TEST(Abandonment, ACallerThatOnlyEndsItsSendingSideReadsWhyItWasNotWaitedFor) {
  Slow gateway;
  Caller caller(gateway.port);
  caller.send(converse());
  gateway.waits_for_a_region();
  caller.end_sending();
  EXPECT_THAT(caller.until_closed(), AllOf(StartsWith("HTTP/1.1 499"), HasSubstr("connection: close")));
}

TEST(Abandonment, WhatACallerSendsAheadDoesNotMeanThatItHasGone) {
  ListeningGateway gateway;
  gateway.regions.script("us-east-1",
                         {takes(std::chrono::milliseconds{700}, replies(200, hello)), replies(200, hello)});
  Caller caller(gateway.start());
  caller.send(converse() + converse());
  EXPECT_THAT(caller.until(hello), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(caller.until(hello), StartsWith("HTTP/1.1 200"));
}

TEST(Abandonment, AnHttp2StreamThatIsResetEndsItsCallAtOnceAndNoOther) {
  for (const std::string& path : {"/converse", "/converse-stream"}) {
    ListeningGateway gateway;
    gateway.regions.script("us-east-1",
                           {takes(std::chrono::seconds{30}, replies(200, hello)), replies(200, hello)});
    Http2Caller caller(gateway.start());
    const std::int32_t slow = caller.post("/model/" + std::string(sonnet) + path, say_hello);
    caller.flush();
    while (gateway.open_flows() == 0) std::this_thread::yield();
    const auto from = std::chrono::steady_clock::now();
    caller.reset(slow);
    caller.flush();
    EXPECT_TRUE(gateway.abandons());
    EXPECT_LT(std::chrono::steady_clock::now() - from, std::chrono::milliseconds{200});
    const std::int32_t next = caller.converse();
    EXPECT_TRUE(caller.until_ended(next));
    EXPECT_EQ(caller.reply(next).status, 200) << "the connection lives on";
    const std::vector<Json> records = gateway.records_of(2);
    ASSERT_EQ(records.size(), 2u);
    EXPECT_EQ(records[0].at("errorCode"), "RequestCanceledException");
    EXPECT_EQ(records[0].at("portolan").at("attempts").at(0).at("error"), "caller_gone");
  }
}

TEST(Abandonment, AnHttp2ConnectionThatClosesEndsAllOfItsCalls) {
  Slow gateway;
  {
    Http2Caller caller(gateway.port);
    for (int i = 0; i < 3; ++i) caller.converse();
    caller.flush();
    while (gateway.open_flows() < 3) std::this_thread::yield();
  }
  EXPECT_TRUE(gateway.abandons());
  EXPECT_TRUE(gateway.empties());
  EXPECT_EQ(gateway.records_of(3).size(), 3u);
}

}  // namespace
}  // namespace portolan::gateway::testing
