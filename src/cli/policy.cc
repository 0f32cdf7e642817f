// SPDX-License-Identifier: Apache-2.0
// portolan policy: the group; its commands are declared in policy.h.
#include "cli/policy.h"

#include "cli/command.h"

namespace portolan::cli {

void add_policy(CLI::App& app, int& exit_code) {
  CLI::App* policy = app.add_subcommand("policy", "Who may run what, in which Region: AWS policies, judged");
  policy->require_subcommand(1);
  policy->footer("Example:\n  portolan policy --help");
  add_policy_generate(*policy, exit_code);
  add_policy_lint(*policy, exit_code);
  add_policy_freeze(*policy, exit_code);
}

}  // namespace portolan::cli
