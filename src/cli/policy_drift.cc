// SPDX-License-Identifier: Apache-2.0
// portolan policy drift: the SCPs and RCPs of a set against those that AWS Organizations has attached.
#include <filesystem>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/configuration.h"
#include "cli/policy.h"
#include "cli/policy_set.h"
#include "cli/text_table.h"
#include "policy/drift.h"

namespace portolan::cli {
namespace {

base::Result<std::vector<policy::ExportedPolicy>> read_export_in(const std::string& directory) {
  std::map<std::string, std::string, std::less<>> files;
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator(directory, failure)) {
    if (!entry.is_regular_file() || entry.path().extension() != ".json") continue;
    TRY(std::string text, read_text(entry.path().string()));
    files.emplace(entry.path().filename().string(), std::move(text));
  }
  if (failure) return base::fail(base::Code::usage, fmt::format("{}: {}", directory, failure.message()));
  if (files.empty()) return base::fail(base::Code::usage, fmt::format("{}: has no .json files", directory));
  return policy::read_export(files);
}

base::Result<std::vector<policy::DriftFinding>> drift_of(const std::string& directory,
                                                         const std::string& exported) {
  TRY(const policy::Organization organization, read_policy_set(directory));
  TRY(const std::vector<policy::ExportedPolicy> policies, read_export_in(exported));
  return policy::drift(organization, policies);
}

int report_drift(const std::string& directory, const std::string& exported, bool json) {
  const auto findings = drift_of(directory, exported);
  if (!findings) return report(findings.error());
  TextTable table{{"KIND", "AT", "WHAT"}};
  for (const policy::DriftFinding& finding : *findings) {
    if (json)
      fmt::print("{}\n", nlohmann::ordered_json{{"drift", policy::name(finding.what)},
                                                {"kind", iam::word(finding.kind)},
                                                {"target", finding.target},
                                                {"policy", finding.policy},
                                                {"says", finding.says}}
                             .dump());
    else
      table.add({std::string{iam::word(finding.kind)}, finding.target, finding.says});
  }
  if (!json) fmt::print("{}", findings->empty() ? "nothing drifted\n" : table.text());
  return findings->empty() ? Exit::done : Exit::finding;
}

}  // namespace

void add_policy_drift(CLI::App& policy, int& exit_code) {
  struct Options {
    std::string directory = "policies", exported;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command =
      policy.add_subcommand("drift", "Compare a set of policies with an export of AWS Organizations");
  command->footer(
      "Reads every .json file of EXPORT: what `aws organizations describe-policy` printed, and "
      "`list-targets-for-policy` "
      "into targets-POLICYID.json. docs/operate/policy.md has the script.\n\n"
      "Example:\n  portolan policy drift organization-export --policies policies\n\n"
      "Exit code 0: nothing drifted. 1: something did, each with its repair.");
  command->add_option("export", options->exported, "Directory of the export")->required();
  command->add_option("--policies", options->directory, "Directory of the set")->capture_default_str();
  command->add_flag("--json", options->json, "One JSON object a line");
  command->callback(
      [options, &exit_code] { exit_code = report_drift(options->directory, options->exported, options->json); });
}

}  // namespace portolan::cli
