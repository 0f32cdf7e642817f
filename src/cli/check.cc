// SPDX-License-Identifier: Apache-2.0
// portolan check: every mistake of a configuration in one pass.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/certificate_files.h"
#include "cli/command.h"
#include "cli/configuration.h"
#include "cli/process_secrets.h"
#include "config/schema.h"

namespace portolan::cli {
namespace {

int check(const std::string& path, bool json) {
  const auto text = read_text(path);
  if (!text) return report(text.error());
  ProcessCertificateFiles certificates;
  const config::Loaded loaded = config::load(*text, path, ProcessSecrets{}, &certificates);
  for (const config::Mistake& mistake : loaded.mistakes) {
    if (json) {
      const nlohmann::ordered_json line{{"file", mistake.file},
                                        {"line", mistake.line},
                                        {"column", mistake.column},
                                        {"path", mistake.path},
                                        {"what", mistake.what}};
      fmt::print("{}\n", line.dump());
    } else {
      fmt::print("{}\n", mistake.text());
    }
  }
  if (!loaded.config) {
    if (!json)
      fmt::print(stderr, "portolan: {} {}\n", loaded.mistakes.size(),
                 loaded.mistakes.size() == 1 ? "mistake" : "mistakes");
    return Exit::usage;
  }
  for (const std::string& warning : certificates.warnings()) fmt::print(stderr, "portolan: {}\n", warning);
  const config::Config& config = *loaded.config;
  if (json)
    fmt::print("{}\n", nlohmann::ordered_json{{"ok", true}, {"version", config.version_hash}}.dump());
  else
    fmt::print("{} is good: version {}, {} Regions, {} tenants\n", path, config.version_hash,
               config.endpoints.size(), config.tenants.size());
  return Exit::done;
}

}  // namespace

void add_check(CLI::App& app, int& exit_code) {
  struct Options {
    std::string config;
    bool json = false, schema = false, reference = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("check", "Check a configuration: every mistake in one pass");
  command->footer(
      "Example:\n  portolan check -c portolan.yaml\n\nExit code 0: good. 2: mistakes, each as file:line:column.");
  command->add_option("-c,--config", options->config, "Configuration file");
  command->add_flag("--json", options->json, "One JSON object a line");
  command->add_flag("--schema", options->schema, "Print the JSON Schema of the configuration instead");
  command->add_flag("--reference", options->reference, "Print the reference page of all settings instead");
  command->callback([options, &exit_code] {
    if (options->schema)
      fmt::print("{}\n", config::json_schema());
    else if (options->reference)
      fmt::print("{}", config::reference_markdown());
    else if (options->config.empty())
      exit_code = report(Exit::usage, "check: -c FILE is needed");
    else
      exit_code = check(options->config, options->json);
  });
}

}  // namespace portolan::cli
