// SPDX-License-Identifier: Apache-2.0
// What is compiled says what the reference says: for random sets and calls, and for the cases that were thought of.
// PORTOLAN_POLICY_PAIRS=1000000 for the long run (./dev sim).
#include "policy/compiled.h"

#include <cstdlib>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <thread>

#include "policy/test_random_set.h"

namespace portolan::policy {
namespace {

using namespace testing;
using domain::RegionMask;
using ::testing::HasSubstr;

constexpr std::string_view us_profile = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
constexpr std::string_view global_profile = "global.anthropic.claude-sonnet-4-5-20250929-v1:0";

/// A call with all that it refers to.
struct AskedCall {
  domain::Principal principal;
  domain::Inference inference;
  Mode mode = Mode::strict;
  RequestFacts facts;

  Question question() const {
    return {.principal = principal, .inference = inference, .mode = mode, .facts = facts};
  }
  std::string text(const domain::Catalog& catalog) const {
    return principal.arn + " by " +
           (inference.profile != nullptr ? inference.profile->id : "model " + inference.model->id) + " from " +
           catalog.region(inference.source).name + (inference.stream ? ", streamed, " : ", ") +
           std::string(name(mode)) + ", from address '" + std::string(facts.source_ip) + "' with '" +
           std::string(facts.user_agent) + "', tier '" + std::string(facts.service_tier) + "'";
  }
};

AskedCall random_call(RandomPolicies& from, const std::vector<domain::Principal>& principals,
                      const domain::Catalog& catalog) {
  static constexpr std::array<std::string_view, 3> addresses{"", "10.1.2.3", "192.0.2.7"};
  static constexpr std::array<std::string_view, 4> agents{"", "aws-sdk-js", "alice/1", "us-east-1"};
  static constexpr std::array<std::string_view, 3> tiers{"", "priority", "flex"};
  static constexpr std::array<std::string_view, 3> sources{"us-east-1", "us-east-2", "us-west-2"};
  base::Random& random = from.random();
  AskedCall call;
  call.principal = principals[random.below(principals.size())];
  call.inference.operation = domain::Operation::converse;
  call.inference.stream = random.below(3) == 0;
  call.inference.source = catalog.find_region(from.pick(sources));
  const std::uint64_t what = random.below(5);
  if (what == 0)
    call.inference.model = catalog.find_model("amazon.nova-lite-v1:0");
  else
    call.inference.profile = catalog.find_profile(what == 1 ? global_profile : us_profile);
  if (call.inference.profile != nullptr) call.inference.model = call.inference.profile->model;
  call.mode = random.below(2) == 0 ? Mode::strict : Mode::subset;
  call.facts.source_ip = from.pick(addresses);
  call.facts.user_agent = from.pick(agents);
  call.facts.service_tier = from.pick(tiers);
  if (random.below(4) > 0)
    call.facts.now = base::WallTime{std::chrono::sys_days{std::chrono::year{2026} / 11 / 20} +
                                    std::chrono::hours{random.below(96)}};
  if (random.below(3) > 0) call.facts.secure_transport = random.below(2) == 0;
  return call;
}

std::string summary(const Judgement& judgement) {
  std::string text = "allowed " + std::to_string(judgement.allowed.bits()) + " pruned " +
                     std::to_string(judgement.pruned.bits()) + " denied by " + std::to_string(judgement.denied_by);
  for (const Ruling& ruling : judgement.rulings) {
    const iam::Deciding& by = ruling.decision.by;
    text += "; " + ruling.check.resource + " " + std::string(iam::name(ruling.decision.outcome)) + " " +
            std::string(iam::name(by.kind)) + " " + std::to_string(by.level) + " " + std::to_string(by.document) +
            " " + std::to_string(by.statement);
  }
  return text;
}

class Compiled : public ::testing::Test {
 protected:
  Compiled() {
    for (const std::string_view arn : random_principals)
      principals.push_back({.arn = std::string(arn), .account_id = std::string(arn.substr(13, 12))});
  }
  CompiledPolicies compile(const RandomSet& set) const {
    return {organization_of(set), catalog, ProfileArn::application};
  }
  /// Nothing when both say the same of all these calls, asked in this order.
  std::string difference(const RandomSet& set, const std::vector<AskedCall>& calls) const {
    const CompiledPolicies policies = compile(set);
    CellMemory memory;
    for (const AskedCall& call : calls) {
      Judgement anew;
      const std::string compiled = summary(memory.judge(policies, call.question(), anew));
      const std::string reference = summary(policies.judge(call.question()));
      if (compiled != reference)
        return call.text(*catalog) + "\n  compiled:  " + compiled + "\n  reference: " + reference;
    }
    return {};
  }
  /// The same difference with as few statements and calls as leaving out one by one comes to.
  std::string smallest(RandomSet set, std::vector<AskedCall> calls) const {
    for (bool smaller = true; smaller;) {
      smaller = false;
      for (std::size_t i = 0; i < calls.size(); ++i) {
        std::vector<AskedCall> fewer;
        for (std::size_t j = 0; j < calls.size(); ++j)
          if (j != i) fewer.push_back(calls[j]);
        if (difference(set, fewer).empty()) continue;
        calls = std::move(fewer);
        smaller = true;
        --i;
      }
      for (Attached& document : set.documents) {
        for (std::size_t i = 0; i < document.statements.size() && document.statements.size() > 1; ++i) {
          const Json without = document.statements[i];
          document.statements.erase(document.statements.begin() + static_cast<std::ptrdiff_t>(i));
          if (difference(set, calls).empty()) {
            document.statements.insert(document.statements.begin() + static_cast<std::ptrdiff_t>(i), without);
          } else {
            smaller = true;
            --i;
          }
        }
      }
    }
    return set.text() + difference(set, calls);
  }

  std::shared_ptr<const domain::Catalog> catalog = domain::Catalog::builtin();
  std::vector<domain::Principal> principals;
};

TEST_F(Compiled, SaysWhatTheReferenceSaysOfRandomCalls) {
  const char* wanted = std::getenv("PORTOLAN_POLICY_PAIRS");
  const std::size_t pairs = wanted != nullptr ? std::stoul(wanted) : 20'000;
  const char* seeded = std::getenv("PORTOLAN_TEST_SEED");
  const std::uint64_t seed = seeded != nullptr ? std::stoul(seeded) : 1;
  constexpr std::size_t calls_for_each = 200;
  std::size_t allowed = 0;
  for (std::size_t done = 0; done < pairs; done += calls_for_each) {
    RandomPolicies random(seed + done);
    const RandomSet set = random.set();
    std::vector<AskedCall> calls;
    for (std::size_t i = 0; i < calls_for_each; ++i) calls.push_back(random_call(random, principals, *catalog));
    if (!difference(set, calls).empty())
      FAIL() << "seed " << seed + done << ", smallest counterexample:\n" << smallest(set, calls);
    const CompiledPolicies policies = compile(set);
    for (std::size_t i = 0; i < 20; ++i) allowed += policies.judge(calls[i].question()).is_allowed() ? 1 : 0;
  }
  const std::size_t looked_at = pairs / calls_for_each * 20;
  EXPECT_GT(allowed, looked_at / 20) << "nearly nothing is allowed: the sets show little";
  EXPECT_LT(allowed, looked_at * 19 / 20) << "nearly everything is allowed: the sets show little";
}

RandomSet one_statement(const Json& statement) {
  RandomSet set;
  for (const char* target : {"root", "prod", "111122223333", "222233334444"})
    set.documents.push_back({.kind = iam::PolicyKind::service_control,
                             .target = target,
                             .statements = {{{"Effect", "Allow"}, {"Action", "*"}, {"Resource", "*"}}}});
  for (std::size_t i = 0; i + 1 < random_principals.size(); ++i)
    set.documents.push_back({.kind = iam::PolicyKind::identity,
                             .target = std::string(random_principals[i]),
                             .statements = {{{"Effect", "Allow"}, {"Action", "*"}, {"Resource", "*"}}}});
  set.documents[0].statements.push_back(statement);
  return set;
}

class CompiledCell : public Compiled {
 protected:
  AskedCall call(std::size_t principal = 0) const {
    const domain::Profile* profile = catalog->find_profile(us_profile);
    return {.principal = principals[principal],
            .inference = {.operation = domain::Operation::converse,
                          .profile = profile,
                          .model = profile->model,
                          .source = catalog->find_region("us-east-1")},
            .mode = Mode::subset,
            .facts = {.source_ip = "192.0.2.7", .user_agent = "aws-sdk-js", .further = {}}};
  }
  static Json deny(const Json& condition) {
    return {{"Effect", "Deny"}, {"Action", "bedrock:*"}, {"Resource", "*"}, {"Condition", condition}};
  }
};

TEST_F(CompiledCell, IsStaticWhenNothingInForceReadsTheRequest) {
  const CompiledPolicies policies =
      compile(one_statement(deny({{"StringEquals", {{"aws:RequestedRegion", "us-east-2"}}}})));
  const CompiledPolicies::Cell& cell = policies.cell(call().question());
  EXPECT_TRUE(cell.is_static);
  EXPECT_EQ(catalog->names(cell.judgement.allowed), "us-east-1, us-west-2");
  EXPECT_EQ(catalog->names(cell.judgement.pruned), "us-east-2");
}

TEST_F(CompiledCell, IsStaticWhenAStatementThatReadsTheRequestCannotApply) {
  Json statement = deny({{"IpAddress", {{"aws:SourceIp", "10.0.0.0/8"}}}});
  statement["Action"] = "s3:*";
  EXPECT_TRUE(compile(one_statement(statement)).cell(call().question()).is_static);
  statement = deny({{"IpAddress", {{"aws:SourceIp", "10.0.0.0/8"}}}, {"StringEquals", {{"aws:username", "eve"}}}});
  EXPECT_TRUE(compile(one_statement(statement)).cell(call().question()).is_static);
  statement = deny({{"IpAddress", {{"aws:SourceIp", "10.0.0.0/8"}}}});
  EXPECT_FALSE(compile(one_statement(statement)).cell(call().question()).is_static);
}

TEST_F(CompiledCell, JudgesAgainOnlyWhenAnotherConditionHolds) {
  const CompiledPolicies policies = compile(one_statement(deny({{"IpAddress", {{"aws:SourceIp", "10.0.0.0/8"}}}})));
  CellMemory memory;
  Judgement anew;
  AskedCall asked = call();
  const Judgement& outside = memory.judge(policies, asked.question(), anew);
  EXPECT_TRUE(outside.is_allowed());
  asked.facts.source_ip = "198.51.100.9";
  EXPECT_EQ(&memory.judge(policies, asked.question(), anew), &outside) << "shared: the same condition fails";
  asked.facts.source_ip = "10.9.9.9";
  EXPECT_FALSE(memory.judge(policies, asked.question(), anew).is_allowed());
}

TEST_F(CompiledCell, IsSharedByPrincipalsThatNothingTellsApart) {
  Organization alike = *organization_of(one_statement(deny({{"StringEquals", {{"aws:username", "bob"}}}})));
  const auto same = alike.principals.find("arn:aws:iam::111122223333:user/alice")->second.identity;
  alike.principals.find("arn:aws:iam::111122223333:user/bob")->second.identity = same;
  Organization unread = alike;
  const CompiledPolicies told_apart(std::make_shared<const Organization>(std::move(alike)), catalog,
                                    ProfileArn::application);
  EXPECT_NE(&told_apart.cell(call(0).question()), &told_apart.cell(call(1).question()));
  EXPECT_EQ(told_apart.classes(), 2u);

  unread.root.service_control.clear();
  const auto plain = organization_of(one_statement(deny({{"StringEquals", {{"aws:RequestedRegion", "x"}}}})));
  unread.root = plain->root;
  const CompiledPolicies shared(std::make_shared<const Organization>(std::move(unread)), catalog,
                                ProfileArn::application);
  EXPECT_EQ(&shared.cell(call(0).question()), &shared.cell(call(1).question()));
  EXPECT_EQ(shared.classes(), 1u);
}

/// `call` through a copy of its profile with these tags.
struct CopiedCall {
  CopiedCall(AskedCall call, domain::Tags tags, const domain::Profile* of) : asked(std::move(call)) {
    made = {.id = "abcdefghijkl", .tags = std::move(tags)};
    profile = *of;
    profile.id = made.id;
    profile.kind = domain::ProfileKind::application;
    profile.application = &made;
    profile.copy_of = of;
    asked.inference.profile = &profile;
  }
  CopiedCall(const CopiedCall&) = delete;

  domain::ApplicationProfile made;
  domain::Profile profile;
  AskedCall asked;
};

TEST_F(CompiledCell, OfAnApplicationProfileIsOfItsTagsToo) {
  Json statement = deny({{"StringEquals", {{"aws:ResourceTag/Team", "search"}}}});
  statement["Resource"] = "arn:aws:bedrock:*:*:application-inference-profile/*";
  const CompiledPolicies policies = compile(one_statement(statement));
  const domain::Profile* original = call().inference.profile;
  CellMemory memory;
  Judgement anew;
  for (const std::string_view team : {"search", "ads", "search"}) {
    const CopiedCall copied(call(), {{"Team", std::string{team}}}, original);
    memory.forget();  // as with each new snapshot
    const Judgement& judgement = memory.judge(policies, copied.asked.question(), anew);
    EXPECT_EQ(judgement.is_allowed(), team == "ads") << team;
    EXPECT_EQ(summary(judgement), summary(policies.judge(copied.asked.question())));
  }
  EXPECT_EQ(policies.cells(), 2u) << "the same tags are the same cell";
}

TEST_F(CompiledCell, IsNotThatOfOtherTagsThatAreWrittenAlike) {
  Json statement = deny({{"StringEquals", {{"aws:ResourceTag/Blocked", "yes"}}}});
  statement["Resource"] = "arn:aws:bedrock:*:*:application-inference-profile/*";
  const CompiledPolicies policies = compile(one_statement(statement));
  const domain::Profile* original = call().inference.profile;
  Judgement anew;
  const auto allows = [&](domain::Tags tags) {
    const CopiedCall copied(call(), std::move(tags), original);
    CellMemory memory;
    return memory.judge(policies, copied.asked.question(), anew).is_allowed();
  };
  EXPECT_TRUE(allows({{"A", "x\nBlocked\nyes"}}));
  EXPECT_TRUE(allows({{"A", "x 7:Blocked3:yes"}}));
  EXPECT_FALSE(allows({{"A", "x"}, {"Blocked", "yes"}}));
}

TEST_F(CompiledCell, ReadsTheCopyOrTheCopiedAsTheSettingSays) {
  const domain::Profile* original = call().inference.profile;
  const CopiedCall copied(call(), {}, original);
  const Json statement =
      deny({{"ArnLike", {{"bedrock:InferenceProfileArn", "arn:aws:bedrock:*:*:application-inference-profile/*"}}}});
  const auto set = organization_of(one_statement(statement));
  EXPECT_FALSE(CompiledPolicies(set, catalog, ProfileArn::application).judge(copied.asked.question()).is_allowed());
  EXPECT_TRUE(CompiledPolicies(set, catalog, ProfileArn::system).judge(copied.asked.question()).is_allowed());
}

TEST_F(CompiledCell, RefusesAPrincipalThatTheOrganisationDoesNotName) {
  const CompiledPolicies policies = compile(one_statement(deny({{"Null", {{"aws:RequestedRegion", "true"}}}})));
  const AskedCall stranger = call(4);
  CellMemory memory;
  Judgement anew;
  const Judgement& judgement = memory.judge(policies, stranger.question(), anew);
  EXPECT_FALSE(judgement.is_allowed());
  EXPECT_THAT(policies.denial(stranger.question(), judgement),
              HasSubstr("because the policies in force do not name this principal"));
}

TEST_F(CompiledCell, NamesDocumentStatementAndLevelForPeople) {
  Json statement = deny({{"StringEquals", {{"aws:RequestedRegion", "us-east-2"}}}});
  statement["Sid"] = "DenyEast2";
  const CompiledPolicies policies = compile(one_statement(statement));
  const Judgement judgement = policies.judge(call().question());
  const Ruling* ruling = judgement.ruling_for(catalog->find_region("us-east-2"));
  ASSERT_NE(ruling, nullptr);
  EXPECT_EQ(describe(*ruling), "explicit deny in service control policy p.json, statement DenyEast2, of root");
}

TEST_F(CompiledCell, IsTheSameForAllThreadsThatAskAtOnce) {
  const CompiledPolicies policies = compile(one_statement(deny({{"IpAddress", {{"aws:SourceIp", "10.0.0.0/8"}}}})));
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      CellMemory memory;
      for (int i = 0; i < 200; ++i) {
        AskedCall asked = call(static_cast<std::size_t>(i % 4));
        asked.facts.source_ip = i % 2 == 0 ? "10.0.0.1" : "192.0.2.7";
        Judgement anew;
        const bool allowed = memory.judge(policies, asked.question(), anew).is_allowed();
        if (allowed != (i % 2 == 1)) wrong += 1;
        if (i % 50 == t) memory.forget();
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(), 0);
}

}  // namespace
}  // namespace portolan::policy
