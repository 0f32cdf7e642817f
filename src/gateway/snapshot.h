// SPDX-License-Identifier: Apache-2.0
// One immutable snapshot of everything that decides: configuration, keys, rules, catalog. Swapped whole under
// traffic; a call keeps the one it began with. A bad configuration never becomes a snapshot.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "config/config.h"
#include "domain/policy_standing.h"
#include "gateway/application_profiles.h"
#include "identity/identify.h"
#include "policy/permit.h"
#include "policy/rules.h"
#include "quota/book.h"

namespace portolan::gateway {

struct Snapshot {
  Snapshot(config::Config config_, quota::Allowances& allowances, std::span<const domain::IssuedKey> issued = {},
           std::shared_ptr<const policy::Rules> rules_ = std::make_shared<policy::Rules>(),
           std::shared_ptr<const ApplicationProfiles> applications_ = nullptr);

  config::Config config;
  const domain::Catalog& catalog;  // config.catalog
  identity::Keyring keyring;
  policy::Permissions permissions;
  quota::Book quotas;
  std::shared_ptr<const policy::Rules> rules;  // never null
  /// Never null; of the configuration's catalog.
  std::shared_ptr<const ApplicationProfiles> applications;
  std::vector<domain::CallClass> call_classes;         // by tenant index
  std::vector<std::optional<policy::Mode>> modes;      // by tenant index; how policies judge its calls, if it says
  domain::RegionMask reachable;                        // Regions that have an endpoint
  std::array<std::string, domain::regions_max> hosts;  // host:port as signed, by Region
};

/// The rules that stand beside the configuration, made ready for calls. A version that `before` has too, and that
/// nothing else has changed for, keeps what was judged by it. Code::config_invalid names every mistake.
base::Result<std::shared_ptr<const policy::Rules>> compile_rules(std::uint64_t epoch,
                                                                 const domain::PolicyStanding& standing,
                                                                 const config::Config& config,
                                                                 const policy::Rules& before);

}  // namespace portolan::gateway
