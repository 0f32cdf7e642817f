// SPDX-License-Identifier: Apache-2.0
// What is wrong with a set of policies, before a caller learns it from an AccessDenied: findings with rule,
// severity, place, reason and repair.
//
// Rules that ask for an outcome ("this SCP breaks a grant") do not guess from the text: every call that the
// identity policies mean to allow is judged by the reference evaluation (cross_region.h), and what stands in its
// way is the finding. The calls that are meant are those whose profile a grant names. Conditions on values of the
// single request (an address, the time, a tag) are taken as met: what remains is denied to every caller.
//
// Pure functions; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "domain/catalog.h"
#include "iam/document.h"
#include "policy/organization.h"

namespace portolan::policy {

enum class Severity : std::uint8_t {
  note,     // worth knowing
  warning,  // likely not what is meant, or meant for somebody else
  error,    // it does not do what it says
};
std::string_view name(Severity severity);

struct Finding {
  std::string_view rule;  // of lint_rules(); lives as long as the program
  Severity severity = Severity::note;
  std::string file;  // as the set names it
  iam::Place place;
  std::string statement;  // its Sid, or "statement 2"; empty where no statement is at fault
  std::string reason;     // one sentence
  std::string repair;     // what to write instead
  friend bool operator==(const Finding&, const Finding&) = default;
};

/// One rule for people: `portolan policy lint --rules` and docs/reference/policy_lint.md.
struct RuleText {
  std::string_view id;                 // stable: it is named in suppressions and dashboards
  Severity severity = Severity::note;  // the highest that it reports
  std::string_view title;
  std::string_view why;
  std::string_view repair;
};
std::span<const RuleText> lint_rules();

/// Every finding of the set, by file and place.
std::vector<Finding> lint(const Organization& organization, const domain::Catalog& catalog);

/// The same of one document that is attached nowhere yet. An identity policy, boundary or session policy is judged
/// as all that a principal of its account has, an SCP or RCP as attached to the root above principals that may do
/// everything. Fails with Code::config_invalid, as iam::parse_document does, when it is no policy of that kind.
base::Result<std::vector<Finding>> lint_document(const std::string& file, const std::string& text,
                                                 iam::PolicyKind kind, const domain::Catalog& catalog);

}  // namespace portolan::policy
