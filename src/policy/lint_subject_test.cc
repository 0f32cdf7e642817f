// SPDX-License-Identifier: Apache-2.0
#include "policy/lint_subject.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace portolan::policy
