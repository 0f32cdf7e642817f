// SPDX-License-Identifier: Apache-2.0
// What the rules of lint.h look at: every statement of the set, and every call that the set means to allow, judged.
// Private to the linter.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/cross_region.h"
#include "policy/lint.h"

namespace portolan::policy {

inline constexpr std::string_view requested_region_key = "aws:requestedregion";
inline constexpr std::string_view profile_arn_key = "bedrock:inferenceprofilearn";
/// aws:RequestedRegion where a model without a Region is checked.
inline constexpr std::string_view unspecified_region = "unspecified";
inline constexpr std::string_view inference_actions_checked[] = {"bedrock:InvokeModel",
                                                                 "bedrock:InvokeModelWithResponseStream"};

/// A statement where it stands.
struct StatementInSet {
  const Policy* policy = nullptr;
  const iam::Statement* statement = nullptr;
  std::size_t number = 1;  // in its document, from 1

  bool is_allow() const { return statement->effect == iam::Effect::allow; }
  iam::PolicyKind kind() const { return policy->document.kind; }
};

/// The parts of an ARN of Amazon Bedrock as written in a policy, wildcards and all.
struct BedrockArn {
  std::string_view region;
  std::string_view account;
  std::string_view type;  // "foundation-model", "inference-profile" …; everything before the first '/'
  std::string_view id;
};
/// Nothing for another service's ARN, and for less than an ARN ("*").
std::optional<BedrockArn> bedrock_arn(std::string_view text);
bool has_wildcard(std::string_view text);

/// Whether the statement speaks of that action.
bool covers(const iam::Statement& statement, std::string_view action);
/// Whether it speaks of InvokeModel or InvokeModelWithResponseStream.
bool covers_inference(const iam::Statement& statement);
/// A condition that only a present key with one of these values meets: StringEquals and its kin, without IfExists.
bool is_positive(const iam::Condition& condition);
/// The first positive condition on the key; null when there is none.
const iam::Condition* positive_condition(const iam::Statement& statement, std::string_view key_lower);

/// A call that a grant means to allow.
struct IntendedCall {
  const Principal* principal = nullptr;
  std::string caller;  // its ARN, or one for which a pattern stands

  StatementInSet grant;  // the Allow of the principal's identity policies that covers the profile
  std::string granted;   // the resource of that statement, as written
  const domain::Profile* profile = nullptr;  // null: the model by its bare id
  const domain::Model* model = nullptr;
  domain::RegionIndex source = domain::region_none;
  std::string_view action;
  bool is_named = false;  // the grant names what is called, if with wildcards, and is not just for everything
  bool is_exact = false;  // the grant names what is called, and the source Region
  Judgement judgement;    // strict

  const std::string& id() const { return profile != nullptr ? profile->id : model->id; }
};

/// A value of bedrock:InferenceProfileArn that a grant of models is pinned to, without a grant of that profile.
struct LonelyPin {
  const Principal* principal = nullptr;
  StatementInSet grant;
  std::string pinned;  // as written
};

/// Judges what these principals of `usual` mean to be allowed (lint_calls.cc), one after the other. Calls point
/// into `usual`.
void collect_intended_calls(const Organization& usual, std::span<const Principal* const> principals,
                            const domain::Catalog& catalog, std::vector<IntendedCall>& calls,
                            std::vector<LonelyPin>& pins);
/// The call again, to be judged otherwise.
InferenceCall call_of(const IntendedCall& intended);

/// Built once for a set, then read by every rule.
class LintSubject {
 public:
  LintSubject(const Organization& organization, const domain::Catalog& catalog);
  LintSubject(const LintSubject&) = delete;  // calls point into usual_
  LintSubject& operator=(const LintSubject&) = delete;

  const Organization& organization() const { return organization_; }
  const domain::Catalog& catalog() const { return catalog_; }
  /// Every statement of every document in a file, each once.
  const std::vector<StatementInSet>& statements() const { return statements_; }
  const std::vector<IntendedCall>& calls() const { return calls_; }
  /// Of usual(), one for all that are alike (alike.h): whose calls these are.
  const std::vector<const Principal*>& principals() const { return principals_; }
  /// Those of one of principals(). Rules that hold a call against others of its principal look here, or their
  /// work would grow with the square of the number of principals.
  std::span<const IntendedCall> calls_of(const Principal& principal) const;
  const std::vector<LonelyPin>& lonely_pins() const { return lonely_pins_; }
  /// Accounts of the principals that a document is attached to; empty when that is not known.
  const std::set<std::string, std::less<>>& accounts_of(const Policy& policy) const;
  /// The set with conditions on values of single requests taken as met. What `calls` points to.
  const Organization& usual() const { return usual_; }

  /// Where `value` stands as a JSON string at or behind `from` in the file; `from` when it is not found.
  iam::Place place_of(const std::string& file, iam::Place from, std::string_view value) const;

 private:
  void collect_statements();

  const Organization& organization_;
  const domain::Catalog& catalog_;
  Organization usual_;
  std::vector<StatementInSet> statements_;
  std::vector<const Principal*> principals_;
  std::vector<IntendedCall> calls_;  // principal by principal
  std::map<const Principal*, std::span<const IntendedCall>> calls_by_principal_;
  std::vector<LonelyPin> lonely_pins_;
  std::map<std::string, std::set<std::string, std::less<>>, std::less<>> accounts_;  // by name of the document
};

/// Takes the findings of one rule.
class LintReport {
 public:
  LintReport(const LintSubject& subject, const RuleText& rule, std::vector<Finding>& findings)
      : subject_(subject), rule_(rule), findings_(findings) {}

  Severity severity() const { return rule_.severity; }
  /// At the place of `value` in the statement, or at the statement when `value` is empty. Said once for each place.
  void add(const StatementInSet& at, std::string_view value, std::string reason, std::string repair,
           Severity severity);
  void add(const StatementInSet& at, std::string_view value, std::string reason, std::string repair) {
    add(at, value, std::move(reason), std::move(repair), rule_.severity);
  }
  void add_at(std::string file, iam::Place place, std::string statement, std::string reason, std::string repair,
              Severity severity);

 private:
  const LintSubject& subject_;
  const RuleText& rule_;
  std::vector<Finding>& findings_;
};

/// "Sid", or "statement 2".
std::string statement_name(const iam::Statement& statement, std::size_t number);

using LookForFault = void (*)(const LintSubject& subject, LintReport& report);

// Rules on ARNs and names (lint_names.cc).
void look_for_wrong_arn_type(const LintSubject& subject, LintReport& report);
void look_for_wrong_condition_key(const LintSubject& subject, LintReport& report);
void look_for_unknown_action(const LintSubject& subject, LintReport& report);
void look_for_unknown_name(const LintSubject& subject, LintReport& report);
void look_for_foreign_account(const LintSubject& subject, LintReport& report);

// Rules on conditions (lint_conditions.cc).
void look_for_missing_null_guard(const LintSubject& subject, LintReport& report);
void look_for_wildcard_in_equals(const LintSubject& subject, LintReport& report);
void look_for_set_operator(const LintSubject& subject, LintReport& report);
void look_for_never_matching(const LintSubject& subject, LintReport& report);

// Rules on what grants and denials reach (lint_reach.cc).
void look_for_wildcard_models(const LintSubject& subject, LintReport& report);
void look_for_unpinned_models(const LintSubject& subject, LintReport& report);
void look_for_global_beside_geographic(const LintSubject& subject, LintReport& report);
void look_for_shadowed_statement(const LintSubject& subject, LintReport& report);
void look_for_forgotten_streams(const LintSubject& subject, LintReport& report);

// Rules on judged calls (lint_outcomes.cc).
void look_for_blocked_global(const LintSubject& subject, LintReport& report);
void look_for_blocked_destination(const LintSubject& subject, LintReport& report);
void look_for_control_tower_deny(const LintSubject& subject, LintReport& report);
void look_for_profile_without_models(const LintSubject& subject, LintReport& report);
void look_for_models_without_profile(const LintSubject& subject, LintReport& report);
void look_for_shadowing_deny(const LintSubject& subject, LintReport& report);
void look_for_level_without_allow(const LintSubject& subject, LintReport& report);
void look_for_part_of_a_call(const LintSubject& subject, LintReport& report);

}  // namespace portolan::policy
