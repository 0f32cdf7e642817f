// SPDX-License-Identifier: Apache-2.0
// Where operators change what may run: freezes over the admin port (`portolan policy freeze`).
//
// Owns the policy store and a copy of what is in force. A freeze is first put in force in the gateway, then made
// durable: a full disk must not keep anybody from pulling the emergency brake. What takes rules away again is
// durable first. Either way the answer comes when both are done, and the act is in the trail; what failed is told
// in it as a warning.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "control/admin_server.h"
#include "domain/act.h"
#include "domain/freeze.h"
#include "store/policy_store.h"

namespace portolan::control {

class PolicyDesk {
 public:
  /// What it asks of the gateway around it. Called under the desk's lock, on the thread that asked.
  struct Doors {
    std::function<base::WallTime()> now;
    /// Whether there is such a profile. Code::usage, with the nearest name.
    std::function<base::Result<void>(const std::string& profile)> admit_profile;
    /// Puts these freezes in force, all at once, before it returns.
    std::function<base::Result<void>(std::vector<domain::Freeze>)> publish;
    /// Writes the act to the trail before it returns.
    std::function<base::Result<void>(const domain::Act&)> record;
    std::function<void(std::string_view)> log;
  };

  /// Reads the store. `publish` is not called: the gateway starts with freezes().
  static base::Result<std::unique_ptr<PolicyDesk>> open(std::unique_ptr<store::PolicyStore> store, Doors doors);

  std::vector<domain::Freeze> freezes() const;

  // The API; bodies and answers are JSON. Any thread. An order is {"scope", "profile"?, "by", "why"}.
  AdminReply status() const;
  AdminReply freeze(std::string_view order, const std::string& from);
  AdminReply unfreeze(std::string_view order, const std::string& from);
  AdminReply history() const;
  /// GET /api/policy and /api/policy/history, POST /api/policy/freeze and /unfreeze.
  void mount(AdminServer& admin);

  /// While another process reads the store, to take over, nothing is changed here: whoever asks is told to ask
  /// again.
  void hold();
  void go_on();

 private:
  PolicyDesk(std::unique_ptr<store::PolicyStore> store, Doors doors)
      : store_(std::move(store)), doors_(std::move(doors)) {}
  base::Result<domain::Freeze> read_order(std::string_view order) const;
  AdminReply told(const domain::Freeze& freeze, std::string_view event_name, const std::string& from,
                  std::vector<std::string> warnings);
  AdminReply status_now(const std::vector<std::string>& warnings) const;

  mutable std::mutex mutex_;  // guards everything below
  std::unique_ptr<store::PolicyStore> store_;
  Doors doors_;
  std::vector<domain::Freeze> freezes_;
  bool held_ = false;
};

}  // namespace portolan::control
