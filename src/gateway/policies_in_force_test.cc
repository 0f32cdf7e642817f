// SPDX-License-Identifier: Apache-2.0
// What policies do to calls, and what a new version does to calls in flight.
#include "gateway/test_conversation.h"

namespace portolan::gateway {
namespace {

using namespace testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

const Act hello = replies(200, converse_reply("Hello."));

/// Models alone: a Deny of the profile in its source Region would deny the whole call.
std::string deny_regions(const std::string& denied_regions) {
  return R"({"Version":"2012-10-17","Statement":[{"Sid":"Outside","Effect":"Deny","Action":"*",)"
         R"("Resource":"arn:aws:bedrock:*::foundation-model/*",)"
         R"("Condition":{"StringEquals":{"aws:RequestedRegion":)" +
         denied_regions + "}}}]}";
}

constexpr std::string_view deny_priority =
    R"({"Version":"2012-10-17","Statement":[{"Sid":"NoPriority","Effect":"Deny","Action":"*","Resource":"*",)"
    R"("Condition":{"StringEquals":{"bedrock:ServiceTier":"priority"}}}]})";

domain::PolicyBundle bundle(std::uint32_t number, std::string guardrail) {
  const domain::PolicyFiles files{
      {"organization.yaml",
       "version: 1\naccounts:\n  - {id: \"222233334444\", name: open, scps: [FullAWSAccess, scp.json]}\n"
       "principals:\n  - {arn: \"arn:aws:iam::222233334444:user/alice\", policies: [all.json]}\n"},
      {"scp.json", std::move(guardrail)},
      {"all.json", R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]})"}};
  return {.number = number, .hash = {}, .files = std::make_shared<const domain::PolicyFiles>(files)};
}

class JudgedConversation : public Conversation {
 public:
  void enforce(std::uint32_t number, const std::string& denied_regions, policy::Mode mode = policy::Mode::subset) {
    enforce_guardrail(number, deny_regions(denied_regions), mode);
  }
  void enforce_guardrail(std::uint32_t number, std::string guardrail, policy::Mode mode) {
    domain::PolicyStanding standing;
    standing.in_force = bundle(number, std::move(guardrail));
    config::Config config = snapshot->config;
    for (config::Tenant& tenant : config.tenants) tenant.policy_mode = name(mode);
    auto rules = compile_rules(snapshot->rules->epoch() + 1, standing, config, *snapshot->rules);
    ASSERT_TRUE(rules) << rules.error().message;
    snapshot = std::make_shared<const Snapshot>(std::move(config), allowances, std::span<const domain::IssuedKey>{},
                                                *std::move(rules));
    journey.use(snapshot);
  }
  Json portolan() { return record().at("portolan"); }
  std::vector<std::string> seen_regions() const {
    std::vector<std::string> names;
    for (const ScriptedRegions::Seen& seen : regions.seen()) names.push_back(seen.region);
    return names;
  }
};

TEST(JudgedGateway, DeniesATierWhereverTheCallNamesIt) {
  JudgedConversation conversation;
  conversation.enforce_guardrail(1, std::string{deny_priority}, policy::Mode::strict);
  const std::string target = "/model/" + std::string(sonnet) + "/converse";
  const std::string in_body =
      R"({"messages":[{"role":"user","content":[{"text":"Hi"}]}],"serviceTier":{"type":"priority"}})";
  EXPECT_EQ(conversation.ask(post(target, in_body)).status, 403);
  const std::string invoke = "/model/" + std::string(sonnet) + "/invoke";
  constexpr std::string_view prompt =
      R"({"anthropic_version":"bedrock-2023-05-31","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]})";
  constexpr std::string_view priority = "X-Amzn-Bedrock-Service-Tier: priority\r\n";
  EXPECT_EQ(conversation.ask(post(invoke, prompt, "alice-key", priority)).status, 403);
  // Of two, the Region might take the other.
  const std::string both = "x-amzn-bedrock-service-tier: default\r\n" + std::string(priority);
  const Answer two = conversation.ask(post(invoke, prompt, "alice-key", both));
  EXPECT_EQ(two.status, 400);
  EXPECT_THAT(two.message(), HasSubstr("serviceTier: the call names two service tiers"));
  // Converse has no such header: a Region would not see what was judged.
  const Answer ignored =
      conversation.ask(post(target, say_hello, "alice-key", "x-amzn-bedrock-service-tier: flex\r\n"));
  EXPECT_EQ(ignored.status, 400);
  EXPECT_THAT(ignored.message(), HasSubstr("takes the tier as serviceTier.type"));
  EXPECT_THAT(conversation.seen_regions(), IsEmpty());
}

TEST(JudgedGateway, DeniesInStrictModeWhenOneDestinationIsDenied) {
  JudgedConversation conversation;
  conversation.enforce(1, R"(["us-east-2"])", policy::Mode::strict);
  const Answer answer = conversation.ask(converse());
  EXPECT_EQ(answer.status, 403);
  EXPECT_THAT(
      answer.message(),
      HasSubstr("User: arn:aws:iam::222233334444:user/alice is not authorized to perform: bedrock:InvokeModel "
                "on resource: arn:aws:bedrock:us-east-2::foundation-model/"));
  EXPECT_THAT(conversation.regions.seen(), IsEmpty());
  const Json portolan = conversation.portolan();
  EXPECT_EQ(portolan.at("deniedBy"), "scp");
  EXPECT_EQ(portolan.at("policies").at("version"), 1);
  ASSERT_EQ(portolan.at("policyCauses").size(), 1u);
  EXPECT_EQ(portolan.at("policyCauses")[0].at("statement"), "Outside");
  EXPECT_EQ(portolan.at("policyCauses")[0].at("policy"), "scp.json");
  EXPECT_EQ(portolan.at("policyCauses")[0].at("level"), "account 222233334444");
  EXPECT_EQ(conversation.counters.denied[static_cast<std::size_t>(domain::Denial::service_control)].load(), 1u);
}

TEST(JudgedGateway, PrunesInSubsetModeAndTheRecordSaysWhatDid) {
  JudgedConversation conversation;
  conversation.every_region(hello);
  conversation.enforce(1, R"(["us-east-1","us-west-2"])");
  EXPECT_EQ(conversation.ask(converse()).status, 200);
  EXPECT_THAT(conversation.seen_regions(), ElementsAre("us-east-2"));
  const Json portolan = conversation.portolan();
  EXPECT_EQ(portolan.at("allowedRegions"), Json({"us-east-2"}));
  ASSERT_EQ(portolan.at("policyCauses").size(), 2u);
  EXPECT_EQ(portolan.at("policyCauses")[0].at("region"), "us-east-1");
  EXPECT_EQ(portolan.at("policyCauses")[1].at("region"), "us-west-2");
  EXPECT_FALSE(portolan.contains("deniedBy"));
}

TEST(JudgedGateway, DeniesWhomTheSetDoesNotName) {
  JudgedConversation conversation;
  conversation.enforce(1, R"(["nowhere"])");
  const Answer answer = conversation.ask(converse("us.amazon.nova-lite-v1:0", "nora-key"));
  EXPECT_EQ(answer.status, 403);
  EXPECT_THAT(answer.message(), HasSubstr("the policies in force do not name this principal"));
  EXPECT_EQ(conversation.portolan().at("deniedBy"), "unnamed");
}

TEST(JudgedGateway, TheTenantsRulesApplyBesides) {
  JudgedConversation conversation;
  conversation.enforce(1, R"(["nowhere"])");
  const Answer answer = conversation.ask(converse(sonnet, "nora-key"));
  EXPECT_EQ(answer.status, 403);
  EXPECT_THAT(answer.message(), HasSubstr("tenant \"narrow\" allows only the profiles"));
  EXPECT_EQ(conversation.portolan().at("deniedBy"), "tenant");
}

TEST(JudgedGateway, ANewVersionKeepsACallInFlightOutOfARegionThatItExcludes) {
  JudgedConversation conversation;
  conversation.enforce(1, R"(["nowhere"])");
  Act fails = replies(500, "{}");
  fails.after = 10ms;
  fails.meanwhile = [&] { conversation.enforce(2, R"(["us-east-2"])"); };
  conversation.region("us-east-1", {fails}).region("us-east-2", {hello}).region("us-west-2", {hello});
  EXPECT_EQ(conversation.ask(converse()).status, 200);
  EXPECT_THAT(conversation.seen_regions(), ElementsAre("us-east-1", "us-west-2"));
  EXPECT_EQ(conversation.portolan().at("policies").at("version"), 2);
}

TEST(JudgedGateway, ANewVersionThatIsWiderDoesNotWidenACallInFlight) {
  JudgedConversation conversation;
  conversation.enforce(1, R"(["us-east-2"])");
  Act fails = replies(500, "{}");
  fails.after = 10ms;
  fails.meanwhile = [&] { conversation.enforce(2, R"(["nowhere"])"); };
  conversation.region("us-east-1", {fails}).region("us-east-2", {hello}).region("us-west-2", {hello});
  EXPECT_EQ(conversation.ask(converse()).status, 200);
  EXPECT_THAT(conversation.seen_regions(), ElementsAre("us-east-1", "us-west-2"));
}

TEST(JudgedGateway, GoesElsewhereWhenTheRegionIsExcludedWhileItConnects) {
  JudgedConversation conversation;
  conversation.enforce(1, R"(["nowhere"])");
  Act late = hello;
  late.connects_after = 10ms;
  late.meanwhile = [&] { conversation.enforce(2, R"(["us-east-1"])"); };
  conversation.region("us-east-1", {late}).region("us-east-2", {hello}).region("us-west-2", {hello});
  EXPECT_EQ(conversation.ask(converse()).status, 200);
  EXPECT_THAT(conversation.seen_regions(), ElementsAre("us-east-2"));
  EXPECT_THAT(conversation.attempts(), HasSubstr("us-east-1 access_denied, us-east-2 served"));
}

TEST(JudgedGateway, AVersionThatDeniesTheCallEndsItBeforeItsNextAttempt) {
  JudgedConversation conversation;
  conversation.enforce(1, R"(["nowhere"])");
  Act fails = replies(500, "{}");
  fails.after = 10ms;
  fails.meanwhile = [&] { conversation.enforce(2, R"(["us-east-2"])", policy::Mode::strict); };
  conversation.region("us-east-1", {fails}).region("us-east-2", {hello}).region("us-west-2", {hello});
  // The mode is of the configuration that the call began with: it is judged as subset to its end.
  EXPECT_EQ(conversation.ask(converse()).status, 200);
  fails.meanwhile = [&] { conversation.enforce(4, R"(["us-east-1","us-east-2","us-west-2"])"); };
  conversation.enforce(3, R"(["nowhere"])");
  conversation.region("us-east-1", {fails}).region("us-east-2", {fails}).region("us-west-2", {fails});
  const Answer answer = conversation.ask(converse());
  EXPECT_EQ(answer.status, 403);
  EXPECT_EQ(conversation.stage(), "permit");
}

TEST(JudgedGateway, KeepsWhatItJudgedWhenOnlyAFreezeIsAdded) {
  JudgedConversation conversation;
  conversation.enforce(1, R"(["us-east-2"])");
  domain::PolicyStanding standing;
  standing.in_force = bundle(1, deny_regions(R"(["us-east-2"])"));
  standing.freezes = {{.scope = domain::FreezeScope::all}};
  const auto rules = compile_rules(9, standing, conversation.snapshot->config, *conversation.snapshot->rules);
  ASSERT_TRUE(rules) << rules.error().message;
  EXPECT_EQ((*rules)->in_force(), conversation.snapshot->rules->in_force());
}

TEST(JudgedGateway, RefusesRulesWithAMistake) {
  domain::PolicyStanding standing;
  standing.in_force = bundle(7, "broken");
  JudgedConversation conversation;
  const auto rules = compile_rules(1, standing, conversation.snapshot->config, policy::Rules());
  ASSERT_FALSE(rules);
  EXPECT_EQ(rules.error().code, base::Code::config_invalid);
  EXPECT_THAT(rules.error().message, HasSubstr("version 7 of the policies cannot be used:\n  scp.json:1:"));
}

}  // namespace
}  // namespace portolan::gateway
