// SPDX-License-Identifier: Apache-2.0
#include "policy/in_force.h"

#include <fmt/format.h>

namespace portolan::policy {
namespace {

using iam::PolicyKind;

/// What one level says: its first Deny that applies, else its first Allow.
LevelView view_of_level(PolicyKind kind, int level, const std::vector<const iam::Document*>& documents,
                        const iam::Request& request) {
  LevelView view{.by = {.kind = kind, .level = level}};
  for (std::size_t d = 0; d < documents.size(); ++d) {
    const std::vector<iam::Statement>& statements = documents[d]->statements;
    for (std::size_t s = 0; s < statements.size(); ++s) {
      const bool is_deny = statements[s].effect == iam::Effect::deny;
      if (view.outcome == iam::Outcome::allowed && !is_deny) continue;
      if (!iam::matches(statements[s], request)) continue;
      view.by.document = static_cast<int>(d);
      view.by.statement = static_cast<int>(s);
      view.outcome = is_deny ? iam::Outcome::explicit_deny : iam::Outcome::allowed;
      if (is_deny) return view;
    }
  }
  return view;
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

base::Result<InForce> InForce::of(const Organization& organization, std::string_view principal,
                                  const std::vector<std::string>& session_policies, std::string_view listener) {
  InForce in_force;
  in_force.principal_ = organization.find_principal(principal);
  const std::optional<PrincipalName> name = principal_name(principal);
  const auto account = name ? organization.accounts.find(name->account) : organization.accounts.end();
  if (account != organization.accounts.end()) in_force.account_ = &account->second;

  if (in_force.account_ != nullptr && in_force.account_->id != organization.management_account) {
    const std::vector<const Unit*> above = organization.units_above(*in_force.account_);
    in_force.level_names_.reserve(above.size() + 2);  // levels hold views of them
    in_force.attach_level("root", organization.root);
    for (const Unit* unit : above) in_force.attach_level("unit " + unit->path, unit->attached);
    in_force.attach_level("account " + in_force.account_->id, in_force.account_->attached);
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
  const Policy* found = policy(by);
  if (found == nullptr || by.statement < 0) return nullptr;
  return &found->document.statements.at(static_cast<std::size_t>(by.statement));
}

std::string_view InForce::level(const iam::Deciding& by) const {
  if (by.level < 0) return {};
  return level_names_.at(static_cast<std::size_t>(by.level));
}

std::vector<LevelView> levels(const InForce& in_force, const iam::Request& request) {
  std::vector<LevelView> views;
  const iam::PolicySet& set = in_force.policies();
  const auto view_levels = [&](PolicyKind kind, const std::vector<iam::Level>& all) {
    for (std::size_t i = 0; i < all.size(); ++i)
      views.push_back(view_of_level(kind, static_cast<int>(i), all[i].documents, request));
  };
  const auto view_kind = [&](PolicyKind kind, const std::vector<const iam::Document*>& documents, bool always) {
    if (always || !documents.empty()) views.push_back(view_of_level(kind, -1, documents, request));
  };
  view_levels(PolicyKind::resource_control, set.resource_control);
  view_levels(PolicyKind::service_control, set.service_control);
  view_kind(PolicyKind::resource, set.resource, false);
  view_kind(PolicyKind::listener, set.listener, false);
  view_kind(PolicyKind::identity, set.identity, true);
  view_kind(PolicyKind::permission_boundary, set.boundaries, false);
  view_kind(PolicyKind::session, set.session, false);
  return views;
}

}  // namespace portolan::policy
