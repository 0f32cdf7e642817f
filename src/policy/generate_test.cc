// SPDX-License-Identifier: Apache-2.0
#include "policy/generate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <set>

namespace portolan::policy {
namespace {

using domain::Catalog;
using domain::RegionMask;
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* us_sonnet = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
constexpr const char* global_sonnet = "global.anthropic.claude-sonnet-4-5-20250929-v1:0";

class Generate : public testing::Test {
 protected:
  RegionMask regions(std::initializer_list<const char*> names) const {
    RegionMask mask;
    for (const char* name : names) mask.add(catalog_->find_region(name));
    return mask;
  }
  ProfileUse use(const char* profile, std::initializer_list<const char*> sources) const {
    return {.profile = catalog_->find_profile(profile), .sources = regions(sources)};
  }
  IdentityOrder order(std::vector<ProfileUse> uses) const {
    return {.name = "inference",
            .account = "111122223333",
            .uses = std::move(uses),
            .actions = {"bedrock:InvokeModel"},
            .when_too_long = WhenTooLong::merge};
  }
  std::string error(const IdentityOrder& order) const {
    const auto policies = generate_identity(*catalog_, order);
    return policies ? "none" : policies.error().message;
  }

  std::shared_ptr<const Catalog> catalog_ = Catalog::builtin();
};

std::size_t counted(const std::string& text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return c != ' ' && c != '\n' && c != '\t'; }));
}

TEST_F(Generate, WritesTheGeographicFormThatAwsPublishes) {
  const auto policies = generate_identity(*catalog_, order({use(us_sonnet, {"us-east-1"})}));
  ASSERT_TRUE(policies);
  ASSERT_EQ(policies->size(), 1U);
  EXPECT_EQ(json::parse(policies->front().text), json::parse(R"({"Version":"2012-10-17","Statement":[
    {"Sid":"GrantGeoCrisInferenceProfileAccess","Effect":"Allow","Action":"bedrock:InvokeModel",
     "Resource":["arn:aws:bedrock:us-east-1:111122223333:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0"]},
    {"Sid":"GrantGeoCrisModelAccess","Effect":"Allow","Action":"bedrock:InvokeModel",
     "Resource":["arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0",
                 "arn:aws:bedrock:us-east-2::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0",
                 "arn:aws:bedrock:us-west-2::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0"],
     "Condition":{"StringEquals":{"bedrock:InferenceProfileArn":
       "arn:aws:bedrock:us-east-1:111122223333:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0"}}}]})"));
  EXPECT_THAT(policies->front().notes, testing::IsEmpty());
}

TEST_F(Generate, WritesTheGlobalFormThatAwsPublishes) {
  const auto policies = generate_identity(*catalog_, order({use(global_sonnet, {"eu-west-1"})}));
  ASSERT_TRUE(policies);
  EXPECT_EQ(json::parse(policies->front().text), json::parse(R"({"Version":"2012-10-17","Statement":[
    {"Sid":"GrantGlobalCrisInferenceProfileRegionAccess","Effect":"Allow","Action":"bedrock:InvokeModel",
     "Resource":["arn:aws:bedrock:eu-west-1:111122223333:inference-profile/global.anthropic.claude-sonnet-4-5-20250929-v1:0"],
     "Condition":{"StringEquals":{"aws:RequestedRegion":"eu-west-1"}}},
    {"Sid":"GrantGlobalCrisInferenceProfileInRegionModelAccess","Effect":"Allow","Action":"bedrock:InvokeModel",
     "Resource":["arn:aws:bedrock:eu-west-1::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0"],
     "Condition":{"StringEquals":{"aws:RequestedRegion":"eu-west-1",
       "bedrock:InferenceProfileArn":"arn:aws:bedrock:eu-west-1:111122223333:inference-profile/global.anthropic.claude-sonnet-4-5-20250929-v1:0"}}},
    {"Sid":"GrantGlobalCrisInferenceProfileGlobalModelAccess","Effect":"Allow","Action":"bedrock:InvokeModel",
     "Resource":["arn:aws:bedrock:::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0"],
     "Condition":{"StringEquals":{"aws:RequestedRegion":"unspecified",
       "bedrock:InferenceProfileArn":"arn:aws:bedrock:eu-west-1:111122223333:inference-profile/global.anthropic.claude-sonnet-4-5-20250929-v1:0"}}}]})"));
}

TEST_F(Generate, KeepsSourcesWithDifferentDestinationsApart) {
  const auto policies =
      generate_identity(*catalog_, order({use(us_sonnet, {"us-east-1", "us-west-2", "us-west-1"})}));
  ASSERT_TRUE(policies);
  const json statements = json::parse(policies->front().text)["Statement"];
  ASSERT_EQ(statements.size(), 4U);
  EXPECT_EQ(statements[0]["Resource"].size(), 2U);
  EXPECT_EQ(statements[1]["Resource"].size(), 3U);
  EXPECT_EQ(statements[2]["Resource"].size(), 1U);
  EXPECT_EQ(statements[3]["Resource"].size(), 4U);
  std::set<std::string> sids;
  for (const json& statement : statements) sids.insert(statement["Sid"]);
  EXPECT_EQ(sids.size(), 4U) << "a Sid is unique within its policy";
}

TEST_F(Generate, GrantsTheModelInASourceThatIsNoDestinationOfItsOwn) {
  const auto policies =
      generate_identity(*catalog_, order({use("us.anthropic.claude-3-5-sonnet-20240620-v1:0", {"us-east-2"})}));
  ASSERT_TRUE(policies);
  EXPECT_EQ(json::parse(policies->front().text)["Statement"][1]["Resource"].size(), 3U)
      << "the check on the model in the source Region is made all the same";
}

TEST_F(Generate, WritesThePartitionOfTheRegion) {
  const auto policies = generate_identity(
      *catalog_, order({use("us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0", {"us-gov-east-1"})}));
  ASSERT_TRUE(policies);
  EXPECT_THAT(policies->front().text, HasSubstr("arn:aws-us-gov:bedrock:us-gov-east-1:111122223333:"));
  EXPECT_THAT(policies->front().text, HasSubstr("arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/"));
}

TEST_F(Generate, WritesSeveralActionsAsAList) {
  IdentityOrder two = order({use(us_sonnet, {"us-east-1"})});
  two.actions.emplace_back("bedrock:InvokeModelWithResponseStream");
  const auto policies = generate_identity(*catalog_, two);
  ASSERT_TRUE(policies);
  for (const json& statement : json::parse(policies->front().text)["Statement"])
    EXPECT_EQ(statement["Action"],
              json::parse(R"(["bedrock:InvokeModel","bedrock:InvokeModelWithResponseStream"])"));
}

TEST_F(Generate, RefusesAnOrderThatContradictsItselfOrTheCatalog) {
  IdentityOrder wrong = order({use(us_sonnet, {"us-east-1"})});
  wrong.account = "1111-2222";
  EXPECT_THAT(error(wrong), HasSubstr("12 digits"));
  EXPECT_THAT(error(order({})), HasSubstr("a profile is needed"));
  EXPECT_THAT(error(order({use(us_sonnet, {})})), HasSubstr("it can be called in us-east-1"));
  EXPECT_THAT(error(order({use(us_sonnet, {"us-east-1", "eu-west-1"})})),
              HasSubstr("cannot be called in eu-west-1"));
  wrong = order({use(us_sonnet, {"us-east-1"})});
  wrong.actions = {};
  EXPECT_THAT(error(wrong), HasSubstr("an action is needed"));
  wrong.actions = {"bedrock:Converse"};
  EXPECT_THAT(error(wrong), HasSubstr("authorised by bedrock:InvokeModel"));
  wrong.actions = {"bedrock:InvokeModle"};
  EXPECT_THAT(error(wrong), HasSubstr("did you mean bedrock:InvokeModel?"));
}

TEST_F(Generate, MergesRegionsWhenThePolicyIsTooLongAndKeepsEachUsePinned) {
  const auto policies =
      generate_identity(*catalog_, order({{.profile = catalog_->find_profile(global_sonnet),
                                           .sources = catalog_->find_profile(global_sonnet)->sources}}));
  ASSERT_TRUE(policies);
  ASSERT_EQ(policies->size(), 1U);
  EXPECT_LE(counted(policies->front().text), managed_policy_characters_max);
  EXPECT_THAT(policies->front().notes, ElementsAre(HasSubstr("merged")));
  const json statements = json::parse(policies->front().text)["Statement"];
  ASSERT_EQ(statements.size(), 3U);
  EXPECT_EQ(statements[0]["Condition"]["StringEquals"]["aws:RequestedRegion"].size(),
            static_cast<std::size_t>(catalog_->find_profile(global_sonnet)->sources.size()));
  EXPECT_EQ(statements[1]["Condition"]["ArnLike"]["bedrock:InferenceProfileArn"],
            std::string("arn:aws:bedrock:*:111122223333:inference-profile/") + global_sonnet);
}

TEST_F(Generate, SplitsInsteadWhenAskedToAndLosesNothing) {
  std::vector<ProfileUse> uses;
  for (const auto& profile : catalog_->profiles())
    if (profile->id.starts_with("eu.") || profile->id == global_sonnet)
      uses.push_back({profile.get(), profile->sources});
  IdentityOrder split = order(uses);
  split.when_too_long = WhenTooLong::split;
  const auto policies = generate_identity(*catalog_, split);
  ASSERT_TRUE(policies) << policies.error().message;
  ASSERT_GT(policies->size(), 3U);
  std::set<std::string> names;
  std::set<std::string> resources;
  for (const GeneratedPolicy& policy : *policies) {
    EXPECT_LE(counted(policy.text), managed_policy_characters_max) << policy.name;
    names.insert(policy.name);
    for (const json& statement : json::parse(policy.text)["Statement"])
      for (const json& resource : statement["Resource"]) resources.insert(resource);
    EXPECT_THAT(policy.text, testing::Not(HasSubstr("*")));
  }
  EXPECT_EQ(names.size(), policies->size());
  for (const ProfileUse& use : uses)
    for (const auto source : use.sources)
      EXPECT_TRUE(resources.contains("arn:aws:bedrock:" + catalog_->region(source).name +
                                     ":111122223333:inference-profile/" + use.profile->id));
}

TEST_F(Generate, WritesGuardrailsForGlobalAndForAllCrossRegionInference) {
  const auto global = generate_guardrail(*catalog_, {.name = "g", .denies = Guardrail::global, .regions = {}});
  ASSERT_TRUE(global);
  EXPECT_EQ(json::parse(global->text)["Statement"][0]["Condition"],
            json::parse(R"({"StringEquals":{"aws:RequestedRegion":"unspecified"}})"));
  const auto all = generate_guardrail(*catalog_, {.name = "a", .denies = Guardrail::cross_region, .regions = {}});
  ASSERT_TRUE(all);
  EXPECT_EQ(json::parse(all->text)["Statement"][0]["Condition"],
            json::parse(R"({"Null":{"bedrock:InferenceProfileArn":"false"}})"));
}

TEST_F(Generate, SaysWhatAListOfRegionsDoesToGlobalAndToGeographicProfiles) {
  GuardrailOrder list{.name = "r", .denies = Guardrail::regions, .regions = {"us-west-2", "us-east-1"}};
  const auto without = generate_guardrail(*catalog_, list);
  ASSERT_TRUE(without);
  EXPECT_EQ(json::parse(without->text)["Statement"][0]["Condition"]["StringNotEquals"]["aws:RequestedRegion"],
            json::parse(R"(["us-east-1","us-west-2"])"));
  EXPECT_THAT(without->notes, ElementsAre(HasSubstr("Global profiles are denied"),
                                          HasSubstr("us.amazon.nova-2-lite-v1:0 from us-east-1")));
  list.allow_global = true;
  const auto with = generate_guardrail(*catalog_, list);
  ASSERT_TRUE(with);
  EXPECT_EQ(json::parse(with->text)["Statement"][0]["Condition"]["StringNotEquals"]["aws:RequestedRegion"],
            json::parse(R"(["us-east-1","us-west-2","unspecified"])"));
  EXPECT_THAT(with->notes.front(), HasSubstr("may be served in any"));
}

TEST_F(Generate, RefusesAGuardrailThatContradictsItself) {
  const auto error = [&](const GuardrailOrder& order) {
    const auto policy = generate_guardrail(*catalog_, order);
    return policy ? "none" : policy.error().message;
  };
  EXPECT_THAT(error({.name = "r", .denies = Guardrail::regions, .regions = {}}), HasSubstr("are needed"));
  EXPECT_THAT(error({.name = "r", .denies = Guardrail::regions, .regions = {"us-eest-1"}}),
              HasSubstr("did you mean us-east-1?"));
  EXPECT_THAT(error({.name = "g", .denies = Guardrail::global, .regions = {"us-east-1"}}), HasSubstr("only"));
  EXPECT_THAT(error({.name = "g", .denies = Guardrail::cross_region, .regions = {}, .allow_global = true}),
              HasSubstr("only"));
}

}  // namespace
}  // namespace portolan::policy
