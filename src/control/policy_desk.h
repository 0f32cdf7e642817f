// SPDX-License-Identifier: Apache-2.0
// Where operators change what may run, over the admin port: freezes, and versions of the policies (`portolan policy
// freeze`, `apply`, `rollback`).
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
#include "domain/policy_standing.h"
#include "store/policy_store.h"

namespace portolan::control {

class PolicyDesk {
 public:
  /// What it asks of the gateway around it. Called under the desk's lock, on the thread that asked.
  struct Doors {
    std::function<base::WallTime()> now;
    /// Whether there is such a profile. Code::usage, with the nearest name.
    std::function<base::Result<void>(const std::string& profile)> admit_profile;
    /// Whether such a set can be enforced: its hash. Code::config_invalid with every mistake.
    std::function<base::Result<std::string>(const domain::PolicyFiles&)> admit_policies;
    /// Puts these rules in force, all at once, before it returns. Code::config_invalid: they are not in force.
    std::function<base::Result<void>(const domain::PolicyStanding&)> publish;
    /// Writes the act to the trail before it returns.
    std::function<base::Result<void>(const domain::Act&)> record;
    std::function<void(std::string_view)> log;
    /// At a rolling restart the two processes agree by the numbers of changes (store::PolicyStore). The predecessor
    /// says that every change up to this one is in force in it.
    std::function<void(std::int64_t change)> say_followed = [](std::int64_t) {};
    /// The successor waits until it has been said; at once when there is no predecessor. Else an error: what is
    /// not sure then.
    std::function<base::Result<void>(std::int64_t change)> await_predecessor =
        [](std::int64_t) -> base::Result<void> { return {}; };
  };

  /// Reads the store. `publish` is not called: the gateway starts with standing().
  static base::Result<std::unique_ptr<PolicyDesk>> open(std::unique_ptr<store::PolicyStore> store, Doors doors);

  domain::PolicyStanding standing() const;

  /// The set in the directory that the configuration names, as it is now. It becomes a version, and is put in
  /// force, when it is another than at the last time; otherwise what operators applied since stays. `publish` is
  /// not called; answers whether something changed.
  base::Result<bool> adopt(const domain::PolicyFiles& files, const std::string& hash, const std::string& directory);
  /// Puts in force, and into the trail, what was adopted.
  void publish_adopted(const std::string& directory);

  // The API; bodies and answers are JSON. Any thread. An order for a freeze is {"scope", "profile"?, "by", "why"};
  // to apply {"files": {name: text}, "share_percent"?, "shadow"?, "by", "why"}; to roll back {"version"?, "by",
  // "why"}.
  AdminReply status() const;
  AdminReply freeze(std::string_view order, const std::string& from);
  AdminReply unfreeze(std::string_view order, const std::string& from);
  AdminReply apply(std::string_view order, const std::string& from);
  /// Without a version: takes the candidate back, or returns to what was in force before. Version 0: no policies.
  AdminReply rollback(std::string_view order, const std::string& from);
  AdminReply versions() const;
  AdminReply history() const;
  /// The files of the version in force: {"version", "hash", "files": {name: text}}. 404 when there is none.
  AdminReply set() const;
  /// GET /api/policy, /api/policy/versions, /api/policy/set and /api/policy/history, POST /api/policy/freeze,
  /// /unfreeze, /apply and /rollback.
  void mount(AdminServer& admin);

  /// While two processes have the store open and it is not settled who serves, neither takes orders: whoever asks
  /// is told to ask again. The predecessor holds before it starts its successor, and goes on when that has failed;
  /// a successor holds until it serves. So no order is carried out by a process that may never serve.
  void hold();
  void go_on();
  /// Puts in force what another process has changed in the store, and says so: for a gateway that finishes its
  /// calls while its successor takes the orders. What fails is tried again at the next call.
  void follow();

 private:
  PolicyDesk(std::unique_ptr<store::PolicyStore> store, Doors doors)
      : store_(std::move(store)), doors_(std::move(doors)) {}
  base::Result<domain::Freeze> read_order(std::string_view order) const;
  AdminReply told(const domain::Freeze& freeze, std::string_view event_name, const std::string& from,
                  std::vector<std::string> warnings);
  AdminReply told(const domain::Act& act, const std::string& line, std::vector<std::string> warnings);
  base::Result<void> read_store();
  base::Result<void> follow_now();
  void await_predecessor(bool is_kept, std::vector<std::string>& warnings);
  base::Result<domain::PolicyStanding> standing_of(const store::VersionNumbers& numbers) const;
  AdminReply change(const store::VersionNumbers& after, const store::PolicyEvent& event,
                    std::string_view event_name, const std::string& from);
  AdminReply status_now(const std::vector<std::string>& warnings) const;

  mutable std::mutex mutex_;  // guards everything below
  std::unique_ptr<store::PolicyStore> store_;
  Doors doors_;
  store::VersionNumbers numbers_;
  domain::PolicyStanding standing_;
  bool held_ = false;
  std::int64_t changes_elsewhere_ = 0;
  bool has_said_followed_ = false;  // since it holds
  std::string follow_failure_;      // as it was told last; empty: none
};

}  // namespace portolan::control
