// SPDX-License-Identifier: Apache-2.0
// The table of rules: what each is called, why it matters, what repairs it, and the function that looks for it.
#include <algorithm>
#include <array>
#include <set>

#include "base/bytes.h"
#include "policy/lint_subject.h"
#include "policy/organization_settings.h"

namespace portolan::policy {
namespace {

struct LintRule {
  RuleText text;
  LookForFault look;
};

constexpr std::array rules = std::to_array<LintRule>({
    {{"global-blocked-by-region-deny", Severity::error, "A denial by Region blocks Global inference",
      "A Global call is also checked on the model without a Region, for which aws:RequestedRegion is "
      "\"unspecified\". "
      "StringNotEquals with a list of Regions denies it unless \"unspecified\" is in the list; StringEquals denies "
      "it "
      "when \"unspecified\" is. The error that callers see names a Region-less ARN that nobody asked for.",
      "Add \"unspecified\" to the list of a StringNotEquals, or take it out of that of a StringEquals. Where "
      "Global "
      "inference is to be denied, deny it in a statement that names \"unspecified\" alone."},
     look_for_blocked_global},
    {{"destination-blocked-by-region-deny", Severity::error,
      "A denial by Region breaks a destination of a Geographic profile",
      "A Geographic call is checked in every destination, and one that is denied denies them all. The error names "
      "a "
      "Region that the caller never asked for.",
      "Allow every destination of the profile from that source, or deny the profile as such."},
     look_for_blocked_destination},
    {{"control-tower-region-deny", Severity::error,
      "The Region deny of Control Tower breaks cross-Region inference",
      "The landing zone's Region deny (GRREGIONDENY) can list governed Regions only. It has no \"unspecified\", so "
      "Global inference is denied, and Geographic profiles with a destination that is not governed are denied too.",
      "Hand-edits of it are drift. Exempt bedrock:* by the control of the unit (CT.MULTISERVICE.PV.1), and limit "
      "Bedrock by an SCP of your own."},
     look_for_control_tower_deny},
    {{"profile-without-models", Severity::error, "A profile is granted, and not all of its models",
      "A call through a profile is checked on the profile, on the model in the source Region, and on the model in "
      "every destination or, for a Global one, without a Region. Each of them needs an Allow.",
      "Grant the models as well, pinned to the profile by bedrock:InferenceProfileArn."},
     look_for_profile_without_models},
    {{"models-without-profile", Severity::error, "Models are granted through a profile that is not granted",
      "The first check of a call is on the profile's own ARN. A grant of models that is pinned to it does not "
      "cover "
      "that check.",
      "Grant the profile's ARN in the source Region."},
     look_for_models_without_profile},
    {{"grant-shadowed-by-deny", Severity::error, "A grant is shadowed by a denial",
      "An explicit Deny in any policy wins over every Allow, so the grant allows nothing.",
      "Remove the grant, or narrow the Deny."},
     look_for_shadowing_deny},
    {{"statement-shadowed-by-deny", Severity::warning, "A statement grants nothing that is not denied",
      "A Deny without conditions, in the principal's own policies or above it, covers every action and resource of "
      "the "
      "statement.",
      "Remove the statement, or narrow the Deny."},
     look_for_shadowed_statement},
    {{"level-without-allow", Severity::error, "A level of the organisation allows nothing of a granted call",
      "SCPs and RCPs must allow at every level from the root to the account; where FullAWSAccess is detached, what "
      "the other SCPs there do not list is denied.",
      "Attach FullAWSAccess at that level, or list the action and the resource."},
     look_for_level_without_allow},
    {{"part-of-a-call", Severity::error, "A boundary, session policy or listener lets only a part of a call pass",
      "Permission boundaries, session policies and listener (VPC endpoint) policies are asked for every check of a "
      "call. One that lists the profile alone, or the models alone, lets no call pass.",
      "List the profile and all model ARNs there as well."},
     look_for_part_of_a_call},
    {{"wrong-arn-type", Severity::error, "An ARN has a form that no resource of Amazon Bedrock has",
      "The resource types are foundation-model (with a Region or without, never with an account), "
      "inference-profile "
      "(of AWS, with the caller's account all the same) and application-inference-profile (made by an account). "
      "Another form is stored, and matches nothing.",
      "Write the ARN as the Service Authorization Reference has it."},
     look_for_wrong_arn_type},
    {{"wrong-condition-key", Severity::error, "A condition key does not exist",
      "No request has it: a positive operator never holds, a negated one always does. The Region of a request is "
      "aws:RequestedRegion, and the profile that a model is used through is bedrock:InferenceProfileArn.",
      "Write the key that is meant."},
     look_for_wrong_condition_key},
    {{"unknown-action", Severity::error, "An action does not exist",
      "An action that does not exist grants and denies nothing. Converse and ConverseStream have none of their "
      "own.",
      "bedrock:InvokeModel authorises Converse, bedrock:InvokeModelWithResponseStream authorises ConverseStream."},
     look_for_unknown_action},
    {{"unknown-name", Severity::warning, "A Region, model or profile is not known, and a similar one is",
      "A mistyped name is stored and matches nothing.", "Write the name that is meant."},
     look_for_unknown_name},
    {{"foreign-account", Severity::error, "A policy names an account that is not the one it works in",
      "The ARN of a profile has the account that calls; with another one it matches no call of these principals. A "
      "principal of another organisation in an Allow is let in.",
      "Write the account of the principal; name principals of the organisation."},
     look_for_foreign_account},
    {{"missing-null-guard", Severity::error, "A negated condition on a key that may be absent has no Null guard",
      "StringNotEquals, ArnNotLike and their kin are true when the request lacks the key, also with IfExists. A "
      "Deny "
      "on bedrock:InferenceProfileArn then denies calls without a profile, and the check on the profile itself.",
      "Add \"Null\": {\"bedrock:InferenceProfileArn\": \"false\"} beside it."},
     look_for_missing_null_guard},
    {{"wildcard-in-equals", Severity::error, "An operator without wildcards is given one",
      "StringEquals and StringNotEquals compare '*' and '?' as they stand.",
      "Use StringLike or StringNotLike, or ArnLike for ARNs."},
     look_for_wildcard_in_equals},
    {{"set-operator-on-single-value", Severity::warning, "ForAllValues on a key that has one value",
      "ForAllValues is true when the key is absent: an Allow grants more than it says, a Deny denies more.",
      "Leave ForAllValues away."},
     look_for_set_operator},
    {{"never-matches", Severity::error, "A resource of a statement can never match under its conditions",
      "Each check of a call has one Region and one resource: a model in another Region, or without one, is not "
      "checked with the source's aws:RequestedRegion, and a profile is checked without "
      "bedrock:InferenceProfileArn.",
      "Put the resource into a statement whose conditions fit it."},
     look_for_never_matching},
    {{"wildcard-models", Severity::warning, "A grant covers every model or every profile",
      "It covers models that come later, and Global profiles, which may run anywhere.",
      "Name profiles and models; `portolan policy generate` writes the least that is needed."},
     look_for_wildcard_models},
    {{"models-not-pinned", Severity::warning, "Models of a profile can also be called past it",
      "Without a condition on bedrock:InferenceProfileArn the grant of the model, which the profile needs, also "
      "allows to call the model by its bare id.",
      "Add the condition, with the profile's ARN."},
     look_for_unpinned_models},
    {{"global-beside-geographic", Severity::warning, "Geographic intent is contradicted by a Global grant",
      "A principal that may use a model in one geography and the same model anywhere is not kept in the geography.",
      "Keep the grant that is meant."},
     look_for_global_beside_geographic},
    {{"streams-not-denied", Severity::warning, "A denial of inference forgets streamed calls",
      "InvokeModelWithResponseStream is an action of its own.", "Deny bedrock:InvokeModel*."},
     look_for_forgotten_streams},
});

constexpr auto rule_texts = [] {
  std::array<RuleText, rules.size()> texts{};
  for (std::size_t i = 0; i < rules.size(); ++i) texts[i] = rules[i].text;
  return texts;
}();

/// An Allow of everything, as AWS attaches it, or as a principal for a lone SCP needs it.
PolicyPointer allow_of_everything(std::string name, iam::PolicyKind kind) {
  iam::Statement statement;
  statement.effect = iam::Effect::allow;
  statement.actions.push_back({.written = "*"});
  statement.resources.push_back({.text = iam::Text::compile("*", false)});
  if (kind == iam::PolicyKind::resource_control) {
    statement.has_principal = true;
    statement.principals.push_back({.type = iam::PrincipalPattern::Type::any, .text = "*"});
  }
  return std::make_shared<const Policy>(
      Policy{.name = std::move(name),
             .document = {.kind = kind, .has_variables = true, .id = {}, .statements = {std::move(statement)}}});
}

/// The accounts that the document's own ARNs name, or AWS's for examples.
std::set<std::string> accounts_in(const iam::Document& document) {
  std::set<std::string> accounts;
  const auto add = [&](const std::string& text) {
    const std::optional<BedrockArn> arn = bedrock_arn(text);
    if (arn && arn->account.size() == 12 && std::ranges::all_of(arn->account, base::is_digit))
      accounts.emplace(arn->account);
  };
  for (const iam::Statement& statement : document.statements) {
    for (const iam::ResourcePattern& resource : statement.resources) add(resource.text.written());
    for (const iam::Condition& condition : statement.conditions)
      for (const iam::Text& value : condition.values) add(value.written());
  }
  if (accounts.empty()) accounts.emplace("111122223333");
  return accounts;
}

}  // namespace

std::string_view name(Severity severity) {
  switch (severity) {
    case Severity::note:
      return "note";
    case Severity::warning:
      return "warning";
    case Severity::error:
      return "error";
  }
  return "";
}

std::span<const RuleText> lint_rules() {
  return rule_texts;
}

std::vector<Finding> lint(const Organization& organization, const domain::Catalog& catalog) {
  const LintSubject subject(organization, catalog);
  std::vector<Finding> findings;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    LintReport report(subject, rule_texts[i], findings);
    rules[i].look(subject, report);
  }
  std::ranges::sort(findings, [](const Finding& a, const Finding& b) {
    return std::tie(a.file, a.place.line, a.place.column, a.rule) <
           std::tie(b.file, b.place.line, b.place.column, b.rule);
  });
  return findings;
}

base::Result<std::vector<Finding>> lint_document(const std::string& file, const std::string& text,
                                                 iam::PolicyKind kind, const domain::Catalog& catalog) {
  std::vector<iam::Notice> notices;
  TRY(iam::Document document, iam::parse_document(text, kind, notices));
  const std::set<std::string> accounts = accounts_in(document);
  const auto policy = std::make_shared<const Policy>(Policy{.name = file, .document = std::move(document)});

  Organization organization;
  organization.files.emplace(file, text);
  const Attachments everything{
      .service_control = {allow_of_everything(std::string{full_access_scp}, iam::PolicyKind::service_control)},
      .resource_control = {allow_of_everything(std::string{full_access_rcp}, iam::PolicyKind::resource_control)}};
  organization.root = everything;
  Policies identity;
  switch (kind) {
    case iam::PolicyKind::identity:
    case iam::PolicyKind::permission_boundary:
    case iam::PolicyKind::session:
      identity = {policy};
      break;
    case iam::PolicyKind::service_control:
      organization.root.service_control.push_back(policy);
      break;
    case iam::PolicyKind::resource_control:
      organization.root.resource_control.push_back(policy);
      break;
    case iam::PolicyKind::listener:
    case iam::PolicyKind::resource:
      organization.listeners["default"] = policy;
      break;
  }
  if (identity.empty()) identity = {allow_of_everything("AdministratorAccess", iam::PolicyKind::identity)};
  for (const std::string& account : accounts) {
    organization.accounts.emplace(account, Account{.id = account, .name = {}, .unit = {}, .attached = everything});
    const std::string arn = "arn:aws:iam::" + account + ":role/lint";
    organization.principals.emplace(arn, Principal{.arn = arn, .tags = {}, .identity = identity, .boundary = {}});
  }
  return lint(organization, catalog);
}

}  // namespace portolan::policy
