// SPDX-License-Identifier: Apache-2.0
// Rules on calls that a grant means to allow, and that are denied all the same: what stands in the way.
#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "policy/lint_subject.h"

namespace portolan::policy {
namespace {

using iam::Condition;
using iam::Outcome;
using iam::PolicyKind;
using iam::Statement;
using Part = Check::Part;

/// What denies the call as AWS would name it; null when it is allowed.
const Ruling* obstacle_of(const IntendedCall& call) {
  return call.judgement.denied_by < 0 ? nullptr
                                      : &call.judgement.rulings[static_cast<std::size_t>(call.judgement.denied_by)];
}

const Condition* region_condition(const Statement& statement) {
  const auto found = std::ranges::find_if(statement.conditions, [](const Condition& condition) {
    return condition.key_lower == requested_region_key && condition.op != iam::Operator::null;
  });
  return found == statement.conditions.end() ? nullptr : &*found;
}

/// Control Tower Guide, "Region deny control": its landing zone's SCP, and what is written after its pattern.
bool is_control_tower_deny(const Statement& statement) {
  const Condition* condition = region_condition(statement);
  if (!statement.not_action || condition == nullptr || !iam::negated(condition->op)) return false;
  return statement.sid == "GRREGIONDENY" || std::ranges::any_of(statement.conditions, [](const Condition& other) {
           return other.key_lower == "aws:principalarn" &&
                  std::ranges::any_of(other.values, [](const iam::Text& value) {
                    return value.written().contains("AWSControlTower");
                  });
         });
}

/// Denies Global inference and nothing else: that is no accident.
bool denies_global_by_name(const Statement& statement) {
  const Condition* condition = region_condition(statement);
  return condition != nullptr && is_positive(*condition) &&
         std::ranges::all_of(condition->values,
                             [](const iam::Text& value) { return value.written() == unspecified_region; });
}

/// An explicit deny by Region, of a Region that the caller did not name.
enum class RegionDeny : std::uint8_t { none, of_global, of_destination };
RegionDeny region_deny(const IntendedCall& call, const domain::Catalog& catalog) {
  const Ruling* obstacle = obstacle_of(call);
  if (obstacle == nullptr || obstacle->decision.outcome != Outcome::explicit_deny ||
      obstacle->statement == nullptr || region_condition(*obstacle->statement) == nullptr)
    return RegionDeny::none;
  if (obstacle->check.part == Part::global_model) return RegionDeny::of_global;
  const bool is_elsewhere = obstacle->check.requested_region != catalog.region(call.source).name;
  return obstacle->check.part == Part::destination && is_elsewhere ? RegionDeny::of_destination : RegionDeny::none;
}

std::string described(const IntendedCall& call, const domain::Catalog& catalog) {
  return fmt::format("{} from {}", call.id(), catalog.region(call.source).name);
}

/// For the end of a sentence: who is hit.
std::string granted_to(const IntendedCall& call) {
  return call.is_named ? fmt::format(", which {} grants to {}", call.grant.policy->name, call.principal->arn) : "";
}

bool is_asked_for_by_name(const IntendedCall& call) {
  return std::ranges::any_of(call.grant.statement->actions, [&](const iam::ActionPattern& action) {
    return iam::equals_ignoring_case(action.written, call.action);
  });
}

bool is_of_same_grant(const IntendedCall& a, const IntendedCall& b) {
  return a.principal == b.principal && a.grant.statement == b.grant.statement && a.is_named == b.is_named;
}

/// An error when the grant says just this, or when nothing of it is left; else it may be what wildcards bring
/// along.
Severity severity_for(const LintSubject& subject, const IntendedCall& call) {
  if (!call.is_named) return Severity::warning;
  if (call.is_exact && is_asked_for_by_name(call)) return Severity::error;
  const bool some_left = std::ranges::any_of(subject.calls_of(*call.principal), [&](const IntendedCall& other) {
    return is_of_same_grant(call, other) && other.profile == call.profile && other.model == call.model &&
           other.judgement.is_allowed();
  });
  return some_left ? Severity::warning : Severity::error;
}

/// Whether a grant of any profile, in the words of an ARN, lets no call through.
bool is_useless_wildcard(const LintSubject& subject, const IntendedCall& call) {
  return !call.is_named && bedrock_arn(call.granted).has_value() &&
         std::ranges::none_of(subject.calls_of(*call.principal), [&](const IntendedCall& other) {
           return is_of_same_grant(call, other) && other.judgement.is_allowed();
         });
}

template <class Visit>
void for_each_statement(const Policies& policies, Visit visit) {
  for (const PolicyPointer& policy : policies) {
    std::size_t number = 0;
    for (const Statement& statement : policy->document.statements)
      visit(StatementInSet{policy.get(), &statement, ++number});
  }
}

/// Application profiles and their like: which models they stand for is not in the set.
bool may_use_other_profiles(const Principal& principal) {
  bool may = false;
  for_each_statement(principal.identity, [&](const StatementInSet& at) {
    for (const iam::ResourcePattern& resource : at.statement->resources) {
      const std::optional<BedrockArn> arn = bedrock_arn(resource.text.written());
      may = may || (at.is_allow() && arn && arn->type != "foundation-model" && arn->type != "inference-profile");
    }
  });
  return may;
}

/// The model that a resource names where it cannot be called by its bare id; null for every other resource.
const domain::Model* model_for_profiles_only(const domain::Catalog& catalog, std::string_view resource) {
  const std::optional<BedrockArn> arn = bedrock_arn(resource);
  if (!arn || arn->type != "foundation-model") return nullptr;
  const domain::Model* model = catalog.find_model(arn->id);
  if (model == nullptr) return nullptr;
  for (const domain::RegionIndex region : model->in_region)
    if (iam::like(arn->region, catalog.region(region).name)) return nullptr;
  return model;
}

bool may_use_profile_of(const LintSubject& subject, const Principal& principal, const domain::Model& model) {
  return std::ranges::any_of(subject.calls_of(principal), [&](const IntendedCall& call) {
    return call.profile != nullptr && (call.model == &model || !call.is_named);
  });
}

/// Where the obstacle stands.
StatementInSet place_of_obstacle(const Ruling& obstacle) {
  const auto& statements = obstacle.policy->document.statements;
  return {obstacle.policy, obstacle.statement,
          static_cast<std::size_t>(obstacle.statement - statements.data()) + 1};
}

std::vector<std::string> regions_denied_by(const IntendedCall& call, const Statement* statement) {
  std::vector<std::string> regions;
  for (const Ruling& ruling : call.judgement.rulings)
    if (ruling.denies() && ruling.statement == statement) regions.push_back(ruling.check.requested_region);
  return regions;
}

/// `at_key`: where a finding on a denial by Region points to.
const std::string& region_key_of(const Statement& statement) {
  return region_condition(statement)->key;
}

/// A level of the organisation as a ruling names it.
const Policies& policies_at(const Organization& organization, std::string_view level, PolicyKind kind) {
  const Attachments* attached = &organization.root;
  constexpr std::string_view unit_word = "unit ";
  constexpr std::string_view account_word = "account ";
  if (level.starts_with(unit_word)) {
    if (const auto unit = organization.units.find(level.substr(unit_word.size())); unit != organization.units.end())
      attached = &unit->second.attached;
  } else if (level.starts_with(account_word)) {
    if (const auto account = organization.accounts.find(level.substr(account_word.size()));
        account != organization.accounts.end())
      attached = &account->second.attached;
  }
  return kind == PolicyKind::resource_control ? attached->resource_control : attached->service_control;
}

/// Which of the call's checks pass a policy, and which do not.
struct Passing {
  std::vector<std::string> passed;
  std::vector<std::string> stopped;
  bool in_part() const { return !passed.empty() && !stopped.empty(); }
};
Passing passing(const LintSubject& subject, const IntendedCall& intended, const Policy& policy) {
  Passing result;
  const auto in_force = InForce::of(subject.usual(), intended.caller);
  if (!in_force) return result;
  const InferenceCall call = call_of(intended);
  for (const Check& check : checks_of(call, Mode::strict, subject.catalog())) {
    const iam::Context context = context_of(call, check, subject.usual(), *in_force);
    const iam::Request request{
        .principal = call.principal, .action = call.action, .resource = check.resource, .context = &context};
    bool allowed = false;
    bool denied = false;
    for (const Statement& statement : policy.document.statements)
      if (iam::matches(statement, request)) (statement.effect == iam::Effect::allow ? allowed : denied) = true;
    (allowed && !denied ? result.passed : result.stopped).push_back(check.resource);
  }
  return result;
}

void report_part(LintReport& report, const Policy& policy, const IntendedCall& call, const Passing& found) {
  report.add({&policy, &policy.document.statements.front(), 1}, "",
             fmt::format("it lets {} pass and not {}, and {} needs both", found.passed.front(),
                         found.stopped.front(), call.id()),
             "allow the profile and every model ARN that the call is checked on, as `portolan policy generate` "
             "writes them");
}

}  // namespace

void look_for_blocked_global(const LintSubject& subject, LintReport& report) {
  for (const IntendedCall& call : subject.calls()) {
    if (region_deny(call, subject.catalog()) != RegionDeny::of_global) continue;
    const Ruling& obstacle = *obstacle_of(call);
    const Statement& statement = *obstacle.statement;
    if (is_control_tower_deny(statement) || (!call.is_named && denies_global_by_name(statement))) continue;
    const bool is_list_of_allowed = iam::negated(region_condition(statement)->op);
    report.add(place_of_obstacle(obstacle), region_key_of(statement),
               fmt::format("it denies {}{}: a Global call is also checked for aws:RequestedRegion \"unspecified\"",
                           described(call, subject.catalog()), granted_to(call)),
               is_list_of_allowed ? "add \"unspecified\" to the list, or deny Global inference in a statement that "
                                    "says so (`portolan policy generate --deny global`)"
                                  : "take \"unspecified\" out of the list",
               severity_for(subject, call));
  }
}

void look_for_blocked_destination(const LintSubject& subject, LintReport& report) {
  for (const IntendedCall& call : subject.calls()) {
    if (region_deny(call, subject.catalog()) != RegionDeny::of_destination) continue;
    const Ruling& obstacle = *obstacle_of(call);
    const Statement& statement = *obstacle.statement;
    if (is_control_tower_deny(statement)) continue;
    const std::vector<std::string> regions = regions_denied_by(call, &statement);
    report.add(
        place_of_obstacle(obstacle), region_key_of(statement),
        fmt::format("it denies {}, a destination of {}{}; one denied destination denies every call",
                    fmt::join(regions, ", "), described(call, subject.catalog()), granted_to(call)),
        fmt::format("{} {}, or deny the profile itself",
                    iam::negated(region_condition(statement)->op) ? "add to the list" : "take out of the list",
                    fmt::join(regions, ", ")),
        severity_for(subject, call));
  }
}

void look_for_control_tower_deny(const LintSubject& subject, LintReport& report) {
  for (const IntendedCall& call : subject.calls()) {
    const Ruling* obstacle = obstacle_of(call);
    if (obstacle == nullptr || obstacle->statement == nullptr || !is_control_tower_deny(*obstacle->statement))
      continue;
    if (!call.is_named && region_deny(call, subject.catalog()) == RegionDeny::none) continue;
    report.add(place_of_obstacle(*obstacle), region_key_of(*obstacle->statement),
               fmt::format("the Region deny of Control Tower denies {} ({}){}", described(call, subject.catalog()),
                           fmt::join(regions_denied_by(call, obstacle->statement), ", "), granted_to(call)),
               "hand-edits of it are drift: exempt bedrock:* by the unit's own control (CT.MULTISERVICE.PV.1), and "
               "limit Bedrock by an SCP of your own (`portolan policy generate --deny regions`)",
               severity_for(subject, call));
  }
}

void look_for_profile_without_models(const LintSubject& subject, LintReport& report) {
  for (const IntendedCall& call : subject.calls()) {
    const Ruling* obstacle = obstacle_of(call);
    if (obstacle == nullptr || call.profile == nullptr || obstacle->decision.outcome != Outcome::implicit_deny ||
        obstacle->decision.by.kind != PolicyKind::identity)
      continue;
    const bool is_useless = is_useless_wildcard(subject, call);
    if (!call.is_named && !is_useless) continue;
    std::vector<std::string> missing;
    for (const Ruling& ruling : call.judgement.rulings)
      if (ruling.denies()) missing.push_back(ruling.check.resource);
    report.add(
        call.grant, call.granted,
        fmt::format("{} of {} is granted from {}, and these checks of the same call are not: {}", call.action,
                    call.profile->id, subject.catalog().region(call.source).name, fmt::join(missing, ", ")),
        "grant the models as well, with a condition on bedrock:InferenceProfileArn; `portolan policy generate` "
        "writes both",
        is_useless ? Severity::error : severity_for(subject, call));
  }
}

void look_for_models_without_profile(const LintSubject& subject, LintReport& report) {
  for (const LonelyPin& pin : subject.lonely_pins())
    report.add(pin.grant, pin.pinned,
               fmt::format("models are granted through {}, and no policy of {} grants that profile", pin.pinned,
                           pin.principal->arn),
               "grant the profile's ARN in the source Region as well");
  for (const Principal* principal : subject.principals()) {
    if (may_use_other_profiles(*principal)) continue;
    for_each_statement(principal->identity, [&](const StatementInSet& at) {
      if (!at.is_allow() || !covers_inference(*at.statement) ||
          positive_condition(*at.statement, profile_arn_key) != nullptr)
        return;
      for (const iam::ResourcePattern& resource : at.statement->resources)
        if (const domain::Model* model = model_for_profiles_only(subject.catalog(), resource.text.written());
            model != nullptr && !may_use_profile_of(subject, *principal, *model))
          report.add(at, resource.text.written(),
                     fmt::format("{} is offered there through profiles only, and no policy of {} grants one",
                                 model->id, principal->arn),
                     "grant a profile of the model; `portolan policy generate` writes it");
    });
  }
}

void look_for_shadowing_deny(const LintSubject& subject, LintReport& report) {
  for (const IntendedCall& call : subject.calls()) {
    const Ruling* obstacle = obstacle_of(call);
    if (obstacle == nullptr || !call.is_named || obstacle->decision.outcome != Outcome::explicit_deny ||
        obstacle->statement == nullptr || is_control_tower_deny(*obstacle->statement) ||
        region_deny(call, subject.catalog()) != RegionDeny::none || severity_for(subject, call) != Severity::error)
      continue;
    report.add(
        call.grant, call.granted,
        fmt::format("{} of {} is granted, and {} of {} denies it", call.action, described(call, subject.catalog()),
                    statement_name(*obstacle->statement, place_of_obstacle(*obstacle).number),
                    obstacle->policy->name),
        "remove the grant, or narrow the Deny");
  }
}

void look_for_level_without_allow(const LintSubject& subject, LintReport& report) {
  for (const IntendedCall& call : subject.calls()) {
    const Ruling* obstacle = obstacle_of(call);
    if (obstacle == nullptr || !call.is_named || obstacle->decision.outcome != Outcome::implicit_deny) continue;
    const PolicyKind kind = obstacle->decision.by.kind;
    if (kind != PolicyKind::service_control && kind != PolicyKind::resource_control) continue;
    const Policies& attached = policies_at(subject.organization(), obstacle->level, kind);
    const auto file =
        std::ranges::find_if(attached, [](const auto& policy) { return !policy->is_managed_by_aws(); });
    report.add_at(
        file == attached.end() ? std::string{organization_file} : (*file)->name,
        file == attached.end() ? iam::Place{} : (*file)->document.statements.front().place, "",
        fmt::format("no {} at {} allows {} on {}, so {} is denied{}", iam::name(kind), obstacle->level, call.action,
                    obstacle->check.resource, described(call, subject.catalog()), granted_to(call)),
        "every level from the root to the account needs an Allow: attach FullAWSAccess there, or list the action",
        severity_for(subject, call));
  }
}

void look_for_part_of_a_call(const LintSubject& subject, LintReport& report) {
  for (const IntendedCall& call : subject.calls()) {
    if (!call.is_named) continue;
    if (const PolicyPointer& boundary = call.principal->boundary; boundary != nullptr)
      if (const Passing found = passing(subject, call, *boundary); found.in_part())
        report_part(report, *boundary, call, found);
    for (const auto* doors : {&subject.usual().session_policies, &subject.usual().listeners})
      for (const auto& [door, policy] : *doors)
        if (policy != nullptr)
          if (const Passing found = passing(subject, call, *policy); found.in_part())
            report_part(report, *policy, call, found);
  }
}

}  // namespace portolan::policy
