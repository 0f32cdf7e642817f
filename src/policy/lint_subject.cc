// SPDX-License-Identifier: Apache-2.0
#include "policy/lint_subject.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "iam/arn.h"
#include "policy/alike.h"
#include "policy/supposed.h"

namespace portolan::policy {
namespace {

using iam::Condition;
using iam::Statement;

/// Keys whose value a caller, or the moment, decides. (IAM User Guide, "AWS global condition context keys"; Service
/// Authorization Reference, "Amazon Bedrock".) One that ends in '/' goes on with a tag.
constexpr std::array keys_of_single_requests = std::to_array<std::string_view>({"aws:calledvia",
                                                                                "aws:calledviafirst",
                                                                                "aws:calledvialast",
                                                                                "aws:currenttime",
                                                                                "aws:epochtime",
                                                                                "aws:federatedprovider",
                                                                                "aws:multifactorauthage",
                                                                                "aws:multifactorauthpresent",
                                                                                "aws:referer",
                                                                                "aws:requesttag/",
                                                                                "aws:resourcetag/",
                                                                                "aws:securetransport",
                                                                                "aws:sourceaccount",
                                                                                "aws:sourcearn",
                                                                                "aws:sourceidentity",
                                                                                "aws:sourceip",
                                                                                "aws:sourceorgid",
                                                                                "aws:sourcevpc",
                                                                                "aws:sourcevpcarn",
                                                                                "aws:sourcevpce",
                                                                                "aws:tagkeys",
                                                                                "aws:tokenissuetime",
                                                                                "aws:useragent",
                                                                                "aws:userid",
                                                                                "aws:viaawsservice",
                                                                                "aws:vpceaccount",
                                                                                "aws:vpceorgid",
                                                                                "aws:vpceorgpaths",
                                                                                "aws:vpcsourceip",
                                                                                "bedrock:bearertokentype",
                                                                                "bedrock:guardrailidentifier",
                                                                                "bedrock:promptrouterarn",
                                                                                "bedrock:servicetier"});

bool is_of_single_requests(std::string_view key_lower) {
  return std::ranges::any_of(keys_of_single_requests, [&](std::string_view key) {
    return key.ends_with('/') ? key_lower.starts_with(key) : key_lower == key;
  });
}

}  // namespace

bool has_wildcard(std::string_view text) {
  return text.find_first_of("*?") != std::string_view::npos;
}

std::optional<BedrockArn> bedrock_arn(std::string_view text) {
  const std::optional<iam::Arn> arn = iam::split_arn(text);
  if (!arn || arn->service != "bedrock") return std::nullopt;
  const std::string_view resource = arn->resource;
  const std::size_t slash = std::min(resource.find('/'), resource.size());
  return BedrockArn{.region = arn->region,
                    .account = arn->account,
                    .type = resource.substr(0, slash),
                    .id = resource.substr(std::min(slash + 1, resource.size()))};
}

bool covers(const Statement& statement, std::string_view action) {
  const bool listed = std::ranges::any_of(
      statement.actions, [&](const iam::ActionPattern& pattern) { return pattern.matches(action); });
  return listed != statement.not_action;
}

bool covers_inference(const Statement& statement) {
  return std::ranges::any_of(inference_actions_checked,
                             [&](std::string_view action) { return covers(statement, action); });
}

bool is_positive(const Condition& condition) {
  return !iam::negated(condition.op) && condition.op != iam::Operator::null && !condition.if_exists &&
         condition.quantifier != iam::Quantifier::for_all_values;
}

const Condition* positive_condition(const Statement& statement, std::string_view key_lower) {
  const auto found = std::ranges::find_if(statement.conditions, [&](const Condition& condition) {
    return condition.key_lower == key_lower && is_positive(condition);
  });
  return found == statement.conditions.end() ? nullptr : &*found;
}

std::string statement_name(const Statement& statement, std::size_t number) {
  return statement.sid.empty() ? fmt::format("statement {}", number) : statement.sid;
}

LintSubject::LintSubject(const Organization& organization, const domain::Catalog& catalog)
    : organization_(organization),
      catalog_(catalog),
      usual_(suppose(organization, is_of_single_requests, Supposition::best)) {
  collect_statements();
  for (const auto& [principal, first] : first_alike(usual_))
    if (principal == first) principals_.push_back(principal);
  std::ranges::sort(principals_, {}, &Principal::arn);
  collect_intended_calls(usual_, principals_, catalog_, calls_, lonely_pins_);
  for (std::size_t begin = 0, end = 0; begin < calls_.size(); begin = end) {
    const Principal* principal = calls_[begin].principal;
    while (end < calls_.size() && calls_[end].principal == principal) ++end;
    calls_by_principal_.emplace(principal, std::span{calls_}.subspan(begin, end - begin));
  }
}

std::span<const IntendedCall> LintSubject::calls_of(const Principal& principal) const {
  const auto found = calls_by_principal_.find(&principal);
  return found == calls_by_principal_.end() ? std::span<const IntendedCall>{} : found->second;
}

void LintSubject::collect_statements() {
  std::set<const Policy*> seen;
  const auto add = [&](const PolicyPointer& policy) {
    if (policy == nullptr || policy->is_managed_by_aws() || !seen.insert(policy.get()).second) return;
    std::size_t number = 0;
    for (const Statement& statement : policy->document.statements)
      statements_.push_back({policy.get(), &statement, ++number});
  };
  const auto add_attached = [&](const Attachments& attached) {
    for (const PolicyPointer& policy : attached.service_control) add(policy);
    for (const PolicyPointer& policy : attached.resource_control) add(policy);
  };
  add_attached(organization_.root);
  for (const auto& [path, unit] : organization_.units) add_attached(unit.attached);
  for (const auto& [id, account] : organization_.accounts) add_attached(account.attached);
  for (const auto& [arn, principal] : organization_.principals) {
    const std::string account{principal_name(arn).value_or(PrincipalName{}).account};
    for (const PolicyPointer& policy : principal.identity) {
      add(policy);
      accounts_[policy->name].insert(account);
    }
    add(principal.boundary);
    if (principal.boundary != nullptr) accounts_[principal.boundary->name].insert(account);
  }
  for (const auto& [session, policy] : organization_.session_policies) add(policy);
  for (const auto& [listener, policy] : organization_.listeners) add(policy);
}

const std::set<std::string, std::less<>>& LintSubject::accounts_of(const Policy& policy) const {
  static const std::set<std::string, std::less<>> none;
  const auto found = accounts_.find(policy.name);
  return found == accounts_.end() ? none : found->second;
}

iam::Place LintSubject::place_of(const std::string& file, iam::Place from, std::string_view value) const {
  const auto found = organization_.files.find(file);
  if (found == organization_.files.end() || value.empty()) return from;
  const std::string_view text = found->second;
  std::size_t offset = 0;
  for (std::uint32_t line = 1; line < from.line; ++line) {
    const std::size_t end = text.find('\n', offset);
    if (end == std::string_view::npos) return from;
    offset = end + 1;
  }
  offset = std::min(offset + from.column - 1, text.size());
  const std::size_t at = text.find(fmt::format("\"{}\"", value), offset);
  if (at == std::string_view::npos) return from;
  iam::Place place = from;
  for (; offset < at; ++offset) {
    place.column = text[offset] == '\n' ? 1 : place.column + 1;
    place.line += text[offset] == '\n' ? 1 : 0;
  }
  return place;
}

void LintReport::add(const StatementInSet& at, std::string_view value, std::string reason, std::string repair,
                     Severity severity) {
  add_at(at.policy->name, subject_.place_of(at.policy->name, at.statement->place, value),
         statement_name(*at.statement, at.number), std::move(reason), std::move(repair), severity);
}

void LintReport::add_at(std::string file, iam::Place place, std::string statement, std::string reason,
                        std::string repair, Severity severity) {
  const auto same = std::ranges::find_if(findings_, [&](const Finding& finding) {
    return finding.rule == rule_.id && finding.file == file && finding.place == place;
  });
  if (same == findings_.end()) {
    findings_.push_back({.rule = rule_.id,
                         .severity = severity,
                         .file = std::move(file),
                         .place = place,
                         .statement = std::move(statement),
                         .reason = std::move(reason),
                         .repair = std::move(repair)});
  } else if (severity > same->severity) {
    same->severity = severity;
    same->reason = std::move(reason);
    same->repair = std::move(repair);
  }
}

}  // namespace portolan::policy
