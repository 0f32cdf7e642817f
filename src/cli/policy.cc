// SPDX-License-Identifier: Apache-2.0
// portolan policy: the group; its commands are declared in policy.h.
#include "cli/policy.h"

#include "cli/command.h"

namespace portolan::cli {

void add_policy(CLI::App& app, int& exit_code) {
  CLI::App* policy = app.add_subcommand("policy", "Who may run what, in which Region: AWS policies, judged");
  policy->require_subcommand(1);
  add_policy_check(*policy, exit_code);
  add_policy_simulate(*policy, exit_code);
  add_policy_who_can(*policy, exit_code);
  add_policy_diff(*policy, exit_code);
  add_policy_drift(*policy, exit_code);
  add_policy_generate(*policy, exit_code);
  add_policy_lint(*policy, exit_code);
  add_policy_unused(*policy, exit_code);
  add_policy_replay(*policy, exit_code);
  add_policy_apply(*policy, exit_code);
  add_policy_freeze(*policy, exit_code);
}

}  // namespace portolan::cli
