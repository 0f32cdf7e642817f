// SPDX-License-Identifier: Apache-2.0
// What a freeze does to calls that come after it, and to those in flight: no attempt begins against it.
#include "gateway/test_conversation.h"

namespace portolan::gateway {
namespace {

using namespace testing;
using domain::Freeze;
using domain::FreezeScope;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

const Act hello = replies(200, converse_reply("Hello."));

class FrozenConversation : public Conversation {
 public:
  void freeze(FreezeScope scope) {
    put_in_force({Freeze{.scope = scope, .profile = std::string(sonnet), .by = "olga", .why = "incident 7"}});
  }
  void unfreeze() { put_in_force({}); }
  /// Something that happens while a Region is at work.
  std::function<void()> freezing(FreezeScope scope) {
    return [this, scope] { freeze(scope); };
  }
  std::vector<std::string> seen_regions() const {
    std::vector<std::string> names;
    for (const ScriptedRegions::Seen& seen : regions.seen()) names.push_back(seen.region);
    return names;
  }

 private:
  void put_in_force(std::vector<Freeze> freezes) {
    auto rules = std::make_shared<const policy::Rules>(snapshot->rules->epoch() + 1, std::move(freezes));
    snapshot = std::make_shared<const Snapshot>(snapshot->config, allowances, std::span<const domain::IssuedKey>{},
                                                std::move(rules));
    journey.use(snapshot);
  }
};

TEST(FrozenGateway, DeniesCallsAtStop4AndSaysWhy) {
  FrozenConversation conversation;
  conversation.freeze(FreezeScope::cross_region);
  const Answer answer = conversation.ask(converse());
  EXPECT_EQ(answer.status, 403);
  EXPECT_EQ(answer.field("x-amzn-errortype"), "AccessDeniedException");
  EXPECT_THAT(answer.message(), HasSubstr("with an explicit deny in a freeze: cross-Region inference is frozen"));
  EXPECT_THAT(answer.message(), HasSubstr("incident 7"));
  EXPECT_EQ(conversation.stage(), "permit");
  EXPECT_EQ(conversation.record().at("errorCode"), "AccessDenied");
  EXPECT_EQ(conversation.record().at("portolan").at("outcome"), "denied");
  EXPECT_EQ(conversation.counters.denied[static_cast<std::size_t>(domain::Denial::freeze)].load(), 1u);
  EXPECT_THAT(conversation.regions.seen(), IsEmpty());
}

TEST(FrozenGateway, ServesAgainOnceTheFreezeIsLifted) {
  FrozenConversation conversation;
  conversation.every_region(hello);
  conversation.freeze(FreezeScope::all);
  EXPECT_EQ(conversation.ask(converse()).status, 403);
  conversation.unfreeze();
  EXPECT_EQ(conversation.ask(converse()).status, 200);
}

TEST(FrozenGateway, TriesNoOtherRegionForACallInFlight) {
  FrozenConversation conversation;
  Act fails = replies(500, "{}");
  fails.after = 10ms;
  fails.meanwhile = conversation.freezing(FreezeScope::cross_region);
  conversation.region("us-east-1", {fails}).region("us-east-2", {hello}).region("us-west-2", {hello});
  const Answer answer = conversation.ask(converse());
  EXPECT_EQ(answer.status, 403);
  EXPECT_THAT(answer.message(), HasSubstr("incident 7"));
  EXPECT_THAT(conversation.seen_regions(), ElementsAre("us-east-1"));
  EXPECT_EQ(conversation.stage(), "permit");
  EXPECT_EQ(conversation.attempts(), "us-east-1 upstream_error");
}

TEST(FrozenGateway, SendsNothingWhenTheFreezeComesWhileItConnects) {
  FrozenConversation conversation;
  Act never = never_connects();
  never.meanwhile = conversation.freezing(FreezeScope::profile);
  conversation.region("us-east-1", {never}).region("us-east-2", {hello}).region("us-west-2", {hello});
  EXPECT_EQ(conversation.ask(converse()).status, 403);
  EXPECT_THAT(conversation.regions.seen(), IsEmpty());

  conversation.unfreeze();
  Act late = hello;
  late.connects_after = 10ms;
  late.meanwhile = conversation.freezing(FreezeScope::profile);
  conversation.region("us-east-1", {late}).region("us-east-2", {late}).region("us-west-2", {late});
  EXPECT_EQ(conversation.ask(converse()).status, 403);
  EXPECT_THAT(conversation.regions.seen(), IsEmpty()) << "the connection stood only after the freeze";
  EXPECT_THAT(conversation.attempts(), HasSubstr("access_denied"));
}

TEST(FrozenGateway, LetsAnAttemptThatHasBegunComeToItsEnd) {
  FrozenConversation conversation;
  Act slow = hello;
  slow.after = 10ms;
  slow.meanwhile = conversation.freezing(FreezeScope::all);
  conversation.every_region(slow);
  EXPECT_EQ(conversation.ask(converse()).status, 200);
  EXPECT_EQ(conversation.ask(converse()).status, 403);
}

TEST(FrozenGateway, AFreezeOfSomethingElseLeavesACallInFlightAlone) {
  FrozenConversation conversation;
  Act fails = replies(500, "{}");
  fails.after = 10ms;
  fails.meanwhile = conversation.freezing(FreezeScope::global);
  conversation.region("us-east-1", {fails}).region("us-east-2", {hello}).region("us-west-2", {hello});
  EXPECT_EQ(conversation.ask(converse()).status, 200);
}

TEST(FrozenGateway, FreezesAreNoBusinessOfCallsThatRunNoModel) {
  FrozenConversation conversation;
  conversation.freeze(FreezeScope::all);
  EXPECT_EQ(conversation.ask(get("/inference-profiles")).status, 200);
}

}  // namespace
}  // namespace portolan::gateway
