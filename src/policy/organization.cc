// SPDX-License-Identifier: Apache-2.0
#include "policy/organization.h"

#include <algorithm>
#include <fmt/format.h>

#include "domain/nearest.h"
#include "iam/arn.h"

namespace portolan::policy {
namespace {

template <class Map>
std::string no_such_target(std::string_view what, std::string_view name, const Map& known) {
  std::vector<std::string_view> names;
  for (const auto& [key, value] : known) names.push_back(key);
  return fmt::format("the set has no {} \"{}\"{}", what, name,
                     domain::did_you_mean(domain::nearest_name(name, names)));
}

/// Where SCPs and RCPs are attached: the root, a unit or an account.
base::Result<Attachments*> attachments_of(Organization& organization, const std::string& target) {
  if (target == "root") return &organization.root;
  if (const auto unit = organization.units.find(target); unit != organization.units.end())
    return &unit->second.attached;
  if (const auto account = organization.accounts.find(target); account != organization.accounts.end())
    return &account->second.attached;
  const bool is_account = target.size() == 12 && target.find_first_not_of("0123456789") == std::string::npos;
  return base::fail(base::Code::usage, is_account ? no_such_target("account", target, organization.accounts)
                                                  : no_such_target("unit", target, organization.units));
}

base::Result<Principal*> principal_entry(Organization& organization, const std::string& arn) {
  const auto found = organization.principals.find(arn);
  if (found != organization.principals.end()) return &found->second;
  return base::fail(base::Code::usage, no_such_target("principal", arn, organization.principals));
}

/// True when the document was there.
bool take_away(Policies& policies, std::string_view name) {
  return std::erase_if(policies, [&](const PolicyPointer& policy) { return policy->name == name; }) != 0;
}

bool take_away(Attachments& attached, std::string_view name) {
  const bool was_scp = take_away(attached.service_control, name);
  return take_away(attached.resource_control, name) || was_scp;
}

}  // namespace

std::optional<PrincipalName> principal_name(std::string_view arn) {
  const std::optional<iam::Arn> parts = iam::split_arn(arn);
  if (!parts || parts->resource.empty() || !(parts->service == "iam" || parts->service == "sts"))
    return std::nullopt;
  PrincipalName name{.partition = parts->partition, .account = parts->account};
  std::string_view rest = parts->resource;
  const std::size_t slash = rest.find('/');
  name.type = rest.substr(0, slash);
  if (slash == std::string_view::npos) return name;
  rest.remove_prefix(slash + 1);
  if (name.type == "assumed-role") {
    const std::size_t end = rest.find('/');
    name.name = rest.substr(0, end);
    if (end != std::string_view::npos) name.session = rest.substr(end + 1);
  } else {
    name.name = rest.substr(rest.rfind('/') + 1);  // npos + 1: all of it
  }
  return name;
}

// A session's name and a user's path may hold colons and slashes: only the beginning of the sixth part counts.
bool is_service_linked_role(std::string_view arn) {
  const std::optional<iam::Arn> parts = iam::split_arn(arn);
  return parts && parts->service == "iam" && parts->resource.starts_with("role/aws-service-role/");
}

const Principal* Organization::find_principal(std::string_view arn) const {
  if (const auto exact = principals.find(arn); exact != principals.end()) return &exact->second;
  const std::optional<PrincipalName> asked = principal_name(arn);
  // A session's ARN does not tell its role's path. Names of roles are unique in an account without it.
  const bool is_session = asked && asked->type == "assumed-role";
  const std::string role_arn =
      is_session ? fmt::format("arn:{}:iam::{}:role/{}", asked->partition, asked->account, asked->name) : "";
  const std::string_view sought = is_session ? std::string_view{role_arn} : arn;
  const Principal* best = nullptr;
  bool path_matters = false;
  for (const auto& [key, principal] : principals) {
    if (!principal.is_pattern()) {
      const std::optional<PrincipalName> entry = is_session ? principal_name(key) : std::nullopt;
      if (entry && entry->type == "role" && entry->account == asked->account && entry->name == asked->name)
        return &principal;
      continue;
    }
    const std::string_view prefix = std::string_view{key}.substr(0, key.size() - 1);
    const std::string_view roles = std::string_view{role_arn}.substr(0, role_arn.rfind('/') + 1);
    if (is_session && prefix.starts_with(roles) && prefix.substr(roles.size()).contains('/')) path_matters = true;
    if (sought.starts_with(prefix) && (best == nullptr || best->arn.size() < key.size())) best = &principal;
  }
  return path_matters ? nullptr : best;
}

std::vector<const Unit*> Organization::units_above(const Account& account) const {
  std::vector<const Unit*> above;
  for (std::size_t end = 0; end < account.unit.size();) {
    end = std::min(account.unit.find('/', end + 1), account.unit.size());
    if (const auto unit = units.find(std::string_view{account.unit}.substr(0, end)); unit != units.end())
      above.push_back(&unit->second);
  }
  return above;
}

base::Result<Organization> with_policy(const Organization& from, const Change& change) {
  Organization changed = from;
  switch (change.kind) {
    case iam::PolicyKind::service_control: {
      TRY(Attachments * attached, attachments_of(changed, change.target));
      attached->service_control.push_back(change.policy);
      break;
    }
    case iam::PolicyKind::resource_control: {
      TRY(Attachments * attached, attachments_of(changed, change.target));
      attached->resource_control.push_back(change.policy);
      break;
    }
    case iam::PolicyKind::identity: {
      TRY(Principal * principal, principal_entry(changed, change.target));
      principal->identity.push_back(change.policy);
      break;
    }
    case iam::PolicyKind::permission_boundary: {
      TRY(Principal * principal, principal_entry(changed, change.target));
      principal->boundary = change.policy;
      break;
    }
    case iam::PolicyKind::session:
      changed.session_policies.insert_or_assign(change.target, change.policy);
      break;
    case iam::PolicyKind::listener:
      changed.listeners.insert_or_assign(change.target, change.policy);
      break;
    case iam::PolicyKind::resource:
      return base::fail(base::Code::usage, "profiles and models have no policies of their own to add one to");
  }
  return changed;
}

base::Result<Organization> without_policy(const Organization& from, std::string_view name) {
  Organization changed = from;
  bool found = take_away(changed.root, name);
  for (auto& [path, unit] : changed.units) found = take_away(unit.attached, name) || found;
  for (auto& [id, account] : changed.accounts) found = take_away(account.attached, name) || found;
  for (auto& [arn, principal] : changed.principals) {
    found = take_away(principal.identity, name) || found;
    if (principal.boundary == nullptr || principal.boundary->name != name) continue;
    principal.boundary = nullptr;
    found = true;
  }
  for (auto* named : {&changed.session_policies, &changed.listeners})
    for (auto& [unused, policy] : *named) {
      if (policy == nullptr || policy->name != name) continue;
      policy = nullptr;
      found = true;
    }
  if (found) return changed;
  return base::fail(base::Code::usage, no_such_target("document", name, from.files));
}

}  // namespace portolan::policy
