// SPDX-License-Identifier: Apache-2.0
#include "policy/alike.h"

#include <algorithm>
#include <fmt/format.h>
#include <unordered_map>

#include "policy/cross_region.h"

namespace portolan::policy {
namespace {

bool reads_who_calls(std::string_view key_lower) {
  return key_lower.starts_with("aws:principal") || key_lower == "aws:username" || key_lower == "aws:userid";
}

/// What of a document depends on who calls.
struct WhoMatters {
  std::vector<const iam::Condition*> conditions;  // that read it as their key, and nothing by variables
  bool tells_each_apart = false;                  // by its name: a Principal element, or a variable
};

WhoMatters who_matters_in(const iam::Document& document) {
  const auto has_variable = [](const iam::Text& text) {
    return std::ranges::any_of(text.variables(), reads_who_calls);
  };
  WhoMatters found;
  for (const iam::Statement& statement : document.statements) {
    found.tells_each_apart |= statement.not_principal;
    for (const iam::PrincipalPattern& pattern : statement.principals)
      found.tells_each_apart |= pattern.type != iam::PrincipalPattern::Type::any && pattern.text != "*";
    for (const iam::ResourcePattern& resource : statement.resources)
      found.tells_each_apart |= has_variable(resource.text);
    for (const iam::Condition& condition : statement.conditions) {
      found.tells_each_apart |= std::ranges::any_of(condition.values, has_variable);
      const bool has_others =
          std::ranges::any_of(condition.values, [](const iam::Text& value) { return !value.variables().empty(); });
      if (!reads_who_calls(condition.key_lower)) continue;
      if (has_others)
        found.tells_each_apart = true;
      else
        found.conditions.push_back(&condition);
    }
  }
  return found;
}

class Kinds {
 public:
  explicit Kinds(const Organization& organization) : organization_(organization) {}

  /// Equal for principals that are alike.
  std::string kind_of(const Principal& principal) {
    std::string arn = representative_of(principal);
    const auto name = principal_name(arn);
    const auto in_force = InForce::of(organization_, arn);
    if (!name || !in_force) return arn;
    std::string kind =
        fmt::format("{} {} {} {}{}\n", name->partition, name->account, name->type,
                    is_service_linked_role(arn) ? "of a service" : "", principal.is_pattern() ? "many" : "");
    for (const auto& [key, value] : principal.tags)
      kind += fmt::format("{} {}:{}{}\n", key.size(), value.size(), key, value);
    for (const PolicyPointer& policy : principal.identity)
      kind += fmt::format("{} ", static_cast<const void*>(policy.get()));
    kind += fmt::format("| {}\n", static_cast<const void*>(principal.boundary.get()));
    const iam::Context context = context_of({.principal = arn, .account = {}, .target = {}, .request = {}}, Check{},
                                            organization_, *in_force);
    bool tells_each_apart = false;
    const auto look_at = [&](const iam::Document& document) {
      const WhoMatters& who = who_matters(document);
      tells_each_apart |= who.tells_each_apart;
      for (const iam::Condition* condition : who.conditions) kind += condition->holds(context) ? '1' : '0';
    };
    for_each_document(in_force->policies(), look_at);
    for (const auto* named : {&organization_.session_policies, &organization_.listeners})
      for (const auto& [door, policy] : *named)
        if (policy != nullptr) look_at(policy->document);
    return tells_each_apart ? arn : kind;
  }

 private:
  template <class Visit>
  static void for_each_document(const iam::PolicySet& set, Visit visit) {
    for (const auto* documents : {&set.identity, &set.boundaries})
      for (const iam::Document* document : *documents) visit(*document);
    for (const auto* levels : {&set.service_control, &set.resource_control})
      for (const iam::Level& level : *levels)
        for (const iam::Document* document : level.documents) visit(*document);
  }

  const WhoMatters& who_matters(const iam::Document& document) {
    const auto [found, is_new] = who_matters_.try_emplace(&document);
    if (is_new) found->second = who_matters_in(document);
    return found->second;
  }

  const Organization& organization_;
  std::unordered_map<const iam::Document*, WhoMatters> who_matters_;
};

}  // namespace

std::string representative_of(const Principal& principal) {
  std::string arn = principal.arn;
  if (principal.is_pattern()) arn.replace(arn.size() - 1, 1, "somebody");
  return arn;
}

std::map<const Principal*, const Principal*> first_alike(const Organization& organization) {
  Kinds kinds(organization);
  std::unordered_map<std::string, const Principal*> first;
  std::map<const Principal*, const Principal*> alike;
  for (const auto& [arn, principal] : organization.principals)
    alike.emplace(&principal, first.try_emplace(kinds.kind_of(principal), &principal).first->second);
  return alike;
}

}  // namespace portolan::policy
