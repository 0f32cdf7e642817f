// SPDX-License-Identifier: Apache-2.0
// The gateway as a whole: reactors with their listeners, one trail, one fleet, one snapshot at a time.
//
// start() binds, opens the trail and begins to serve; drain() ends it in order. Everything public may be called
// from any thread but the reactors'.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "domain/act.h"
#include "domain/policy_standing.h"
#include "gateway/journey.h"
#include "gateway/listener.h"
#include "observe/metrics.h"
#include "upstream/pools.h"
#include "world/hand_over.h"

namespace portolan::gateway {

/// A call that has not been made: what `explain` is asked.
struct Hypothesis {
  std::string principal;      // ARN, access key id, key id or user name
  std::string model;          // profile or model, id or ARN
  std::string source_region;  // empty: the principal's default
  std::uint32_t input_tokens = 0;
  std::uint32_t output_tokens_max = 0;  // 0: the model's default
  bool stream = false;
};

/// The nine verdicts for it.
struct Explanation {
  std::vector<domain::Verdict> verdicts;
  bool allowed = false;
  int status = 200;                  // what the caller would be sent, if the first candidate serves
  std::string error_code;            // of the error table; empty when allowed
  std::string error_type;            // what the caller reads, "AccessDeniedException"; empty when allowed
  std::string first_region;          // where it would go first
  std::vector<std::string> regions;  // the whole plan, in order
};

/// What the data directory keeps beside the configuration.
struct Kept {
  std::vector<domain::IssuedKey> keys;
  domain::PolicyStanding rules;
  domain::ApplicationProfileList profiles;
};

class Gateway {
 public:
  /// Code::config_invalid (an address in use, a certificate that cannot be read), Code::disk, Code::corrupt
  /// (trail). `tell` gets a line for the log when the trail breaks or is mended; on any thread. Listening sockets
  /// and the trail are taken over from `inherited` where it has them: each socket goes to a reactor, in turn, and a
  /// reactor that gets none opens one beside them. `change_profiles` is asked by callers until the gateway has
  /// drained.
  static base::Result<std::unique_ptr<Gateway>> start(config::Config config, const world::Clock& clock,
                                                      world::Disk& disk, std::uint64_t seed, Kept kept,
                                                      const ProfileDoor& change_profiles,
                                                      std::function<void(const std::string&)> tell,
                                                      world::Inheritance& inherited);
  ~Gateway();

  std::uint16_t port() const { return port_; }
  std::uint16_t tls_port() const { return tls_port_; }
  bool ready() const { return !draining_.load(std::memory_order_relaxed) && !recorder_->trail().broken(); }
  const trail::Recovery& recovery() const { return recorder_->trail().recovery(); }

  /// Takes a new configuration for calls that begin from now on, and reads certificates and trusted authorities
  /// anew for connections that do. Addresses and ports, data_dir and the number of reactors stay as they were: the
  /// answer names the settings that changed and need a restart. Code::config_invalid (a name that cannot be
  /// resolved, a file that cannot be used): then nothing has changed.
  base::Result<std::vector<std::string>> reload(config::Config config);

  /// Takes these in place of the keys that were issued before, for calls that begin from now on. Returns once every
  /// reactor works with them, so that a revoked key is refused when whoever revoked it is told so. Code::internal
  /// when a reactor is too busy to take them within a second; they are in force as soon as it has.
  base::Result<void> use_keys(std::vector<domain::IssuedKey> issued);

  /// Takes these in place of the freezes and policies before. Returns once every reactor works with them: from then
  /// on no attempt begins against them, of calls in flight neither. Code::config_invalid for policies that have a
  /// mistake: then nothing has changed. Code::internal as for use_keys.
  base::Result<void> use_rules(domain::PolicyStanding standing);

  /// Takes these in place of the application profiles before, for calls that begin from now on. Returns once every
  /// reactor works with them. Code::internal as for use_keys.
  base::Result<void> use_profiles(const domain::ApplicationProfileList& profiles);

  /// Returns when an operator's act is in the trail, on stable storage. Code::unrecordable when it could not be
  /// written, or not within five seconds.
  base::Result<void> record(const domain::Act& act);

  Explanation explain(const Hypothesis& hypothesis);
  std::string metrics() const;
  std::shared_ptr<const Snapshot> snapshot() const;
  /// Standing of each Region that has an endpoint, as JSON: for the admin API.
  std::string regions_json() const;

  /// Prepares for a successor, which may then start with sockets() and trail_lock(). Calls are served as before.
  /// Code::disk, Code::unrecordable: then nothing has changed. See trail::Trail::hand_over.
  base::Result<void> hand_over() { return recorder_->trail().hand_over(); }
  /// The successor has failed.
  void take_back() { recorder_->trail().take_back(); }
  std::vector<int> sockets() const;  // before drain()
  int trail_lock() const { return recorder_->trail().lock()->descriptor(); }

  /// Stops accepting, ends connections as they become idle, waits for calls in flight (at most deadlines.drain),
  /// then stops the reactors. True when none was cut off. Call once.
  bool drain();

 private:
  struct Core {
    Core(std::uint32_t index, const world::Clock& clock) : reactor(index, clock), pools(reactor) {}
    world::Reactor reactor;
    upstream::Pools pools;
    std::unique_ptr<Journey> journey;
    std::unique_ptr<Listener> listener;
    world::asio::executor_work_guard<world::Executor> work{reactor.io.get_executor()};
    std::thread thread;
  };

  Gateway(const world::Clock& clock, std::uint64_t seed) : clock_(clock), random_(seed) {}
  void add_gauges();
  bool on_each_reactor(const std::function<void(Core&)>& change);
  base::Result<void> put_in_force(config::Config config, std::shared_ptr<const policy::Rules> rules,
                                  std::shared_ptr<const ApplicationProfiles> applications, std::string_view what);
  base::Result<std::uint16_t> listen(Core& core, const std::string& address, std::uint16_t port,
                                     Listener::Speaks speaks, std::vector<world::Descriptor>& inherited);
  std::vector<std::pair<std::string, double>> certificates_expire() const;
  std::int64_t calls_in_flight() const;

  const world::Clock& clock_;
  std::mutex changes_;  // one change of the snapshot at a time; guards what follows
  Kept kept_;
  base::Random random_;       // for the ids of recorded acts
  mutable std::mutex mutex_;  // guards snapshot_, tls_ and destinations_, and explain's own readers
  std::shared_ptr<const Snapshot> snapshot_;
  std::shared_ptr<const world::ServerTls> tls_;  // null: no TLS port
  std::shared_ptr<const upstream::Destinations> destinations_;
  quota::Allowances allowances_;
  route::Fleet fleet_;
  std::unique_ptr<route::RetryBudget> retry_budget_;
  identity::SigningKeys signing_keys_;
  wire::BodyReader explain_reader_;
  std::unique_ptr<observe::Metrics> metrics_;
  Occupancy occupancy_;
  std::vector<std::unique_ptr<Core>> cores_;
  std::unique_ptr<Recorder> recorder_;
  std::uint16_t port_ = 0;
  std::uint16_t tls_port_ = 0;
  std::atomic<bool> draining_{false};
  bool stopped_ = false;
};

}  // namespace portolan::gateway
