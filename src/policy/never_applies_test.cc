// SPDX-License-Identifier: Apache-2.0
#include "policy/never_applies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/cross_region.h"
#include "policy/test_organization.h"

namespace portolan::policy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// What loading says of a set whose root has a Deny with this condition.
std::vector<std::string> notices_of(const std::string& condition, const std::string& action = "bedrock:*",
                                    const std::string& resource = "*") {
  const std::string deny = R"("Sid":"D","Effect":"Deny","Action":")" + action + R"(","Resource":")" + resource +
                           R"(","Condition":{)" + condition + "}";
  std::vector<std::string> texts;
  for (const config::Mistake& notice : load_organization(files_of({.root_scp = document_of({deny})})).notices)
    texts.push_back(notice.text());
  return texts;
}

TEST(NeverApplies, IsADenyThatWaitsForAKeyThatNoCallHas) {
  for (const auto& [key, condition] : std::map<std::string, std::string>{
           {"aws:TokenIssueTime", R"("DateLessThan":{"aws:TokenIssueTime":"2026-01-01T00:00:00Z"})"},
           {"aws:MultiFactorAuthPresent", R"("Bool":{"aws:MultiFactorAuthPresent":"false"})"},
           {"aws:SourceVpce", R"("StringEquals":{"aws:SourceVpce":"vpce-1"})"},
           {"bedrock:BearerTokenType", R"("StringEquals":{"bedrock:BearerTokenType":"LONG_TERM"})"},
           {"aws:CalledVia", R"("ForAnyValue:StringEquals":{"aws:CalledVia":"athena.amazonaws.com"})"}}) {
    EXPECT_THAT(notices_of(condition), ElementsAre(HasSubstr("no call here has " + key + ", so this Deny never")));
    EXPECT_THAT(notices_of(condition, "*", "arn:aws:bedrock:*::foundation-model/*"), ElementsAre(HasSubstr(key)));
  }
}

TEST(NeverApplies, IsNotADenyThatAppliesWithoutTheKey) {
  EXPECT_THAT(notices_of(R"("StringNotEquals":{"aws:SourceVpce":"vpce-1"})"), IsEmpty());
  EXPECT_THAT(notices_of(R"("BoolIfExists":{"aws:MultiFactorAuthPresent":"false"})"), IsEmpty());
  EXPECT_THAT(notices_of(R"("Null":{"aws:MultiFactorAuthPresent":"true"})"), IsEmpty());
  EXPECT_THAT(notices_of(R"("ForAllValues:StringEquals":{"aws:CalledVia":"athena.amazonaws.com"})"), IsEmpty());
}

TEST(NeverApplies, IsNotADenyOnAKeyThatCallsHaveOrOfAnotherService) {
  EXPECT_THAT(notices_of(R"("StringEquals":{"aws:RequestedRegion":"eu-west-1"})"), IsEmpty());
  EXPECT_THAT(notices_of(R"("StringEquals":{"aws:PrincipalTag/team":"search"})"), IsEmpty());
  const std::string by_endpoint = R"("StringEquals":{"aws:SourceVpce":"vpce-1"})";
  EXPECT_THAT(notices_of(by_endpoint, "s3:*"), IsEmpty());
  EXPECT_THAT(notices_of(by_endpoint, "*", "arn:aws:s3:::mine/*"), IsEmpty());
}

TEST(SuppliedKeys, AreAllInTheChecksOfACallThatSaysEverything) {
  Organization organization = organization_of({});
  const std::shared_ptr<const domain::Catalog> catalog = domain::Catalog::builtin();
  const domain::Profile* profile = catalog->find_profile("us.anthropic.claude-sonnet-4-5-20250929-v1:0");
  ASSERT_NE(profile, nullptr);
  const InferenceCall call{
      .principal = alice,
      .target = {.profile = profile,
                 .model = profile->model,
                 .source = catalog->find_region("us-east-1"),
                 .tags = {{"team", "search"}}},
      .request = {.source_ip = "192.0.2.7",
                  .now = base::WallTime{},
                  .secure_transport = true,
                  .service_tier = "priority",
                  .user_agent = "sdk",
                  // of the control plane alone
                  .further = {{"aws:RequestTag/team", {"search"}}, {"aws:TagKeys", {"team"}}}}};
  const auto in_force = InForce::of(organization, alice);
  ASSERT_TRUE(in_force.has_value());
  const std::vector<Check> checks = checks_of(call, Mode::strict, *catalog);
  for (const std::string_view key : supplied_keys()) {
    const std::string full = key.ends_with('/') ? std::string{key} + "team" : std::string{key};
    EXPECT_TRUE(std::ranges::any_of(checks, [&](const Check& check) {
      return !context_of(call, check, organization, *in_force).find(full).empty();
    })) << full;
  }
}

}  // namespace
}  // namespace portolan::policy
