// SPDX-License-Identifier: Apache-2.0
#include "iam/evaluate.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/check.h"
#include "iam/principal.h"

namespace portolan::iam {
namespace {

const Context no_context;

const Context& context_of(const Request& request) {
  return request.context == nullptr ? no_context : *request.context;
}

bool matches_action(const Statement& statement, std::string_view action) {
  const bool listed =
      std::ranges::any_of(statement.actions, [&](const ActionPattern& pattern) { return pattern.matches(action); });
  return listed != statement.not_action;
}

/// A variable without a value matches nothing. In NotResource that would leave the statement to everything, so then
/// it applies as a Deny only.
bool matches_resource(const Statement& statement, std::string_view resource, const Context& context) {
  if (statement.resources.empty()) return true;  // of a resource-based policy: what it is attached to
  bool is_resolved = true;
  std::string scratch;
  for (const ResourcePattern& resource_pattern : statement.resources) {
    const auto pattern = resource_pattern.text.pattern(context, scratch);
    if (pattern && resource_like(*pattern, resource)) return !statement.not_resource;
    is_resolved = is_resolved && pattern.has_value();
  }
  return statement.not_resource && (is_resolved || statement.effect == Effect::deny);
}

/// One request against one set, with what is worked out once.
class Evaluation {
 public:
  Evaluation(const PolicySet& policies, const Request& request)
      : policies_(policies),
        request_(request),
        context_(context_of(request)),
        caller_(Caller::parse(request.principal)),
        across_accounts_(is_across_accounts()) {}

  /// How closely the statement names the caller; none when it does not apply. Without a Principal it speaks of
  /// whoever it is attached to.
  Naming applies(const Statement& statement) const {
    if (!matches_action(statement, request_.action)) return Naming::none;
    const Naming named = named_by(statement);
    if (named == Naming::none) return Naming::none;
    if (!matches_resource(statement, request_.resource, context_)) return Naming::none;
    const bool holds = std::ranges::all_of(statement.conditions,
                                           [&](const Condition& condition) { return condition.holds(context_); });
    return holds ? named : Naming::none;
  }

  /// The first statement of that effect, if any.
  std::optional<Deciding> find(Deciding where, Effect effect) const {
    const auto& documents = documents_of(policies_, where);
    for (std::size_t d = 0; d < documents.size(); ++d) {
      const auto& statements = documents[d]->statements;
      for (std::size_t s = 0; s < statements.size(); ++s) {
        if (statements[s].effect != effect || applies(statements[s]) == Naming::none) continue;
        where.document = static_cast<int>(d);
        where.statement = static_cast<int>(s);
        return where;
      }
    }
    return std::nullopt;
  }

  struct Grant {
    Naming naming = Naming::none;
    Deciding by{.kind = PolicyKind::resource};
  };

  /// The Allow of the resource-based policies that names the caller most closely.
  Grant resource_grant() const {
    Grant best;
    for (std::size_t d = 0; d < policies_.resource.size(); ++d) {
      const auto& statements = policies_.resource[d]->statements;
      for (std::size_t s = 0; s < statements.size(); ++s) {
        if (statements[s].effect != Effect::allow) continue;
        const Naming named = applies(statements[s]);
        if (named <= best.naming) continue;
        best.naming = named;
        best.by.document = static_cast<int>(d);
        best.by.statement = static_cast<int>(s);
      }
    }
    return best;
  }

  bool across_accounts() const { return across_accounts_; }

  /// Calls `visit(Deciding)` for each kind and level that has a say, in the order of the header; stops at false.
  template <class Visit>
  void for_each_place(Visit visit) const {
    const auto levels = [&](PolicyKind kind, std::size_t count) {
      for (std::size_t i = 0; i < count; ++i)
        if (!visit(Deciding{.kind = kind, .level = static_cast<int>(i)})) return false;
      return true;
    };
    if (!levels(PolicyKind::resource_control, policies_.resource_control.size())) return;
    if (!levels(PolicyKind::service_control, policies_.service_control.size())) return;
    constexpr std::array kinds = {PolicyKind::resource, PolicyKind::listener, PolicyKind::identity,
                                  PolicyKind::permission_boundary, PolicyKind::session};
    for (const PolicyKind kind : kinds)
      if (is_asked(kind) && !visit(Deciding{.kind = kind})) return;
  }

  /// Whether a missing Allow there does not matter.
  bool is_waived(PolicyKind kind, const Grant& grant) const {
    const bool is_direct = grant.naming == Naming::identity && !across_accounts_;
    switch (kind) {
      case PolicyKind::resource:
        return !across_accounts_;
      case PolicyKind::identity:
        return is_direct || caller_.kind == Caller::Kind::root ||
               (grant.naming == Naming::role && !across_accounts_);
      case PolicyKind::permission_boundary:
      case PolicyKind::session:
        return is_direct;
      default:
        return false;
    }
  }

 private:
  bool is_across_accounts() const {
    if (caller_.account.empty()) return false;
    if (const auto account = account_of(request_.resource)) return *account != caller_.account;
    const auto owner = context_.find("aws:resourceaccount");
    return owner.size() == 1 && owner.front() != caller_.account;
  }

  Naming named_by(const Statement& statement) const {
    if (!statement.has_principal) return Naming::identity;
    if (!statement.not_principal) return naming(statement.principals, caller_, context_);
    // IAM User Guide, NotPrincipal: with Deny it "will always deny" principals that have a permissions boundary.
    const bool is_let_off = policies_.boundaries.empty() && excepted(statement.principals, caller_);
    return is_let_off ? Naming::none : Naming::identity;
  }

  bool is_asked(PolicyKind kind) const {
    switch (kind) {
      case PolicyKind::resource:
        return across_accounts_ || !policies_.resource.empty();
      case PolicyKind::identity:
        return true;
      case PolicyKind::session:
        return !policies_.session.empty() || caller_.kind == Caller::Kind::federated_user;
      default:
        return !documents_of(policies_, {.kind = kind}).empty();
    }
  }

  const PolicySet& policies_;
  const Request& request_;
  const Context& context_;
  const Caller caller_;
  const bool across_accounts_;
};

}  // namespace

std::string_view name(Outcome outcome) {
  switch (outcome) {
    case Outcome::allowed:
      return "allowed";
    case Outcome::explicit_deny:
      return "explicit_deny";
    case Outcome::implicit_deny:
      return "implicit_deny";
  }
  return "";
}

Decision evaluate(const PolicySet& policies, const Request& request) {
  const Evaluation evaluation(policies, request);
  Decision decision;
  bool decided = false;
  evaluation.for_each_place([&](const Deciding& place) {
    const auto deny = evaluation.find(place, Effect::deny);
    if (!deny) return true;
    decision = {Outcome::explicit_deny, *deny};
    decided = true;
    return false;
  });
  if (decided) return decision;

  const Evaluation::Grant grant = evaluation.resource_grant();
  Deciding granted{.kind = PolicyKind::identity};
  evaluation.for_each_place([&](const Deciding& place) {
    const auto allow = place.kind == PolicyKind::resource
                           ? (grant.naming == Naming::none ? std::nullopt : std::optional(grant.by))
                           : evaluation.find(place, Effect::allow);
    if (!allow && !evaluation.is_waived(place.kind, grant)) {
      decision = {Outcome::implicit_deny, place};
      decided = true;
      return false;
    }
    if (place.kind == PolicyKind::identity && allow) granted = *allow;
    return true;
  });
  if (decided) return decision;
  const bool identity_was_asked = !evaluation.is_waived(PolicyKind::identity, grant);
  if (!identity_was_asked && grant.naming >= Naming::role) granted = grant.by;
  return {Outcome::allowed, granted};
}

std::vector<Step> explain(const PolicySet& policies, const Request& request) {
  const Evaluation evaluation(policies, request);
  const Evaluation::Grant grant = evaluation.resource_grant();
  std::vector<Step> steps;
  evaluation.for_each_place([&](const Deciding& place) {
    Step& step = steps.emplace_back(Step{.by = place});
    if (const auto deny = evaluation.find(place, Effect::deny)) {
      step.by = *deny;
      step.outcome = Outcome::explicit_deny;
    } else if (place.kind == PolicyKind::resource && grant.naming != Naming::none) {
      step.by = grant.by;
      step.outcome = Outcome::allowed;
    } else if (const auto allow = evaluation.find(place, Effect::allow)) {
      step.by = *allow;
      step.outcome = Outcome::allowed;
    } else {
      step.waived = evaluation.is_waived(place.kind, grant);
    }
    return true;
  });
  return steps;
}

const std::vector<const Document*>& documents_of(const PolicySet& policies, const Deciding& by) {
  const auto level = static_cast<std::size_t>(by.level);
  switch (by.kind) {
    case PolicyKind::identity:
      return policies.identity;
    case PolicyKind::permission_boundary:
      return policies.boundaries;
    case PolicyKind::session:
      return policies.session;
    case PolicyKind::resource:
      return policies.resource;
    case PolicyKind::listener:
      return policies.listener;
    case PolicyKind::service_control:
      CHECK(level < policies.service_control.size());
      return policies.service_control[level].documents;
    case PolicyKind::resource_control:
      CHECK(level < policies.resource_control.size());
      return policies.resource_control[level].documents;
  }
  return policies.identity;
}

const Statement* statement_of(const PolicySet& policies, const Deciding& by) {
  if (by.document < 0) return nullptr;
  const auto& documents = documents_of(policies, by);
  return &documents[static_cast<std::size_t>(by.document)]->statements[static_cast<std::size_t>(by.statement)];
}

bool matches(const Statement& statement, const Request& request) {
  static const PolicySet none;
  return Evaluation(none, request).applies(statement) != Naming::none;
}

}  // namespace portolan::iam
