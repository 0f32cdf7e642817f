// SPDX-License-Identifier: Apache-2.0
// What the commands share that hold the trail against a set of policies: `policy unused` and `policy replay`.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>

#include "cli/trail_reading.h"
#include "policy/cross_region.h"
#include "policy/organization.h"

namespace portolan::cli {

struct EvidenceOptions {
  TrailReading trail;
  std::string directory;  // of the set; empty: the one in force
  std::string configuration_file;
  std::string mode;  // empty: as recorded
  bool json = false;

  void add_options(CLI::App& command);
};

/// What recorded calls are held against.
struct EvidenceBasis {
  std::shared_ptr<const policy::Organization> organization;
  std::shared_ptr<const domain::Catalog> catalog;
  std::string set;  // "policies", or "version 3 (0123456789ab), in force": for people
  std::optional<policy::Mode> mode;
  policy::ProfileArn profile_arn = policy::ProfileArn::application;
};
/// Code::usage when no set is named and none is in force; Code::config_invalid with all mistakes.
base::Result<EvidenceBasis> evidence_basis(const EvidenceOptions& options);

}  // namespace portolan::cli
