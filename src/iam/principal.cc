// SPDX-License-Identifier: Apache-2.0
#include "iam/principal.h"

#include <algorithm>

#include "base/bytes.h"
#include "iam/arn.h"

namespace portolan::iam {
namespace {

/// The name of a role without its path: "role/team/app" is app.
std::string_view last_path_part(std::string_view resource) {
  return resource.substr(resource.rfind('/') + 1);
}

bool is_same_account(const Arn& arn, const Caller& caller) {
  return arn.account == caller.account && arn.partition == caller.partition;
}

/// Whether `pattern` is the account of the caller, as id or as the ARN of its root.
bool names_account(const PrincipalPattern& pattern, const Caller& caller) {
  if (pattern.type != PrincipalPattern::Type::aws || caller.account.empty()) return false;
  if (is_account_id(pattern.text)) return pattern.text == caller.account;
  const auto arn = split_arn(pattern.text);
  return arn.has_value() && arn->service == "iam" && arn->resource == "root" && is_same_account(*arn, caller);
}

/// Whether `pattern` is the role of the caller's session. Role names are unique within an account whatever their
/// path, and the ARN of a session has none.
bool names_role(const PrincipalPattern& pattern, const Caller& caller) {
  if (pattern.type != PrincipalPattern::Type::aws || caller.kind != Caller::Kind::session) return false;
  const auto arn = split_arn(pattern.text);
  return arn.has_value() && arn->service == "iam" && arn->resource.starts_with("role/") &&
         is_same_account(*arn, caller) && last_path_part(arn->resource) == caller.role;
}

bool names_everyone(const PrincipalPattern& pattern) {
  return pattern.type == PrincipalPattern::Type::any ||
         (pattern.type == PrincipalPattern::Type::aws && pattern.text == "*");
}

bool names_identity(const PrincipalPattern& pattern, const Caller& caller) {
  switch (pattern.type) {
    case PrincipalPattern::Type::aws:
      return caller.kind == Caller::Kind::root ? names_account(pattern, caller) : pattern.text == caller.arn;
    case PrincipalPattern::Type::service:
      return caller.kind == Caller::Kind::service && pattern.text == caller.arn;
    default:
      return false;
  }
}

Naming naming_by(const PrincipalPattern& pattern, const Caller& caller, const Context& context) {
  if (names_everyone(pattern)) return Naming::identity;
  if (names_identity(pattern, caller)) return caller.kind == Caller::Kind::role ? Naming::role : Naming::identity;
  if (names_role(pattern, caller)) return Naming::role;
  if (pattern.type == PrincipalPattern::Type::federated) {
    const auto provider = context.find("aws:federatedprovider");
    return provider.size() == 1 && provider.front() == pattern.text ? Naming::role : Naming::none;
  }
  return names_account(pattern, caller) ? Naming::account : Naming::none;
}

}  // namespace

Caller Caller::parse(std::string_view principal) {
  Caller caller;
  caller.arn = principal;
  const auto arn = split_arn(principal);
  if (!arn) {
    if (principal.empty() || principal == "*")
      caller.kind = Kind::anonymous;
    else if (principal.contains('.'))
      caller.kind = Kind::service;
    return caller;
  }
  caller.partition = arn->partition;
  if (is_account_id(arn->account)) caller.account = arn->account;
  const std::string_view resource = arn->resource;
  if (arn->service == "iam") {
    if (resource == "root") caller.kind = Kind::root;
    if (resource.starts_with("user/")) caller.kind = Kind::user;
    if (resource.starts_with("role/")) {
      caller.kind = Kind::role;
      caller.role = last_path_part(resource);
    }
  } else if (arn->service == "sts") {
    constexpr std::string_view session_prefix = "assumed-role/";
    if (resource.starts_with("federated-user/")) caller.kind = Kind::federated_user;
    if (resource.starts_with(session_prefix)) {
      caller.kind = Kind::session;
      const std::string_view rest = resource.substr(session_prefix.size());
      caller.role = rest.substr(0, rest.find('/'));
    }
  }
  return caller;
}

Naming naming(const std::vector<PrincipalPattern>& principals, const Caller& caller, const Context& context) {
  Naming closest = Naming::none;
  for (const PrincipalPattern& pattern : principals)
    closest = std::max(closest, naming_by(pattern, caller, context));
  return closest;
}

bool excepted(const std::vector<PrincipalPattern>& principals, const Caller& caller) {
  const auto lists = [&](auto matches) { return std::ranges::any_of(principals, matches); };
  if (lists([](const PrincipalPattern& pattern) { return names_everyone(pattern); })) return true;
  if (!lists([&](const PrincipalPattern& pattern) { return names_identity(pattern, caller); })) return false;
  if (caller.kind == Caller::Kind::session &&
      !lists([&](const PrincipalPattern& pattern) { return names_role(pattern, caller); }))
    return false;
  return caller.account.empty() ||
         lists([&](const PrincipalPattern& pattern) { return names_account(pattern, caller); });
}

bool is_account_id(std::string_view text) {
  return text.size() == 12 && std::ranges::all_of(text, base::is_digit);
}

std::optional<std::string_view> account_of(std::string_view arn) {
  const auto parts = split_arn(arn);
  if (!parts || !is_account_id(parts->account)) return std::nullopt;
  return parts->account;
}

}  // namespace portolan::iam
