// SPDX-License-Identifier: Apache-2.0
#include "quota/book.h"

#include <algorithm>

#include "config/glob.h"

namespace portolan::quota {

std::shared_ptr<Allowance> Allowances::of(const std::string& owner) {
  std::shared_ptr<Allowance>& allowance = by_owner_[owner];
  if (allowance == nullptr) allowance = std::make_shared<Allowance>(owner);
  return allowance;
}

std::string tenant_owner(std::string_view tenant) {
  return "tenant " + std::string(tenant);
}

std::string key_owner(std::string_view user, std::string_view tenant) {
  return "key " + std::string(user) + " of " + tenant_owner(tenant);
}

std::string profile_owner(std::string_view profile, std::string_view tenant) {
  return "profile " + std::string(profile) + " of " + tenant_owner(tenant);
}

Book::Book(const config::Config& config, const std::vector<std::unique_ptr<domain::Principal>>& principals,
           Allowances& kept) {
  const auto limited = [&kept](const std::string& owner, const domain::Limits& limits) {
    std::shared_ptr<Allowance> allowance = kept.of(owner);
    allowance->set(limits);
    return allowance;
  };
  for (const config::Tenant& tenant : config.tenants) {
    Tenant& entry = tenants_.emplace_back();
    entry.own = limited(tenant_owner(tenant.name), tenant.quota);
    if (tenant.profile_quotas.empty()) continue;
    for (const auto& profile : config.catalog->profiles()) {
      const auto named = std::ranges::find_if(tenant.profile_quotas, [&](const config::ProfileQuota& quota) {
        return config::glob_matches(quota.profiles, profile->id);
      });
      if (named != tenant.profile_quotas.end())
        entry.profiles[profile.get()] = limited(profile_owner(profile->id, tenant.name), *named);
    }
  }
  for (const auto& principal : principals) {
    const config::Tenant& tenant = config.tenants[principal->tenant_index];
    const auto named = std::ranges::find_if(tenant.key_quotas, [&](const config::KeyQuota& quota) {
      return config::glob_matches(quota.keys, principal->user_name);
    });
    if (named != tenant.key_quotas.end())
      tenants_[principal->tenant_index].keys[principal->user_name] =
          limited(key_owner(principal->user_name, tenant.name), *named);
  }
}

Owners Book::owners_of(const domain::Principal& principal, const domain::Profile* profile) const {
  const Tenant& tenant = tenants_[principal.tenant_index];
  Owners owners;
  owners.add(tenant.own.get());
  if (const auto key = tenant.keys.find(principal.user_name); key != tenant.keys.end())
    owners.add(key->second.get());
  if (profile != nullptr && profile->copy_of != nullptr) profile = profile->copy_of;  // a copy is no way around it
  if (const auto found = tenant.profiles.find(profile); found != tenant.profiles.end())
    owners.add(found->second.get());
  return owners;
}

std::vector<const Allowance*> Book::all() const {
  std::vector<const Allowance*> tenants;
  std::vector<const Allowance*> parts;
  for (const Tenant& tenant : tenants_) {
    tenants.push_back(tenant.own.get());
    for (const auto& [name, allowance] : tenant.keys) parts.push_back(allowance.get());
    for (const auto& [profile, allowance] : tenant.profiles) parts.push_back(allowance.get());
  }
  std::ranges::sort(parts, {}, &Allowance::owner);
  tenants.insert(tenants.end(), parts.begin(), parts.end());
  return tenants;
}

}  // namespace portolan::quota
