// SPDX-License-Identifier: Apache-2.0
// portolan: one binary, its commands in cli/.
#include <exception>
#include <fmt/format.h>

#include "cli/command.h"
#include "domain/nearest.h"
#include "world/core_dumps.h"

namespace {

/// CLI11 only says that a command is missing; people want to hear which word was wrong.
std::string unknown_command(const CLI::App& app, int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') return {};
  const std::string word = argv[1];
  std::vector<std::string> names;  // CLI11 gives them by value
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (command->get_name() == word) return {};
    names.push_back(command->get_name());
  }
  const std::string near = portolan::domain::nearest_name(word, {names.begin(), names.end()});
  return "there is no command \"" + word + "\"" + portolan::domain::did_you_mean(near) +
         " (portolan --help lists them)";
}

}  // namespace

int main(int argc, char** argv) {
  using namespace portolan::cli;
  if (!portolan::world::keep_memory_out_of_core_dumps())
    return report(Exit::finding, "core dumps cannot be kept free of prompts and secrets on this system");
  int exit_code = Exit::done;
  CLI::App app{
      "Portolan sends every LLM request to the best Region that is allowed to serve it, and can prove afterwards "
      "where "
      "it went.",
      "portolan"};
  app.require_subcommand(1);
  app.set_version_flag("--version", "portolan " PORTOLAN_VERSION);
  app.get_formatter()->column_width(36);
  add_up(app, exit_code);
  add_serve(app, exit_code);
  add_check(app, exit_code);
  add_explain(app, exit_code);
  add_key(app, exit_code);
  add_profile(app, exit_code);
  add_trail(app, exit_code);
  add_policy(app, exit_code);
  add_sandbox(app, exit_code);
  add_load(app, exit_code);
  add_backup(app, exit_code);
  add_restore(app, exit_code);
  add_completion(app, exit_code);
  add_manual(app, exit_code);
  if (const std::string stranger = unknown_command(app, argc, argv); !stranger.empty())
    return report(Exit::usage, stranger);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    // CLI11 speaks of missing options first; a word that was mistyped is more likely why one is missing.
    const std::vector<std::string> strangers = app.remaining(true);
    if (dynamic_cast<const CLI::RequiredError*>(&e) != nullptr && !strangers.empty())
      return report(Exit::usage, "\"" + strangers.front() + "\" is not understood here (--help tells what is)");
    // --help and --version end with 0; anything else is a usage error.
    return app.exit(e) == 0 ? Exit::done : Exit::usage;
  } catch (const std::exception& e) {
    return report(Exit::usage, e.what());
  }
  return exit_code;
}
