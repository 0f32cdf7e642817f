// SPDX-License-Identifier: Apache-2.0
#include "policy/lint_subject.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "policy/test_lint_sets.h"
#include "policy/test_organization.h"

namespace portolan::policy {
namespace {

TEST(LintSubject, HasTheCallsOfEachPrincipalByThemselves) {
  const Organization set =
      organization_of({.identity = document_of({R"("Effect":"Allow","Action":"bedrock:*","Resource":"*")"})});
  const std::shared_ptr<const domain::Catalog> catalog = domain::Catalog::builtin();
  const LintSubject subject{set, *catalog};
  ASSERT_EQ(subject.usual().principals.size(), 2u);
  std::size_t calls = 0;
  for (const auto& [arn, principal] : subject.usual().principals) {
    EXPECT_FALSE(subject.calls_of(principal).empty()) << arn;
    for (const IntendedCall& call : subject.calls_of(principal)) ASSERT_EQ(call.principal, &principal);
    calls += subject.calls_of(principal).size();
  }
  EXPECT_EQ(calls, subject.calls().size());
  EXPECT_TRUE(subject.calls_of(Principal{}).empty()) << "one that the set does not have";
}

TEST(LintSubject, JudgesPrincipalsThatAreAlikeOnce) {
  SetFiles files = files_of({.account_scp = document_of({R"("Effect":"Deny","Action":"*","Resource":"*",
                               "Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/blocked/*"}})"}),
                             .identity = document_of({R"("Effect":"Allow","Action":"bedrock:InvokeModel*",
                               "Resource":"*")"})});
  std::string& yaml = files.find(organization_file)->second;
  for (int i = 0; i < 3000; ++i) {
    const std::string user =
        fmt::format("  - arn: arn:aws:iam::111122223333:user/{}u{}\n    policies: [identity.json]\n",
                    i % 2 == 0 ? "blocked/" : "", i);
    yaml += i % 500 == 1 ? user + "    tags: {team: other}\n" : user;
  }
  const Organization set = loaded(files);
  const std::shared_ptr<const domain::Catalog> catalog = domain::Catalog::builtin();
  const LintSubject subject{set, *catalog};
  // alice, app, and of the users those that are blocked, those that are not, and those with other tags.
  EXPECT_EQ(subject.principals().size(), 5u);
  std::size_t calls = 0;
  for (const Principal* principal : subject.principals()) calls += subject.calls_of(*principal).size();
  EXPECT_EQ(calls, subject.calls().size());
}

TEST(LintSubject, DoesNotTakePrincipalsForAlikeThatADocumentTellsApart) {
  const std::shared_ptr<const domain::Catalog> catalog = domain::Catalog::builtin();
  for (
      const char* statement :
      {R"("Effect":"Allow","Action":"bedrock:*","Resource":"arn:aws:bedrock:*::foundation-model/${aws:username}*")",
       R"("Effect":"Allow","Action":"bedrock:*","Resource":"*",
           "Condition":{"StringEquals":{"aws:RequestedRegion":"${aws:PrincipalTag/region}"}})",
       R"("Effect":"Allow","Action":"bedrock:*","Resource":"*","Condition":{"StringEquals":{"aws:username":"u1"}})"}) {
    SetFiles files = files_of({.identity = document_of({statement})});
    std::string& yaml = files.find(organization_file)->second;
    for (const char* user : {"u1", "u2"})
      yaml += fmt::format("  - arn: arn:aws:iam::111122223333:user/{}\n    policies: [identity.json]\n", user);
    const Organization set = loaded(files);
    EXPECT_EQ((LintSubject{set, *catalog}.principals().size()), 4u) << statement;
  }
}

}  // namespace
}  // namespace portolan::policy
