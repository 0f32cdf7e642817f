// SPDX-License-Identifier: Apache-2.0
#include "policy/organization.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/in_force.h"
#include "policy/test_organization.h"

namespace portolan::policy {
namespace {

using iam::PolicyKind;
using testing::ElementsAre;
using testing::HasSubstr;

const std::string allow_everything_text = document_of({R"("Effect":"Allow","Action":"*","Resource":"*")"});

Organization with_principals(const std::string& principals) {
  auto loaded = load_organization(std::map<std::string, std::string, std::less<>>{
      {std::string{organization_file},
       "version: 1\naccounts:\n  - id: \"111122223333\"\nprincipals:\n" + principals}});
  for (const config::Mistake& mistake : loaded.mistakes) ADD_FAILURE() << mistake.text();
  return loaded.organization ? *std::move(loaded.organization) : Organization{};
}

std::string entry_for(const Organization& organization, std::string_view arn) {
  const Principal* found = organization.find_principal(arn);
  return found == nullptr ? "none" : found->arn.substr(found->arn.rfind(':') + 1);
}

TEST(PrincipalName, TakesTheArnOfWhoCallsApart) {
  const auto user = principal_name("arn:aws-us-gov:iam::111122223333:user/teams/search/alice");
  ASSERT_TRUE(user);
  EXPECT_EQ(user->partition, "aws-us-gov");
  EXPECT_EQ(user->account, "111122223333");
  EXPECT_EQ(user->type, "user");
  EXPECT_EQ(user->name, "alice");
  const auto session = principal_name("arn:aws:sts::111122223333:assumed-role/app/i-0123");
  ASSERT_TRUE(session);
  EXPECT_EQ(session->name, "app");
  EXPECT_EQ(session->session, "i-0123");
  EXPECT_EQ(principal_name("arn:aws:iam::111122223333:root")->type, "root");
  for (const char* none :
       {"", "alice", "arn:aws:s3:::bucket", "arn:aws:iam::111122223333:", "arn:aws:iam:111122223333"})
    EXPECT_FALSE(principal_name(none)) << none;
}

TEST(FindPrincipal, PrefersTheOwnEntryThenTheLongestPattern) {
  const Organization organization = with_principals(
      "  - arn: arn:aws:iam::111122223333:user/*\n  - arn: arn:aws:iam::111122223333:user/dev-*\n  - arn: "
      "arn:aws:iam::111122223333:user/dev-alice\n");
  EXPECT_EQ(entry_for(organization, "arn:aws:iam::111122223333:user/dev-alice"), "user/dev-alice");
  EXPECT_EQ(entry_for(organization, "arn:aws:iam::111122223333:user/dev-bob"), "user/dev-*");
  EXPECT_EQ(entry_for(organization, "arn:aws:iam::111122223333:user/carol"), "user/*");
  EXPECT_EQ(entry_for(organization, "arn:aws:iam::111122223333:role/carol"), "none");
  EXPECT_EQ(entry_for(organization, "arn:aws:iam::444455556666:user/carol"), "none");
}

TEST(FindPrincipal, TakesASessionForNoPatternWhenAPathMayDecide) {
  const Organization organization = with_principals(
      "  - arn: arn:aws:iam::111122223333:role/*\n  - arn: arn:aws:iam::111122223333:role/limited/*\n  - arn: "
      "arn:aws:iam::111122223333:role/known/listed\n");
  EXPECT_EQ(entry_for(organization, "arn:aws:iam::111122223333:role/limited/app"), "role/limited/*");
  EXPECT_EQ(entry_for(organization, "arn:aws:iam::111122223333:role/app"), "role/*");
  EXPECT_EQ(entry_for(organization, "arn:aws:sts::111122223333:assumed-role/app/s"), "none");
  EXPECT_EQ(entry_for(organization, "arn:aws:sts::111122223333:assumed-role/listed/s"), "role/known/listed");
}

TEST(FindPrincipal, TakesASessionForItsRole) {
  const Organization organization = with_principals(
      "  - arn: arn:aws:iam::111122223333:role/service/app\n  - arn: arn:aws:iam::111122223333:role/batch-*\n  - "
      "arn: "
      "arn:aws:iam::111122223333:user/batch-user\n");
  EXPECT_EQ(entry_for(organization, "arn:aws:sts::111122223333:assumed-role/app/session"), "role/service/app");
  EXPECT_EQ(entry_for(organization, "arn:aws:sts::111122223333:assumed-role/batch-7/session"), "role/batch-*");
  EXPECT_EQ(entry_for(organization, "arn:aws:sts::111122223333:assumed-role/batch-user/session"), "role/batch-*");
  EXPECT_EQ(entry_for(organization, "arn:aws:sts::444455556666:assumed-role/app/session"), "none");
}

/// A document under a name, for changes.
PolicyPointer policy_named(std::string name) {
  std::vector<iam::Notice> notices;
  auto document = iam::parse_document(allow_everything_text, PolicyKind::identity, notices);
  EXPECT_TRUE(document.has_value());
  return std::make_shared<const Policy>(Policy{.name = std::move(name), .document = *std::move(document)});
}

TEST(WithPolicy, AttachesToEachKindOfTarget) {
  const Organization before = organization_of({.identity = allow_everything_text});
  const auto scps_after = [&](const std::string& target) {
    const auto after = with_policy(
        before, {.kind = PolicyKind::service_control, .target = target, .policy = policy_named("new.json")});
    EXPECT_TRUE(after.has_value());
    const auto in_force = InForce::of(*after, alice);
    std::vector<std::size_t> sizes;
    for (const iam::Level& level : in_force->policies().service_control) sizes.push_back(level.documents.size());
    return sizes;
  };
  EXPECT_THAT(scps_after("root"), ElementsAre(2, 1, 1, 1));
  EXPECT_THAT(scps_after("workloads/prod"), ElementsAre(1, 1, 2, 1));
  EXPECT_THAT(scps_after("111122223333"), ElementsAre(1, 1, 1, 2));
  const auto bounded = with_policy(
      before,
      {.kind = PolicyKind::permission_boundary, .target = std::string{alice}, .policy = policy_named("b.json")});
  ASSERT_TRUE(bounded.has_value());
  EXPECT_EQ(bounded->find_principal(alice)->boundary->name, "b.json");
  EXPECT_EQ(before.find_principal(alice)->boundary, nullptr) << "the set before is as it was";
}

TEST(WithPolicy, SaysWhatTheSetDoesNotHave) {
  const Organization before = organization_of({.identity = allow_everything_text});
  const auto failure = [&](PolicyKind kind, const std::string& target) {
    const auto after = with_policy(before, {.kind = kind, .target = target, .policy = policy_named("n.json")});
    return after ? "none" : after.error().message;
  };
  EXPECT_EQ(failure(PolicyKind::service_control, "workloads/prd"),
            "the set has no unit \"workloads/prd\"; did you mean workloads/prod?");
  EXPECT_THAT(failure(PolicyKind::service_control, "999999999999"), HasSubstr("the set has no account"));
  EXPECT_THAT(failure(PolicyKind::identity, "arn:aws:iam::111122223333:user/bob"), HasSubstr("no principal"));
  EXPECT_THAT(failure(PolicyKind::resource, "x"), HasSubstr("no policies of their own"));
}

TEST(WithoutPolicy, DetachesTheDocumentWhereverItIs) {
  const Organization before = organization_of(
      {.root_scp = allow_everything_text, .identity = allow_everything_text, .boundary = allow_everything_text});
  const auto no_scp = without_policy(before, "root_scp.json");
  ASSERT_TRUE(no_scp.has_value());
  EXPECT_EQ(no_scp->root.service_control.size(), 1u);
  const auto no_boundary = without_policy(before, "boundary.json");
  ASSERT_TRUE(no_boundary.has_value());
  EXPECT_EQ(no_boundary->find_principal(alice)->boundary, nullptr);
  const auto no_identity = without_policy(before, "identity.json");
  ASSERT_TRUE(no_identity.has_value());
  EXPECT_TRUE(no_identity->find_principal(alice)->identity.empty());
  EXPECT_EQ(without_policy(before, "root-scp.json").error().message,
            "the set has no document \"root-scp.json\"; did you mean root_scp.json?");
}

TEST(WithoutPolicy, LeavesAListenerWithoutAPolicyOpen) {
  const std::string nothing = document_of({R"("Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*")"});
  const Organization before = organization_of({.identity = allow_everything_text, .listener = nothing});
  EXPECT_EQ(InForce::of(before, alice, {}, "office")->policies().listener.size(), 1u);
  const auto after = without_policy(before, "listener.json");
  ASSERT_TRUE(after.has_value());
  const auto in_force = InForce::of(*after, alice, {}, "office");
  ASSERT_TRUE(in_force.has_value());
  EXPECT_TRUE(in_force->policies().listener.empty());
}

TEST(InForce, HasTheLevelsFromTheRootDown) {
  const Organization organization = organization_of({.identity = allow_everything_text});
  const auto in_force = InForce::of(organization, app_session);
  ASSERT_TRUE(in_force.has_value());
  std::vector<std::string_view> names;
  for (const iam::Level& level : in_force->policies().service_control) names.push_back(level.name);
  EXPECT_THAT(names, ElementsAre("root", "unit workloads", "unit workloads/prod", "account 111122223333"));
  EXPECT_EQ(in_force->policies().resource_control.size(), 4u);
  EXPECT_EQ(in_force->account()->id, "111122223333");
}

TEST(InForce, LeavesServiceLinkedRolesOutOfTheOrganisation) {
  const Organization organization = organization_of({.identity = allow_everything_text});
  const auto in_force = InForce::of(
      organization, "arn:aws:iam::111122223333:role/aws-service-role/x.amazonaws.com/AWSServiceRoleForX");
  ASSERT_TRUE(in_force.has_value());
  EXPECT_TRUE(in_force->policies().service_control.empty());
  EXPECT_TRUE(in_force->policies().resource_control.empty());
}

TEST(InForce, TakesNobodyElseForAServiceLinkedRole) {
  const Organization organization = organization_of({.identity = allow_everything_text});
  // Paths of users and names of sessions may hold colons and slashes.
  for (const char* arn : {"arn:aws:iam::111122223333:user/a:role/aws-service-role/x",
                          "arn:aws:sts::111122223333:assumed-role/app/s:role/aws-service-role/x",
                          "arn:aws:iam::111122223333:role/x/role/aws-service-role/y"})
    EXPECT_EQ(InForce::of(organization, arn)->policies().service_control.size(), 4u) << arn;
}

TEST(InForce, GivesNothingToTheRootOfAnAccountThatTheSetDoesNotHave) {
  const Organization organization = organization_of({.identity = allow_everything_text});
  const auto in_force = InForce::of(organization, "arn:aws:iam::999999999999:root");
  const iam::Context context;
  EXPECT_EQ(iam::evaluate(in_force->policies(), {.principal = "arn:aws:iam::999999999999:root",
                                                 .action = "bedrock:InvokeModel",
                                                 .resource = "arn:aws:bedrock:us-east-1::foundation-model/m",
                                                 .context = &context})
                .outcome,
            iam::Outcome::implicit_deny);
}

TEST(InForce, RefusesNamesThatTheSetDoesNotHave) {
  const Organization organization = organization_of({.identity = allow_everything_text});
  EXPECT_EQ(InForce::of(organization, alice, {"narrow"}).error().message,
            "the set has no session policy \"narrow\"");
  EXPECT_EQ(InForce::of(organization, alice, {}, "office").error().message, "the set has no listener \"office\"");
}

}  // namespace
}  // namespace portolan::policy
