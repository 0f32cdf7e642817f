// SPDX-License-Identifier: Apache-2.0
#include "policy/permit.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <functional>

#include "config/glob.h"
#include "policy/sentence.h"

namespace portolan::policy {
namespace {

using domain::RegionMask;

template <class T>
std::vector<const T*> those_matched(const std::vector<std::string>& globs,
                                    std::span<const std::unique_ptr<const T>> all) {
  std::vector<const T*> matched;
  for (const auto& each : all)
    if (std::ranges::any_of(globs, [&](const std::string& glob) { return config::glob_matches(glob, each->id); }))
      matched.push_back(each.get());
  std::ranges::sort(matched, std::less<>{});
  return matched;
}

/// What a tenant's rules speak of: in place of an application profile, what it copies.
domain::Inference ruled(domain::Inference inference) {
  if (inference.profile == nullptr || inference.profile->application == nullptr) return inference;
  inference.model = inference.profile->model;
  inference.profile = inference.profile->copy_of;
  return inference;
}

/// A key may be narrower than its tenant. Its globs are not compiled: few keys have any.
bool key_may_name(const domain::Principal& principal, const domain::Inference& inference) {
  if (principal.profile_globs.empty()) return true;
  const std::string_view id = inference.profile != nullptr ? std::string_view{inference.profile->id}
                              : inference.model != nullptr ? std::string_view{inference.model->id}
                                                           : std::string_view{};
  return std::ranges::any_of(principal.profile_globs,
                             [&](const std::string& glob) { return config::glob_matches(glob, id); });
}

RegionMask destinations(const domain::Inference& inference) {
  if (inference.profile != nullptr) return inference.profile->destinations_from(inference.source);
  if (inference.model == nullptr || inference.source >= domain::regions_max) return {};
  return inference.model->in_region & RegionMask::of(inference.source);
}

}  // namespace

Permissions::Permissions(const config::Config& config) : catalog_(config.catalog), version_(config.version_hash) {
  for (const config::Tenant& from : config.tenants) {
    Tenant& tenant = tenants_.emplace_back();
    tenant.name = from.name;
    tenant.profile_globs = from.profiles;
    tenant.profiles = those_matched(from.profiles, catalog_->profiles());
    tenant.models = those_matched(from.profiles, catalog_->models());
    tenant.every_region = from.regions.empty();
    for (const std::string& name : from.regions)
      if (const domain::RegionIndex region = catalog_->find_region(name); region != domain::region_none)
        tenant.regions.add(region);
  }
}

bool Permissions::Tenant::may_name(const domain::Inference& inference) const {
  if (profile_globs.empty()) return true;
  if (inference.profile != nullptr) return std::ranges::binary_search(profiles, inference.profile, std::less<>{});
  return std::ranges::binary_search(models, inference.model, std::less<>{});
}

base::Result<domain::Grant> Permissions::permit(const domain::Principal& principal,
                                                const domain::Inference& inference) const {
  if (principal.tenant_index >= tenants_.size())
    return denied(principal, inference, fmt::format("no tenant \"{}\" is configured", principal.tenant));
  const Tenant& tenant = tenants_[principal.tenant_index];
  const domain::Inference named = ruled(inference);
  if (!tenant.may_name(named))
    return denied(principal, inference,
                  fmt::format("tenant \"{}\" allows only the profiles {}", tenant.name,
                              fmt::join(tenant.profile_globs, ", ")));
  if (!key_may_name(principal, named))
    return denied(principal, inference,
                  fmt::format("key {} allows only the profiles {}", principal.key_id,
                              fmt::join(principal.profile_globs, ", ")));
  const RegionMask all = destinations(inference);
  const RegionMask allowed = tenant.narrowed(all);
  if (allowed.empty()) return denied(principal, inference, why_no_region(tenant, inference, all));
  return domain::Grant{.allowed = allowed, .pruned = all - allowed, .policy_version = version_};
}

bool Permissions::may_use(const domain::Principal& principal, const domain::Profile& profile) const {
  if (principal.tenant_index >= tenants_.size()) return false;
  const Tenant& tenant = tenants_[principal.tenant_index];
  const domain::Inference named = ruled({.profile = &profile});
  if (!tenant.may_name(named) || !key_may_name(principal, named)) return false;
  for (const domain::RegionIndex source : profile.sources)
    if (!tenant.narrowed(profile.destinations_from(source)).empty()) return true;
  return false;
}

std::string Permissions::why_no_region(const Tenant& tenant, const domain::Inference& inference,
                                       RegionMask destinations) const {
  const std::string source = inference.source < catalog_->regions().size() ? catalog_->region(inference.source).name
                                                                           : std::string{"an unknown Region"};
  if (!destinations.empty())
    return fmt::format("tenant \"{}\" allows only the Regions {}, and from {} it runs in {}", tenant.name,
                       catalog_->names(tenant.regions), source, catalog_->names(destinations));
  const RegionMask sources = inference.profile != nullptr ? inference.profile->sources
                             : inference.model != nullptr ? inference.model->in_region
                                                          : RegionMask{};
  return fmt::format("it cannot be called from {}, only from {}", source,
                     sources.empty() ? "nowhere" : catalog_->names(sources));
}

base::Result<domain::Grant> Permissions::denied(const domain::Principal& principal,
                                                const domain::Inference& inference,
                                                std::string_view because) const {
  return base::fail(base::Code::access_denied,
                    fmt::format("{} because {}", not_authorized(principal, inference, *catalog_), because));
}

}  // namespace portolan::policy
