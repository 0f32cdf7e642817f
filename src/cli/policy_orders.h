// SPDX-License-Identifier: Apache-2.0
// Orders to a running gateway about its rules, and its answers: what the commands that change them have in common.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"
#include "cli/admin_client.h"

namespace portolan::cli {

/// Who gives an order, and why.
struct PolicyOrder {
  AdminClient admin;
  std::string by = operator_name();
  std::string why;
  bool json = false;

  /// The user of this machine that runs the command.
  static std::string operator_name();
  /// --why, --by, --json and those of the admin port.
  void add_options(CLI::App& command);
  /// POSTs `body` with by and why. A gateway that is being replaced takes no orders until its successor serves: it
  /// is asked again until then.
  base::Result<nlohmann::ordered_json> send(const std::string& path, nlohmann::ordered_json body) const;
};

/// What is frozen and which policies are in force by now. The exit code tells whether the order was carried out
/// whole.
int print_policy_state(const base::Result<nlohmann::ordered_json>& state, bool json);

}  // namespace portolan::cli
