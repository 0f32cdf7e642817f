// SPDX-License-Identifier: Apache-2.0
// portolan policy lint: what is wrong with a set of policies, or with single documents.
#include <algorithm>
#include <fmt/format.h>
#include <iterator>

#include "cli/command.h"
#include "cli/configuration.h"
#include "cli/policy.h"
#include "cli/policy_set.h"
#include "policy/lint.h"
#include "policy/lint_report.h"

namespace portolan::cli {
namespace {

using base::Code;
using base::Result;
using policy::Finding;
using policy::Severity;

struct LintOptions {
  std::string policies = "policies", kind = "identity", severity = "note", config;
  std::vector<std::string> files;
  bool json = false, sarif = false, rules = false, reference = false;
};

Severity severity_named(std::string_view word) {
  if (word == name(Severity::error)) return Severity::error;
  return word == name(Severity::warning) ? Severity::warning : Severity::note;
}

iam::PolicyKind kind_named(std::string_view word) {
  for (std::size_t i = 0; i < iam::policy_kind_count; ++i)
    if (iam::word(static_cast<iam::PolicyKind>(i)) == word) return static_cast<iam::PolicyKind>(i);
  return iam::PolicyKind::identity;
}

Result<std::vector<Finding>> lint_set(const std::string& directory, const domain::Catalog& catalog) {
  TRY(const policy::Organization organization, read_policy_set(directory));
  return policy::lint(organization, catalog);
}

Result<std::vector<Finding>> lint_files(const LintOptions& options, const domain::Catalog& catalog) {
  std::vector<Finding> all;
  for (const std::string& file : options.files) {
    TRY(const std::string text, read_text(file));
    auto findings = policy::lint_document(file, text, kind_named(options.kind), catalog);
    if (!findings) return base::fail(Code::config_invalid, file + ": " + findings.error().message);
    std::ranges::move(*findings, std::back_inserter(all));
  }
  return all;
}

void print_findings(const std::vector<Finding>& findings, const LintOptions& options) {
  const std::string root = options.files.empty() ? options.policies + "/" : "";
  if (options.sarif) {
    fmt::print("{}", findings_sarif(findings, PORTOLAN_VERSION, root));
    return;
  }
  for (Finding finding : findings) {
    finding.file = root + finding.file;
    fmt::print("{}{}", options.json ? finding_json(finding) : finding_text(finding), options.json ? "\n" : "");
  }
  if (options.json) return;
  const auto errors =
      std::ranges::count_if(findings, [](const Finding& finding) { return finding.severity == Severity::error; });
  if (findings.empty())
    fmt::print("no findings\n");
  else
    fmt::print("{} {}, {} of them {}\n", findings.size(), findings.size() == 1 ? "finding" : "findings", errors,
               errors == 1 ? "an error" : "errors");
}

int lint_command(const LintOptions& options) {
  const auto catalog = catalog_with(options.config);
  if (!catalog) return report(catalog.error());
  auto findings = options.files.empty() ? lint_set(options.policies, **catalog) : lint_files(options, **catalog);
  if (!findings) return report(findings.error());
  const bool has_error =
      std::ranges::any_of(*findings, [](const Finding& finding) { return finding.severity == Severity::error; });
  std::erase_if(*findings,
                [&](const Finding& finding) { return finding.severity < severity_named(options.severity); });
  print_findings(*findings, options);
  return has_error ? Exit::finding : Exit::done;
}

void print_rules(bool json) {
  for (const policy::RuleText& rule : policy::lint_rules())
    if (json)
      fmt::print("{}\n", rule_json(rule));
    else
      fmt::print("{:<36} {:<8} {}\n", rule.id, name(rule.severity), rule.title);
}

}  // namespace

void add_policy_lint(CLI::App& group, int& exit_code) {
  auto options = std::make_shared<LintOptions>();
  CLI::App* command = group.add_subcommand("lint", "Find what is wrong with policies before a caller does");
  command->footer(
      "Examples:\n"
      "  portolan policy lint --policies examples/policies\n"
      "  portolan policy lint --kind scp regions.json\n\n"
      "Exit code 0: no error among the findings. 1: an error. 2: the set or a document cannot be read.");
  command->add_option("--policies", options->policies, "Directory of the set")->capture_default_str();
  command->add_option("files", options->files, "Single documents, attached nowhere yet, instead of a set");
  command->add_option("--kind", options->kind, "What the single documents are")
      ->check(CLI::IsMember({"identity", "boundary", "session", "scp", "rcp", "listener"}))
      ->capture_default_str();
  command->add_option("--severity", options->severity, "Show findings from this severity up")
      ->check(CLI::IsMember({"note", "warning", "error"}))
      ->capture_default_str();
  command->add_option("-c,--config", options->config, "Configuration whose own profiles count as well");
  command->add_flag("--json", options->json, "One JSON object a line");
  command->add_flag("--sarif", options->sarif, "A SARIF 2.1.0 log, for code hosts");
  command->add_flag("--rules", options->rules, "List the rules instead");
  command->add_flag("--reference", options->reference, "Print the reference page of the rules instead");
  command->callback([options, &exit_code] {
    if (options->reference)
      fmt::print("{}", policy::lint_rules_markdown());
    else if (options->rules)
      print_rules(options->json);
    else
      exit_code = lint_command(*options);
  });
}

}  // namespace portolan::cli
