// SPDX-License-Identifier: Apache-2.0
// What operators put in force while the gateway runs, on disk (DATA_DIR/policy.db): freezes, and every version of
// the policies that ever was, with the history of every change.
//
// A change and its event are one transaction, durable when the function returns. One thread at a time; whoever owns
// it (control::PolicyDesk) sees to that.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "domain/freeze.h"
#include "domain/policy_standing.h"
#include "store/database.h"

namespace portolan::store {

/// One change, as it was asked for.
struct PolicyEvent {
  base::WallTime at{};
  std::string action;  // freeze, unfreeze, apply, rollback, load
  std::string by;
  std::string why;
  std::string detail;  // what it was done to
};

/// A version without its files.
struct VersionRow {
  std::uint32_t number = 0;
  std::string hash;
  base::WallTime since{};
  std::string by;
  std::string why;
};

/// Which versions count for what. 0: none.
struct VersionNumbers {
  std::uint32_t in_force = 0;
  std::uint32_t previous = 0;  // what was in force before it
  std::uint32_t candidate = 0;
  unsigned share_percent = 0;
  std::string directory_hash;  // of the set that the configuration's directory had when it was read last
};

class PolicyStore {
 public:
  /// Opens or makes the file. Code::config_invalid for one of a newer version; Code::corrupt; Code::disk.
  static base::Result<std::unique_ptr<PolicyStore>> open(const std::string& path);

  /// Those in force, oldest first.
  base::Result<std::vector<domain::Freeze>> freezes();
  /// Adds it, in place of one of the same target.
  base::Result<void> freeze(const domain::Freeze& freeze);
  /// Takes the one of the same target away; `lift` says when, who and why. Code::usage when there is none.
  base::Result<void> unfreeze(const domain::Freeze& lift);

  /// Another number than at the last time when another process has changed the file since.
  base::Result<std::int64_t> changes_elsewhere();

  /// The number of the newest change of all, whoever made it; 0: there is none. It only grows.
  base::Result<std::int64_t> newest_change();

  /// Newest first.
  base::Result<std::vector<VersionRow>> versions();
  /// Code::usage when there is none of this number.
  base::Result<domain::PolicyBundle> bundle(std::uint32_t number);
  base::Result<VersionNumbers> numbers();
  /// Gives the version its number: the next one, or the one that it has when this content was added before. `row`
  /// says all but the number.
  base::Result<std::uint32_t> add(const VersionRow& row, const domain::PolicyFiles& files);
  base::Result<void> put(const VersionNumbers& numbers, const PolicyEvent& event);

  /// Newest first.
  base::Result<std::vector<PolicyEvent>> history(std::size_t limit);

 private:
  explicit PolicyStore(Database database) : database_(std::move(database)) {}
  base::Result<void> note(const PolicyEvent& event);

  Database database_;
};

}  // namespace portolan::store
