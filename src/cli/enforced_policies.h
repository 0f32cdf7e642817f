// SPDX-License-Identifier: Apache-2.0
// The policies that a gateway enforces: read from a directory, kept at its desk, handed to it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "control/policy_desk.h"
#include "domain/policy_standing.h"
#include "gateway/gateway.h"
#include "world/hand_over.h"

namespace portolan::cli {

struct PolicySet {
  domain::PolicyFiles files;
  std::string hash;
};

/// The set in `directory`. Code::config_invalid with every mistake, one a line.
base::Result<PolicySet> read_policies(const std::string& directory);

/// Opens DATA_DIR/policy.db and says what is in force. `gateway` is asked for at each change, when the gateway is
/// there. The desk of a process that has a predecessor holds (PolicyDesk::hold). `inherited` outlives the desk.
base::Result<std::unique_ptr<control::PolicyDesk>> open_policy_desk(
    const std::string& data_dir, const world::Clock& clock, const std::function<gateway::Gateway&()>& gateway,
    const world::Inheritance& inherited);

}  // namespace portolan::cli
