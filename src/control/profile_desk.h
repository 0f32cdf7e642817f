// SPDX-License-Identifier: Apache-2.0
// Where application profiles are made, tagged and deleted, for callers (the Bedrock API) and operators (`portolan
// profile`) alike.
//
// Owns the profile store and a copy of what is in it. A change is first durable in the store, then made to the copy
// and put in force in the gateway (`publish`), then told to whoever asked. Callers' orders wait in a short queue
// for the desk's own thread, for a reactor must not wait for the disk.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>

#include "base/result.h"
#include "domain/application_profile.h"
#include "store/profile_store.h"
#include "world/clock.h"

namespace portolan::control {

class ProfileDesk {
 public:
  /// What it asks of the gateway around it. Called under the desk's lock.
  struct Doors {
    /// Puts these profiles in force, all at once, before it returns.
    std::function<base::Result<void>(const domain::ApplicationProfileList&)> publish;
    std::function<void(std::string_view)> log;
  };
  /// Called once, with the profile as it is by then; of one that was deleted, as it was.
  using Done = std::move_only_function<void(base::Result<domain::ApplicationProfile>)>;

  /// Reads the store. `publish` is not called: the gateway starts with profiles().
  static base::Result<std::unique_ptr<ProfileDesk>> open(std::unique_ptr<store::ProfileStore> store,
                                                         const world::Clock& clock, Doors doors);
  ~ProfileDesk();

  domain::ApplicationProfileList profiles() const;

  /// Any thread; never waits. `done` is called on the desk's thread, or at once when there are too many orders
  /// (Code::overloaded).
  void ask(domain::ProfileOrder order, Done done);

  /// Any thread but the reactors'; waits for the disk. Code::conflict (the name is taken; the token was used for
  /// something else), Code::too_many_profiles, Code::too_many_tags, Code::unknown_model, Code::overloaded (given
  /// up, or a successor takes over), Code::disk. Code::internal: it is made, and not in force at every reactor yet.
  base::Result<domain::ApplicationProfile> carry_out(const domain::ProfileOrder& order);

  /// While another process reads the store, to take over, nothing is changed here.
  void hold();
  void go_on();
  /// Puts in force what another process has changed in the store: for a gateway that finishes its calls while its
  /// successor takes the orders.
  void follow();
  /// Ends the desk's thread; orders that wait are refused. Before the gateway is destroyed.
  void stop();

 private:
  struct Waiting {
    domain::ProfileOrder order;
    Done done;
  };
  ProfileDesk(std::unique_ptr<store::ProfileStore> store, const world::Clock& clock, Doors doors)
      : clock_(clock), store_(std::move(store)), doors_(std::move(doors)) {}
  base::Result<void> read_store();
  base::Result<domain::ApplicationProfile> create(const domain::ApplicationProfile& draft);
  base::Result<domain::ApplicationProfile> change(const domain::ProfileOrder& order);
  base::Result<void> put_in_force();
  void work();

  const world::Clock& clock_;
  mutable std::mutex mutex_;  // guards what follows, and the store
  std::unique_ptr<store::ProfileStore> store_;
  Doors doors_;
  domain::ApplicationProfileList profiles_;
  bool held_ = false;
  std::int64_t changes_elsewhere_ = 0;

  std::mutex queue_mutex_;  // guards what follows; held for moments only
  std::deque<Waiting> queue_;
  bool ending_ = false;
  std::condition_variable wake_;
  std::thread worker_;
};

}  // namespace portolan::control
