// SPDX-License-Identifier: Apache-2.0
#include "policy/in_force.h"

#include <fmt/format.h>

namespace portolan::policy {
namespace {

using iam::PolicyKind;

/// A session's ARN does not tell its role's path, so its entry is asked too.
bool is_service_linked(std::string_view principal, const Principal* entry) {
  return is_service_linked_role(principal) || (entry != nullptr && is_service_linked_role(entry->arn));
}

}  // namespace

void InForce::attach(PolicyKind kind, std::vector<const iam::Document*>& documents, const Policies& policies) {
  std::vector<const Policy*>& named = policies_[static_cast<std::size_t>(kind)].emplace_back();
  for (const PolicyPointer& policy : policies) {
    documents.push_back(&policy->document);
    named.push_back(policy.get());
  }
}

void InForce::attach_level(std::string name, const Attachments& attached) {
  level_names_.push_back(std::move(name));
  set_.service_control.push_back({.name = level_names_.back(), .documents = {}});
  attach(PolicyKind::service_control, set_.service_control.back().documents, attached.service_control);
  set_.resource_control.push_back({.name = level_names_.back(), .documents = {}});
  attach(PolicyKind::resource_control, set_.resource_control.back().documents, attached.resource_control);
}

void InForce::attach_organization(const Organization& organization) {
  const std::vector<const Unit*> above = organization.units_above(*account_);
  level_names_.reserve(above.size() + 2);  // levels hold views of them
  attach_level("root", organization.root);
  for (const Unit* unit : above) attach_level("unit " + unit->path, unit->attached);
  attach_level("account " + account_->id, account_->attached);
}

base::Result<InForce> InForce::of(const Organization& organization, std::string_view principal,
                                  const std::vector<std::string>& session_policies, std::string_view listener) {
  InForce in_force;
  in_force.principal_ = organization.find_principal(principal);
  const std::optional<PrincipalName> name = principal_name(principal);
  const auto account = name ? organization.accounts.find(name->account) : organization.accounts.end();
  if (account != organization.accounts.end()) {
    in_force.account_ = &account->second;
    const bool is_exempt =
        account->first == organization.management_account || is_service_linked(principal, in_force.principal_);
    if (!is_exempt) in_force.attach_organization(organization);
  } else if (name && name->type == "root") {
    // A root user needs no Allow of its own, so the set must give one: it knows nothing of this account.
    in_force.level_names_.reserve(1);
    in_force.attach_level(fmt::format("account {}, which is not in the set", name->account), {});
  }

  if (in_force.principal_ != nullptr) {
    in_force.attach(PolicyKind::identity, in_force.set_.identity, in_force.principal_->identity);
    if (const PolicyPointer& boundary = in_force.principal_->boundary)
      in_force.attach(PolicyKind::permission_boundary, in_force.set_.boundaries, {boundary});
  }
  Policies session;
  for (const std::string& wanted : session_policies) {
    const auto found = organization.session_policies.find(wanted);
    if (found == organization.session_policies.end())
      return base::fail(base::Code::usage, fmt::format("the set has no session policy \"{}\"", wanted));
    if (found->second != nullptr) session.push_back(found->second);
  }
  in_force.attach(PolicyKind::session, in_force.set_.session, session);
  if (!listener.empty()) {
    const auto found = organization.listeners.find(listener);
    if (found == organization.listeners.end())
      return base::fail(base::Code::usage, fmt::format("the set has no listener \"{}\"", listener));
    if (found->second != nullptr)
      in_force.attach(PolicyKind::listener, in_force.set_.listener, Policies{found->second});
  }
  return in_force;
}

const Policy* InForce::policy(const iam::Deciding& by) const {
  if (by.document < 0) return nullptr;
  const auto& levels = policies_[static_cast<std::size_t>(by.kind)];
  return levels.at(by.level < 0 ? 0 : static_cast<std::size_t>(by.level)).at(static_cast<std::size_t>(by.document));
}

const iam::Statement* InForce::statement(const iam::Deciding& by) const {
  return iam::statement_of(set_, by);
}

std::string_view InForce::level(const iam::Deciding& by) const {
  if (by.level < 0) return {};
  return level_names_.at(static_cast<std::size_t>(by.level));
}

}  // namespace portolan::policy
