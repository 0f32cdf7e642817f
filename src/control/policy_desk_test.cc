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
    auto opened =
        PolicyDesk::open(*std::move(store), {.now = [] { return noon; },
                                             .admit_profile = [](const std::string& profile) -> base::Result<void> {
                                               if (profile == "us.x") return {};
                                               return base::fail(Code::usage, "there is no profile " + profile);
                                             },
                                             .publish = [this](std::vector<Freeze> freezes) -> base::Result<void> {
                                               steps.emplace_back("publish");
                                               in_force = std::move(freezes);
                                               if (slow) return base::fail(Code::internal, "a reactor is slow");
                                               return {};
                                             },
                                             .record = [this](const domain::Act& act) -> base::Result<void> {
                                               steps.emplace_back("record");
                                               acts.push_back(act);
                                               if (trail_broken)
                                                 return base::fail(Code::unrecordable, "the disk is full");
                                               return {};
                                             },
                                             .log = [this](std::string_view line) { lines.emplace_back(line); }});
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
  bool trail_broken = false;
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
  EXPECT_THAT(desk->freezes(), SizeIs(1)) << "after a restart";
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

}  // namespace
}  // namespace portolan::control
