// SPDX-License-Identifier: Apache-2.0
#include "policy/control_plane.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/rules.h"
#include "policy/test_organization.h"

namespace portolan::policy {
namespace {

using testing::HasSubstr;

constexpr std::string_view copy_arn =
    "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/abcdefghijkl";
constexpr std::string_view model_arn = "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0";

/// A request to the control plane in us-east-1.
class ControlPlane : public testing::Test {
 protected:
  Judgement judged(const SmallSet& set, std::string_view action, std::vector<ControlResource> resources,
                   domain::Tags tags = {}, std::vector<std::string> keys = {}) {
    organization_ = organization_of(set);
    return judge(call(action, std::move(resources), std::move(tags), std::move(keys)), organization_, *catalog_);
  }
  ControlCall call(std::string_view action, std::vector<ControlResource> resources, domain::Tags tags = {},
                   std::vector<std::string> keys = {}) const {
    return {.principal = alice_principal_,
            .action = action,
            .source = catalog_->find_region("us-east-1"),
            .facts = facts_,
            .resources = std::move(resources),
            .tags = std::move(tags),
            .tag_keys = std::move(keys)};
  }
  static SmallSet allowing(const std::string& statement) { return {.identity = document_of({statement})}; }

  std::shared_ptr<const domain::Catalog> catalog_ = domain::Catalog::builtin();
  domain::Principal alice_principal_{.arn = std::string{alice}, .account_id = "111122223333"};
  RequestFacts facts_{.source_ip = "192.0.2.7"};
  Organization organization_;
};

TEST_F(ControlPlane, AsksForEveryResourceOfARequest) {
  const std::vector<ControlResource> both{{.arn = std::string{model_arn}},
                                          {.arn = std::string{copy_arn}, .is_of_account = true}};
  const std::string create = R"("Effect":"Allow","Action":"bedrock:CreateInferenceProfile","Resource":)";
  EXPECT_TRUE(judged(allowing(create + R"("*")"), "bedrock:CreateInferenceProfile", both).is_allowed());
  const Judgement one = judged(allowing(create + R"("arn:aws:bedrock:*::foundation-model/*")"),
                               "bedrock:CreateInferenceProfile", both);
  ASSERT_FALSE(one.is_allowed());
  EXPECT_EQ(one.rulings.size(), 2u);
  EXPECT_EQ(
      denial_text(call("bedrock:CreateInferenceProfile", both), one, organization_),
      "User: " + std::string{alice} +
          " is not authorized to perform: bedrock:CreateInferenceProfile on resource: " + std::string{copy_arn} +
          " because no identity-based policy allows the bedrock:CreateInferenceProfile action");
}

TEST_F(ControlPlane, ReadsTheTagsOfTheRequestAndTheirKeys) {
  const std::vector<ControlResource> copy{{.arn = std::string{copy_arn}, .is_of_account = true}};
  const SmallSet only_search = allowing(
      R"("Effect":"Allow","Action":"bedrock:TagResource","Resource":"*","Condition":{)"
      R"("StringEquals":{"aws:RequestTag/Team":"search"},"ForAllValues:StringEquals":{"aws:TagKeys":["Team"]}})");
  const auto allowed = [&](domain::Tags tags) {
    std::vector<std::string> keys;
    for (const auto& [key, value] : tags) keys.push_back(key);
    return judged(only_search, "bedrock:TagResource", copy, std::move(tags), std::move(keys)).is_allowed();
  };
  EXPECT_TRUE(allowed({{"Team", "search"}}));
  EXPECT_FALSE(allowed({{"Team", "ads"}}));
  EXPECT_FALSE(allowed({{"Cost", "7"}, {"Team", "search"}}));
  EXPECT_FALSE(allowed({}));
}

TEST_F(ControlPlane, ReadsTheTagsOfTheResourceThatHasSome) {
  const domain::Tags tags{{"Team", "search"}};
  const SmallSet owned = allowing(R"("Effect":"Allow","Action":"bedrock:DeleteInferenceProfile","Resource":"*",)"
                                  R"("Condition":{"StringEquals":{"aws:ResourceTag/Team":"search"}})");
  const auto allowed = [&](const domain::Tags* of) {
    return judged(owned, "bedrock:DeleteInferenceProfile",
                  {{.arn = std::string{copy_arn}, .is_of_account = true, .tags = of}})
        .is_allowed();
  };
  EXPECT_TRUE(allowed(&tags));
  EXPECT_FALSE(allowed(nullptr));
}

TEST_F(ControlPlane, KnowsTheRegionTheAccountAndTheAddress) {
  const std::vector<ControlResource> all{{.arn = "*"}};
  const auto list = [&](const std::string& condition) {
    return judged(
               allowing(R"("Effect":"Allow","Action":"bedrock:ListInferenceProfiles","Resource":"*","Condition":)" +
                        condition),
               "bedrock:ListInferenceProfiles", all)
        .is_allowed();
  };
  EXPECT_TRUE(list(R"({"StringEquals":{"aws:RequestedRegion":"us-east-1"}})"));
  EXPECT_TRUE(list(R"({"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}})"));
  EXPECT_FALSE(list(R"({"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}})"));
  EXPECT_FALSE(list(R"({"StringEquals":{"aws:ResourceAccount":"111122223333"}})")) << "a list is of no resource";
}

TEST_F(ControlPlane, IsDeniedByAGuardrailWhateverIdentityPoliciesAllow) {
  SmallSet set = allowing(R"("Effect":"Allow","Action":"*","Resource":"*")");
  set.root_scp = document_of({R"("Sid":"NoCopies","Effect":"Deny","Action":"bedrock:Create*","Resource":"*")"});
  const std::vector<ControlResource> copy{{.arn = std::string{copy_arn}, .is_of_account = true}};
  const Judgement judgement = judged(set, "bedrock:CreateInferenceProfile", copy);
  ASSERT_FALSE(judgement.is_allowed());
  EXPECT_EQ(judgement.rulings.back().statement->sid, "NoCopies");
  EXPECT_THAT(denial_text(call("bedrock:CreateInferenceProfile", copy), judgement, organization_),
              HasSubstr("with an explicit deny in a service control policy"));
}

TEST_F(ControlPlane, IsJudgedByTheVersionInForceAndByNoFreeze) {
  const auto version = std::make_shared<const PolicyVersion>(
      3,
      std::make_shared<const Organization>(
          organization_of(allowing(R"("Effect":"Allow","Action":"bedrock:ListInferenceProfiles","Resource":"*")"))),
      catalog_, ProfileArn::application);
  const Rules rules(2, {{.scope = domain::FreezeScope::all}}, version);
  Verdict verdict;
  rules.judge(call("bedrock:ListInferenceProfiles", {{.arn = "*"}}), "id", *catalog_, verdict);
  EXPECT_FALSE(verdict.refusal);
  EXPECT_EQ(verdict.version, version.get());
  rules.judge(call("bedrock:GetInferenceProfile", {{.arn = std::string{copy_arn}, .is_of_account = true}}), "id",
              *catalog_, verdict);
  ASSERT_TRUE(verdict.refusal);
  EXPECT_EQ(verdict.refusal->by, domain::Denial::identity);
  EXPECT_EQ(verdict.refusal->error.code, base::Code::access_denied);
  alice_principal_.arn = "arn:aws:iam::111122223333:user/eve";
  rules.judge(call("bedrock:ListInferenceProfiles", {{.arn = "*"}}), "id", *catalog_, verdict);
  ASSERT_TRUE(verdict.refusal);
  EXPECT_EQ(verdict.refusal->by, domain::Denial::unnamed);
  EXPECT_THAT(verdict.refusal->error.message, HasSubstr("do not name this principal"));
}

TEST_F(ControlPlane, IsOpenWhereNoPoliciesAreInForce) {
  Verdict verdict;
  Rules{}.judge(call("bedrock:DeleteInferenceProfile", {{.arn = "*"}}), "id", *catalog_, verdict);
  EXPECT_FALSE(verdict.refusal);
  EXPECT_EQ(verdict.version, nullptr);
}

}  // namespace
}  // namespace portolan::policy
