// SPDX-License-Identifier: Apache-2.0
// The commands of `portolan`, one file each. add_… declares a command and its options on the application; when the
// command line names it, its callback runs it and leaves the exit code in `exit_code`.
#pragma once

#include <CLI/CLI.hpp>
#include <charconv>
#include <concepts>
#include <limits>
#include <string>
#include <string_view>

#include "base/result.h"

namespace portolan::cli {

/// Exit codes, the same for every command.
enum Exit : int {
  done = 0,         // done, allowed, passed
  finding = 1,      // denied, a finding, a failed expectation
  usage = 2,        // the command line or the configuration is wrong
  unreachable = 3,  // no gateway answered
};

void add_up(CLI::App& app, int& exit_code);
void add_serve(CLI::App& app, int& exit_code);
void add_check(CLI::App& app, int& exit_code);
void add_explain(CLI::App& app, int& exit_code);
void add_key(CLI::App& app, int& exit_code);
void add_profile(CLI::App& app, int& exit_code);
void add_trail(CLI::App& app, int& exit_code);
void add_policy(CLI::App& app, int& exit_code);
void add_sandbox(CLI::App& app, int& exit_code);
void add_load(CLI::App& app, int& exit_code);
void add_backup(CLI::App& app, int& exit_code);
void add_restore(CLI::App& app, int& exit_code);
/// These two tell of all commands and options that `app` has by the time they run.
void add_completion(CLI::App& app, int& exit_code);
void add_manual(CLI::App& app, int& exit_code);

/// An option that takes a whole number, from 0 to what its type can hold. (CLI11 by itself takes -1 for the largest
/// number there is, and does not say what it would have accepted.)
template <std::unsigned_integral Number>
CLI::Option* add_number(CLI::App& command, const std::string& name, Number& target, const std::string& what) {
  const auto refuse = [](std::string& text) {
    Number number{};
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (failure == std::errc{} && end == text.data() + text.size()) return std::string{};
    return "a whole number from 0 to " + std::to_string(std::numeric_limits<Number>::max()) +
           " is expected, not '" + text + "'";
  };
  return command.add_option(name, target, what)->check(CLI::Validator(refuse, ""));
}

/// Prints "portolan: …" to stderr and returns the exit code that the error stands for.
int report(const base::Error& error);
int report(Exit exit, std::string_view message);

/// One line to stderr with the time: what the running gateway has to say. Never a secret, never a prompt.
void log(std::string_view line);

}  // namespace portolan::cli
