// SPDX-License-Identifier: Apache-2.0
// What a configuration says about quotas, made ready for calls: whose allowances a call draws on.
//
// A Book is immutable and belongs to one snapshot; the Allowances behind it outlive configurations, since a reload
// must not refill a quota. Which apply is a pure function of who calls and what: the tenant's own, that of the user
// name (so that a key and its successor share one), that of the profile.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "config/config.h"
#include "domain/call.h"
#include "quota/reservation.h"

namespace portolan::quota {

/// All allowances there are, by owner. Used when a configuration is loaded, one at a time.
class Allowances {
 public:
  /// The one of `owner`, new when there was none.
  std::shared_ptr<Allowance> of(const std::string& owner);
  const std::map<std::string, std::shared_ptr<Allowance>>& all() const { return by_owner_; }

 private:
  std::map<std::string, std::shared_ptr<Allowance>> by_owner_;
};

std::string tenant_owner(std::string_view tenant);
std::string key_owner(std::string_view user, std::string_view tenant);
std::string profile_owner(std::string_view profile, std::string_view tenant);

class Book {
 public:
  /// `principals` are those that may call, in any order. Sets the limits of every allowance that it names.
  Book(const config::Config& config, const std::vector<std::unique_ptr<domain::Principal>>& principals,
       Allowances& kept);

  /// Allocates nothing. `profile` may be null; an application profile draws on the allowance of the one it copies.
  Owners owners_of(const domain::Principal& principal, const domain::Profile* profile) const;

  const Allowance& of_tenant(std::size_t tenant_index) const { return *tenants_[tenant_index].own; }
  /// Each allowance once, tenants first: for people.
  std::vector<const Allowance*> all() const;

 private:
  struct Tenant {
    std::shared_ptr<Allowance> own;
    std::unordered_map<std::string_view, std::shared_ptr<Allowance>> keys;  // by a principal's user name
    std::unordered_map<const domain::Profile*, std::shared_ptr<Allowance>> profiles;
  };

  std::vector<Tenant> tenants_;  // by tenant index
};

}  // namespace portolan::quota
