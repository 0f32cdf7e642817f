// SPDX-License-Identifier: Apache-2.0
// The application profiles, made ready for calls: each a Profile of kind `application` that goes where the model or
// the profile goes that it copies.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "domain/application_profile.h"
#include "domain/catalog.h"
#include "wire/profile_request.h"

namespace portolan::gateway {

/// Where changes are carried out: outside the reactors, for they wait for the disk. Takes the order from any
/// thread; calls `done` once, on any thread, with the profile as it is by then (of one that was deleted: as it
/// was), when the change is durable and every reactor works with it.
using ProfileDone = std::move_only_function<void(base::Result<domain::ApplicationProfile>)>;
using ProfileDoor = std::function<void(domain::ProfileOrder order, ProfileDone done)>;

/// Immutable; any thread. Belongs to one catalog, which it keeps.
class ApplicationProfiles {
 public:
  struct Entry {
    std::shared_ptr<const domain::ApplicationProfile> made;
    /// Null when what it copies is not in the catalog (any more): it can be seen and deleted, not called.
    std::unique_ptr<const domain::Profile> profile;
  };

  ApplicationProfiles(domain::ApplicationProfileList made, std::shared_ptr<const domain::Catalog> catalog);

  /// Null when the account has none of this id in this Region.
  const Entry* find(std::string_view account, std::string_view region, std::string_view id) const;
  /// Sorted by id.
  std::span<const Entry> all() const { return entries_; }
  const std::shared_ptr<const domain::Catalog>& catalog() const { return catalog_; }

 private:
  std::shared_ptr<const domain::Catalog> catalog_;
  std::vector<Entry> entries_;
};

/// What an application profile copies. `profile` is null when it copies the model.
struct Copied {
  const domain::Profile* profile = nullptr;
  const domain::Model* model = nullptr;
};
/// `arn` as it may stand in copyFrom, seen from one account and source Region. Code::invalid_field (no such ARN,
/// another Region's, nothing that can be called there); Code::access_denied (another account's);
/// Code::unknown_model.
base::Result<Copied> read_copied(std::string_view arn, std::string_view account, domain::RegionIndex source,
                                 const domain::Catalog& catalog);

/// What `request` asks for, complete but for its times. The id is drawn from `random`. Fails as read_copied;
/// Code::too_many_tags.
base::Result<domain::ApplicationProfile> draft_profile(const wire::ProfileRequest& request,
                                                       std::string_view account, domain::RegionIndex source,
                                                       const domain::Catalog& catalog, base::Random& random);

}  // namespace portolan::gateway
