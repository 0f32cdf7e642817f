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
  bool tls = false;  // Regions speak TLS, and the gateway a TLS port beside the plain one
  std::uint16_t tls_port = 8443;

  /// Who vouches for all of them. In the data directory, as is what the gateway shows.
  std::string ca_file() const { return data_dir + "/sandbox-ca.pem"; }
  std::string certificate_file() const { return data_dir + "/gateway.pem"; }
  std::string private_key_file() const { return data_dir + "/gateway.key"; }
};

/// The authority of a sandbox that speaks TLS, for whoever is to believe its Regions. Code::disk.
base::Result<void> write_authority(const DemoOptions& options, const sim::Sandbox& sandbox);
/// A certificate for the gateway on 127.0.0.1 and localhost, from the sandbox's authority. Code::disk.
base::Result<void> write_gateway_certificate(const DemoOptions& options, const sim::Sandbox& sandbox,
                                             const world::Clock& clock);

/// What the sandbox's Regions accept, and the gateway signs with.
sim::SandboxOptions sandbox_options(const DemoOptions& options, const world::Clock& clock);

/// "http://127.77.0.1:40001", or https.
std::string endpoint_url(const DemoOptions& options, const sim::SandboxEndpoint& endpoint);

/// The configuration as YAML: endpoints of the sandbox, two tenants. Issued keys are sealed under
/// DATA_DIR/master.key, which must be there; a real gateway keeps it elsewhere.
std::string demo_configuration(const DemoOptions& options, const sim::Sandbox& sandbox,
                               const domain::Catalog& catalog);

/// What to tell somebody whose `option` names a Region that there is not.
std::string unknown_region(std::string_view option, std::string_view region, const domain::Catalog& catalog);

/// Mounts the sandbox's own routes on an admin port.
void mount_sandbox(control::AdminServer& admin, sim::Sandbox& sandbox);

}  // namespace portolan::cli
