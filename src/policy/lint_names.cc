// SPDX-License-Identifier: Apache-2.0
// Rules on what stands in a policy by name: ARNs, condition keys, actions, Regions, models, profiles, accounts.
#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/bytes.h"
#include "domain/nearest.h"
#include "iam/known_names.h"
#include "policy/lint_subject.h"

namespace portolan::policy {
namespace {

using iam::Condition;

constexpr std::string_view model_type = "foundation-model";
constexpr std::string_view profile_type = "inference-profile";
constexpr std::string_view application_type = "application-inference-profile";

/// Service Authorization Reference, "Resource types defined by Amazon Bedrock": those that a mistyped one could be
/// taken for.
constexpr std::array known_types = std::to_array<std::string_view>(
    {model_type, profile_type, application_type, "provisioned-model", "custom-model", "custom-model-deployment",
     "imported-model", "prompt-router", "default-prompt-router", "guardrail", "guardrail-profile", "prompt"});

struct Complaint {
  std::string reason;
  std::string repair;
};

/// "us" of "us.anthropic…", when profiles begin so; models begin with their provider.
bool begins_with_geography(const domain::Catalog& catalog, std::string_view id) {
  const std::size_t dot = id.find('.');
  if (dot == std::string_view::npos || has_wildcard(id.substr(0, dot))) return false;
  return std::ranges::any_of(catalog.profiles(), [&](const auto& profile) {
    return profile->id.starts_with(id.substr(0, dot + 1)) && profile->id.substr(dot + 1) == profile->model->id;
  });
}

bool is_account_or_open(std::string_view account) {
  return has_wildcard(account) || account.contains("${") ||
         (account.size() == 12 && std::ranges::all_of(account, base::is_digit));
}

std::optional<Complaint> complaint_about_model(const domain::Catalog& catalog, const BedrockArn& arn) {
  if (!arn.account.empty() && !has_wildcard(arn.account))
    return Complaint{
        fmt::format("a {} belongs to no account, so an ARN with account {} matches nothing", model_type,
                    arn.account),
        fmt::format("leave the account empty: arn:aws:bedrock:{}::{}/{}", arn.region, model_type, arn.id)};
  if (begins_with_geography(catalog, arn.id))
    return Complaint{fmt::format("{} is the id of an inference profile, not of a model", arn.id),
                     fmt::format("name the model, without the geography: {}/{}", model_type,
                                 arn.id.substr(arn.id.find('.') + 1))};
  return std::nullopt;
}

std::optional<Complaint> complaint_about_profile(const domain::Catalog& catalog, const BedrockArn& arn) {
  if (arn.region.empty())
    return Complaint{"the ARN of a profile has the source Region; without one it matches nothing",
                     "write the Region in which the profile is called, also for a Global one"};
  if (!is_account_or_open(arn.account))
    return Complaint{
        arn.account.empty()
            ? std::
                  string{"the ARN of a profile has the caller's account, also of those that AWS makes; without one "
                         "it matches nothing"}
            : fmt::format("'{}' is no account", arn.account),
        "write the 12 digits of the account that calls"};
  if (arn.type == application_type && begins_with_geography(catalog, arn.id))
    return Complaint{fmt::format("{} is a profile that AWS defines, not an application inference profile", arn.id),
                     fmt::format("its type is {}", profile_type)};
  if (arn.type != profile_type || has_wildcard(arn.id) || arn.id.contains("${")) return std::nullopt;
  if (catalog.find_model(arn.id) != nullptr)
    return Complaint{fmt::format("{} is a model; profiles begin with a geography", arn.id),
                     fmt::format("{}/us.{}, or the geography that is meant", profile_type, arn.id)};
  if (!arn.id.contains('.') && catalog.find_profile(arn.id) == nullptr)
    return Complaint{fmt::format("{} looks like the id of an application inference profile", arn.id),
                     fmt::format("its type is {}", application_type)};
  return std::nullopt;
}

std::optional<Complaint> complaint_about_arn(const domain::Catalog& catalog, std::string_view text) {
  const std::optional<BedrockArn> arn = bedrock_arn(text);
  if (!arn || has_wildcard(arn->type)) return std::nullopt;
  if (arn->type == model_type) return complaint_about_model(catalog, *arn);
  if (arn->type == profile_type || arn->type == application_type) return complaint_about_profile(catalog, *arn);
  if (std::ranges::find(known_types, arn->type) != known_types.end()) return std::nullopt;
  constexpr std::array<std::string_view, 4> says_model = {"model", "models", "base-model", "foundation-models"};
  constexpr std::array<std::string_view, 3> says_profile = {"profile", "profiles", "inference-profiles"};
  std::string_view meant;
  if (std::ranges::find(says_model, arn->type) != says_model.end()) meant = model_type;
  if (std::ranges::find(says_profile, arn->type) != says_profile.end()) meant = profile_type;
  std::string nearest = domain::nearest_name(std::string(arn->type), {known_types.begin(), known_types.end()});
  if (!meant.empty()) nearest = meant;
  if (nearest.empty()) return std::nullopt;
  return Complaint{fmt::format("Amazon Bedrock has no resource type '{}'", arn->type),
                   fmt::format("the type is {}", nearest)};
}

/// What a value of bedrock:InferenceProfileArn must be.
std::optional<Complaint> complaint_about_pin(const domain::Catalog& catalog, std::string_view text) {
  if (text.starts_with('*') || text.contains("${")) return std::nullopt;
  const std::optional<BedrockArn> arn = bedrock_arn(text);
  if (!text.starts_with("arn"))
    return Complaint{fmt::format("bedrock:InferenceProfileArn holds an ARN, and '{}' is none", text),
                     fmt::format("arn:aws:bedrock:*:*:{}/{}", profile_type, text)};
  if (arn && arn->type == model_type)
    return Complaint{"bedrock:InferenceProfileArn holds the ARN of a profile, never of a model",
                     "write the ARN of the profile that the model is used through"};
  return complaint_about_arn(catalog, text);
}

/// Regions of partitions that the catalog leaves out.
bool is_of_another_partition(std::string_view region) {
  return region.starts_with("cn-") || region.starts_with("us-iso") || region.starts_with("eu-iso") ||
         region.starts_with("eusc-");
}

void check_region(const LintSubject& subject, LintReport& report, const StatementInSet& at, std::string_view region,
                  std::string_view value) {
  if (region.empty() || region == unspecified_region || has_wildcard(region) || region.contains("${") ||
      is_of_another_partition(region) || subject.catalog().find_region(region) != domain::region_none)
    return;
  const std::string near = subject.catalog().nearest_region(region);
  if (near.empty() && iam::like("*-*-?", region)) return;  // newer than the catalog, for all that is known
  report.add(at, value, fmt::format("{} is no Region", region),
             near.empty() ? "write the name of a Region" : fmt::format("did you mean {}?", near));
}

/// Another version of the same model, for all that is known, and not a slip of the pen.
bool differ_in_digits_alone(std::string a, std::string b) {
  std::erase_if(a, base::is_digit);
  std::erase_if(b, base::is_digit);
  return a == b;
}

void check_id(const LintSubject& subject, LintReport& report, const StatementInSet& at, std::string_view value) {
  const std::optional<BedrockArn> arn = bedrock_arn(value);
  if (!arn || has_wildcard(arn->id) || arn->id.contains("${")) return;
  const domain::Catalog& catalog = subject.catalog();
  std::string near;
  if (arn->type == model_type && catalog.find_model(arn->id) == nullptr && !begins_with_geography(catalog, arn->id))
    near = catalog.nearest_model(arn->id);
  const domain::Profile* profile = arn->type == profile_type ? catalog.find_profile(arn->id) : nullptr;
  if (arn->type == profile_type && profile == nullptr && catalog.find_model(arn->id) == nullptr)
    near = catalog.nearest_profile(arn->id);
  if (!near.empty())
    report.add(at, value, fmt::format("{} is not in the catalog of {}, and {} is", arn->id, catalog.date(), near),
               fmt::format("did you mean {}?", near),
               differ_in_digits_alone(std::string(arn->id), near) ? Severity::note : report.severity());
  const domain::RegionIndex source = catalog.find_region(arn->region);
  if (profile != nullptr && source != domain::region_none && !profile->sources.contains(source))
    report.add(
        at, value,
        fmt::format("{} cannot be called from {}, says the catalog of {}", arn->id, arn->region, catalog.date()),
        fmt::format("it can be called from {}", catalog.names(profile->sources)));
}

template <class Visit>
void for_each_profile_value(const iam::Statement& statement, Visit visit) {
  for (const Condition& condition : statement.conditions)
    if (condition.key_lower == profile_arn_key && condition.op != iam::Operator::null)
      for (const iam::Text& value : condition.values) visit(value.written());
}

}  // namespace

void look_for_wrong_arn_type(const LintSubject& subject, LintReport& report) {
  for (const StatementInSet& at : subject.statements()) {
    const auto complain = [&](const std::string& value, const std::optional<Complaint>& complaint) {
      if (complaint) report.add(at, value, complaint->reason, complaint->repair);
    };
    for (const iam::ResourcePattern& resource : at.statement->resources)
      complain(resource.text.written(), complaint_about_arn(subject.catalog(), resource.text.written()));
    for_each_profile_value(*at.statement, [&](const std::string& value) {
      complain(value, complaint_about_pin(subject.catalog(), value));
    });
  }
}

void look_for_wrong_condition_key(const LintSubject& subject, LintReport& report) {
  for (const StatementInSet& at : subject.statements())
    for (const Condition& condition : at.statement->conditions) {
      std::string doubt = iam::doubt_about_condition_key(condition.key);
      if (doubt.empty()) continue;
      const bool is_ours = condition.key_lower.starts_with("aws:") || condition.key_lower.starts_with("bedrock:");
      std::string repair = "write the key as the Service Authorization Reference has it";
      if (condition.key_lower.contains("region")) repair = "the Region of a request is in aws:RequestedRegion";
      if (condition.key_lower.contains("profile"))
        repair = "the profile that a model is used through is in bedrock:InferenceProfileArn";
      report.add(at, condition.key, "no request has it: " + doubt, std::move(repair),
                 is_ours ? Severity::error : Severity::warning);
    }
}

void look_for_unknown_action(const LintSubject& subject, LintReport& report) {
  for (const StatementInSet& at : subject.statements())
    for (const iam::ActionPattern& action : at.statement->actions) {
      std::string doubt = iam::doubt_about_action(action.written);
      if (doubt.empty()) continue;
      const bool is_ours = action.written.starts_with("bedrock:");
      report.add(at, action.written, std::move(doubt),
                 "inference is authorised as bedrock:InvokeModel and bedrock:InvokeModelWithResponseStream",
                 is_ours ? Severity::error : Severity::warning);
    }
}

void look_for_unknown_name(const LintSubject& subject, LintReport& report) {
  for (const StatementInSet& at : subject.statements()) {
    const auto check = [&](const std::string& value) {
      if (const std::optional<BedrockArn> arn = bedrock_arn(value))
        check_region(subject, report, at, arn->region, value);
      check_id(subject, report, at, value);
    };
    for (const iam::ResourcePattern& resource : at.statement->resources) check(resource.text.written());
    for_each_profile_value(*at.statement, check);
    for (const Condition& condition : at.statement->conditions)
      if (condition.key_lower == requested_region_key && condition.op != iam::Operator::null)
        for (const iam::Text& value : condition.values)
          check_region(subject, report, at, value.written(), value.written());
  }
}

void look_for_foreign_account(const LintSubject& subject, LintReport& report) {
  const auto& own = subject.organization().accounts;
  for (const StatementInSet& at : subject.statements()) {
    const auto& attached = subject.accounts_of(*at.policy);
    const auto check = [&](const std::string& value) {
      const std::optional<BedrockArn> arn = bedrock_arn(value);
      if (!arn || !arn->type.ends_with(profile_type) || arn->account.size() != 12 ||
          !is_account_or_open(arn->account) || has_wildcard(arn->account))
        return;
      const bool is_of_its_principals =
          attached.empty() ? own.contains(arn->account) : attached.contains(arn->account);
      if (!is_of_its_principals)
        report.add(at, value,
                   fmt::format("the ARN of a profile has the account that calls, and account {} {}", arn->account,
                               attached.empty()
                                   ? "is not in the organisation"
                                   : fmt::format("is not that of its principals ({})", fmt::join(attached, ", "))),
                   "write the account of the principal");
    };
    for (const iam::ResourcePattern& resource : at.statement->resources) check(resource.text.written());
    for_each_profile_value(*at.statement, check);
    if (!at.is_allow() || at.statement->not_principal) continue;
    for (const iam::PrincipalPattern& principal : at.statement->principals) {
      if (principal.type != iam::PrincipalPattern::Type::aws || principal.text == "*") continue;
      const std::optional<PrincipalName> who = principal_name(principal.text);
      const std::string account{who ? who->account : std::string_view{principal.text}};
      if (!own.contains(account))
        report.add(at, principal.text,
                   fmt::format("it lets in {}, which is not of the organisation", principal.text),
                   "name principals of the organisation, or ask for aws:PrincipalOrgID", Severity::warning);
    }
  }
}

}  // namespace portolan::policy
