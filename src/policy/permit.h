// SPDX-License-Identifier: Apache-2.0
// Stop 4: where may it run? The profile's destinations for the source Region, narrowed by what the tenant may use.
//
// Rules compile once, when a configuration is loaded, into a mask of profiles and a mask of Regions for each tenant; the
// call path is two look-ups and an AND. An empty result fails closed, and the message names the rule that emptied it.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/config.h"
#include "domain/call.h"

namespace portolan::policy {

/// True when `text` matches `glob`; `*` is any run of characters, `?` is one. Case-sensitive.
bool glob_matches(std::string_view glob, std::string_view text);

class Permissions {
 public:
  /// Compiles the rules of every tenant, indexed as config.tenants.
  explicit Permissions(const config::Config& config);

  /// Code::access_denied names action, resource, Region and the rule. `inference` has passed stop 3.
  base::Result<domain::Grant> permit(const domain::Principal& principal, const domain::Inference& inference) const;

  /// Whether the tenant may see and call this profile at all (for listings).
  bool may_use(std::uint16_t tenant_index, const domain::Profile& profile) const;

 private:
  struct Tenant {
    std::string name;
    std::vector<std::string> profile_globs;
    std::vector<const domain::Profile*> profiles;  // sorted by address; those the globs match
    bool every_profile = true;
    domain::RegionMask regions;
    bool every_region = true;
  };
  std::vector<Tenant> tenants_;
  std::shared_ptr<const domain::Catalog> catalog_;
  std::string version_;
};

}  // namespace portolan::policy
