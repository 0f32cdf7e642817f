// SPDX-License-Identifier: Apache-2.0
#include "policy/supposed.h"

#include <algorithm>
#include <map>

namespace portolan::policy {
namespace {

using iam::Condition;
using iam::Statement;

bool reads_unknown(const iam::Text& text, const IsUnknownKey& is_unknown) {
  return std::ranges::any_of(text.variables(), is_unknown);
}

bool reads_unknown(const Condition& condition, const IsUnknownKey& is_unknown) {
  return is_unknown(condition.key_lower) || std::ranges::any_of(condition.values, [&](const iam::Text& value) {
           return reads_unknown(value, is_unknown);
         });
}

bool resources_read_unknown(const Statement& statement, const IsUnknownKey& is_unknown) {
  return std::ranges::any_of(statement.resources, [&](const iam::ResourcePattern& resource) {
    return reads_unknown(resource.text, is_unknown);
  });
}

bool statement_reads_unknown(const Statement& statement, const IsUnknownKey& is_unknown) {
  return resources_read_unknown(statement, is_unknown) ||
         std::ranges::any_of(statement.conditions,
                             [&](const Condition& condition) { return reads_unknown(condition, is_unknown); });
}

void suppose_of(Statement& statement, const IsUnknownKey& is_unknown, Supposition supposition) {
  if (!statement_reads_unknown(statement, is_unknown)) return;
  const bool applies = (statement.effect == iam::Effect::allow) == (supposition == Supposition::best);
  if (!applies) {
    statement.not_action = false;
    statement.actions.clear();
    return;
  }
  std::erase_if(statement.conditions,
                [&](const Condition& condition) { return reads_unknown(condition, is_unknown); });
  if (!resources_read_unknown(statement, is_unknown)) return;
  statement.not_resource = false;
  statement.resources.clear();
  statement.resources.push_back({.text = iam::Text::compile("*", false)});
}

/// Calls `visit` with every place of the set that holds a document.
template <class Set, class Visit>
void for_each_policy(Set& organization, Visit visit) {
  const auto attached = [&](auto& attachments) {
    for (auto& policy : attachments.service_control) visit(policy);
    for (auto& policy : attachments.resource_control) visit(policy);
  };
  attached(organization.root);
  for (auto& [path, unit] : organization.units) attached(unit.attached);
  for (auto& [id, account] : organization.accounts) attached(account.attached);
  for (auto& [arn, principal] : organization.principals) {
    for (auto& policy : principal.identity) visit(policy);
    if (principal.boundary != nullptr) visit(principal.boundary);
  }
  for (auto* named : {&organization.session_policies, &organization.listeners})
    for (auto& [name, policy] : *named)
      if (policy != nullptr) visit(policy);
}

}  // namespace

bool reads_any(const Organization& organization, const IsUnknownKey& is_unknown) {
  bool reads = false;
  std::map<const Policy*, bool> seen;
  for_each_policy(organization, [&](const PolicyPointer& policy) {
    if (reads || !seen.try_emplace(policy.get()).second) return;
    reads = std::ranges::any_of(policy->document.statements, [&](const Statement& statement) {
      return statement_reads_unknown(statement, is_unknown);
    });
  });
  return reads;
}

Organization suppose(Organization organization, const IsUnknownKey& is_unknown, Supposition supposition) {
  std::map<const Policy*, PolicyPointer> supposed;
  for_each_policy(organization, [&](PolicyPointer& policy) {
    PolicyPointer& known = supposed[policy.get()];
    if (known == nullptr) {
      Policy copy = *policy;
      for (Statement& statement : copy.document.statements) suppose_of(statement, is_unknown, supposition);
      known = std::make_shared<const Policy>(std::move(copy));
    }
    policy = known;
  });
  return organization;
}

}  // namespace portolan::policy
