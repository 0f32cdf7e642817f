// SPDX-License-Identifier: Apache-2.0
// Which rules are in force beside the configuration, as they are kept and handed to the gateway: texts, not yet
// compiled.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "domain/freeze.h"

namespace portolan::domain {

/// A set of policies as it was sent: organization.yaml and the documents that it names, by name.
using PolicyFiles = std::map<std::string, std::string, std::less<>>;

/// A version of the policies. Never changed once it has a number.
struct PolicyBundle {
  std::uint32_t number = 0;  // from 1
  std::string hash;          // of the content, in hexadecimal
  std::shared_ptr<const PolicyFiles> files;
};

struct PolicyStanding {
  std::vector<Freeze> freezes;
  std::optional<PolicyBundle> in_force;
  std::optional<PolicyBundle> candidate;  // tried before it is in force for all
  unsigned share_percent = 0;             // of calls that the candidate judges; 0: it is evaluated, and no more
};

}  // namespace portolan::domain
