// SPDX-License-Identifier: Apache-2.0
// The commands of `portolan policy`, one file each: policy_NAME.cc. add_policy_… declares a command on the group,
// as add_… in command.h does on the application.
#pragma once

#include <CLI/CLI.hpp>

namespace portolan::cli {

void add_policy_check(CLI::App& policy, int& exit_code);
void add_policy_simulate(CLI::App& policy, int& exit_code);
void add_policy_who_can(CLI::App& policy, int& exit_code);
void add_policy_diff(CLI::App& policy, int& exit_code);
void add_policy_drift(CLI::App& policy, int& exit_code);
void add_policy_generate(CLI::App& group, int& exit_code);
void add_policy_lint(CLI::App& group, int& exit_code);
void add_policy_unused(CLI::App& policy, int& exit_code);
void add_policy_replay(CLI::App& policy, int& exit_code);
void add_policy_apply(CLI::App& group, int& exit_code);   // and rollback, versions, status, history
void add_policy_freeze(CLI::App& group, int& exit_code);  // and unfreeze

}  // namespace portolan::cli
