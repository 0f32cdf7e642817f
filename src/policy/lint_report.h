// SPDX-License-Identifier: Apache-2.0
// Findings as people, programs and code hosts read them, and the rules as a page. Pure; any thread.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "policy/lint.h"

namespace portolan::policy {

/// "scps/regions.json:7:9: error: …", the repair on a line of its own, and the rule's id in brackets.
std::string finding_text(const Finding& finding);
/// One JSON object without a line end: rule, severity, file, line, column, statement, reason, repair.
std::string finding_json(const Finding& finding);
/// A SARIF 2.1.0 log with the rules that were applied. `root` is put before the names of files.
std::string findings_sarif(std::span<const Finding> findings, std::string_view version, std::string_view root);
/// One JSON object without a line end: id, severity, title, why, repair.
std::string rule_json(const RuleText& rule);
/// docs/reference/policy_lint.md.
std::string lint_rules_markdown();

}  // namespace portolan::policy
