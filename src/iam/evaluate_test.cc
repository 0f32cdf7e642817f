// SPDX-License-Identifier: Apache-2.0
#include "iam/evaluate.h"

#include <deque>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <string_view>

namespace portolan::iam {
namespace {

constexpr std::string_view user = "arn:aws:iam::111122223333:user/alice";
constexpr std::string_view session = "arn:aws:sts::111122223333:assumed-role/app/build-7";
constexpr std::string_view model = "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3";
constexpr std::string_view guardrail = "arn:aws:bedrock:us-east-1:111122223333:guardrail/g1";

/// Owns documents and puts them together.
class Evaluate : public testing::Test {
 protected:
  const Document* parse(PolicyKind kind, std::string_view statements) {
    std::vector<Notice> notices;
    auto parsed =
        parse_document(R"({"Version":"2012-10-17","Statement":[)" + std::string(statements) + "]}", kind, notices);
    EXPECT_TRUE(parsed.has_value()) << parsed.error().message;
    return &documents_.emplace_back(*std::move(parsed));
  }
  const Document* allow_all(PolicyKind kind) {
    const bool has_principal = kind == PolicyKind::resource_control || kind == PolicyKind::listener;
    return parse(kind, has_principal ? R"({"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"})"
                                     : R"({"Effect":"Allow","Action":"*","Resource":"*"})");
  }
  const Document* deny_all(PolicyKind kind) {
    const bool has_principal =
        kind == PolicyKind::resource_control || kind == PolicyKind::listener || kind == PolicyKind::resource;
    return parse(kind, has_principal ? R"({"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"})"
                                     : R"({"Effect":"Deny","Action":"*","Resource":"*"})");
  }
  const Document* allow_nothing_here(PolicyKind kind) {
    const bool has_principal = kind == PolicyKind::resource_control || kind == PolicyKind::listener;
    return parse(kind, has_principal ? R"({"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"})"
                                     : R"({"Effect":"Allow","Action":"s3:*","Resource":"*"})");
  }
  /// A resource-based Allow for one principal element.
  const Document* grant(std::string_view principal) {
    return parse(PolicyKind::resource, R"({"Effect":"Allow","Principal":)" + std::string(principal) +
                                           R"(,"Action":"bedrock:*","Resource":"*"})");
  }

  Decision decide(std::string_view principal = user, std::string_view resource = model) {
    const Request request{
        .principal = principal, .action = "bedrock:InvokeModel", .resource = resource, .context = &context};
    const Decision decision = evaluate(policies, request);
    expect_explained(decision, explain(policies, request));
    return decision;
  }

  PolicySet policies;
  Context context;

 private:
  static void expect_explained(const Decision& decision, const std::vector<Step>& steps) {
    const auto denied = std::ranges::find(steps, Outcome::explicit_deny, &Step::outcome);
    const auto missing = std::ranges::find_if(
        steps, [](const Step& step) { return step.outcome == Outcome::implicit_deny && !step.waived; });
    if (denied != steps.end()) {
      EXPECT_EQ(decision.outcome, Outcome::explicit_deny);
      EXPECT_EQ(decision.by, denied->by);
    } else if (missing != steps.end()) {
      EXPECT_EQ(decision.outcome, Outcome::implicit_deny);
      EXPECT_EQ(decision.by, missing->by);
    } else {
      EXPECT_EQ(decision.outcome, Outcome::allowed);
    }
  }

  std::deque<Document> documents_;
};

Deciding missing(PolicyKind kind, int level = -1) {
  return {.kind = kind, .level = level};
}

TEST_F(Evaluate, DeniesWithoutAnyPolicy) {
  const Decision decision = decide();
  EXPECT_EQ(decision.outcome, Outcome::implicit_deny);
  EXPECT_EQ(decision.by, missing(PolicyKind::identity));
}

TEST_F(Evaluate, AllowsWhatAnIdentityPolicyAllows) {
  policies.identity = {allow_nothing_here(PolicyKind::identity), allow_all(PolicyKind::identity)};
  const Decision decision = decide();
  EXPECT_EQ(decision.outcome, Outcome::allowed);
  EXPECT_EQ(decision.by, (Deciding{.kind = PolicyKind::identity, .document = 1, .statement = 0}));
}

TEST_F(Evaluate, NeedsAnAllowOnEveryLevelOfTheOrganization) {
  policies.identity = {allow_all(PolicyKind::identity)};
  policies.service_control = {{"root", {allow_all(PolicyKind::service_control)}},
                              {"unit", {allow_nothing_here(PolicyKind::service_control)}},
                              {"account", {allow_all(PolicyKind::service_control)}}};
  EXPECT_EQ(decide().by, missing(PolicyKind::service_control, 1));
  policies.service_control[1].documents.push_back(allow_all(PolicyKind::service_control));
  EXPECT_EQ(decide().outcome, Outcome::allowed);
  policies.resource_control = {{"root", {allow_all(PolicyKind::resource_control)}}, {"account", {}}};
  EXPECT_EQ(decide().by, missing(PolicyKind::resource_control, 1));
}

TEST_F(Evaluate, NamesTheFirstKindOfSeveralThatDeny) {
  policies.identity = {deny_all(PolicyKind::identity)};
  policies.boundaries = {deny_all(PolicyKind::permission_boundary)};
  policies.session = {deny_all(PolicyKind::session)};
  EXPECT_EQ(decide().by.kind, PolicyKind::identity);
  policies.listener = {deny_all(PolicyKind::listener)};
  EXPECT_EQ(decide().by.kind, PolicyKind::listener);
  policies.resource = {deny_all(PolicyKind::resource)};
  EXPECT_EQ(decide().by.kind, PolicyKind::resource);
  policies.service_control = {{"root", {allow_all(PolicyKind::service_control)}},
                              {"account", {deny_all(PolicyKind::service_control)}}};
  EXPECT_EQ(decide().by,
            (Deciding{.kind = PolicyKind::service_control, .level = 1, .document = 0, .statement = 0}));
  policies.resource_control = {{"root", {deny_all(PolicyKind::resource_control)}}};
  EXPECT_EQ(decide().by.kind, PolicyKind::resource_control);
}

TEST_F(Evaluate, NarrowsWithEveryKindThatIsThere) {
  policies.identity = {allow_all(PolicyKind::identity)};
  policies.boundaries = {allow_nothing_here(PolicyKind::permission_boundary)};
  EXPECT_EQ(decide().by, missing(PolicyKind::permission_boundary));
  policies.boundaries.clear();
  policies.session = {allow_nothing_here(PolicyKind::session)};
  EXPECT_EQ(decide().by, missing(PolicyKind::session));
  policies.session.clear();
  policies.listener = {allow_nothing_here(PolicyKind::listener)};
  EXPECT_EQ(decide().by, missing(PolicyKind::listener));
}

TEST_F(Evaluate, AGrantToTheSessionPassesEveryImplicitDenyOfTheIdentity) {
  policies.resource = {grant(R"({"AWS":"arn:aws:sts::111122223333:assumed-role/app/build-7"})")};
  policies.boundaries = {allow_nothing_here(PolicyKind::permission_boundary)};
  policies.session = {allow_nothing_here(PolicyKind::session)};
  EXPECT_EQ(decide(session, guardrail).outcome, Outcome::allowed);
  EXPECT_EQ(decide(session, guardrail).by.kind, PolicyKind::resource);
  EXPECT_EQ(decide("arn:aws:sts::111122223333:assumed-role/app/build-8", guardrail).outcome,
            Outcome::implicit_deny);
  policies.listener = {allow_nothing_here(PolicyKind::listener)};
  EXPECT_EQ(decide(session, guardrail).by, missing(PolicyKind::listener));
}

TEST_F(Evaluate, AGrantToTheRoleIsBoundByBoundaryAndSession) {
  policies.resource = {grant(R"({"AWS":"arn:aws:iam::111122223333:role/team/app"})")};
  EXPECT_EQ(decide(session, guardrail).outcome, Outcome::allowed);
  policies.boundaries = {allow_nothing_here(PolicyKind::permission_boundary)};
  EXPECT_EQ(decide(session, guardrail).by, missing(PolicyKind::permission_boundary));
  policies.boundaries = {allow_all(PolicyKind::permission_boundary)};
  policies.session = {allow_nothing_here(PolicyKind::session)};
  EXPECT_EQ(decide(session, guardrail).by, missing(PolicyKind::session));
}

TEST_F(Evaluate, AGrantToTheAccountLeavesItToTheIdentityPolicies) {
  policies.resource = {grant(R"({"AWS":["444455556666","111122223333"]})")};
  EXPECT_EQ(decide(user, guardrail).by, missing(PolicyKind::identity));
  EXPECT_EQ(decide("arn:aws:iam::111122223333:root", guardrail).outcome, Outcome::allowed);
  policies.identity = {allow_all(PolicyKind::identity)};
  EXPECT_EQ(decide(user, guardrail).by.kind, PolicyKind::identity);
  EXPECT_EQ(decide(user, guardrail).outcome, Outcome::allowed);
}

TEST_F(Evaluate, NamesTheFirstOfTheClosestGrants) {
  policies.resource = {grant(R"({"AWS":"111122223333"})"), grant(R"("*")"),
                       grant(R"({"AWS":"arn:aws:iam::111122223333:user/alice"})")};
  EXPECT_EQ(decide(user, guardrail).by, (Deciding{.kind = PolicyKind::resource, .document = 1, .statement = 0}));
}

TEST_F(Evaluate, TheRootUserNeedsNoDocument) {
  const Decision decision = decide("arn:aws:iam::111122223333:root", guardrail);
  EXPECT_EQ(decision.outcome, Outcome::allowed);
  EXPECT_EQ(decision.by, missing(PolicyKind::identity));
  EXPECT_EQ(statement_of(policies, decision.by), nullptr);
  policies.service_control = {{"account", {deny_all(PolicyKind::service_control)}}};
  EXPECT_EQ(decide("arn:aws:iam::111122223333:root", guardrail).outcome, Outcome::explicit_deny);
}

TEST_F(Evaluate, TellsWhatWasWaived) {
  policies.resource = {grant(R"({"AWS":"arn:aws:sts::111122223333:assumed-role/app/build-7"})")};
  policies.boundaries = {allow_nothing_here(PolicyKind::permission_boundary)};
  const auto steps =
      explain(policies, {.principal = session, .action = "bedrock:GetGuardrail", .resource = guardrail});
  ASSERT_EQ(steps.size(), 3u);
  EXPECT_EQ(steps[0].outcome, Outcome::allowed);
  EXPECT_EQ(steps[1].by, missing(PolicyKind::identity));
  EXPECT_TRUE(steps[1].waived);
  EXPECT_EQ(steps[2].by, missing(PolicyKind::permission_boundary));
  EXPECT_TRUE(steps[2].waived);
}

TEST_F(Evaluate, NotResourceWithAVariableThatHasNoValueDeniesAndDoesNotAllow) {
  constexpr std::string_view rest =
      R"(,"Action":"*","NotResource":["arn:aws:s3:::b","arn:aws:bedrock:us-east-1::foundation-model/${aws:username}"]})";
  const Document* allow = parse(PolicyKind::identity, R"({"Effect":"Allow")" + std::string(rest));
  const Document* deny = parse(PolicyKind::identity, R"({"Effect":"Deny")" + std::string(rest));
  policies.identity = {allow};
  EXPECT_EQ(decide().outcome, Outcome::implicit_deny);
  policies.identity = {allow_all(PolicyKind::identity), deny};
  EXPECT_EQ(decide().outcome, Outcome::explicit_deny);
  context.set("aws:username", "other");
  EXPECT_EQ(decide().outcome, Outcome::explicit_deny);
  policies.identity = {allow};
  EXPECT_EQ(decide().outcome, Outcome::allowed);
  context.set("aws:username", "anthropic.claude-3");
  EXPECT_EQ(decide().outcome, Outcome::implicit_deny);
}

TEST_F(Evaluate, MatchesOneStatementWhateverItsEffect) {
  const Document* document =
      parse(PolicyKind::identity, R"({"Effect":"Deny","Action":"bedrock:*","Resource":"*","Condition":)"
                                  R"({"StringEquals":{"aws:RequestedRegion":"us-east-1"}}})");
  Request request{.principal = user, .action = "bedrock:InvokeModel", .resource = model, .context = &context};
  EXPECT_FALSE(matches(document->statements[0], request));
  context.set("aws:RequestedRegion", "us-east-1");
  EXPECT_TRUE(matches(document->statements[0], request));
  request.action = "s3:GetObject";
  EXPECT_FALSE(matches(document->statements[0], request));
  request = {.principal = user, .action = "bedrock:InvokeModel", .resource = model};  // no context: no keys
  EXPECT_FALSE(matches(document->statements[0], request));
}

TEST_F(Evaluate, AcrossAccountsBothSidesMustAllow) {
  const std::string_view theirs = "arn:aws:bedrock:us-east-1:444455556666:guardrail/g1";
  policies.identity = {allow_all(PolicyKind::identity)};
  EXPECT_EQ(decide(user, theirs).by, missing(PolicyKind::resource));
  policies.resource = {grant(R"({"AWS":"arn:aws:iam::111122223333:user/alice"})")};
  EXPECT_EQ(decide(user, theirs).outcome, Outcome::allowed);
  policies.identity.clear();
  EXPECT_EQ(decide(user, theirs).by, missing(PolicyKind::identity));
}

}  // namespace
}  // namespace portolan::iam
