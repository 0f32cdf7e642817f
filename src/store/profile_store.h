// SPDX-License-Identifier: Apache-2.0
// The application inference profiles on disk (DATA_DIR/profiles.db).
//
// A change is one transaction, durable when the function returns; who made it and when is in the trail. One thread
// at a time; whoever owns it (control::ProfileDesk) sees to that.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "domain/application_profile.h"
#include "store/database.h"

namespace portolan::store {

class ProfileStore {
 public:
  /// Opens or makes the file. Code::config_invalid for one of a newer version; Code::corrupt; Code::disk.
  static base::Result<std::unique_ptr<ProfileStore>> open(const std::string& path);

  /// All of them, sorted by id.
  base::Result<std::vector<domain::ApplicationProfile>> profiles();

  /// The id, and the name in its account and Region, must be free: Code::disk otherwise.
  base::Result<void> add(const domain::ApplicationProfile& profile);
  /// Those that are not there are removed already.
  base::Result<void> remove(const std::string& id);
  /// In place of the tags before.
  base::Result<void> set_tags(const std::string& id, const domain::Tags& tags, base::WallTime now);

  /// Another number than at the last time when another process has changed the file since.
  base::Result<std::int64_t> changes_elsewhere();

 private:
  explicit ProfileStore(Database database) : database_(std::move(database)) {}
  base::Result<std::vector<domain::ApplicationProfile>> read_profiles();
  base::Result<void> insert_tags(const std::string& id, const domain::Tags& tags);

  Database database_;
};

}  // namespace portolan::store
