// SPDX-License-Identifier: Apache-2.0
// Rules on conditions: keys that may be absent, wildcards where there are none, statements that nothing can match.
#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "policy/lint_subject.h"

namespace portolan::policy {
namespace {

using iam::Condition;
using iam::Operator;
using iam::Quantifier;
using iam::Statement;

/// Keys of Amazon Bedrock that an ordinary inference call does not have. (bedrock:GuardrailIdentifier is left out:
/// to deny calls without one is what negated conditions on it are for.)
constexpr std::array<std::string_view, 3> absent_from_ordinary_calls = {profile_arn_key, "bedrock:promptrouterarn",
                                                                        "bedrock:servicetier"};

/// IAM User Guide, "AWS global condition context keys": those with several values.
constexpr std::array<std::string_view, 7> multivalued_keys = {
    "aws:calledvia",        "aws:principalorgpaths", "aws:principalservicenameslist",
    "aws:resourceorgpaths", "aws:sourceorgpaths",    "aws:tagkeys",
    "aws:vpceorgpaths"};

bool is_guarded(const Statement& statement, std::string_view key_lower) {
  return std::ranges::any_of(statement.conditions, [&](const Condition& condition) {
    if (condition.key_lower != key_lower) return false;
    if (condition.op != Operator::null) return is_positive(condition);
    return std::ranges::any_of(condition.values, [](const iam::Text& value) { return value.written() == "false"; });
  });
}

/// Whether the statement speaks of profiles whatever their name.
bool reaches_profiles(const Statement& statement) {
  constexpr std::string_view canary = "arn:aws:bedrock:us-east-1:111122223333:inference-profile/us.portolan.canary";
  const bool listed = std::ranges::any_of(statement.resources, [&](const iam::ResourcePattern& resource) {
    return iam::resource_like(resource.text.written(), canary);
  });
  return listed != statement.not_resource;
}

bool is_equality(Operator op) {
  return op == Operator::string_equals || op == Operator::string_not_equals ||
         op == Operator::string_equals_ignore_case || op == Operator::string_not_equals_ignore_case;
}

/// What aws:RequestedRegion can be when a resource with this Region is checked.
std::vector<std::string> requested_regions(const domain::Catalog& catalog, const BedrockArn& arn) {
  if (!has_wildcard(arn.region))
    return {arn.region.empty() ? std::string{unspecified_region} : std::string{arn.region}};
  std::vector<std::string> regions;
  for (const domain::Region& region : catalog.regions())
    if (iam::like(arn.region, region.name)) regions.push_back(region.name);
  if (iam::like(arn.region, "")) regions.emplace_back(unspecified_region);
  return regions;
}

bool may_have_requested_region(const domain::Catalog& catalog, const Statement& statement, const BedrockArn& arn) {
  const std::vector<std::string> regions = requested_regions(catalog, arn);
  return regions.empty() || std::ranges::any_of(regions, [&](const std::string& region) {
           iam::Context context;
           context.set(requested_region_key, region);
           return std::ranges::all_of(statement.conditions, [&](const Condition& condition) {
             return condition.key_lower != requested_region_key || condition.holds(context);
           });
         });
}

/// Whether a model at `arn` is ever used through a profile that `pin` matches.
bool is_used_through(const domain::Catalog& catalog, const BedrockArn& arn, std::string_view pin) {
  const std::optional<BedrockArn> profile_arn = bedrock_arn(pin);
  if (!profile_arn || profile_arn->type != "inference-profile" || pin.contains("${")) return true;
  bool is_of_the_catalog = false;  // else it is newer, for all that is known
  for (const auto& profile : catalog.profiles()) {
    if (!iam::like(profile_arn->id, profile->id)) continue;
    const bool is_global = profile->kind == domain::ProfileKind::global;
    for (const domain::RegionIndex source : profile->sources) {
      if (!iam::like(profile_arn->region, catalog.region(source).name)) continue;
      is_of_the_catalog = true;
      if (!iam::like(arn.id, profile->model->id)) continue;
      if (is_global && iam::like(arn.region, "")) return true;
      const domain::RegionMask asked =
          (is_global ? domain::RegionMask{} : profile->destinations_from(source)) | domain::RegionMask::of(source);
      for (const domain::RegionIndex region : asked)
        if (iam::like(arn.region, catalog.region(region).name)) return true;
    }
  }
  return !is_of_the_catalog;
}

std::string written_values(const Condition& condition) {
  std::string all;
  for (const iam::Text& value : condition.values) all += (all.empty() ? "" : ", ") + value.written();
  return all;
}

/// Why this resource of the statement can never be matched; empty when it can.
std::string never_matched_because(const domain::Catalog& catalog, const Statement& statement,
                                  const std::string& resource) {
  const bool only_bedrock = std::ranges::all_of(
      statement.actions, [](const iam::ActionPattern& action) { return action.written.starts_with("bedrock:"); });
  const std::optional<BedrockArn> arn = bedrock_arn(resource);
  if (!arn) {
    const bool may_be_bedrock = !resource.starts_with("arn:") || resource.contains("bedrock") ||
                                resource.contains(":sagemaker:") || resource.starts_with("arn:*");
    return only_bedrock && !statement.not_action && !may_be_bedrock
               ? fmt::format("no action of Amazon Bedrock works on {}", resource)
               : std::string{};
  }
  if (arn->type == "foundation-model" || arn->type == "inference-profile") {
    if (!may_have_requested_region(catalog, statement, *arn))
      return fmt::format("{} is checked with aws:RequestedRegion {}, which the condition excludes", resource,
                         arn->region.empty() ? "\"unspecified\"" : arn->region);
  }
  const Condition* pin = positive_condition(statement, profile_arn_key);
  if (pin == nullptr || !covers_inference(statement)) return {};
  if (arn->type.ends_with("inference-profile"))
    return fmt::format(
        "when {} is checked, the request has no bedrock:InferenceProfileArn yet; only models are "
        "checked with it",
        resource);
  if (arn->type == "foundation-model" && std::ranges::none_of(pin->values, [&](const iam::Text& value) {
        return is_used_through(catalog, *arn, value.written());
      }))
    return fmt::format("{} is never used through {}", resource, written_values(*pin));
  return {};
}

/// A key that must be absent and must have a value.
const Condition* contradiction(const Statement& statement) {
  for (const Condition& condition : statement.conditions) {
    const bool must_be_absent = condition.op == Operator::null && condition.values.size() == 1 &&
                                condition.values.front().written() == "true";
    if (must_be_absent && (condition.key_lower == requested_region_key ||
                           positive_condition(statement, condition.key_lower) != nullptr))
      return &condition;
  }
  return nullptr;
}

}  // namespace

void look_for_missing_null_guard(const LintSubject& subject, LintReport& report) {
  for (const StatementInSet& at : subject.statements()) {
    if (at.is_allow() || !covers_inference(*at.statement)) continue;
    for (const Condition& condition : at.statement->conditions) {
      const bool is_optional =
          std::ranges::find(absent_from_ordinary_calls, condition.key_lower) != absent_from_ordinary_calls.end();
      if (!is_optional || !iam::negated(condition.op) || is_guarded(*at.statement, condition.key_lower)) continue;
      const bool denies_profiles = condition.key_lower == profile_arn_key && reaches_profiles(*at.statement);
      report.add(
          at, condition.key,
          fmt::format("{} is true when the request has no {}{}, so {} denied too", name(condition.op),
                      condition.key, condition.if_exists ? ", also with IfExists" : "",
                      denies_profiles ? "the check on the profile itself, and every call without a profile, are"
                                      : "calls without it are"),
          fmt::format(R"(add "Null": {{"{}": "false"}} to the condition)", condition.key),
          denies_profiles ? Severity::error : Severity::warning);
    }
  }
}

void look_for_wildcard_in_equals(const LintSubject& subject, LintReport& report) {
  for (const StatementInSet& at : subject.statements())
    for (const Condition& condition : at.statement->conditions)
      for (const iam::Text& value : condition.values)
        if (is_equality(condition.op) && has_wildcard(value.written()) && !value.written().contains("${"))
          report.add(at, value.written(),
                     fmt::format("{} takes '*' and '?' as they stand, so {} matches no real value",
                                 name(condition.op), value.written()),
                     fmt::format("use {} for patterns, or ArnLike for ARNs",
                                 iam::negated(condition.op) ? "StringNotLike" : "StringLike"));
}

void look_for_set_operator(const LintSubject& subject, LintReport& report) {
  for (const StatementInSet& at : subject.statements())
    for (const Condition& condition : at.statement->conditions) {
      const bool is_listed = condition.key_lower.starts_with("aws:") || condition.key_lower.starts_with("bedrock:");
      if (condition.quantifier != Quantifier::for_all_values || !is_listed ||
          std::ranges::find(multivalued_keys, condition.key_lower) != multivalued_keys.end())
        continue;
      report.add(
          at, condition.key,
          fmt::format("{} has one value, and ForAllValues is true when it has none: the statement applies to "
                      "requests without the key",
                      condition.key),
          "leave ForAllValues away");
    }
}

void look_for_never_matching(const LintSubject& subject, LintReport& report) {
  for (const StatementInSet& at : subject.statements()) {
    if (const Condition* condition = contradiction(*at.statement))
      report.add(at, condition->key,
                 fmt::format("no request lacks {} and meets the other conditions as well", condition->key),
                 "remove one of the two conditions");
    if (at.statement->not_resource) continue;
    for (const iam::ResourcePattern& resource : at.statement->resources) {
      if (resource.text.has_variables()) continue;
      std::string because = never_matched_because(subject.catalog(), *at.statement, resource.text.written());
      if (!because.empty())
        report.add(at, resource.text.written(), std::move(because),
                   "put the resource into a statement whose conditions fit it");
    }
  }
}

}  // namespace portolan::policy
