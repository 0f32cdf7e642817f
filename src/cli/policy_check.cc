// SPDX-License-Identifier: Apache-2.0
// portolan policy check: every mistake of a set of policies in one pass.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/policy.h"
#include "cli/policy_set.h"

namespace portolan::cli {
namespace {

void print_remark(const std::string& directory, std::string_view severity, const config::Mistake& remark,
                  bool json) {
  if (json)
    fmt::print("{}\n", nlohmann::ordered_json{{"severity", severity},
                                              {"file", remark.file},
                                              {"line", remark.line},
                                              {"column", remark.column},
                                              {"path", remark.path},
                                              {"what", remark.what}}
                           .dump());
  else
    fmt::print("{}/{}\n", directory, remark.text());
}

int check_policy_set(const std::string& directory, bool json) {
  const policy::LoadedOrganization loaded = policy::load_organization(files_below(directory));
  for (const config::Mistake& mistake : loaded.mistakes) print_remark(directory, "error", mistake, json);
  if (!json && !loaded.notices.empty() && !loaded.mistakes.empty()) fmt::print("\nAnd perhaps not meant:\n");
  for (const config::Mistake& notice : loaded.notices) print_remark(directory, "warning", notice, json);
  if (!loaded.organization) {
    if (!json)
      fmt::print(stderr, "portolan: {} {}\n", loaded.mistakes.size(),
                 loaded.mistakes.size() == 1 ? "mistake" : "mistakes");
    return Exit::usage;
  }
  const policy::Organization& organization = *loaded.organization;
  if (json)
    fmt::print("{}\n", nlohmann::ordered_json{{"ok", true}, {"version", organization.version}}.dump());
  else
    fmt::print("{} is good: version {}, {} accounts in {} units, {} principals, {} documents{}\n", directory,
               organization.version.substr(0, 12), organization.accounts.size(), organization.units.size(),
               organization.principals.size(), organization.files.size() - 1,
               loaded.notices.empty() ? "" : fmt::format("; {} to look at, above", loaded.notices.size()));
  return Exit::done;
}

}  // namespace

void add_policy_check(CLI::App& policy, int& exit_code) {
  struct Options {
    std::string directory = "policies";
    bool json = false, schema = false, reference = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = policy.add_subcommand("check", "Check a set of policies: every mistake in one pass");
  command->footer(
      "Reads organization.yaml and every document that it names. What AWS would take, and is surely not meant, is "
      "told "
      "too.\n\n"
      "Example:\n  portolan policy check examples/policies\n\nExit code 0: good. 2: mistakes, each as "
      "file:line:column.");
  command->add_option("dir", options->directory, "Directory of the set")->capture_default_str();
  command->add_flag("--json", options->json, "One JSON object a line");
  command->add_flag("--schema", options->schema, "Print the JSON Schema of organization.yaml instead");
  command->add_flag("--reference", options->reference, "Print the reference page of organization.yaml instead");
  command->callback([options, &exit_code] {
    if (options->schema)
      fmt::print("{}", policy::organization_schema());
    else if (options->reference)
      fmt::print("{}", policy::organization_reference());
    else
      exit_code = check_policy_set(options->directory, options->json);
  });
}

}  // namespace portolan::cli
