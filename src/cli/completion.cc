// SPDX-License-Identifier: Apache-2.0
// portolan completion: a script for the shell, written from the commands and options themselves.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>

#include "cli/command.h"

namespace portolan::cli {
namespace {

using Words = std::vector<std::string>;

/// What may be typed, by the words that stand before it ("portolan sandbox", "portolan load --operation").
struct Vocabulary {
  Words commands;                              // every command with its parents
  std::map<std::string, Words> after_command;  // its commands and options
  std::map<std::string, Words> after_option;   // the values it allows; none: anything, a file's name for one
};

/// An option that allows certain values only says so in its type: "TEXT:{bucket,sliding,fixed}".
Words values_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const std::size_t open = type.find('{'), close = type.find('}');
  if (open == std::string::npos || close == std::string::npos) return {};
  return CLI::detail::split(type.substr(open + 1, close - open - 1), ',');
}

void learn(const CLI::App& command, const std::string& path, Vocabulary& vocabulary) {
  Words& words = vocabulary.after_command[path];
  for (const CLI::App* below : command.get_subcommands([](const CLI::App*) { return true; })) {
    words.push_back(below->get_name());
    const std::string path_below = path + " " + below->get_name();
    vocabulary.commands.push_back(path_below);
    learn(*below, path_below, vocabulary);
  }
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_positional()) {
      std::ranges::copy(values_of(*option), std::back_inserter(words));
      continue;
    }
    Words names;
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
    for (const std::string& name : names)
      if (option->get_items_expected_max() > 0)
        vocabulary.after_option[std::string(path).append(" ").append(name)] = values_of(*option);
    std::ranges::copy(names, std::back_inserter(words));
  }
}

std::string bash(const Vocabulary& vocabulary) {
  std::string values, anything, words;
  for (const auto& [before, allowed] : vocabulary.after_option) {
    if (allowed.empty())
      anything += fmt::format("{}'{}'", anything.empty() ? "" : " | \\\n    ", before);
    else
      values += fmt::format("    '{}') words='{}' ;;\n", before, fmt::join(allowed, " "));
  }
  for (const auto& [before, allowed] : vocabulary.after_command)
    words += fmt::format("      '{}') words='{}' ;;\n", before, fmt::join(allowed, " "));
  return fmt::format(
      R"(# Completion of portolan {0} for bash, written by `portolan completion bash`.
_portolan() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} command=portolan words='' i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$command ${{COMP_WORDS[i]}}" in
    '{1}') command+=" ${{COMP_WORDS[i]}}" ;;
    esac
  done
  COMPREPLY=()
  case "$command ${{COMP_WORDS[COMP_CWORD - 1]}}" in
{2}    {3}) return ;;
    *)
      case $command in
{4}      esac
      ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}}
complete -o default -F _portolan portolan
)",
      PORTOLAN_VERSION, fmt::join(vocabulary.commands, "' | '"), values, anything, words);
}

}  // namespace

void add_completion(CLI::App& app, int&) {
  auto shell = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("completion", "Print a script that completes commands and options");
  command->footer("Example, for this session or in ~/.bashrc:\n  source <(portolan completion bash)");
  command->add_option("shell", *shell, "Shell to write it for")->required()->check(CLI::IsMember({"bash"}));
  command->callback([shell, &app] {
    Vocabulary vocabulary;
    learn(app, "portolan", vocabulary);
    fmt::print("{}", bash(vocabulary));
  });
}

}  // namespace portolan::cli
