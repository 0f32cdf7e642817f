// SPDX-License-Identifier: Apache-2.0
// Stop 4: where may it run? The profile's destinations for the source Region, narrowed by what the tenant may use.
//
// Rules compile once, when a configuration is loaded, into a set of profiles, a set of models and a mask of Regions
// for each tenant; the call path is one look-up and an AND. An empty result fails closed, and the message names the
// rule that emptied it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/config.h"
#include "domain/call.h"

namespace portolan::policy {

/// What the tenants may use. Immutable; any thread.
class Permissions {
 public:
  /// Compiles the rules of every tenant, indexed as config.tenants. A Region name that the catalog does not have
  /// allows nothing.
  explicit Permissions(const config::Config& config);

  /// Code::access_denied names action, resource, Region and the rule. `inference` has passed stop 3; its model and
  /// profile belong to the configuration's catalog. A model called by its bare id runs in the source Region alone;
  /// a tenant or key that is limited to profiles may call it only if one of its globs matches the model's id. An
  /// application profile is what it copies.
  base::Result<domain::Grant> permit(const domain::Principal& principal, const domain::Inference& inference) const;

  /// Whether the principal may see and call this profile at all (for listings): the profile is among those of its
  /// tenant and of its key, and some destination is in the tenant's Regions.
  bool may_use(const domain::Principal& principal, const domain::Profile& profile) const;

 private:
  struct Tenant {
    std::string name;
    std::vector<std::string> profile_globs;        // empty: every profile and every model
    std::vector<const domain::Profile*> profiles;  // sorted by address; those the globs match
    std::vector<const domain::Model*> models;      // sorted by address; those the globs match
    domain::RegionMask regions;
    bool every_region = true;

    bool may_name(const domain::Inference& inference) const;
    domain::RegionMask narrowed(domain::RegionMask mask) const { return every_region ? mask : mask & regions; }
  };

  base::Result<domain::Grant> denied(const domain::Principal& principal, const domain::Inference& inference,
                                     std::string_view because) const;
  std::string why_no_region(const Tenant& tenant, const domain::Inference& inference,
                            domain::RegionMask destinations) const;

  std::vector<Tenant> tenants_;
  std::shared_ptr<const domain::Catalog> catalog_;
  std::string version_;
};

}  // namespace portolan::policy
