// SPDX-License-Identifier: Apache-2.0
#include "trail/read_record.h"

#include <gtest/gtest.h>

#include "trail/record.h"

namespace portolan::trail {
namespace {

using domain::RecordedCall;

const domain::Principal alice{.arn = "arn:aws:iam::111122223333:user/alice",
                              .user_name = "alice",
                              .account_id = "111122223333",
                              .tenant = "research",
                              .key_id = "research/alice"};

CallFacts streamed_call() {
  CallFacts facts;
  facts.call_id = "call-1";
  facts.event_id = "event-1";
  base::parse_time("2026-11-21T23:05:07.042Z", facts.began);
  facts.operation = domain::Operation::converse_stream;
  facts.stream = true;
  facts.principal = &alice;
  facts.source_region = "eu-central-1";
  facts.inference_region = "eu-west-3";
  facts.source_ip = "192.0.2.1";
  facts.user_agent = "Boto3/1.40";
  facts.tls_version = "TLSv1.3";
  facts.requested_model = "eu.m";
  facts.profile_id = "eu.m";
  facts.model_id = "m";
  facts.policy_mode = "subset";
  facts.service_tier = "priority";
  return facts;
}

ReadRecord read_back(const CallFacts& facts) {
  std::string line;
  write_record(facts, line);
  auto read = read_record(line);
  EXPECT_TRUE(read) << line;
  return read ? *read : ReadRecord{};
}

TEST(ReadRecord, GivesBackEverythingThatPoliciesAreJudgedBy) {
  const ReadRecord read = read_back(streamed_call());
  ASSERT_TRUE(read.call);
  const RecordedCall& call = *read.call;
  EXPECT_EQ(call.id, "call-1");
  EXPECT_EQ(base::iso8601(call.at), "2026-11-21T23:05:07Z");
  EXPECT_EQ(call.operation, domain::Operation::converse_stream);
  EXPECT_TRUE(call.stream);
  EXPECT_EQ(call.principal, alice.arn);
  EXPECT_EQ(call.account, alice.account_id);
  EXPECT_EQ(call.source, "eu-central-1");
  EXPECT_EQ(call.profile, "eu.m");
  EXPECT_EQ(call.model, "m");
  EXPECT_EQ(call.source_ip, "192.0.2.1");
  EXPECT_EQ(call.user_agent, "Boto3/1.40");
  EXPECT_TRUE(call.secure_transport);
  EXPECT_EQ(call.service_tier, "priority");
  EXPECT_EQ(call.mode, "subset");
  EXPECT_EQ(call.outcome, RecordedCall::Outcome::served);
  EXPECT_EQ(call.inference_region, "eu-west-3");
}

TEST(ReadRecord, TellsATierThatWasNotAskedForFromOneThatIsNotKnown) {
  CallFacts facts = streamed_call();
  facts.service_tier = {};
  EXPECT_EQ(read_back(facts).call->service_tier, "");
  facts.policy_mode = {};  // as records were before either was written
  EXPECT_EQ(read_back(facts).call->service_tier, std::nullopt);
}

TEST(ReadRecord, DoesNotTakeACutOrMendedUserAgentForTheWholeOne) {
  CallFacts facts = streamed_call();
  const std::string long_name(2000, 'x');
  facts.user_agent = long_name;
  EXPECT_EQ(read_back(facts).call->user_agent, std::nullopt);
  facts.user_agent = "curl/\xff";
  EXPECT_EQ(read_back(facts).call->user_agent, std::nullopt);
  facts.user_agent = {};
  EXPECT_EQ(read_back(facts).call->user_agent, "");
}

TEST(ReadRecord, SaysHowACallEndedAndWhereItWasTried) {
  CallFacts facts = streamed_call();
  const base::Error denied = base::error(base::Code::access_denied, "not yours");
  facts.error = &denied;
  facts.stage = domain::Stage::permit;
  facts.denied_by = "scp";
  facts.inference_region = {};
  EXPECT_EQ(read_back(facts).call->outcome, RecordedCall::Outcome::denied);
  EXPECT_EQ(read_back(facts).call->denied_by, "scp");
  const base::Error refused = base::error(base::Code::upstream_refused, "down");
  facts.error = &refused;
  facts.stage = domain::Stage::attempt;
  const auto catalog = domain::Catalog::builtin();
  facts.catalog = catalog.get();
  domain::Attempt attempt;
  attempt.region = catalog->find_region("eu-west-3");
  facts.attempts = {&attempt, 1};
  EXPECT_EQ(read_back(facts).call->outcome, RecordedCall::Outcome::failed);
  EXPECT_EQ(read_back(facts).call->tried, std::vector<std::string>{"eu-west-3"});
}

TEST(ReadRecord, FindsNoCallInListsActsAndWhatNobodyKnownSent) {
  CallFacts facts = streamed_call();
  facts.principal = nullptr;
  EXPECT_FALSE(read_back(facts).call);
  EXPECT_TRUE(read_back(facts).at);
  facts = streamed_call();
  facts.model_id = {};
  EXPECT_FALSE(read_back(facts).call);
  facts = streamed_call();
  facts.operation = domain::Operation::list_inference_profiles;
  EXPECT_FALSE(read_back(facts).call);
  EXPECT_FALSE(read_record(R"({"eventTime":"2026-11-21T23:05:07Z","eventName":"FreezeInference"})")->call);
}

TEST(ReadRecord, RefusesWhatIsNoRecordAndBearsAnyTypes) {
  EXPECT_FALSE(read_record("not JSON"));
  EXPECT_FALSE(read_record("[]"));
  const auto read = read_record(
      R"({"eventTime":7,"eventName":"Converse","userIdentity":[],"portolan":{"attempts":"none","model":1}})");
  ASSERT_TRUE(read);
  EXPECT_FALSE(read->call);
}

}  // namespace
}  // namespace portolan::trail
