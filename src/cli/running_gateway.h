// SPDX-License-Identifier: Apache-2.0
// A gateway with its admin port and its signals: what `serve` and `up` have in common.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "control/admin_server.h"
#include "control/key_desk.h"
#include "control/policy_desk.h"
#include "control/profile_desk.h"
#include "gateway/gateway.h"
#include "world/clock.h"
#include "world/disk.h"
#include "world/hand_over.h"

namespace portolan::cli {

class RunningGateway {
 public:
  /// Starts the gateway, then its admin port with `mount` adding routes of its own (may be empty). Leaves admin.key
  /// and admin.url in the data directory. What `inherited` has is taken over from the process that started this
  /// one.
  static base::Result<std::unique_ptr<RunningGateway>> start(
      config::Config config, const world::Clock& clock, const std::function<void(control::AdminServer&)>& mount,
      world::Inheritance inherited);

  ~RunningGateway();

  gateway::Gateway& gateway() { return *gateway_; }
  const std::string& admin_key() const { return admin_key_; }
  std::string gateway_url() const;
  std::string gateway_tls_url() const;  // empty without a TLS port
  std::string admin_url() const;
  std::string data_dir() const { return data_dir_; }

  /// Says that it is ready, then waits for SIGTERM or SIGINT and drains. SIGHUP calls `reload`. SIGUSR2 starts a
  /// successor by `command`; once that is ready, this one drains too. Without a `command` it has none. Returns the
  /// exit code. The signals must have been blocked (block_signals) before any thread was started.
  int run_until_told(const std::function<base::Result<config::Config>()>& reload,
                     const std::optional<world::CommandLine>& command);

 private:
  RunningGateway() = default;
  void mount_routes(const world::Clock& clock);
  base::Result<std::optional<store::MasterKeys>> named_master_keys(const config::Config& config) const;
  void tell_policies(const std::string& configured) const;
  void reload_now(const std::function<base::Result<config::Config>()>& reload);
  void write_admin_url() const;

  // A rolling restart (hand_over.cc).
  void start_successor(const std::optional<world::CommandLine>& command);
  base::Result<void> start_successor(const world::CommandLine& command);
  bool successor_is_ready();
  void give_up_successor(const std::string& why);
  int drain();

  std::unique_ptr<world::Disk> disk_;
  std::unique_ptr<control::ProfileDesk> profile_desk_;  // outlives the gateway, whose callers ask it
  std::unique_ptr<gateway::Gateway> gateway_;
  std::unique_ptr<control::KeyDesk> key_desk_;  // null: the configuration has no `keys`
  std::unique_ptr<control::PolicyDesk> policy_desk_;
  control::AdminServer admin_;
  std::string address_;
  std::string tls_address_;
  std::string admin_address_;
  std::string admin_key_;
  std::string data_dir_;
  world::Inheritance inherited_;
  std::unique_ptr<world::Successor> successor_;  // null: none is starting
};

/// SIGTERM, SIGINT, SIGHUP and SIGUSR2 wait for run_until_told; SIGPIPE is ignored.
void block_signals();

/// Randomness that differs from run to run, for ids and jitter; never for secrets.
std::uint64_t fresh_seed();

}  // namespace portolan::cli
