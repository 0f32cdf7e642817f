// SPDX-License-Identifier: Apache-2.0
#include "policy/lint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "policy/test_lint_sets.h"

namespace portolan::policy {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

const domain::Catalog& shipped() {
  static const auto catalog = domain::Catalog::builtin();
  return *catalog;
}

/// The findings of one document, "rule severity", sorted.
std::vector<std::string> found(const std::string& text, iam::PolicyKind kind) {
  const auto findings = lint_document("policy.json", text, kind, shipped());
  if (!findings) return {findings.error().message};
  std::vector<std::string> words;
  for (const Finding& finding : *findings)
    words.push_back(std::string(finding.rule) + " " + std::string(name(finding.severity)));
  return words;
}

class BrokenSet : public testing::TestWithParam<std::string> {};

TEST_P(BrokenSet, HasTheFindingThatItsFileSays) {
  const SetFiles files = set_files("broken", GetParam());
  const std::vector<Finding> findings = lint(loaded(files), shipped());
  std::istringstream expected(files.at("finding.txt"));
  std::string rule, severity, file, statement;
  expected >> rule >> severity >> file >> statement;
  if (statement == "-") statement.clear();
  const bool is_there = std::ranges::any_of(findings, [&](const Finding& finding) {
    return finding.rule == rule && name(finding.severity) == severity && finding.file == file &&
           finding.statement == statement && !finding.reason.empty() && !finding.repair.empty();
  });
  EXPECT_TRUE(is_there) << rule << " is expected; found:\n" << in_words(findings);
}

TEST_P(BrokenSet, HasARepairedTwinWithoutFindings) {
  const std::vector<Finding> findings = lint(loaded(set_files("repaired", GetParam())), shipped());
  EXPECT_THAT(findings, IsEmpty()) << in_words(findings);
}

INSTANTIATE_TEST_SUITE_P(Lint, BrokenSet, testing::ValuesIn(set_names("broken")), [](const auto& set) {
  std::string name = set.param;
  std::ranges::replace(name, '-', '_');
  return name;
});

TEST(Lint, HasABrokenSetForEachOfItsRules) {
  std::set<std::string> shown;
  for (const std::string& name : set_names("broken")) {
    std::string rule;
    std::istringstream(set_files("broken", name).at("finding.txt")) >> rule;
    shown.insert(rule);
  }
  for (const RuleText& rule : lint_rules()) EXPECT_TRUE(shown.contains(std::string(rule.id))) << rule.id;
  EXPECT_GE(set_names("broken").size(), 25U);
}

TEST(Lint, HasStableAndDistinctRules) {
  std::set<std::string_view> ids;
  for (const RuleText& rule : lint_rules()) {
    EXPECT_TRUE(ids.insert(rule.id).second) << rule.id;
    EXPECT_FALSE(rule.title.empty() || rule.why.empty() || rule.repair.empty()) << rule.id;
  }
}

TEST(Lint, FindsNothingInHealthySets) {
  const std::vector<std::string> names = set_names("healthy");
  EXPECT_GE(names.size(), 8U);
  for (const std::string& name : names) {
    const std::vector<Finding> findings = lint(loaded(set_files("healthy", name)), shipped());
    EXPECT_THAT(findings, IsEmpty()) << name << ":\n" << in_words(findings);
  }
}

TEST(Lint, PointsToTheConditionThatIsAtFault) {
  const SetFiles files = set_files("broken", "allow-list-without-unspecified");
  const std::vector<Finding> findings = lint(loaded(files), shipped());
  ASSERT_EQ(findings.size(), 1U) << in_words(findings);
  std::istringstream text(files.at("scps/regions.json"));
  std::string line;
  for (std::uint32_t i = 0; i < findings[0].place.line; ++i) std::getline(text, line);
  EXPECT_EQ(line.substr(findings[0].place.column - 1), "\"aws:RequestedRegion\": [");
  EXPECT_THAT(findings[0].reason,
              HasSubstr("which identity/app.json grants to arn:aws:iam::111122223333:role/app"));
}

// The policies of the User Guide's pages "Geographic cross-Region inference", "Global cross-Region inference" and
// "Prerequisites for inference profiles", and of AWS's articles on securing both; with an account filled in.
constexpr const char* published_identity[] = {
    R"({"Version":"2012-10-17","Statement":[
 {"Sid":"GrantGeoCrisInferenceProfileAccess","Effect":"Allow","Action":"bedrock:InvokeModel",
  "Resource":["arn:aws:bedrock:us-east-1:111122223333:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0"]},
 {"Sid":"GrantGeoCrisModelAccess","Effect":"Allow","Action":"bedrock:InvokeModel",
  "Resource":["arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0",
              "arn:aws:bedrock:us-east-2::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0",
              "arn:aws:bedrock:us-west-2::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0"],
  "Condition":{"StringEquals":{"bedrock:InferenceProfileArn":
    "arn:aws:bedrock:us-east-1:111122223333:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0"}}}]})",
    R"({"Version":"2012-10-17","Statement":[
 {"Sid":"GrantGlobalCrisInferenceProfileRegionAccess","Effect":"Allow","Action":"bedrock:InvokeModel",
  "Resource":["arn:aws:bedrock:us-east-1:111122223333:inference-profile/global.anthropic.claude-sonnet-4-5-20250929-v1:0"],
  "Condition":{"StringEquals":{"aws:RequestedRegion":"us-east-1"}}},
 {"Sid":"GrantGlobalCrisInferenceProfileInRegionModelAccess","Effect":"Allow","Action":"bedrock:InvokeModel",
  "Resource":["arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0"],
  "Condition":{"StringEquals":{"aws:RequestedRegion":"us-east-1",
    "bedrock:InferenceProfileArn":"arn:aws:bedrock:us-east-1:111122223333:inference-profile/global.anthropic.claude-sonnet-4-5-20250929-v1:0"}}},
 {"Sid":"GrantGlobalCrisInferenceProfileGlobalModelAccess","Effect":"Allow","Action":"bedrock:InvokeModel",
  "Resource":["arn:aws:bedrock:::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0"],
  "Condition":{"StringEquals":{"aws:RequestedRegion":"unspecified",
    "bedrock:InferenceProfileArn":"arn:aws:bedrock:us-east-1:111122223333:inference-profile/global.anthropic.claude-sonnet-4-5-20250929-v1:0"}}}]})",
    // The article's variant, without aws:RequestedRegion in the first two parts.
    R"({"Version":"2012-10-17","Statement":[
 {"Effect":"Allow","Action":"bedrock:InvokeModel",
  "Resource":["arn:aws:bedrock:us-east-1:111122223333:inference-profile/global.anthropic.claude-sonnet-4-5-20250929-v1:0"]},
 {"Effect":"Allow","Action":"bedrock:InvokeModel",
  "Resource":["arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0"],
  "Condition":{"StringEquals":{"bedrock:InferenceProfileArn":"arn:aws:bedrock:us-east-1:111122223333:inference-profile/global.anthropic.claude-sonnet-4-5-20250929-v1:0"}}},
 {"Effect":"Allow","Action":"bedrock:InvokeModel",
  "Resource":["arn:aws:bedrock:::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0"],
  "Condition":{"StringEquals":{"aws:RequestedRegion":"unspecified",
    "bedrock:InferenceProfileArn":"arn:aws:bedrock:us-east-1:111122223333:inference-profile/global.anthropic.claude-sonnet-4-5-20250929-v1:0"}}}]})",
    // The prerequisites page's variant: InvokeModel*, StringLike, two model ARNs.
    R"({"Version":"2012-10-17","Statement":[
 {"Effect":"Allow","Action":["bedrock:InvokeModel*"],
  "Resource":["arn:aws:bedrock:us-west-2:111122223333:inference-profile/us.anthropic.claude-3-haiku-20240307-v1:0"]},
 {"Effect":"Allow","Action":["bedrock:InvokeModel*"],
  "Resource":["arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0",
              "arn:aws:bedrock:us-west-2::foundation-model/anthropic.claude-3-haiku-20240307-v1:0"],
  "Condition":{"StringLike":{"bedrock:InferenceProfileArn":
    "arn:aws:bedrock:us-west-2:111122223333:inference-profile/us.anthropic.claude-3-haiku-20240307-v1:0"}}}]})"};

constexpr const char* published_scps[] = {
    R"({"Version":"2012-10-17","Statement":[{"Sid":"DenyOutsideAllowedRegions","Effect":"Deny","Action":"*","Resource":"*",
 "Condition":{"StringNotEquals":{"aws:RequestedRegion":["us-east-1","us-east-2","us-west-2","unspecified"]}}}]})",
    R"({"Version":"2012-10-17","Statement":[
 {"Sid":"DenyServicesOutsideAllowedRegions","Effect":"Deny","NotAction":["bedrock:*","iam:*","organizations:*","route53:*","cloudfront:*","sts:*","support:*"],
  "Resource":"*","Condition":{"StringNotEquals":{"aws:RequestedRegion":["us-east-1","us-east-2","us-west-2"]}}},
 {"Sid":"DenyBedrockOutsideAllowedRegions","Effect":"Deny","Action":"bedrock:*","Resource":"*",
  "Condition":{"StringNotEquals":{"aws:RequestedRegion":["us-east-1","us-east-2","us-west-2","unspecified"]}}}]})",
    R"({"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"bedrock:*","Resource":"*",
 "Condition":{"StringEquals":{"aws:RequestedRegion":"unspecified"},
  "ArnLike":{"bedrock:InferenceProfileArn":"arn:aws:bedrock:*:*:inference-profile/global.*"}}}]})",
    R"({"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"bedrock:*","Resource":"*",
 "Condition":{"StringLike":{"aws:RequestedRegion":"unspecified"},
  "ArnLike":{"bedrock:InferenceProfileArn":"arn:aws:bedrock:*:*:inference-profile/global.*"}}}]})",
    R"({"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"bedrock:InvokeModel*","Resource":"*",
 "Condition":{"StringEquals":{"aws:RequestedRegion":"unspecified"}}}]})",
    R"({"Version":"2012-10-17","Statement":[{"Sid":"DenyNonUSGeographicCRIS","Effect":"Deny","Action":"bedrock:*","Resource":"*",
 "Condition":{"Null":{"bedrock:InferenceProfileArn":"false"},
  "ArnNotLike":{"bedrock:InferenceProfileArn":["arn:aws:bedrock:*:*:inference-profile/us.*"]}}}]})",
    R"({"Version":"2012-10-17","Statement":[{"Sid":"GRREGIONDENY","Effect":"Deny",
 "NotAction":["a4b:*","acm:*","aws-portal:*","budgets:*","ce:*","cloudfront:*","iam:*","organizations:*","route53:*","sts:*","support:*"],
 "Resource":"*","Condition":{"StringNotEquals":{"aws:RequestedRegion":["us-east-1","us-west-2"]},
  "ArnNotLike":{"aws:PrincipalARN":["arn:*:iam::*:role/AWSControlTowerExecution"]}}}]})"};

TEST(Lint, ReportsNoErrorInThePoliciesThatAwsPublishes) {
  for (const char* text : published_identity) {
    const auto findings = lint_document("policy.json", text, iam::PolicyKind::identity, shipped());
    ASSERT_TRUE(findings) << findings.error().message;
    EXPECT_THAT(*findings, IsEmpty()) << in_words(*findings);
  }
  for (const char* text : published_scps) {
    const auto findings = lint_document("policy.json", text, iam::PolicyKind::service_control, shipped());
    ASSERT_TRUE(findings) << findings.error().message;
    for (const Finding& finding : *findings) EXPECT_NE(finding.severity, Severity::error) << finding_text(finding);
  }
}

TEST(Lint, WarnsOfAControlTowerDenyThatIsAttachedNowhereYet) {
  EXPECT_THAT(found(published_scps[6], iam::PolicyKind::service_control),
              testing::Contains("control-tower-region-deny warning"));
}

TEST(Lint, TakesADenialOfGlobalThatSaysSoAsMeant) {
  for (const std::size_t i : {2U, 3U, 4U})
    EXPECT_THAT(found(published_scps[i], iam::PolicyKind::service_control), IsEmpty());
  EXPECT_THAT(found(R"({"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"bedrock:*","Resource":"*",
 "Condition":{"StringEquals":{"aws:RequestedRegion":["sa-east-1","unspecified"]}}}]})",
                    iam::PolicyKind::service_control),
              testing::ElementsAre("global-blocked-by-region-deny warning"));
}

TEST(Lint, TakesConditionsOnTheSingleRequestAsMet) {
  EXPECT_THAT(found(R"({"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*",
 "Condition":{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}]})",
                    iam::PolicyKind::service_control),
              IsEmpty());
}

TEST(Lint, RefusesWhatIsNoPolicyWithItsPlace) {
  EXPECT_THAT(found("{\"Version\":\n 7}", iam::PolicyKind::identity),
              testing::ElementsAre(testing::StartsWith("line 2, column 2: ")));
}

TEST(Lint, WritesFindingsForPeopleProgramsAndCodeHosts) {
  const Finding finding{.rule = "unknown-action",
                        .severity = Severity::error,
                        .file = "identity/\"app\".json",
                        .place = {.line = 7, .column = 9},
                        .statement = "Grant",
                        .reason = "'bedrock:Converse' is no action",
                        .repair = "write the other"};
  EXPECT_EQ(finding_text(finding),
            "identity/\"app\".json:7:9: error: Grant: 'bedrock:Converse' is no action [unknown-action]\n"
            "    repair: write the other\n");
  const auto json = nlohmann::json::parse(finding_json(finding));
  EXPECT_EQ(json["file"], "identity/\"app\".json");
  EXPECT_EQ(json["line"], 7);
  const auto sarif = nlohmann::json::parse(findings_sarif(std::span(&finding, 1), "1.2.3", "policies/"));
  const auto& run = sarif["runs"][0];
  EXPECT_EQ(run["tool"]["driver"]["rules"].size(), lint_rules().size());
  EXPECT_EQ(run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
            "policies/identity/\"app\".json");
  EXPECT_EQ(run["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"], 7);
  for (const RuleText& rule : lint_rules())
    EXPECT_THAT(lint_rules_markdown(), HasSubstr("\n## " + std::string(rule.id) + "\n"));
}

}  // namespace
}  // namespace portolan::policy
