// SPDX-License-Identifier: Apache-2.0
// The emergency brake over the counter: what is put in force, in which order, what is kept, recorded and told.
#include "control/policy_desk.h"

#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace portolan::control {
namespace {

using base::Code;
using domain::Freeze;
using domain::FreezeScope;
using nlohmann::json;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using namespace std::chrono_literals;

constexpr base::WallTime noon{std::chrono::sys_days{std::chrono::year{2026} / 11 / 22} + 12h};

class Brake : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "portolan-policy-XXXXXX";
    directory = ::mkdtemp(name.data());
    open();
  }
  ~Brake() override {
    desk.reset();
    std::filesystem::remove_all(directory);
  }

  void open() {
    desk.reset();
    auto store = store::PolicyStore::open(directory + "/policy.db");
    ASSERT_TRUE(store) << store.error().message;
    auto opened = PolicyDesk::open(
        *std::move(store), {.now = [] { return noon; },
                            .admit_profile = [](const std::string& profile) -> base::Result<void> {
                              if (profile == "us.x") return {};
                              return base::fail(Code::usage, "there is no profile " + profile);
                            },
                            .admit_policies = [](const domain::PolicyFiles& files) -> base::Result<std::string> {
                              if (files.contains("organization.yaml")) return "hash of " + files.begin()->second;
                              return base::fail(Code::config_invalid, "organization.yaml:1:1: it is missing");
                            },
                            .publish = [this](const domain::PolicyStanding& standing) -> base::Result<void> {
                              steps.emplace_back("publish");
                              if (unusable) return base::fail(Code::config_invalid, "a mistake");
                              in_force = standing.freezes;
                              rules = standing;
                              if (slow) return base::fail(Code::internal, "a reactor is slow");
                              return {};
                            },
                            .record = [this](const domain::Act& act) -> base::Result<void> {
                              steps.emplace_back("record");
                              acts.push_back(act);
                              if (trail_broken) return base::fail(Code::unrecordable, "the disk is full");
                              return {};
                            },
                            .log = [this](std::string_view line) { lines.emplace_back(line); },
                            .say_followed = [this](std::int64_t change) { followed.push_back(change); },
                            .await_predecessor = [this](std::int64_t change) -> base::Result<void> {
                              awaited.push_back(change);
                              if (predecessor_is_deaf)
                                return base::fail(Code::internal, "the predecessor has said nothing");
                              return {};
                            }});
    ASSERT_TRUE(opened) << opened.error().message;
    desk = *std::move(opened);
  }

  static json order(const char* scope, const char* profile = nullptr) {
    json made{{"scope", scope}, {"by", "olga"}, {"why", "incident 7"}};
    if (profile != nullptr) made["profile"] = profile;
    return made;
  }
  json freeze(const json& order, int status = 200) { return read(desk->freeze(order.dump(), "192.0.2.9"), status); }
  json unfreeze(const json& order, int status = 200) {
    return read(desk->unfreeze(order.dump(), "192.0.2.9"), status);
  }
  static json read(const AdminReply& reply, int status) {
    EXPECT_EQ(reply.status, status) << reply.body;
    return json::parse(reply.body);
  }

  std::string directory;
  bool slow = false;
  bool unusable = false;
  domain::PolicyStanding rules;
  bool trail_broken = false;
  bool predecessor_is_deaf = false;
  std::vector<std::int64_t> followed, awaited;
  std::vector<Freeze> in_force;
  std::vector<domain::Act> acts;
  std::vector<std::string> lines, steps;
  std::unique_ptr<PolicyDesk> desk;
};

TEST_F(Brake, AFreezeIsInForceRecordedKeptAndTold) {
  const json answer = freeze(order("cross-region"));
  ASSERT_THAT(answer["freezes"], SizeIs(1));
  EXPECT_EQ(answer["freezes"][0]["scope"], "cross-region");
  EXPECT_EQ(answer["freezes"][0]["since"], "2026-11-22T12:00:00Z");
  EXPECT_EQ(answer["freezes"][0]["by"], "olga");
  EXPECT_FALSE(answer.contains("warnings"));
  ASSERT_THAT(in_force, SizeIs(1));
  EXPECT_EQ(in_force[0].why, "incident 7");
  ASSERT_THAT(acts, SizeIs(1));
  EXPECT_EQ(acts[0].event_name, "FreezeInference");
  EXPECT_EQ(acts[0].source_address, "192.0.2.9");
  EXPECT_THAT(steps, ElementsAre("publish", "record"));
  EXPECT_THAT(lines, ElementsAre("policy freeze: cross-Region inference, by olga: incident 7"));
  open();
  EXPECT_THAT(desk->standing().freezes, SizeIs(1)) << "after a restart";
}

TEST_F(Brake, LiftsOneFreezeAndLeavesTheOthers) {
  freeze(order("global"));
  freeze(order("profile", "us.x"));
  const json answer = unfreeze(order("global"));
  ASSERT_THAT(answer["freezes"], SizeIs(1));
  EXPECT_EQ(answer["freezes"][0]["profile"], "us.x");
  ASSERT_THAT(in_force, SizeIs(1));
  EXPECT_EQ(acts.back().event_name, "UnfreezeInference");
  EXPECT_THAT(read(desk->history(), 200)["events"], SizeIs(3));
  unfreeze(order("global"), 404);
  EXPECT_THAT(acts, SizeIs(3)) << "what did not happen is not recorded";
}

TEST_F(Brake, RefusesAnOrderThatSaysNotWhatOrWhyOrWho) {
  EXPECT_THAT(freeze(order("everything"), 400)["error"], HasSubstr("global, cross-region, profile or all"));
  EXPECT_THAT(freeze(order("profile"), 400)["error"], HasSubstr("profile:"));
  EXPECT_THAT(freeze(order("profile", "us.y"), 400)["error"], HasSubstr("there is no profile us.y"));
  for (const char* member : {"why", "by"}) {
    for (const json& wrong : {json(nullptr), json(""), json(7), json("two\nlines"), json(std::string(2000, 'x'))}) {
      json said = order("all");
      said[member] = wrong;
      EXPECT_THAT(freeze(said, 400)["error"], HasSubstr(std::string(member) + ":")) << wrong;
    }
  }
  EXPECT_EQ(desk->freeze("no JSON", "").status, 400);
  EXPECT_THAT(steps, IsEmpty());
}

TEST_F(Brake, AFullDiskDoesNotKeepAFreezeFromBeingInForce) {
  std::filesystem::remove_all(directory);  // nothing can be written there any more
  const json answer = freeze(order("all"));
  ASSERT_THAT(in_force, SizeIs(1));
  EXPECT_THAT(answer["warnings"], Contains(HasSubstr("a restart would forget it")));
  EXPECT_THAT(lines, Contains(HasSubstr("a restart would forget it")));
}

TEST_F(Brake, TellsWhenAReactorIsSlowOrTheTrailRefuses) {
  slow = trail_broken = true;
  const json answer = freeze(order("all"));
  EXPECT_THAT(answer["warnings"], ElementsAre("a reactor is slow", "it is not in the trail: the disk is full"));
  EXPECT_THAT(in_force, SizeIs(1));
}

TEST_F(Brake, ChangesNothingWhileASuccessorReadsTheStore) {
  desk->hold();
  freeze(order("all"), 503);
  EXPECT_THAT(steps, IsEmpty());
  desk->go_on();
  freeze(order("all"));
  desk->hold();
  unfreeze(order("all"), 503);
  EXPECT_THAT(in_force, SizeIs(1));
}

TEST_F(Brake, FollowsWhatASuccessorIsOrdered) {
  freeze(order("global"));
  desk->hold();
  auto other = store::PolicyStore::open(directory + "/policy.db");
  ASSERT_TRUE(other) << other.error().message;
  steps.clear();
  desk->follow();
  EXPECT_THAT(steps, IsEmpty()) << "nothing has changed";
  ASSERT_TRUE((*other)->freeze({.scope = FreezeScope::all, .since = noon, .by = "otto", .why = "incident 8"}));
  desk->follow();
  ASSERT_THAT(in_force, SizeIs(2));
  EXPECT_EQ(in_force[1].by, "otto");
  desk->follow();
  EXPECT_THAT(steps, ElementsAre("publish")) << "once for a change, and it is the successor who records it";
}

TEST_F(Brake, SaysWhichChangeASuccessorsPredecessorFollowsAndTriesAgainWhatFailed) {
  freeze(order("global"));
  desk->hold();
  desk->follow();
  EXPECT_THAT(followed, ElementsAre(1)) << "also when nothing has changed since";
  auto other = store::PolicyStore::open(directory + "/policy.db");
  ASSERT_TRUE(other) << other.error().message;
  ASSERT_TRUE((*other)->freeze({.scope = FreezeScope::all, .since = noon, .by = "otto", .why = "incident 8"}));
  slow = true;
  lines.clear();
  desk->follow();
  desk->follow();
  EXPECT_THAT(followed, ElementsAre(1)) << "not before it is in force";
  EXPECT_THAT(lines, ElementsAre(HasSubstr("not followed yet: a reactor is slow"))) << "told once";
  slow = false;
  desk->follow();
  EXPECT_THAT(followed, ElementsAre(1, 2));
  EXPECT_THAT(in_force, SizeIs(2));
  desk->follow();
  EXPECT_THAT(followed, SizeIs(2));
}

TEST_F(Brake, AnswersWhenThePredecessorHasPutItInForceOrSaysThatItHasNot) {
  freeze(order("global"));
  unfreeze(order("global"));
  EXPECT_THAT(awaited, ElementsAre(1, 2));
  predecessor_is_deaf = true;
  EXPECT_THAT(freeze(order("all"))["warnings"], ElementsAre("the predecessor has said nothing"));
  std::filesystem::remove_all(directory);
  freeze(order("profile", "us.x"));
  EXPECT_EQ(awaited.back(), std::numeric_limits<std::int64_t>::max()) << "it cannot read what is not in the store";
}

class Counter : public Brake {
 protected:
  static json application(const char* text, const json& more = json::object()) {
    json made{{"files", {{"organization.yaml", text}}}, {"by", "olga"}, {"why", "change 812"}};
    made.update(more);
    return made;
  }
  json apply(const json& order, int status = 200) { return read(desk->apply(order.dump(), "192.0.2.9"), status); }
  json roll_back(const json& more = json::object(), int status = 200) {
    json order{{"by", "olga"}, {"why", "it denied the batch jobs"}};
    order.update(more);
    return read(desk->rollback(order.dump(), "192.0.2.9"), status);
  }
};

TEST_F(Counter, AppliesASetAsANumberedVersion) {
  const json state = apply(application("one"));
  EXPECT_EQ(state["in_force"]["version"], 1);
  EXPECT_EQ(state["in_force"]["hash"], "hash of one");
  EXPECT_TRUE(state["candidate"].is_null());
  ASSERT_TRUE(rules.in_force);
  EXPECT_EQ(rules.in_force->files->at("organization.yaml"), "one");
  ASSERT_THAT(acts, SizeIs(1));
  EXPECT_EQ(acts[0].event_name, "ApplyPolicies");
  EXPECT_THAT(acts[0].became, Contains(testing::Pair("policyVersion", "1")));
  EXPECT_THAT(lines, ElementsAre("policy apply: version 1, by olga: change 812"));
  open();
  EXPECT_EQ(desk->standing().in_force->number, 1u) << "after a restart";
}

TEST_F(Counter, ASetWithAMistakeChangesNothing) {
  apply(application("one"));
  json wrong = application("two");
  wrong["files"] = {{"readme", "hello"}};
  EXPECT_THAT(apply(wrong, 400)["error"], HasSubstr("organization.yaml:1:1"));
  for (const json& more : {json{{"share_percent", 0}}, json{{"share_percent", 100}}, json{{"share_percent", "5"}},
                           json{{"share_percent", 5}, {"shadow", true}}, json{{"why", ""}}, json{{"files", 7}},
                           json{{"files", {{"a", 1}}}}})
    apply(application("two", more), 400);
  EXPECT_EQ(rules.in_force->number, 1u);
  EXPECT_THAT(acts, SizeIs(1));
  EXPECT_THAT(read(desk->versions(), 200)["versions"], SizeIs(1));
}

TEST_F(Counter, TriesASetOnAShareOrAsAShadowFirst) {
  apply(application("one"));
  json state = apply(application("two", {{"shadow", true}}));
  EXPECT_EQ(state["in_force"]["version"], 1);
  EXPECT_EQ(state["candidate"]["version"], 2);
  EXPECT_EQ(state["candidate"]["shadow"], true);
  EXPECT_EQ(rules.candidate->number, 2u);
  state = apply(application("two", {{"share_percent", 10}}));
  EXPECT_EQ(state["candidate"]["share_percent"], 10);
  EXPECT_EQ(rules.share_percent, 10u);
  state = apply(application("two"));
  EXPECT_EQ(state["in_force"]["version"], 2);
  EXPECT_TRUE(state["candidate"].is_null());
  EXPECT_FALSE(rules.candidate);
}

TEST_F(Counter, RollsBackTheCandidateFirstThenToWhatWasBefore) {
  apply(application("one"));
  apply(application("two"));
  apply(application("three", {{"share_percent", 10}}));
  json state = roll_back();
  EXPECT_TRUE(state["candidate"].is_null());
  EXPECT_EQ(state["in_force"]["version"], 2);
  state = roll_back();
  EXPECT_EQ(state["in_force"]["version"], 1);
  EXPECT_EQ(roll_back()["in_force"]["version"], 2) << "what was before the rollback";
  EXPECT_EQ(roll_back({{"version", 3}})["in_force"]["version"], 3);
  EXPECT_TRUE(roll_back({{"version", 0}})["in_force"].is_null());
  EXPECT_FALSE(rules.in_force);
  EXPECT_THAT(roll_back({{"version", 9}}, 400)["error"], HasSubstr("there is no version 9"));
  roll_back({{"version", 0}}, 400);
  EXPECT_EQ(acts.back().event_name, "RollBackPolicies");
  EXPECT_THAT(read(desk->versions(), 200)["versions"], SizeIs(3)) << "none is forgotten";
}

TEST_F(Counter, KeepsWhatIsInForceWhenAnOldSetCannotBeUsedAnyMore) {
  apply(application("one"));
  apply(application("two"));
  unusable = true;
  roll_back({{"version", 1}}, 400);
  EXPECT_EQ(rules.in_force->number, 2u);
  open();
  EXPECT_EQ(desk->standing().in_force->number, 2u);
}

TEST_F(Counter, AdoptsTheDirectoryOnlyWhenItHasChanged) {
  const domain::PolicyFiles files{{"organization.yaml", "one"}};
  EXPECT_TRUE(desk->adopt(files, "hash of one", "policies").value());
  desk->publish_adopted("policies");
  EXPECT_EQ(rules.in_force->number, 1u);
  EXPECT_EQ(acts.back().event_name, "LoadPolicies");
  apply(application("two"));
  open();
  EXPECT_FALSE(desk->adopt(files, "hash of one", "policies").value());
  EXPECT_EQ(desk->standing().in_force->number, 2u) << "what was applied since stays";
  EXPECT_TRUE(desk->adopt({{"organization.yaml", "three"}}, "hash of three", "policies").value());
  EXPECT_EQ(desk->standing().in_force->number, 3u);
}

TEST_F(Counter, AFreezeLeavesTheVersionsAsTheyAre) {
  apply(application("one"));
  freeze(order("all"));
  EXPECT_EQ(rules.in_force->number, 1u);
  EXPECT_THAT(rules.freezes, SizeIs(1));
  apply(application("two"));
  EXPECT_THAT(rules.freezes, SizeIs(1));
}

}  // namespace
}  // namespace portolan::control
