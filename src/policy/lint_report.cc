// SPDX-License-Identifier: Apache-2.0
#include "policy/lint_report.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace portolan::policy {
namespace {

using Json = nlohmann::ordered_json;

/// SARIF 2.1.0, section 3.27.10.
std::string_view sarif_level(Severity severity) {
  return name(severity);  // the same words
}

}  // namespace

std::string finding_text(const Finding& finding) {
  return fmt::format("{}:{}:{}: {}: {}{}{} [{}]\n    repair: {}\n", finding.file, finding.place.line,
                     finding.place.column, name(finding.severity), finding.statement,
                     finding.statement.empty() ? "" : ": ", finding.reason, finding.rule, finding.repair);
}

std::string finding_json(const Finding& finding) {
  return Json{{"rule", finding.rule},           {"severity", name(finding.severity)},
              {"file", finding.file},           {"line", finding.place.line},
              {"column", finding.place.column}, {"statement", finding.statement},
              {"reason", finding.reason},       {"repair", finding.repair}}
      .dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string findings_sarif(std::span<const Finding> findings, std::string_view version, std::string_view root) {
  Json rules = Json::array();
  for (const RuleText& rule : lint_rules())
    rules.push_back({{"id", rule.id},
                     {"shortDescription", {{"text", rule.title}}},
                     {"fullDescription", {{"text", rule.why}}},
                     {"help", {{"text", rule.repair}}},
                     {"defaultConfiguration", {{"level", sarif_level(rule.severity)}}}});
  Json results = Json::array();
  for (const Finding& finding : findings) {
    const Json place{{"artifactLocation", {{"uri", std::string(root) + finding.file}}},
                     {"region", {{"startLine", finding.place.line}, {"startColumn", finding.place.column}}}};
    results.push_back({{"ruleId", finding.rule},
                       {"level", sarif_level(finding.severity)},
                       {"message", {{"text", finding.reason + ". Repair: " + finding.repair}}},
                       {"locations", Json::array({{{"physicalLocation", place}}})}});
  }
  const Json driver{{"name", "portolan policy lint"}, {"version", version}, {"rules", std::move(rules)}};
  const Json run{{"tool", {{"driver", driver}}}, {"results", std::move(results)}};
  return Json{{"$schema", "https://json.schemastore.org/sarif-2.1.0.json"},
              {"version", "2.1.0"},
              {"runs", Json::array({run})}}
             .dump(2, ' ', false, Json::error_handler_t::replace) +
         "\n";
}

std::string rule_json(const RuleText& rule) {
  return Json{{"id", rule.id},
              {"severity", name(rule.severity)},
              {"title", rule.title},
              {"why", rule.why},
              {"repair", rule.repair}}
      .dump();
}

std::string lint_rules_markdown() {
  std::string page =
      "# Rules of `portolan policy lint`\n\n"
      "Written by `portolan policy lint --reference`, from the table that the linter works with. How it is used:\n"
      "[operate/policy_lint.md](../operate/policy_lint.md).\n\n"
      "The severity is the highest that a rule reports; where only a wildcard brings a call along, or nobody is "
      "named,\n"
      "it is a warning.\n";
  for (const RuleText& rule : lint_rules())
    page += fmt::format("\n## {}\n\n{} (`{}`).\n\n{}\n\n**Repair.** {}\n", rule.id, rule.title, name(rule.severity),
                        rule.why, rule.repair);
  return page;
}

}  // namespace portolan::policy
