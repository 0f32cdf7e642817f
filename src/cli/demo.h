// SPDX-License-Identifier: Apache-2.0
// The demonstration: sandbox Regions and a configuration for a gateway in front of them.
#pragma once

#include <memory>
#include <string>

#include "config/config.h"
#include "control/admin_server.h"
#include "sim/sandbox.h"

namespace portolan::cli {

/// Credentials of the demonstration. They open nothing but the sandbox, are printed at every start and stand in the
/// README; `dev: true` lets them stand in the configuration.
struct DemoKeys {
  std::string access_key_id = "AKIAPORTOLANDEMO0001";
  std::string secret_access_key = "demo-secret-not-for-production";
  std::string api_key = "demo-key-not-for-production";
  std::string second_access_key_id = "AKIAPORTOLANDEMO0002";
  std::string second_secret_access_key = "second-secret-not-for-production";
  std::string second_api_key = "second-key-not-for-production";
};

struct DemoOptions {
  std::string data_dir = "portolan-data";
  std::string source_region = "us-east-1";
  std::uint16_t port = 8080;
  std::uint16_t admin_port = 8081;
  double time_scale = 1;
  std::uint64_t seed = 1;
  bool latency = true;
  std::uint32_t capacity = 0;
  std::string first_byte = "2s";
  unsigned reactors = 0;
};

/// What the sandbox's Regions accept, and the gateway signs with.
sim::SandboxOptions sandbox_options(const DemoOptions& options, const world::Clock& clock);

/// The configuration as YAML: endpoints of the sandbox, two tenants.
std::string demo_configuration(const DemoOptions& options, const sim::Sandbox& sandbox,
                               const domain::Catalog& catalog);

/// What to tell somebody whose `option` names a Region that there is not.
std::string unknown_region(std::string_view option, std::string_view region, const domain::Catalog& catalog);

/// Mounts the sandbox's own routes on an admin port.
void mount_sandbox(control::AdminServer& admin, sim::Sandbox& sandbox);

}  // namespace portolan::cli
