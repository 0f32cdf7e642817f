// SPDX-License-Identifier: Apache-2.0
#include "policy/generate_package.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace portolan::policy {
namespace {

using testing::HasSubstr;

GeneratedPolicy guardrail() {
  return {.kind = iam::PolicyKind::service_control,
          .name = "deny-global",
          .description = "Denies \"Global\" profiles",
          .text = "{\n  \"Statement\": []\n}\n",
          .notes = {}};
}

GeneratedPolicy identity() {
  return {.kind = iam::PolicyKind::identity,
          .name = "inference-2",
          .description = "Inference",
          .text = "{\n  \"Resource\": \"${aws:x}\"\n}\n",
          .notes = {}};
}

std::string refusal(const GeneratedPolicy& policy, const PackageOrder& order) {
  const auto files = package(std::span(&policy, 1), order);
  return files ? "none" : files.error().message;
}

TEST(GeneratePackage, WritesAControlTowerManifestWithItsScp) {
  const GeneratedPolicy policy = guardrail();
  const auto files = package(std::span(&policy, 1), {.form = PackageForm::control_tower,
                                                     .targets = {"Root", "Workloads:Production"},
                                                     .account = {},
                                                     .home_region = "eu-west-1"});
  ASSERT_TRUE(files);
  ASSERT_EQ(files->size(), 2U);
  EXPECT_EQ((*files)[0].path, "manifest.yaml");
  EXPECT_EQ((*files)[0].text, R"(---
region: eu-west-1
version: 2021-03-15

resources:
  - name: "deny-global"
    description: "Denies \"Global\" profiles"
    resource_file: policies/deny-global.json
    deploy_method: scp
    deployment_targets:
      organizational_units:
        - "Root"
        - "Workloads:Production"
)");
  EXPECT_EQ((*files)[1].path, "policies/deny-global.json");
  EXPECT_EQ((*files)[1].text, policy.text);
}

TEST(GeneratePackage, BringsIdentityPoliciesToAnAccountAsAStack) {
  const GeneratedPolicy policy = identity();
  const auto files = package(std::span(&policy, 1), {.form = PackageForm::control_tower,
                                                     .targets = {"app"},
                                                     .account = "111122223333",
                                                     .home_region = "eu-west-1"});
  ASSERT_TRUE(files);
  EXPECT_THAT((*files)[0].text,
              HasSubstr("resource_file: templates/inference-2.template\n    deploy_method: stack_set"));
  EXPECT_THAT((*files)[0].text,
              HasSubstr("accounts:\n        - \"111122223333\"\n    regions:\n      - eu-west-1\n"));
  const auto stack = nlohmann::json::parse((*files)[1].text);
  EXPECT_EQ(stack["Resources"]["Inference2"]["Type"], "AWS::IAM::ManagedPolicy");
  EXPECT_EQ(stack["Resources"]["Inference2"]["Properties"]["PolicyDocument"]["Resource"], "${aws:x}");
  EXPECT_EQ(stack["Resources"]["Inference2"]["Properties"]["Roles"][0], "app");
}

TEST(GeneratePackage, WritesTerraformWithItsAttachmentsAndEscapesWhatTerraformWouldEvaluate) {
  const GeneratedPolicy scp = guardrail();
  const auto files =
      package(std::span(&scp, 1),
              {.form = PackageForm::terraform, .targets = {"ou-ab12-cdefghij"}, .account = {}, .home_region = {}});
  ASSERT_TRUE(files);
  EXPECT_EQ((*files)[0].path, "deny-global.tf");
  EXPECT_EQ((*files)[0].text, R"(resource "aws_organizations_policy" "deny_global" {
  name        = "deny-global"
  description = "Denies \"Global\" profiles"
  type        = "SERVICE_CONTROL_POLICY"
  content     = <<-JSON
    {
      "Statement": []
    }
  JSON
}

resource "aws_organizations_policy_attachment" "deny_global_ou_ab12_cdefghij" {
  policy_id = aws_organizations_policy.deny_global.id
  target_id = "ou-ab12-cdefghij"
}
)");
  const GeneratedPolicy policy = identity();
  const auto roles =
      package(std::span(&policy, 1),
              {.form = PackageForm::terraform, .targets = {"app"}, .account = {}, .home_region = {}});
  ASSERT_TRUE(roles);
  EXPECT_THAT((*roles)[0].text, HasSubstr("\"Resource\": \"$${aws:x}\""));
  EXPECT_THAT((*roles)[0].text, HasSubstr("role       = \"app\"\n  policy_arn = aws_iam_policy.inference_2.arn"));
}

TEST(GeneratePackage, RefusesWhatAFormCannotSay) {
  EXPECT_THAT(
      refusal(guardrail(), {.form = PackageForm::json, .targets = {"Root"}, .account = {}, .home_region = {}}),
      HasSubstr("AWS JSON does not say"));
  EXPECT_THAT(
      refusal(guardrail(),
              {.form = PackageForm::control_tower, .targets = {}, .account = {}, .home_region = "eu-west-1"}),
      HasSubstr("which units"));
  EXPECT_THAT(refusal(guardrail(),
                      {.form = PackageForm::control_tower, .targets = {"Root"}, .account = {}, .home_region = {}}),
              HasSubstr("home Region"));
}

}  // namespace
}  // namespace portolan::policy
