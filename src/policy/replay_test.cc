// SPDX-License-Identifier: Apache-2.0
#include "policy/replay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/replay_summary.h"
#include "policy/supposed.h"
#include "policy/test_organization.h"
#include "policy/test_random_set.h"

namespace portolan::policy {
namespace {

using domain::RecordedCall;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Verdict = ReplayedCall::Verdict;

constexpr const char* replayed_us = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
constexpr const char* allow_bedrock = R"("Effect":"Allow","Action":"bedrock:*","Resource":"*")";

RecordedCall recorded_call() {
  RecordedCall call{.id = "call-1",
                    .operation = domain::Operation::converse,
                    .principal = std::string{alice},
                    .account = "111122223333",
                    .source = "us-east-1",
                    .profile = replayed_us,
                    .model = "anthropic.claude-sonnet-4-5-20250929-v1:0",
                    .source_ip = "10.1.2.3",
                    .user_agent = "sdk",
                    .service_tier = "",
                    .mode = "strict",
                    .outcome = RecordedCall::Outcome::served,
                    .inference_region = "us-west-2"};
  base::parse_time("2026-11-21T10:00:00Z", call.at);
  return call;
}

Replay replay_by(const SmallSet& set, ReplayOptions options = {}) {
  return {std::make_shared<const Organization>(organization_of(set)), domain::Catalog::builtin(), options};
}

SmallSet with_scp(const std::string& statement) {
  return {.account_scp = document_of({statement}), .identity = document_of({allow_bedrock})};
}
constexpr const char* only_east_1 =
    R"("Sid":"OnlyEast","Effect":"Deny","Action":"*","Resource":"*",
       "Condition":{"StringNotEquals":{"aws:RequestedRegion":["us-east-1","us-east-2"]}})";

TEST(Replay, AllowsWhatTheSetAllows) {
  Replay replay = replay_by({.identity = document_of({allow_bedrock})});
  const ReplayedCall replayed = replay.judge(recorded_call());
  EXPECT_EQ(replayed.verdict, Verdict::allowed);
  EXPECT_THAT(replayed.allowed, ElementsAre("us-east-1", "us-east-2", "us-west-2"));
  EXPECT_EQ(replayed.action, "bedrock:InvokeModel");
}

TEST(Replay, NamesTheStatementThatDeniesOrPrunes) {
  Replay replay = replay_by(with_scp(only_east_1));
  RecordedCall call = recorded_call();
  const ReplayedCall denied = replay.judge(call);
  EXPECT_EQ(denied.verdict, Verdict::denied);
  EXPECT_TRUE(denied.takes_away(call));
  const ReplayCause cause{.region = "us-west-2",
                          .kind = "scp",
                          .level = "account 111122223333",
                          .document = "account_scp.json",
                          .statement = "OnlyEast",
                          .line = 2};
  EXPECT_THAT(denied.causes, ElementsAre(cause));
  call.mode = "subset";
  const ReplayedCall pruned = replay.judge(call);
  EXPECT_EQ(pruned.verdict, Verdict::pruned);
  EXPECT_THAT(pruned.causes, ElementsAre(cause));
  EXPECT_TRUE(pruned.moves(call)) << "it was served in us-west-2";
  call.inference_region = "us-east-2";
  EXPECT_FALSE(pruned.moves(call));
}

TEST(Replay, RebuildsTheRequestFromTheRecord) {
  struct Row {
    const char* condition;
    std::function<void(RecordedCall&)> change;
  };
  const std::vector<Row> rows{
      {R"({"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}})",
       [](RecordedCall& call) { call.source_ip = "192.0.2.9"; }},
      {R"({"StringLike":{"aws:UserAgent":"curl*"}})", [](RecordedCall& call) { call.user_agent = "curl/8"; }},
      {R"({"StringEquals":{"bedrock:ServiceTier":"flex"}})",
       [](RecordedCall& call) { call.service_tier = "flex"; }},
      {R"({"Bool":{"aws:SecureTransport":"true"}})", [](RecordedCall& call) { call.secure_transport = true; }},
      {R"({"DateLessThan":{"aws:CurrentTime":"2026-11-01T00:00:00Z"}})",
       [](RecordedCall& call) { base::parse_time("2026-10-31T23:59:59Z", call.at); }},
      {R"({"StringLike":{"aws:PrincipalArn":"*:role/*"}})",
       [](RecordedCall& call) { call.principal = "arn:aws:iam::111122223333:role/service/app"; }},
  };
  for (const Row& row : rows) {
    Replay replay = replay_by(
        with_scp(R"("Effect":"Deny","Action":"*","Resource":"*","Condition":)" + std::string(row.condition)));
    RecordedCall call = recorded_call();
    EXPECT_EQ(replay.judge(call).verdict, Verdict::allowed) << row.condition;
    row.change(call);
    EXPECT_EQ(replay.judge(call).verdict, Verdict::denied) << row.condition;
  }
}

TEST(Replay, TellsAStreamFromAWholeAnswer) {
  Replay replay =
      replay_by(with_scp(R"("Effect":"Deny","Action":"bedrock:InvokeModelWithResponseStream","Resource":"*")"));
  RecordedCall call = recorded_call();
  EXPECT_EQ(replay.judge(call).verdict, Verdict::allowed);
  call.operation = domain::Operation::converse_stream;
  EXPECT_EQ(replay.judge(call).verdict, Verdict::denied);
}

TEST(Replay, DoesNotGuessAKeyThatTheRecordLacks) {
  const std::string tier = R"("Effect":"Deny","Action":"*","Resource":"*",
                              "Condition":{"StringEquals":{"bedrock:ServiceTier":"flex"}})";
  RecordedCall call = recorded_call();
  call.service_tier = std::nullopt;
  Replay reads = replay_by(with_scp(tier));
  const ReplayedCall replayed = reads.judge(call);
  EXPECT_EQ(replayed.verdict, Verdict::undecidable);
  EXPECT_THAT(replayed.needs, ElementsAre("key bedrock:ServiceTier"));

  Replay reads_nothing = replay_by({.identity = document_of({allow_bedrock})});
  EXPECT_EQ(reads_nothing.judge(call).verdict, Verdict::allowed) << "no statement reads it";
  SmallSet denied_anyway = with_scp(tier);
  denied_anyway.identity = document_of({R"("Effect":"Allow","Action":"s3:*","Resource":"*")"});
  Replay denies = replay_by(denied_anyway);
  EXPECT_EQ(denies.judge(call).verdict, Verdict::denied) << "whatever the key says";
}

TEST(Replay, DoesNotGuessTheModeWhereItMatters) {
  RecordedCall call = recorded_call();
  call.mode.clear();
  Replay replay = replay_by(with_scp(only_east_1));
  EXPECT_THAT(replay.judge(call).needs, ElementsAre("the mode, strict or subset"));
  Replay said = replay_by(with_scp(only_east_1), {.mode = Mode::subset});
  EXPECT_EQ(said.judge(call).verdict, Verdict::pruned);
  Replay alike = replay_by({.identity = document_of({allow_bedrock})});
  EXPECT_EQ(alike.judge(call).verdict, Verdict::allowed);
}

TEST(Replay, SaysWhatTheCatalogDoesNotHave) {
  Replay replay = replay_by({.identity = document_of({allow_bedrock})});
  RecordedCall call = recorded_call();
  call.profile = "ours.of-last-year";
  EXPECT_THAT(replay.judge(call).needs, ElementsAre("profile ours.of-last-year in the catalog"));
  call = recorded_call();
  call.source = "mars-north-1";
  EXPECT_THAT(replay.judge(call).needs, ElementsAre("Region mars-north-1 in the catalog"));
  call.source = "eu-west-1";
  EXPECT_EQ(replay.judge(call).verdict, Verdict::undecidable);
}

TEST(Replay, DeniesWhomTheSetDoesNotName) {
  Replay replay = replay_by({.identity = document_of({allow_bedrock})});
  RecordedCall call = recorded_call();
  call.principal = "arn:aws:iam::111122223333:user/mallory";
  const ReplayedCall replayed = replay.judge(call);
  EXPECT_EQ(replayed.verdict, Verdict::denied);
  ASSERT_EQ(replayed.causes.size(), 1u);
  EXPECT_EQ(replayed.causes.front().kind, "unnamed");
}

TEST(ReplaySummary, GroupsWhatChangesAndCountsTheRest) {
  Replay replay = replay_by(with_scp(only_east_1));
  ReplaySummary summary;
  RecordedCall call = recorded_call();
  for (int i = 0; i < 3; ++i) summary.add(call, replay.judge(call));
  call.mode = "subset";
  summary.add(call, replay.judge(call));
  call.outcome = RecordedCall::Outcome::denied;
  call.denied_by = "scp";
  call.inference_region.clear();
  summary.add(call, replay.judge(call));  // the set prunes, and so allows, what was denied
  call.denied_by = "freeze";
  summary.add(call, replay.judge(call));  // which no policies change
  EXPECT_EQ(summary.calls(), 6u);
  EXPECT_EQ(summary.served(), 4u);
  EXPECT_EQ(summary.served_denied(), 3u);
  EXPECT_EQ(summary.served_moved(), 1u);
  EXPECT_EQ(summary.denied_allowed(), 1u);
  const auto groups = summary.groups();
  ASSERT_EQ(groups.size(), 3u);
  EXPECT_EQ(groups[0].first.would_be, "denied");
  EXPECT_EQ(groups[0].second, 3u);
  EXPECT_EQ(groups[1].first.would_be, "pruned");
  EXPECT_EQ(groups[1].first.regions, "us-west-2");
  EXPECT_EQ(groups[2].first.would_be, "allowed");
}

/// The bounds hold for whatever the unknown key turns out to be: over random sets and values.
TEST(Supposed, BestAndWorstBoundEveryValueOfTheKey) {
  const auto catalog = domain::Catalog::builtin();
  const IsUnknownKey is_unknown = [](std::string_view key) { return key == "aws:useragent"; };
  std::size_t decided = 0;
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    testing::RandomPolicies random(seed);
    const auto organization = testing::organization_of(random.set());
    const CompiledPolicies plain(organization, catalog, ProfileArn::application);
    const CompiledPolicies best(
        std::make_shared<const Organization>(suppose(*organization, is_unknown, Supposition::best)), catalog,
        ProfileArn::application);
    const CompiledPolicies worst(
        std::make_shared<const Organization>(suppose(*organization, is_unknown, Supposition::worst)), catalog,
        ProfileArn::application);
    const domain::Principal principal{.arn = "arn:aws:iam::111122223333:user/alice",
                                      .user_name = "alice",
                                      .account_id = "111122223333",
                                      .tenant = "one"};
    domain::Inference inference;
    inference.operation = domain::Operation::converse;
    inference.profile = catalog->find_profile(replayed_us);
    inference.model = inference.profile->model;
    inference.source = catalog->find_region("us-east-1");
    for (const Mode mode : {Mode::strict, Mode::subset}) {
      RequestFacts facts{.source_ip = "10.1.2.3", .secure_transport = true};
      const auto allowed = [&](const CompiledPolicies& policies) {
        return policies.judge({.principal = principal, .inference = inference, .mode = mode, .facts = facts})
            .allowed;
      };
      const domain::RegionMask at_best = allowed(best);
      const domain::RegionMask at_worst = allowed(worst);
      EXPECT_TRUE((at_worst - at_best).empty()) << seed;
      decided += at_best == at_worst ? 1 : 0;
      for (const std::string_view agent : {"", "aws-sdk-js", "alice/1", "us-east-1", "curl"}) {
        facts.user_agent = agent;
        EXPECT_TRUE((allowed(plain) - at_best).empty()) << seed << " " << agent;
        EXPECT_TRUE((at_worst - allowed(plain)).empty()) << seed << " " << agent;
      }
    }
  }
  EXPECT_GT(decided, 50u);
  EXPECT_LT(decided, 300u) << "the key matters to some of the sets";
}

}  // namespace
}  // namespace portolan::policy
