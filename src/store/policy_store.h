// SPDX-License-Identifier: Apache-2.0
// What operators put in force while the gateway runs, on disk (DATA_DIR/policy.db): freezes, with the history of
// every change.
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
#include "store/database.h"

namespace portolan::store {

/// One change, as it was asked for.
struct PolicyEvent {
  base::WallTime at{};
  std::string action;  // freeze, unfreeze
  std::string by;
  std::string why;
  std::string detail;  // what it was done to
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

  /// Newest first.
  base::Result<std::vector<PolicyEvent>> history(std::size_t limit);

 private:
  explicit PolicyStore(Database database) : database_(std::move(database)) {}
  base::Result<void> note(const PolicyEvent& event);

  Database database_;
};

}  // namespace portolan::store
