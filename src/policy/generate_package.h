// SPDX-License-Identifier: Apache-2.0
// Generated policies as the files that tools deploy: AWS JSON, a package of Customizations for AWS Control Tower,
// or Terraform. Pure: texts out, no file is written here.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "policy/generate.h"

namespace portolan::policy {

enum class PackageForm : std::uint8_t {
  json,           // NAME.json
  control_tower,  // manifest.yaml (schema 2021-03-15), policies/NAME.json for SCPs, templates/NAME.template for
                  // others
  terraform,      // NAME.tf: aws_iam_policy or aws_organizations_policy, and what attaches them
};

struct PackageOrder {
  PackageForm form = PackageForm::json;
  /// What the policies are attached to. Identity policies: names of roles. SCPs: names of units for Control Tower
  /// ("Root", "Workloads:Production"), ids for Terraform ("r-ab12", "ou-ab12-cdefghij", an account). Empty: nothing
  /// is attached; Control Tower needs at least one for an SCP.
  std::vector<std::string> targets;
  std::string account;      // whose account identity policies are deployed to; Control Tower only
  std::string home_region;  // of Control Tower
};

struct PackageFile {
  std::string path;  // relative, with '/'
  std::string text;
};

/// Fails with Code::usage when the form lacks something that the order has to say, or cannot hold what it says.
base::Result<std::vector<PackageFile>> package(std::span<const GeneratedPolicy> policies,
                                               const PackageOrder& order);

}  // namespace portolan::policy
