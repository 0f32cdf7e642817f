// SPDX-License-Identifier: Apache-2.0
// What organization.yaml may say, and each mistake with its place and its repair.
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "policy/organization.h"
#include "policy/test_organization.h"

namespace portolan::policy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using Files = std::map<std::string, std::string, std::less<>>;

const std::string allow_all = document_of({R"("Effect":"Allow","Action":"*","Resource":"*")"});
const std::string deny_all = document_of({R"("Effect":"Deny","Action":"*","Resource":"*")"});

std::vector<std::string> mistakes_of(const Files& files) {
  const LoadedOrganization loaded = load_organization(files);
  std::vector<std::string> lines;
  for (const config::Mistake& mistake : loaded.mistakes) lines.push_back(mistake.text());
  EXPECT_EQ(loaded.organization.has_value(), lines.empty());
  return lines;
}

std::vector<std::string> mistakes_of(const std::string& yaml, Files files = {}) {
  files.emplace(organization_file, yaml);
  return mistakes_of(files);
}

std::vector<std::string> names_of(const Policies& policies) {
  std::vector<std::string> names;
  for (const PolicyPointer& policy : policies) names.push_back(policy->name);
  return names;
}

/// A set that is sound, and the line that its accounts end on.
const std::string sound = "version: 1\naccounts:\n  - id: \"111122223333\"\n";

TEST(OrganizationLoad, AttachesFullAccessWhereTheFileSaysNothing) {
  const LoadedOrganization loaded = load_organization(Files{{std::string{organization_file}, sound}});
  ASSERT_TRUE(loaded.organization);
  const Organization& organization = *loaded.organization;
  for (const Attachments* attached : {&organization.root, &organization.accounts.at("111122223333").attached}) {
    EXPECT_THAT(names_of(attached->service_control), ElementsAre("FullAWSAccess"));
    EXPECT_THAT(names_of(attached->resource_control), ElementsAre("RCPFullAWSAccess"));
  }
  EXPECT_THAT(loaded.notices, IsEmpty());
}

TEST(OrganizationLoad, TakesAListOfScpsForAllThereIs) {
  const LoadedOrganization loaded =
      load_organization(Files{{std::string{organization_file}, sound + "root:\n  scps: [deny.json]\n  rcps: []\n"},
                              {"deny.json", deny_all}});
  ASSERT_TRUE(loaded.organization);
  EXPECT_THAT(names_of(loaded.organization->root.service_control), ElementsAre("deny.json"));
  EXPECT_THAT(names_of(loaded.organization->root.resource_control), ElementsAre("RCPFullAWSAccess"));
  ASSERT_EQ(loaded.notices.size(), 1u);
  EXPECT_EQ(
      loaded.notices[0].text(),
      "organization.yaml:5:9 root.scps: nothing is allowed at the root, because no SCP here has an Allow; add "
      "FullAWSAccess to the list");
}

TEST(OrganizationLoad, KeepsRcpFullAccessAndCountsItWhetherListedOrNot) {
  Files files;
  std::string list;
  for (int i = 0; i < 5; ++i) {
    files.emplace("r" + std::to_string(i) + ".json",
                  document_of({R"("Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*")"}));
    list += (i == 0 ? "" : ", ") + ("r" + std::to_string(i) + ".json");
  }
  EXPECT_THAT(
      mistakes_of(sound + "root:\n  rcps: [" + list + "]\n", files),
      ElementsAre("organization.yaml:5:9 root.rcps: with RCPFullAWSAccess, which cannot be detached, these are "
                  "6; 5 may be attached"));
  EXPECT_THAT(mistakes_of(sound + "root:\n  rcps: [RCPFullAWSAccess, r0.json, r1.json, r2.json, r3.json]\n", files),
              IsEmpty());
}

TEST(OrganizationLoad, ReadsAnExampleThatUsesEverySetting) {
  const std::string directory = std::string{PORTOLAN_TESTDATA} + "/../examples/policies/";
  const LoadedOrganization loaded = load_organization([&](const std::string& name) -> base::Result<std::string> {
    std::ifstream file(directory + name, std::ios::binary);
    if (!file) return base::fail(base::Code::usage, "there is no such file");
    return std::string{std::istreambuf_iterator<char>(file), {}};
  });
  for (const config::Mistake& mistake : loaded.mistakes) ADD_FAILURE() << mistake.text();
  for (const config::Mistake& notice : loaded.notices) ADD_FAILURE() << notice.text();
  ASSERT_TRUE(loaded.organization);
  const Organization& organization = *loaded.organization;
  EXPECT_EQ(organization.id, "o-exampleorgid");
  EXPECT_EQ(organization.units.size(), 3u);
  const Account& shop = organization.accounts.at("444455556666");
  std::vector<std::string> above;
  for (const Unit* unit : organization.units_above(shop)) above.push_back(unit->path);
  EXPECT_THAT(above, ElementsAre("workloads", "workloads/production"));
  const Principal* alice_entry = organization.find_principal("arn:aws:iam::111122223333:user/alice");
  ASSERT_NE(alice_entry, nullptr);
  EXPECT_THAT(names_of(alice_entry->identity),
              ElementsAre("identity/global-sonnet.json", "identity/us-sonnet.json"));
  EXPECT_EQ(alice_entry->tags.at("team"), "search");
  EXPECT_EQ(organization.files.size(), 10u);
  // What it read is a bundle that is the same set.
  const LoadedOrganization again = load_organization(organization.files);
  ASSERT_TRUE(again.organization);
  EXPECT_EQ(again.organization->version, organization.version);
}

TEST(OrganizationLoad, HasAVersionThatAnyFileChanges) {
  const Files files{{std::string{organization_file}, sound + "root:\n  scps: [a.json]\n"}, {"a.json", allow_all}};
  const auto version = [](const Files& of) { return load_organization(of).organization->version; };
  EXPECT_EQ(version(files).size(), 64u);
  Files document = files;
  document["a.json"] += "\n";
  Files yaml = files;
  yaml[std::string{organization_file}] += "\n";
  EXPECT_NE(version(files), version(document));
  EXPECT_NE(version(files), version(yaml));
  EXPECT_NE(version(document), version(yaml));
  Files unrelated = files;
  unrelated["notes.txt"] = "not named, not read";
  EXPECT_EQ(version(files), version(unrelated));
}

TEST(OrganizationLoad, ReadsEachFileOnce) {
  std::vector<std::string> read;
  const LoadedOrganization loaded = load_organization([&](const std::string& name) -> base::Result<std::string> {
    read.push_back(name);
    if (name == "a.json") return allow_all;
    return sound +
           "root:\n  scps: [a.json]\nprincipals:\n  - arn: arn:aws:iam::111122223333:user/a\n    policies: "
           "[a.json]\n    boundary: a.json\n";
  });
  EXPECT_TRUE(loaded.organization);
  EXPECT_THAT(read, ElementsAre("organization.yaml", "a.json"));
}

// ---------------------------------------------------------------------------------------------- mistakes

TEST(OrganizationLoadMistake, IsAFileThatIsNotThere) {
  EXPECT_THAT(mistakes_of(Files{}), ElementsAre("organization.yaml:1:1: cannot be read: there is no such file"));
  EXPECT_THAT(
      mistakes_of(sound + "root:\n  scps: [FullAWSAccess, scps/a.json]\n"),
      ElementsAre("organization.yaml:5:25 root.scps[1]: cannot read \"scps/a.json\": there is no such file; put "
                  "the document there, or correct the path"));
}

TEST(OrganizationLoadMistake, IsYamlThatCannotBeRead) {
  const auto mistakes = mistakes_of("version: 1\naccounts: [\n");
  ASSERT_EQ(mistakes.size(), 1u);
  EXPECT_THAT(mistakes[0], HasSubstr("organization.yaml:"));
}

TEST(OrganizationLoadMistake, IsAnEmptyFileWhichLacksWhatIsRequired) {
  EXPECT_THAT(mistakes_of(""), ElementsAre(HasSubstr("organization.yaml:1:1 accounts: is missing"),
                                           HasSubstr("organization.yaml:1:1 version: is missing")));
}

TEST(OrganizationLoadMistake, IsAKeyThatIsNone) {
  EXPECT_THAT(mistakes_of(sound + "root:\n  scp: [FullAWSAccess]\n"),
              ElementsAre("organization.yaml:5:3 root: unknown key \"scp\"; did you mean scps?"));
}

TEST(OrganizationLoadMistake, IsAnotherVersion) {
  EXPECT_THAT(mistakes_of("version: 2\naccounts:\n  - id: \"111122223333\"\n"),
              ElementsAre(HasSubstr("organization.yaml:1:10 version: must be 1, not \"2\"")));
}

TEST(OrganizationLoadMistake, IsADocumentWithItsOwnLineAndColumn) {
  const std::string broken = "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [{\"Efect\": \"Deny\"}]\n}\n";
  const auto mistakes =
      mistakes_of(sound + "root:\n  scps: [FullAWSAccess, scps/a.json]\n", {{"scps/a.json", broken}});
  ASSERT_EQ(mistakes.size(), 1u);
  EXPECT_THAT(mistakes[0], HasSubstr("scps/a.json:3:"));
  EXPECT_THAT(mistakes[0], HasSubstr("Efect"));
}

TEST(OrganizationLoadMistake, IsOneInEachDocumentAndEachSettingInOnePass) {
  const auto mistakes = mistakes_of(
      "version: 1\naccounts:\n  - id: \"1111\"\nroot:\n  scps: [a.json]\nunits:\n  - path: x/y\n    scps: "
      "[b.json]\n",
      {{"a.json", "{"}, {"b.json", "[]"}});
  ASSERT_EQ(mistakes.size(), 4u);
  EXPECT_THAT(mistakes[0], HasSubstr("organization.yaml:3:9 accounts[0].id: must be 12 digits, in quotes"));
  EXPECT_THAT(mistakes[1],
              HasSubstr("organization.yaml:7:11 units[0].path: the unit above it, \"x\", is not among"));
  EXPECT_THAT(mistakes[2], HasSubstr("a.json:1:"));
  EXPECT_THAT(mistakes[3], HasSubstr("b.json:1:"));
}

TEST(OrganizationLoadMistake, IsAPathThatLeavesTheDirectory) {
  for (const char* path :
       {"../secret.json", "/etc/a.json", "a/../../b.json", "a//b.json", "./a.json", "scps/a.yaml"})
    EXPECT_THAT(
        mistakes_of(sound + "root:\n  scps: [" + path + "]\n"),
        ElementsAre(HasSubstr("organization.yaml:5:10 root.scps[0]: must be FullAWSAccess, or the path of a JSON "
                              "policy document below this directory, not ")))
        << path;
}

TEST(OrganizationLoadMistake, IsMoreThanAwsAttaches) {
  std::string list = "FullAWSAccess";
  Files files;
  for (int i = 0; i < 10; ++i) {
    list += ", s" + std::to_string(i) + ".json";
    files.emplace("s" + std::to_string(i) + ".json", allow_all);
  }
  EXPECT_THAT(mistakes_of(sound + "root:\n  scps: [" + list + "]\n", files),
              ElementsAre("organization.yaml:5:9 root.scps: must have 1 to 10 entries, and has 11"));
  EXPECT_THAT(mistakes_of(sound + "root:\n  scps: []\n"),
              ElementsAre("organization.yaml:5:9 root.scps: must have 1 to 10 entries, and has 0"));
}

TEST(OrganizationLoadMistake, IsADocumentAttachedTwice) {
  EXPECT_THAT(
      mistakes_of(sound + "root:\n  scps: [a.json, a.json]\n", {{"a.json", allow_all}}),
      ElementsAre(HasSubstr("organization.yaml:5:18 root.scps[1]: this document is also that of root.scps[0]")));
}

TEST(OrganizationLoadMistake, IsAUnitTooDeepOrWithoutTheOneAbove) {
  EXPECT_THAT(
      mistakes_of(sound + "units:\n  - path: a/b/c/d/e/f\n"),
      ElementsAre(HasSubstr("organization.yaml:5:11 units[0].path: must be names of units with / between")));
  EXPECT_THAT(mistakes_of(sound + "units:\n  - path: root\n"), ElementsAre(HasSubstr("not root, not \"root\"")));
  EXPECT_THAT(mistakes_of(sound + "units:\n  - path: workloads\n  - path: worklods/prod\n"),
              ElementsAre("organization.yaml:6:11 units[1].path: the unit above it, \"worklods\", is not among the "
                          "units; did you mean workloads?; add it, if only with its path"));
  EXPECT_THAT(
      mistakes_of(sound + "units:\n  - path: a\n  - path: a\n"),
      ElementsAre(HasSubstr("organization.yaml:6:11 units[1].path: this path is also that of units[0].path")));
}

TEST(OrganizationLoadMistake, IsAnAccountThatIsNowhere) {
  EXPECT_THAT(mistakes_of("version: 1\naccounts:\n  - id: \"111122223333\"\n    unit: prod\n"),
              ElementsAre(HasSubstr("organization.yaml:4:11 accounts[0].unit: \"prod\" is not among the units")));
  EXPECT_THAT(
      mistakes_of(sound + "management_account: \"999999999999\"\n"),
      ElementsAre(HasSubstr("organization.yaml:4:21 management_account: 999999999999 is not among the accounts")));
  EXPECT_THAT(
      mistakes_of(sound + "principals:\n  - arn: arn:aws:iam::999999999999:user/a\n"),
      ElementsAre(HasSubstr("organization.yaml:5:10 principals[0].arn: account 999999999999 is not among")));
  EXPECT_THAT(
      mistakes_of(sound + "  - id: \"111122223333\"\n"),
      ElementsAre(HasSubstr("organization.yaml:4:9 accounts[1].id: this id is also that of accounts[0].id")));
}

TEST(OrganizationLoadMistake, IsAnArnThatIsNoPrincipal) {
  for (const char* arn : {"alice", "arn:aws:iam::111122223333:group/a", "arn:aws:iam::1111:user/a",
                          "arn:aws:sts::111122223333:assumed-role/a/b", "arn:aws:iam::111122223333:user/a*b",
                          "arn:aws:iam::111122223333:user/"})
    EXPECT_THAT(
        mistakes_of(sound + "principals:\n  - arn: " + arn + "\n"),
        ElementsAre(HasSubstr("organization.yaml:5:10 principals[0].arn: must be the ARN of a user or a role")))
        << arn;
}

TEST(OrganizationLoadMistake, IsAPrincipalTwiceEvenUnderAnotherPath) {
  EXPECT_THAT(mistakes_of(sound + "principals:\n  - arn: arn:aws:iam::111122223333:role/a/app\n  - arn: "
                                  "arn:aws:iam::111122223333:role/app\n"),
              ElementsAre(HasSubstr("organization.yaml:6:10 principals[1].arn: this name is also that of")));
}

TEST(OrganizationLoadMistake, IsAGroupThatIsNoneOrOfARole) {
  EXPECT_THAT(
      mistakes_of(sound + "groups:\n  - name: devs\n    policies: [a.json]\nprincipals:\n  - arn: "
                          "arn:aws:iam::111122223333:user/a\n    groups: [dev]\n",
                  {{"a.json", allow_all}}),
      ElementsAre("organization.yaml:9:14 principals[0].groups[0]: \"dev\" is not among the groups; did you mean "
                  "devs?"));
  EXPECT_THAT(mistakes_of(sound + "groups:\n  - name: devs\n    policies: [a.json]\nprincipals:\n  - arn: "
                                  "arn:aws:iam::111122223333:role/a\n    groups: [devs]\n",
                          {{"a.json", allow_all}}),
              ElementsAre(HasSubstr("roles are in no groups")));
}

TEST(OrganizationLoadMistake, IsADocumentOfTheWrongKind) {
  const std::string with_principal =
      document_of({R"("Effect":"Deny","Principal":"*","Action":"*","Resource":"*")"});
  EXPECT_THAT(mistakes_of(sound + "root:\n  scps: [FullAWSAccess, a.json]\n", {{"a.json", with_principal}}),
              ElementsAre(HasSubstr("a.json:2:")));
}

TEST(OrganizationLoad, TellsOfAConditionKeyThatDoesNotExist) {
  const std::string document = document_of(
      {R"("Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:Region":"us-east-1"}})"});
  const LoadedOrganization loaded = load_organization(Files{
      {std::string{organization_file}, sound + "root:\n  scps: [FullAWSAccess, a.json]\n"}, {"a.json", document}});
  EXPECT_TRUE(loaded.organization);
  ASSERT_EQ(loaded.notices.size(), 1u);
  EXPECT_THAT(loaded.notices[0].text(), HasSubstr("a.json:2:"));
  EXPECT_THAT(loaded.notices[0].text(), HasSubstr("aws:Region"));
}

TEST(OrganizationSchema, ExplainsEveryKeyAndAllowsNoOther) {
  const auto schema = nlohmann::json::parse(organization_schema());
  EXPECT_EQ(schema.at("additionalProperties"), false);
  EXPECT_EQ(schema.at("required"), (nlohmann::json{"version", "accounts"}));
  const auto& principal = schema.at("properties").at("principals").at("items").at("properties");
  EXPECT_EQ(principal.at("tags").at("propertyNames").at("pattern"), "^.{1,128}$");
  EXPECT_EQ(principal.at("tags").at("maxProperties"), 50);
  EXPECT_THAT(organization_reference(), HasSubstr("\n## `principals[]`\n"));
  EXPECT_THAT(organization_reference(), HasSubstr("| `tags` | mapping: tag key to tag value |"));
}

}  // namespace
}  // namespace portolan::policy
