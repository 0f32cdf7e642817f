// SPDX-License-Identifier: Apache-2.0
// Rules on grants that reach further, and denials that reach less far, than what stands beside them.
#include <algorithm>
#include <fmt/format.h>

#include "policy/lint_subject.h"

namespace portolan::policy {
namespace {

using domain::ProfileKind;
using iam::Statement;

bool is_everything(const Statement& statement) {
  return std::ranges::any_of(statement.actions,
                             [](const iam::ActionPattern& action) { return action.written == "*"; });
}

/// The resource by which the statement covers any model, or any profile; null when it covers none but those it
/// names.
const iam::ResourcePattern* resource_for_everything(const Statement& statement, std::string_view type) {
  for (const iam::ResourcePattern& resource : statement.resources) {
    const std::string& pattern = resource.text.written();
    const std::optional<BedrockArn> arn = bedrock_arn(pattern);
    const auto or_else = [](std::string_view part, std::string_view otherwise) {
      return part.empty() || has_wildcard(part) || part.contains("${") ? otherwise : part;
    };
    const std::string_view account = type == "foundation-model" ? "" : "111122223333";
    const std::string canary = fmt::format(
        "arn:aws:bedrock:{}:{}:{}/us.portolan.canary", arn ? or_else(arn->region, "us-east-1") : "us-east-1",
        arn && !account.empty() ? or_else(arn->account, account) : account, type);
    const std::string without_region = fmt::format("arn:aws:bedrock:::{}/us.portolan.canary", type);
    if (iam::resource_like(pattern, canary) || (account.empty() && iam::resource_like(pattern, without_region)))
      return &resource;
  }
  return nullptr;
}

/// Calls of the model by its bare id, in every Region that offers it, that the statement allows.
std::string direct_call(const LintSubject& subject, const IntendedCall& intended, const InForce& in_force,
                        const Statement& statement) {
  const domain::Model& model = *intended.model;
  for (const domain::RegionIndex region : model.in_region) {
    InferenceCall call = call_of(intended);
    call.target = {.profile = nullptr, .model = &model, .source = region, .copy_of = nullptr, .tags = {}};
    for (const Check& check : checks_of(call, Mode::strict, subject.catalog())) {
      const iam::Context context = context_of(call, check, subject.usual(), in_force);
      if (iam::matches(statement, {.principal = call.principal,
                                   .action = call.action,
                                   .resource = check.resource,
                                   .context = &context}))
        return check.resource;
    }
  }
  return {};
}

/// Whether the denial applies to whatever the grant allows.
bool denies_all_of(const Statement& denial, const Statement& grant) {
  if (denial.effect != iam::Effect::deny || !denial.conditions.empty() || denial.not_action ||
      denial.not_resource || grant.not_action || grant.not_resource)
    return false;
  const bool all_actions = std::ranges::all_of(grant.actions, [&](const iam::ActionPattern& granted) {
    return std::ranges::any_of(denial.actions,
                               [&](const iam::ActionPattern& denied) { return denied.matches(granted.written); });
  });
  return all_actions && std::ranges::all_of(grant.resources, [&](const iam::ResourcePattern& granted) {
           return std::ranges::any_of(denial.resources, [&](const iam::ResourcePattern& denied) {
             return iam::resource_like(denied.text.written(), granted.text.written());
           });
         });
}

/// The first policy among identity policies, boundary and SCPs that denies all of the grant; null when none does.
const Policy* policy_denying_all_of(const InForce& in_force, const Statement& grant) {
  const iam::PolicySet& set = in_force.policies();
  const auto among = [&](iam::PolicyKind kind, int level,
                         const std::vector<const iam::Document*>& documents) -> const Policy* {
    for (std::size_t d = 0; d < documents.size(); ++d)
      for (const Statement& statement : documents[d]->statements)
        if (denies_all_of(statement, grant))
          return in_force.policy({.kind = kind, .level = level, .document = static_cast<int>(d), .statement = 0});
    return nullptr;
  };
  for (std::size_t level = 0; level < set.service_control.size(); ++level)
    if (const Policy* policy =
            among(iam::PolicyKind::service_control, static_cast<int>(level), set.service_control[level].documents))
      return policy;
  if (const Policy* policy = among(iam::PolicyKind::identity, -1, set.identity)) return policy;
  return among(iam::PolicyKind::permission_boundary, -1, set.boundaries);
}

}  // namespace

void look_for_wildcard_models(const LintSubject& subject, LintReport& report) {
  for (const StatementInSet& at : subject.statements()) {
    const Statement& statement = *at.statement;
    if (!at.is_allow() || at.kind() != iam::PolicyKind::identity || !covers_inference(statement)) continue;
    const bool is_pinned = positive_condition(statement, profile_arn_key) != nullptr;
    const Severity severity = is_everything(statement) ? Severity::note : report.severity();
    const std::string repair = "name the profiles and their models; `portolan policy generate` writes them";
    if (statement.not_resource) {
      report.add(at, "", "everything but the listed resources is granted, every other model among it", repair,
                 severity);
      continue;
    }
    if (const auto* models = is_pinned ? nullptr : resource_for_everything(statement, "foundation-model"))
      report.add(at, models->text.written(),
                 fmt::format("{} covers every model, also those that will come", models->text.written()), repair,
                 severity);
    else if (const auto* profiles = resource_for_everything(statement, "inference-profile"); profiles && !is_pinned)
      report.add(at, profiles->text.written(),
                 fmt::format("{} covers every profile, Global ones among them", profiles->text.written()), repair,
                 severity);
  }
}

void look_for_unpinned_models(const LintSubject& subject, LintReport& report) {
  const Principal* principal = nullptr;
  std::optional<InForce> in_force;
  for (const IntendedCall& intended : subject.calls()) {
    if (!intended.is_named || intended.profile == nullptr || intended.model->in_region.empty()) continue;
    if (intended.principal != principal) {
      principal = intended.principal;
      auto found = InForce::of(subject.usual(), intended.caller);
      in_force.reset();
      if (found) in_force.emplace(*std::move(found));
    }
    if (!in_force) continue;
    for (const PolicyPointer& policy : principal->identity) {
      std::size_t number = 0;
      for (const Statement& statement : policy->document.statements) {
        ++number;
        if (statement.effect != iam::Effect::allow || !covers(statement, intended.action) ||
            positive_condition(statement, profile_arn_key) != nullptr ||
            resource_for_everything(statement, "foundation-model") != nullptr || statement.not_resource)
          continue;
        const std::string reached = direct_call(subject, intended, *in_force, statement);
        if (reached.empty()) continue;
        report.add({policy.get(), &statement, number}, "",
                   fmt::format("it also allows to call {} directly, past {}", reached, intended.profile->id),
                   R"(add a condition on bedrock:InferenceProfileArn with the ARN of the profile)");
      }
    }
  }
}

void look_for_global_beside_geographic(const LintSubject& subject, LintReport& report) {
  for (const IntendedCall& global : subject.calls()) {
    if (!global.is_named || global.profile == nullptr || global.profile->kind != ProfileKind::global) continue;
    const std::span<const IntendedCall> others = subject.calls_of(*global.principal);
    const auto geographic = std::ranges::find_if(others, [&](const IntendedCall& other) {
      return other.is_named && other.profile != nullptr && other.profile->kind == ProfileKind::geographic &&
             other.model == global.model;
    });
    if (geographic == others.end()) continue;
    report.add(global.grant, global.granted,
               fmt::format("{} keeps the model in a geography, and {} lets the same principal use it anywhere",
                           geographic->profile->id, global.profile->id),
               "keep the one that is meant");
  }
}

void look_for_shadowed_statement(const LintSubject& subject, LintReport& report) {
  for (const Principal* principal : subject.principals()) {
    const auto in_force = InForce::of(subject.usual(), principal->arn);
    if (!in_force || principal->is_pattern()) continue;
    for (const PolicyPointer& policy : principal->identity) {
      std::size_t number = 0;
      for (const Statement& statement : policy->document.statements) {
        ++number;
        if (statement.effect != iam::Effect::allow) continue;
        if (const Policy* denying = policy_denying_all_of(*in_force, statement))
          report.add({policy.get(), &statement, number}, "",
                     fmt::format("{} denies all that it grants to {}", denying->name, principal->arn),
                     "remove the statement, or narrow the Deny");
      }
    }
  }
}

void look_for_forgotten_streams(const LintSubject& subject, LintReport& report) {
  const auto denies_streams = [](const Statement& statement) {
    return statement.effect == iam::Effect::deny && covers(statement, inference_actions_checked[1]);
  };
  for (const StatementInSet& at : subject.statements()) {
    if (at.is_allow() || at.statement->not_action || !covers(*at.statement, inference_actions_checked[0]) ||
        std::ranges::any_of(at.policy->document.statements, denies_streams))
      continue;
    report.add(at, "",
               "InvokeModel is denied and InvokeModelWithResponseStream is not, so streamed calls get through",
               "deny bedrock:InvokeModel*");
  }
}

}  // namespace portolan::policy
