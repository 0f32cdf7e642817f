// SPDX-License-Identifier: Apache-2.0
#include "policy/drift.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "policy/test_organization.h"

namespace portolan::policy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using Files = std::map<std::string, std::string, std::less<>>;
using Targets = std::vector<std::pair<std::string, std::string>>;  // id, type

const Targets everywhere{{"r-exam", "ROOT"},
                         {"ou-exam-10000001", "ORGANIZATIONAL_UNIT"},
                         {"ou-exam-10000002", "ORGANIZATIONAL_UNIT"},
                         {"111122223333", "ACCOUNT"}};
const std::string some_deny = document_of({R"("Sid":"D","Effect":"Deny","Action":"s3:*","Resource":"*")"});
const std::string full_access = document_of({R"("Effect":"Allow","Action":"*","Resource":"*")"});

/// What the AWS CLI prints of one policy, in two files.
void add_to_export(Files& files, const std::string& id, const std::string& name, const std::string& type,
                   const std::string& content, const Targets& targets) {
  const nlohmann::json described{
      {"Policy",
       {{"PolicySummary",
         {{"Id", id}, {"Name", name}, {"Type", type}, {"AwsManaged", name.ends_with("FullAWSAccess")}}},
        {"Content", content}}}};
  nlohmann::json listed{{"Targets", nlohmann::json::array()}};
  for (const auto& [target, target_type] : targets)
    listed["Targets"].push_back({{"TargetId", target}, {"Type", target_type}, {"Name", "called " + target}});
  files["policy-" + id + ".json"] = described.dump(2);
  files["targets-" + id + ".json"] = listed.dump(2);
}

Files healthy_export() {
  Files files;
  add_to_export(files, "p-FullAWSAccess", "FullAWSAccess", "SERVICE_CONTROL_POLICY", full_access, everywhere);
  add_to_export(files, "p-abcd1234", "root_scp", "SERVICE_CONTROL_POLICY", nlohmann::json::parse(some_deny).dump(4),
                {{"r-exam", "ROOT"}});
  files["policies.json"] = R"({"Policies": []})";  // list-policies
  return files;
}

std::vector<std::string> findings_of(const SmallSet& set, const Files& files) {
  const auto exported = read_export(files);
  if (!exported) return {exported.error().message};
  std::vector<std::string> words;
  for (const DriftFinding& finding : drift(organization_of(set), *exported))
    words.push_back(std::string{name(finding.what)} + " " + std::string{iam::word(finding.kind)} + " " +
                    finding.target + " " + finding.policy);
  return words;
}

const SmallSet in_force_here{.root_scp = some_deny};

TEST(Drift, IsNoneWhereDocumentsDifferInWhiteSpaceAlone) {
  EXPECT_THAT(findings_of(in_force_here, healthy_export()), IsEmpty());
}

TEST(Drift, IsADocumentAttachedOnOneSideOnly) {
  Files files = healthy_export();
  add_to_export(files, "p-new00000", "new", "SERVICE_CONTROL_POLICY", some_deny, {{"111122223333", "ACCOUNT"}});
  EXPECT_THAT(findings_of(in_force_here, files), ElementsAre("only_in_aws scp account 111122223333 new"));
  EXPECT_THAT(findings_of({.root_scp = some_deny, .account_scp = some_deny}, healthy_export()),
              ElementsAre("only_in_set scp account 111122223333 account_scp.json"));
}

TEST(Drift, IsADocumentEditedOnOneSide) {
  Files files = healthy_export();
  add_to_export(files, "p-abcd1234", "root_scp", "SERVICE_CONTROL_POLICY",
                document_of({R"("Sid":"D","Effect":"Deny","Action":"s3:Get*","Resource":"*")"}),
                {{"r-exam", "ROOT"}});
  EXPECT_THAT(findings_of(in_force_here, files), ElementsAre("differs scp root root_scp.json"));
}

TEST(Drift, IsNoneWhereKeysStandInAnotherOrder) {
  Files files = healthy_export();
  add_to_export(
      files, "p-abcd1234", "root_scp", "SERVICE_CONTROL_POLICY",
      R"({"Statement":[{"Resource":"*","Action":"s3:*","Effect":"Deny","Sid":"D"}],"Version":"2012-10-17"})",
      {{"r-exam", "ROOT"}});
  EXPECT_THAT(findings_of(in_force_here, files), IsEmpty());
}

TEST(Drift, IsADocumentThatTwoReadersTakeDifferently) {
  Files files = healthy_export();
  add_to_export(
      files, "p-abcd1234", "root_scp", "SERVICE_CONTROL_POLICY",
      R"({"Version":"2012-10-17","Statement":[],"Statement":[{"Sid":"D","Effect":"Deny","Action":"s3:*","Resource":"*"}]})",
      {{"r-exam", "ROOT"}});
  EXPECT_THAT(findings_of(in_force_here, files), ElementsAre("differs scp root root_scp.json"))
      << "a reader that takes the last of two members would find them equal";
}

TEST(Drift, IsADocumentNestedDeeperThanTheStackIs) {
  Files files = healthy_export();
  add_to_export(files, "p-abcd1234", "root_scp", "SERVICE_CONTROL_POLICY",
                std::string(200'000, '[') + std::string(200'000, ']'), {{"r-exam", "ROOT"}});
  EXPECT_THAT(findings_of(in_force_here, files), ElementsAre("differs scp root root_scp.json"));
}

TEST(Drift, IsFullAccessDetachedInAws) {
  Files files = healthy_export();
  add_to_export(files, "p-FullAWSAccess", "FullAWSAccess", "SERVICE_CONTROL_POLICY", full_access,
                {everywhere[0], everywhere[1], everywhere[3]});
  EXPECT_THAT(findings_of(in_force_here, files), ElementsAre("only_in_set scp unit workloads/prod FullAWSAccess"));
}

TEST(Drift, IsATargetThatTheSetDoesNotHave) {
  Files files = healthy_export();
  add_to_export(files, "p-abcd1234", "root_scp", "SERVICE_CONTROL_POLICY", some_deny,
                {{"r-exam", "ROOT"}, {"ou-exam-99999999", "ORGANIZATIONAL_UNIT"}});
  EXPECT_THAT(findings_of(in_force_here, files), ElementsAre("unknown_target scp ou-exam-99999999 root_scp"));
}

TEST(Drift, AsksForRcpsOnlyWhereTheExportHasSome) {
  Files files = healthy_export();
  add_to_export(files, "p-RCPFullAWSAccess", "RCPFullAWSAccess", "RESOURCE_CONTROL_POLICY", full_access,
                {everywhere[0], everywhere[1], everywhere[2]});
  EXPECT_THAT(findings_of(in_force_here, files),
              ElementsAre("only_in_set rcp account 111122223333 RCPFullAWSAccess"));
}

TEST(ReadExport, FindsThePolicyBehindWhateverAFileIsCalled) {
  Files files = healthy_export();
  for (const std::string id : {"p-FullAWSAccess", "p-abcd1234"}) {
    auto targets = files.extract("targets-" + id + ".json");
    targets.key() = "scp-targets-" + id + ".json";
    files.insert(std::move(targets));
  }
  EXPECT_THAT(findings_of(in_force_here, files), IsEmpty());
}

TEST(ReadExport, SaysWhichFileIsNotWhatItShouldBe) {
  const auto failure = [](const Files& files) {
    const auto read = read_export(files);
    return read ? "none" : read.error().message;
  };
  EXPECT_EQ(failure({{"a.json", "not JSON"}}), "a.json: is not the JSON that the AWS CLI writes");
  EXPECT_THAT(failure({{"a.json", R"({"Policy": {}})"}}), HasSubstr("a.json: Policy has no PolicySummary"));
  EXPECT_THAT(failure({{"a.json", R"({"Policy": {"PolicySummary": {"Id": "p-1"}}})"}}), HasSubstr("is missing"));
  EXPECT_THAT(failure({{"a.json", R"({"Policy": {"PolicySummary": {"Id": "p-1", "Name": "n", "Type": "TAG_POLICY"},
                                                 "Content": "{}"}})"}}),
              HasSubstr("\"TAG_POLICY\" is neither SCP nor RCP"));
  EXPECT_THAT(failure({{"targets-p-1.json", R"({"Targets": []})"}}),
              HasSubstr("targets-p-1.json: no file describes its policy"));
  EXPECT_THAT(failure({{"targets-p-1.json", R"({"Targets": [{}]})"}}), HasSubstr("a target has no TargetId"));
  Files without_targets = healthy_export();
  without_targets.erase("targets-p-abcd1234.json");
  EXPECT_EQ(failure(without_targets), "policy root_scp (p-abcd1234) has no targets-p-abcd1234.json beside it");
}

}  // namespace
}  // namespace portolan::policy
