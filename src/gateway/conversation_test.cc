// SPDX-License-Identifier: Apache-2.0
// Whole conversations: what was asked, what the Regions did, what was answered and what was recorded.
#include "gateway/test_conversation.h"

namespace portolan::gateway::testing {
namespace {

using base::Code;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST(Conversation, TheFirstRegionServes) {
  Conversation talk;
  talk.region("us-east-1", {replies(200, converse_reply("Hello."))});
  const Answer answer = talk.ask(converse());
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, converse_reply("Hello."));
  EXPECT_EQ(answer.field("content-type"), "application/json");
  EXPECT_EQ(answer.field("x-portolan-inference-region"), "us-east-1");
  EXPECT_EQ(answer.field("x-portolan-source-region"), "us-east-1");
  EXPECT_EQ(answer.field("x-portolan-attempts"), "1");
  EXPECT_EQ(answer.field("x-amzn-requestid"), answer.field("x-portolan-call-id"));
  EXPECT_EQ(talk.attempts(), "us-east-1 served");
  const Json record = talk.record();
  EXPECT_EQ(record["eventName"], "Converse");
  EXPECT_EQ(record["awsRegion"], "us-east-1");
  EXPECT_EQ(record["sourceIPAddress"], "192.0.2.7");
  EXPECT_EQ(record["userIdentity"]["userName"], "alice");
  EXPECT_EQ(record["additionalEventData"]["inferenceRegion"], "us-east-1");
  EXPECT_EQ(record["additionalEventData"]["inputTokens"], 11);
  EXPECT_EQ(record["additionalEventData"]["outputTokens"], 3);
  EXPECT_EQ(record["portolan"]["stage"], "record");
}

TEST(Conversation, TheRegionIsAskedForTheModelWithTheBodyAsItCame) {
  Conversation talk;
  talk.region("us-east-1", {replies(200, converse_reply("Hello."))});
  talk.ask(converse());
  ASSERT_EQ(talk.regions.seen().size(), 1u);
  const ScriptedRegions::Seen& seen = talk.regions.seen()[0];
  EXPECT_THAT(seen.head,
              StartsWith("POST /model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse HTTP/1.1\r\n"));
  EXPECT_THAT(seen.head, HasSubstr("host: 127.77.0.1:9001\r\n"));
  EXPECT_THAT(seen.head, HasSubstr("/us-east-1/bedrock/aws4_request"));
  EXPECT_THAT(seen.head, Not(HasSubstr("alice-key"))) << "the caller's credential goes no further";
  EXPECT_EQ(seen.body, say_hello);
  EXPECT_TRUE(seen.reused_after);
}

TEST(Conversation, TheNextBestRegionIsWarmedWhileTheFirstIsAsked) {
  Conversation talk;
  talk.region("us-east-1", {replies(200, converse_reply("Hello."))});
  talk.ask(converse());
  EXPECT_THAT(talk.regions.warmed(), ElementsAre("us-east-2"));
}

TEST(Conversation, AGatewayThatCannotKeepUpRefusesBeforeItReadsTheBody) {
  Conversation talk;
  talk.region("us-east-1", {replies(200, converse_reply("Hello."))});
  quota::Shedder& shedder = talk.journey.shedder();
  for (base::Instant at{std::chrono::steady_clock::now().time_since_epoch()}; shedder.level() < 2;
       at += base::milliseconds{10})
    shedder.observe(base::seconds{1}, at);
  const Answer refused =
      talk.ask(post("/model/" + std::string(sonnet) + "/converse", "{not even JSON", "alice-key"));
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.field("x-amzn-errortype"), "ServiceUnavailableException");
  EXPECT_EQ(refused.field("retry-after"), "1");
  EXPECT_THAT(refused.body, HasSubstr("overloaded and refuses standard calls"));
  EXPECT_TRUE(talk.regions.seen().empty());
  EXPECT_EQ(talk.records().back()["portolan"]["stage"], "reserve");
  EXPECT_EQ(talk.records().back()["portolan"]["outcome"], "denied");
}

TEST(Conversation, AnOverloadOfTheLowestClassLeavesTheOthersAlone) {
  Conversation talk;
  talk.region("us-east-1", {replies(200, converse_reply("Hello."))});
  quota::Shedder& shedder = talk.journey.shedder();
  for (base::Instant at{std::chrono::steady_clock::now().time_since_epoch()}; shedder.level() < 0.9;
       at += base::milliseconds{10})
    shedder.observe(base::milliseconds{25}, at);
  EXPECT_EQ(talk.ask(converse()).status, 200);
}

TEST(Conversation, ARefusedConnectionMovesOnToTheNextRegion) {
  Conversation talk;
  talk.region("us-east-1", {refuses()}).region("us-east-2", {replies(200, converse_reply("Hello."))});
  const Answer answer = talk.ask(converse());
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.field("x-portolan-inference-region"), "us-east-2");
  EXPECT_EQ(answer.field("x-portolan-attempts"), "2");
  EXPECT_EQ(talk.attempts(), "us-east-1 upstream_refused, us-east-2 served");
}

TEST(Conversation, AConnectionThatIsNeverMadeMovesOn) {
  Conversation talk;
  talk.region("us-east-1", {never_connects()}).region("us-east-2", {replies(200, converse_reply("Hello."))});
  EXPECT_EQ(talk.ask(converse()).status, 200);
  EXPECT_EQ(talk.attempts(), "us-east-1 upstream_connect_timeout, us-east-2 served");
}

TEST(Conversation, ASilentRegionMovesOn) {
  Conversation talk("deadlines: {first_byte: 2s}");
  talk.region("us-east-1", {is_silent()}).region("us-east-2", {replies(200, converse_reply("Hello."))});
  EXPECT_EQ(talk.ask(converse()).status, 200);
  EXPECT_EQ(talk.attempts(), "us-east-1 upstream_silent, us-east-2 served");
}

TEST(Conversation, MalformedJsonOfAWholeReplyMovesOn) {
  Conversation talk;
  talk.region("us-east-1", {replies(200, R"({"output":{"message")")})
      .region("us-east-2", {replies(200, converse_reply("Hello."))});
  const Answer answer = talk.ask(converse());
  EXPECT_EQ(answer.body, converse_reply("Hello."));
  EXPECT_EQ(talk.attempts(), "us-east-1 upstream_malformed, us-east-2 served");
  EXPECT_FALSE(talk.regions.seen()[0].reused_after);
}

TEST(Conversation, AWholeReplyThatIsCutMovesOn) {
  Conversation talk;
  talk.region("us-east-1", {cut(replies(200, R"({"output":)"))})
      .region("us-east-2", {in_pieces_of(7, replies(200, converse_reply("Hello.")))});
  const Answer answer = talk.ask(converse());
  EXPECT_EQ(answer.body, converse_reply("Hello."));
  EXPECT_EQ(talk.attempts(), "us-east-1 upstream_cut, us-east-2 served");
}

TEST(Conversation, EveryServerErrorMovesOn) {
  for (const int status : {500, 502, 503, 504, 529}) {
    Conversation talk;
    talk.region("us-east-1", {replies(status, "")}).region("us-east-2", {replies(200, converse_reply("Hello."))});
    EXPECT_EQ(talk.ask(converse()).field("x-portolan-inference-region"), "us-east-2") << status;
  }
}

TEST(Conversation, ARegionThatRefusesOurCredentialsMovesOnAndIsNotTheCallersFault) {
  Conversation talk;
  talk.every_region(replies(403, R"({"message":"denied"})", {{"x-amzn-errortype", "AccessDeniedException"}}));
  const Answer answer = talk.ask(converse());
  EXPECT_EQ(answer.status, 500);
  EXPECT_THAT(talk.attempts(), StartsWith("us-east-1 upstream_credentials, us-east-2 upstream_credentials"));
}

TEST(Conversation, ThrottledEverywhereIs429WithTheWaitAfterOneAttemptInEachRegion) {
  Conversation talk;
  talk.every_region(throttles(7));
  const Answer answer = talk.ask(converse());
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(answer.field("x-amzn-errortype"), "ThrottlingException");
  EXPECT_EQ(answer.field("retry-after"), "7");
  EXPECT_EQ(talk.attempts(),
            "us-east-1 upstream_throttled, us-east-2 upstream_throttled, us-west-2 upstream_throttled");
  EXPECT_EQ(talk.record()["errorCode"], "ThrottlingException");
}

TEST(Conversation, ARequestThatTheRegionRefusesIsPassedOnAndNotRetried) {
  Conversation talk;
  talk.region("us-east-1", {replies(400, R"({"message":"The messages must alternate."})",
                                    {{"x-amzn-errortype", "ValidationException"}})});
  const Answer answer = talk.ask(converse());
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.field("x-amzn-errortype"), "ValidationException");
  EXPECT_EQ(answer.message(), "The messages must alternate.");
  EXPECT_EQ(answer.field("x-portolan-inference-region"), "");
  EXPECT_EQ(talk.attempts(), "us-east-1 upstream_rejected");
  EXPECT_EQ(talk.record()["portolan"]["outcome"], "failed");
}

TEST(Conversation, WhenEveryRegionFailsTheRoundIsRepeatedUpToTheNumberOfAttempts) {
  Conversation talk("retry: {attempts_max: 5}");
  talk.every_region(replies(503, ""));
  const Answer answer = talk.ask(converse());
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.field("x-portolan-attempts"), "5");
  EXPECT_EQ(talk.regions.seen().size(), 5u);
}

TEST(Conversation, ASecondRoundServesWhatTheFirstCouldNot) {
  Conversation talk;
  talk.region("us-east-1", {refuses(), replies(200, converse_reply("Hello."))})
      .region("us-east-2", {refuses()})
      .region("us-west-2", {refuses()});
  const Answer answer = talk.ask(converse());
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.field("x-portolan-attempts"), "4");
}

TEST(Conversation, AnEmptyRetryBudgetEndsTheCallAfterItsFirstAttempt) {
  Conversation talk("retry: {budget_percent: 0}");
  while (talk.retry_budget.take()) {
  }
  talk.retry_budget.call_begun();
  while (talk.retry_budget.take()) {
  }
  talk.retry_budget.call_ended();  // what was lent is still owed
  talk.every_region(refuses());
  const Answer answer = talk.ask(converse());
  EXPECT_EQ(answer.status, 503);
  EXPECT_THAT(answer.message(), HasSubstr("retry budget is spent"));
  EXPECT_EQ(answer.field("retry-after"), "1");
  EXPECT_EQ(talk.attempts(), "us-east-1 upstream_refused");
}

TEST(Conversation, ARegionsOwnWordsReachTheCallerWithTheErrorThatTheyLedToAndNotTheRecord) {
  Conversation talk("retry: {budget_percent: 0}");
  while (talk.retry_budget.take()) {
  }
  talk.every_region(replies(500, R"({"message":"cannot answer: Say hello"})"));
  const Answer answer = talk.ask(converse());
  EXPECT_THAT(answer.message(), AllOf(HasSubstr("retry budget is spent"), HasSubstr("Say hello")));
  EXPECT_FALSE(talk.record().dump().contains("cannot answer"));
}

TEST(Conversation, TheCallsDeadlineEndsItAndNamesTheLastError) {
  Conversation talk("deadlines: {total: 3s, first_byte: 2s}");
  talk.every_region(is_silent());
  const Answer answer = talk.ask(converse());
  EXPECT_EQ(answer.status, 408);
  EXPECT_EQ(answer.field("x-amzn-errortype"), "ModelTimeoutException");
  EXPECT_THAT(answer.message(), HasSubstr("3"));
  EXPECT_EQ(talk.attempts(), "us-east-1 upstream_silent");  // a whole reply's silence is judged by its length
}

TEST(Conversation, NothingIsSentForACallerThatHasLeft) {
  Conversation talk;
  talk.every_region(refuses());
  Answer answer;
  answer.left = true;
  talk.ask(converse(), answer);
  EXPECT_EQ(answer.status, 499);
  EXPECT_EQ(talk.attempts(), "");
}

// The record comes before the end of the answer.

TEST(Conversation, NothingOfAWholeAnswerLeavesBeforeItsRecordIsDurable) {
  Conversation talk;
  talk.region("us-east-1", {replies(200, converse_reply("Hello."))});
  talk.disk.close_gate();
  Answer answer;
  talk.begin(converse(), answer);
  while (!talk.disk.somebody_waits()) talk.io().run_one_for(std::chrono::milliseconds{10});
  talk.io().poll();
  EXPECT_EQ(answer.status, 0);
  talk.disk.open_gate();
  while (!talk.done()) talk.io().run_one_for(std::chrono::seconds{20});
  EXPECT_EQ(answer.status, 200);
}

TEST(Conversation, WithABrokenTrailAWholeAnswerIsWithheld) {
  Conversation talk;
  talk.region("us-east-1", {replies(200, R"({"content":[],"usage":{"input_tokens":9,"output_tokens":4}})",
                                    {{"x-amzn-bedrock-output-token-count", "4"}})});
  talk.disk.disk().set_faults({.sync_error_at = talk.disk.disk().operations() + 1});
  const Answer answer = talk.ask(post("/model/" + std::string(sonnet) + "/invoke",
                                      R"({"max_tokens":9,"messages":[{"role":"user","content":"Say hello."}]})"));
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.field("x-amzn-errortype"), "ServiceUnavailableException");
  EXPECT_THAT(answer.message(), HasSubstr("could not be recorded"));
  EXPECT_THAT(answer.body, Not(HasSubstr("content")));
  EXPECT_EQ(answer.field("x-amzn-bedrock-output-token-count"), "");
  EXPECT_EQ(talk.counters.refused[8][static_cast<std::size_t>(Code::unrecordable)].load(), 1u);
}

TEST(Conversation, ABrokenTrailRefusesEveryLaterCall) {
  Conversation talk;
  talk.region("us-east-1", {replies(200, converse_reply("Hello."))});
  talk.disk.disk().set_faults({.bytes_max = 1});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(talk.ask(converse()).status, 503);
  EXPECT_EQ(talk.ask(get("/v1/models")).status, 503);
}

// The judges say no.

TEST(Conversation, AProfileThatTheTenantMayNotUseIsDeniedAndRecorded) {
  Conversation talk;
  const Answer answer = talk.ask(converse(sonnet, "nora-key"));
  EXPECT_EQ(answer.status, 403);
  EXPECT_EQ(answer.field("x-amzn-errortype"), "AccessDeniedException");
  EXPECT_THAT(answer.message(), HasSubstr(std::string(sonnet)));
  EXPECT_EQ(talk.stage(), "permit");
  EXPECT_EQ(talk.record()["errorCode"], "AccessDenied");
  EXPECT_EQ(talk.record()["portolan"]["outcome"], "denied");
  EXPECT_EQ(talk.attempts(), "");
}

TEST(Conversation, AnUnknownKeyIsRefusedInTheDialectOfThePath) {
  Conversation talk;
  const Answer bedrock = talk.ask(converse(sonnet, "nobody"));
  EXPECT_EQ(bedrock.status, 403);
  EXPECT_EQ(talk.stage(), "identify");
  const Answer openai = talk.ask(post("/v1/chat/completions", "{}", "nobody"));
  EXPECT_EQ(openai.status, 401);
  EXPECT_EQ(openai.json()["error"]["type"], "authentication_error");
  EXPECT_EQ(openai.field("x-amzn-errortype"), "");
}

TEST(Conversation, ARequestBeyondTheQuotaIsThrottledWithTheWait) {
  Conversation talk;
  talk.region("us-east-1", {replies(200, converse_reply("Hello."))});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(talk.ask(converse(sonnet, "otto-key")).status, 200);
  const Answer answer = talk.ask(converse(sonnet, "otto-key"));
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(answer.field("retry-after"), "20");
  EXPECT_EQ(talk.stage(), "reserve");
  EXPECT_EQ(talk.attempts(), "");
  EXPECT_EQ(talk.regions.seen().size(), 3u);
}

TEST(Conversation, ACallIsChargedExactlyWhatItUsed) {
  Conversation talk;
  talk.region("us-east-1", {replies(200, converse_reply("Hello.", 40, 10))});
  talk.ask(converse(sonnet, "otto-key"));
  EXPECT_EQ(talk.allowance(2).tokens_available(talk.clock.now()), 1000u - 40 - 5 * 10);  // output burns five times
}

TEST(Conversation, ACallThatFailsIsChargedNothing) {
  Conversation talk("retry: {attempts_max: 3}");
  talk.every_region(throttles(1));
  talk.ask(converse(sonnet, "otto-key"));
  EXPECT_EQ(talk.allowance(2).tokens_available(talk.clock.now()), 1000u);
}

TEST(Conversation, AStreamThatWasCutIsChargedWhatItCertainlyCost) {
  Conversation talk;
  talk.region("us-east-1", {cut(streams({message_start(), text_delta("Hel"), text_delta("lo")}))});
  talk.ask(converse_stream("otto-key"));
  const auto estimated = talk.record()["portolan"]["inputTokensEstimated"].get<std::uint64_t>();
  EXPECT_GT(estimated, 0u);
  EXPECT_EQ(talk.allowance(2).tokens_available(talk.clock.now()), 1000u - estimated - 5 * 3);
}

TEST(Conversation, AnUnknownModelIs404WithASuggestion) {
  Conversation talk;
  const Answer answer = talk.ask(converse("us.anthropic.claude-sonnet-4-5-20250929-v1:1"));
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(answer.field("x-amzn-errortype"), "ResourceNotFoundException");
  EXPECT_THAT(answer.message(), HasSubstr("Did you mean " + std::string(sonnet)));
  EXPECT_EQ(talk.stage(), "understand");
  EXPECT_EQ(talk.record()["requestParameters"]["modelId"], "us.anthropic.claude-sonnet-4-5-20250929-v1:1");
}

TEST(Conversation, AModelThatNeedsAProfileSaysSo) {
  Conversation talk;
  const Answer answer = talk.ask(converse("anthropic.claude-sonnet-4-5-20250929-v1:0"));
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(answer.message(), HasSubstr("on-demand throughput isn't supported in us-east-1"));
}

TEST(Conversation, MoreOutputThanTheModelGivesIsRefused) {
  Conversation talk;
  const Answer answer = talk.ask(
      post("/model/" + std::string(sonnet) + "/converse",
           R"({"messages":[{"role":"user","content":[{"text":"a"}]}],"inferenceConfig":{"maxTokens":64001}})"));
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(answer.message(), AllOf(HasSubstr("64001"), HasSubstr("64000")));
  EXPECT_EQ(talk.stage(), "understand");
}

TEST(Conversation, AnArnOfAnotherRegionOrAccountIsRefused) {
  Conversation talk;
  const auto arn = [](std::string_view region, std::string_view account) {
    return "arn:aws:bedrock:" + std::string(region) + ":" + std::string(account) + ":inference-profile%2F" +
           std::string(sonnet);
  };
  talk.region("us-east-1", {replies(200, converse_reply("Hello."))});
  EXPECT_EQ(talk.ask(converse(arn("us-east-1", "222233334444"))).status, 200);
  const Answer elsewhere = talk.ask(converse(arn("us-west-2", "222233334444")));
  EXPECT_EQ(elsewhere.status, 400);
  EXPECT_THAT(elsewhere.message(), HasSubstr("us-west-2"));
  const Answer other = talk.ask(converse(arn("us-east-1", "999999999999")));
  EXPECT_EQ(other.status, 403);
  EXPECT_EQ(talk.stage(), "understand");
}

TEST(Conversation, ABodyThatIsNoJsonIsRefusedWithItsPlace) {
  Conversation talk;
  const Answer answer = talk.ask(post("/model/" + std::string(sonnet) + "/converse", R"({"messages":)"));
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.field("x-amzn-errortype"), "ValidationException");
}

TEST(Conversation, AnUnknownPathAndAWrongMethodAreRecordedToo) {
  Conversation talk;
  EXPECT_EQ(talk.ask(get("/v2/everything")).status, 404);
  EXPECT_EQ(talk.stage(), "receive");
  const Answer answer = talk.ask(get("/model/" + std::string(sonnet) + "/converse"));
  EXPECT_EQ(answer.status, 405);
  EXPECT_EQ(answer.field("allow"), "POST");
  EXPECT_THAT(answer.message(), HasSubstr("POST"));
  EXPECT_EQ(talk.stage(), "receive");
}

TEST(Conversation, WhatTheListenerRefusesIsAnsweredClosedAndRecorded) {
  Conversation talk;
  const Answer answer = talk.ask(converse(), base::error(Code::body_too_large, "The request body is too long."));
  EXPECT_EQ(answer.status, 413);
  EXPECT_TRUE(answer.close);
  EXPECT_EQ(talk.stage(), "receive");
}

TEST(Conversation, NoRegionWithAnEndpointIs503) {
  Conversation talk;
  const Answer answer = talk.ask(converse("eu.anthropic.claude-sonnet-4-5-20250929-v1:0"));
  EXPECT_EQ(answer.status, 400) << "the profile cannot be called from us-east-1";
  Conversation in_europe(
      "profiles:\n  - {id: team.eu, model: \"anthropic.claude-sonnet-4-5-20250929-v1:0\", "
      "sources: [us-east-1], destinations: [eu-west-1]}");
  const Answer answer_eu = in_europe.ask(converse("team.eu"));
  EXPECT_EQ(answer_eu.status, 503);
  EXPECT_THAT(answer_eu.message(), HasSubstr("eu-west-1"));
  EXPECT_EQ(in_europe.stage(), "plan");
}

// InvokeModel and chat completions.

TEST(Conversation, InvokeModelPassesBedrocksOwnFieldsBothWays) {
  Conversation talk;
  talk.region("us-east-1", {replies(200, R"({"content":[],"usage":{"input_tokens":9,"output_tokens":4}})",
                                    {{"x-amzn-bedrock-invocation-latency", "321"},
                                     {"x-amzn-bedrock-input-token-count", "9"},
                                     {"x-amzn-bedrock-output-token-count", "4"},
                                     {"x-internal", "stays behind"}})});
  const Answer answer =
      talk.ask(post("/model/" + std::string(sonnet) + "/invoke",
                    R"({"max_tokens":9,"messages":[{"role":"user","content":"Say hello."}]})", "alice-key",
                    "X-Amzn-Bedrock-Trace: ENABLED\r\naccept: application/json\r\n"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.field("x-amzn-bedrock-invocation-latency"), "321");
  EXPECT_EQ(answer.field("x-amzn-bedrock-input-token-count"), "9");
  EXPECT_EQ(answer.field("x-amzn-bedrock-output-token-count"), "4");
  EXPECT_EQ(answer.field("x-internal"), "");
  EXPECT_THAT(talk.regions.seen()[0].head, HasSubstr("X-Amzn-Bedrock-Trace: ENABLED\r\n"));
  EXPECT_THAT(talk.regions.seen()[0].head, HasSubstr("accept: application/json\r\n"));
  EXPECT_EQ(talk.record()["eventName"], "InvokeModel");
}

TEST(Conversation, FieldsOfAFailedAttemptDoNotReachTheCaller) {
  Conversation talk;
  talk.region("us-east-1", {replies(200, "no json", {{"x-amzn-bedrock-output-token-count", "77"}})})
      .region("us-east-2", {replies(400, "{}")});
  const Answer answer = talk.ask(post("/model/" + std::string(sonnet) + "/invoke",
                                      R"({"max_tokens":9,"messages":[{"role":"user","content":"Say hello."}]})"));
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.field("x-amzn-bedrock-output-token-count"), "");
}

TEST(Conversation, AChatCompletionIsServedFromConverse) {
  Conversation talk;
  talk.region("us-east-1", {replies(200, converse_reply("Hello."))});
  const Answer answer = talk.ask(chat(false));
  EXPECT_EQ(answer.status, 200);
  const Json completion = answer.json();
  EXPECT_EQ(completion["object"], "chat.completion");
  EXPECT_EQ(completion["model"], sonnet);
  EXPECT_EQ(completion["choices"][0]["message"]["content"], "Hello.");
  EXPECT_EQ(completion["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(completion["usage"]["total_tokens"], 14);
  const Json asked = Json::parse(talk.regions.seen()[0].body);
  EXPECT_EQ(asked["messages"][0]["content"][0]["text"], "Say hello.");
  EXPECT_EQ(asked["inferenceConfig"]["maxTokens"], 100);
  EXPECT_THAT(talk.regions.seen()[0].head, HasSubstr("/converse HTTP/1.1"));
}

TEST(Conversation, AChatStreamEndsWithDone) {
  Conversation talk;
  talk.region("us-east-1", {streams(a_whole_stream())});
  const Answer answer = talk.ask(chat(true));
  EXPECT_EQ(answer.field("content-type"), "text/event-stream; charset=utf-8");
  EXPECT_THAT(answer.body, HasSubstr(R"("delta":{"content":"Hel"})"));
  EXPECT_TRUE(answer.body.ends_with("data: [DONE]\n\n"));
  EXPECT_THAT(answer.pieces.back(), HasSubstr("[DONE]")) << "held back for the record";
}

TEST(Conversation, AChatStreamThatIsCutEndsWithAnErrorAndWithoutDone) {
  Conversation talk;
  talk.region("us-east-1", {cut(streams({message_start(), text_delta("Hel")}))});
  const Answer answer = talk.ask(chat(true));
  EXPECT_THAT(answer.body, Not(HasSubstr("[DONE]")));
  EXPECT_THAT(answer.pieces.back(), StartsWith(R"(data: {"error":{)"));
  EXPECT_EQ(talk.record()["additionalEventData"]["inferenceRegion"], "us-east-1");
}

TEST(Conversation, AChatReplyThatCannotBeTranslatedMovesOnAndCostsNothing) {
  Conversation talk;
  talk.every_region(replies(200, R"({"usage":{"inputTokens":900,"outputTokens":900}})"));
  const Answer answer = talk.ask(post(
      "/v1/chat/completions",
      R"({"model":")" + std::string(sonnet) + R"(","messages":[{"role":"user","content":"a"}],"max_tokens":9})",
      "otto-key"));
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(answer.json()["error"]["type"], "server_error");
  EXPECT_THAT(talk.attempts(), StartsWith("us-east-1 upstream_malformed, us-east-2 upstream_malformed"));
  EXPECT_EQ(talk.allowance(2).tokens_available(talk.clock.now()), 1000u);
}

// Answers of the gateway itself.

TEST(Conversation, ListsWhatTheTenantMayUseWithoutAskingARegion) {
  Conversation talk;
  const Answer profiles = talk.ask(get("/inference-profiles"));
  EXPECT_EQ(profiles.status, 200);
  EXPECT_THAT(profiles.body, HasSubstr(std::string(sonnet)));
  EXPECT_EQ(talk.ask(get("/inference-profiles/" + std::string(sonnet))).status, 200);
  EXPECT_EQ(talk.ask(get("/v1/models")).json()["object"], "list");
  EXPECT_EQ(talk.ask(get("/foundation-models")).status, 200);
  EXPECT_EQ(talk.regions.seen().size(), 0u);
  std::string as_nora = get("/inference-profiles/" + std::string(sonnet));
  as_nora.replace(as_nora.find("alice"), 5, "nora");
  EXPECT_EQ(talk.ask(as_nora).status, 404) << "what may not be used does not exist";
}

}  // namespace
}  // namespace portolan::gateway::testing
