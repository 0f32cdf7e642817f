// SPDX-License-Identifier: Apache-2.0
#include "policy/generate_package.h"

#include <algorithm>
#include <cctype>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace portolan::policy {
namespace {

using base::Code;
using base::fail;
using base::Result;
using Json = nlohmann::ordered_json;

/// A JSON string, which is a YAML string in double quotes as well.
std::string in_quotes(std::string_view text) {
  return Json(text).dump();
}

/// "bedrock-inference-2" as a logical id of CloudFormation: letters and digits.
std::string logical_id(std::string_view name) {
  std::string id;
  bool begins_word = true;
  for (const char c : name) {
    const bool kept = std::isalnum(static_cast<unsigned char>(c)) != 0;
    if (kept) id += begins_word ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    begins_word = !kept;
  }
  return id;
}

/// A name in Terraform's language: letters, digits and underscores, not a digit first.
std::string terraform_name(std::string_view name) {
  std::string id = name.empty() || std::isdigit(static_cast<unsigned char>(name.front())) != 0 ? "_" : "";
  for (const char c : name) id += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return id;
}

/// Inside a string or a heredoc of Terraform, "${" and "%{" begin an expression.
std::string terraform_escaped(std::string_view text) {
  std::string escaped;
  for (std::size_t i = 0; i < text.size(); ++i) {
    escaped += text[i];
    if ((text[i] == '$' || text[i] == '%') && i + 1 < text.size() && text[i + 1] == '{') escaped += text[i];
  }
  return escaped;
}

std::string indented(std::string_view text, std::string_view margin) {
  std::string result;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    result.append(margin).append(text.substr(0, end)).append("\n");
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return result;
}

std::string manifest_entry(const GeneratedPolicy& policy, const PackageOrder& order) {
  const bool guardrail = policy.kind == iam::PolicyKind::service_control;
  std::string entry = fmt::format(
      "  - name: {}\n    description: {}\n    resource_file: {}\n    deploy_method: {}\n", in_quotes(policy.name),
      in_quotes(policy.description),
      guardrail ? fmt::format("policies/{}.json", policy.name) : fmt::format("templates/{}.template", policy.name),
      guardrail ? "scp" : "stack_set");
  entry += "    deployment_targets:\n";
  if (guardrail) {
    entry += "      organizational_units:\n";
    for (const std::string& unit : order.targets) entry += fmt::format("        - {}\n", in_quotes(unit));
  } else {
    entry += fmt::format("      accounts:\n        - {}\n    regions:\n      - {}\n", in_quotes(order.account),
                         order.home_region);
  }
  return entry;
}

/// IAM policies come to accounts as CloudFormation stacks.
std::string cloudformation_template(const GeneratedPolicy& policy, const PackageOrder& order) {
  Json properties{{"ManagedPolicyName", policy.name},
                  {"Description", policy.description},
                  {"PolicyDocument", Json::parse(policy.text)}};
  if (!order.targets.empty()) properties["Roles"] = order.targets;
  const Json resource{{"Type", "AWS::IAM::ManagedPolicy"}, {"Properties", std::move(properties)}};
  return Json{{"AWSTemplateFormatVersion", "2010-09-09"},
              {"Description", policy.description},
              {"Resources", {{logical_id(policy.name), resource}}}}
             .dump(2) +
         "\n";
}

/// Control Tower User Guide, "The CfCT manifest file" and "The resources section of the CfCT manifest file".
Result<std::vector<PackageFile>> control_tower_package(std::span<const GeneratedPolicy> policies,
                                                       const PackageOrder& order) {
  if (order.home_region.empty()) return fail(Code::usage, "the home Region of Control Tower is needed");
  std::string manifest = fmt::format("---\nregion: {}\nversion: 2021-03-15\n\nresources:\n", order.home_region);
  std::vector<PackageFile> files(1);
  for (const GeneratedPolicy& policy : policies) {
    if (policy.kind == iam::PolicyKind::service_control) {
      if (order.targets.empty())
        return fail(Code::usage, "Control Tower needs to know which units the SCP is for, by their names");
      files.push_back({"policies/" + policy.name + ".json", policy.text});
    } else {
      files.push_back({"templates/" + policy.name + ".template", cloudformation_template(policy, order)});
    }
    manifest += manifest_entry(policy, order);
  }
  files.front() = {"manifest.yaml", std::move(manifest)};
  return files;
}

std::string terraform_policy(const GeneratedPolicy& policy) {
  const bool guardrail = policy.kind == iam::PolicyKind::service_control;
  const std::string_view document_argument = guardrail ? "content" : "policy";
  // The equals signs of a block stand below one another, as `terraform fmt` lays them out.
  return fmt::format(
      "resource \"{}\" \"{}\" {{\n  name        = {}\n  description = {}\n{}  {:<11} = <<-JSON\n{}  JSON\n}}\n",
      guardrail ? "aws_organizations_policy" : "aws_iam_policy", terraform_name(policy.name),
      in_quotes(policy.name), terraform_escaped(in_quotes(policy.description)),
      guardrail ? "  type        = \"SERVICE_CONTROL_POLICY\"\n" : "", document_argument,
      indented(terraform_escaped(policy.text), "    "));
}

std::string terraform_attachment(const GeneratedPolicy& policy, std::string_view target) {
  const std::string resource = terraform_name(policy.name);
  const std::string name = terraform_name(fmt::format("{}_{}", policy.name, target));
  if (policy.kind == iam::PolicyKind::service_control)
    return fmt::format(
        "\nresource \"aws_organizations_policy_attachment\" \"{}\" {{\n  policy_id = "
        "aws_organizations_policy.{}.id\n  target_id = {}\n}}\n",
        name, resource, in_quotes(target));
  return fmt::format(
      "\nresource \"aws_iam_role_policy_attachment\" \"{}\" {{\n  role       = {}\n  policy_arn = "
      "aws_iam_policy.{}.arn\n}}\n",
      name, in_quotes(target), resource);
}

std::vector<PackageFile> terraform_package(std::span<const GeneratedPolicy> policies, const PackageOrder& order) {
  std::vector<PackageFile> files;
  for (const GeneratedPolicy& policy : policies) {
    std::string text = terraform_policy(policy);
    for (const std::string& target : order.targets) text += terraform_attachment(policy, target);
    files.push_back({policy.name + ".tf", std::move(text)});
  }
  return files;
}

}  // namespace

Result<std::vector<PackageFile>> package(std::span<const GeneratedPolicy> policies, const PackageOrder& order) {
  switch (order.form) {
    case PackageForm::json: {
      if (!order.targets.empty())
        return fail(Code::usage,
                    "AWS JSON does not say what a policy is attached to; Terraform and Control Tower do");
      std::vector<PackageFile> files;
      for (const GeneratedPolicy& policy : policies) files.push_back({policy.name + ".json", policy.text});
      return files;
    }
    case PackageForm::control_tower:
      return control_tower_package(policies, order);
    case PackageForm::terraform:
      return terraform_package(policies, order);
  }
  return fail(Code::internal, "no such form of a package");
}

}  // namespace portolan::policy
