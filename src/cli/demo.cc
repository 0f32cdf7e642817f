// SPDX-License-Identifier: Apache-2.0
#include "cli/demo.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/sha256.h"
#include "domain/nearest.h"
#include "world/private_file.h"

namespace portolan::cli {

namespace {
constexpr std::string_view provider_account = "999900001111";
constexpr std::string_view provider_access_key_id = "AKIAPORTOLANSANDBOX1";
constexpr std::string_view provider_secret = "sandbox-secret-not-for-production";

std::string quoted(const std::string& text) {
  return nlohmann::json(text).dump();
}

/// What follows the plain port in `listen`.
std::string tls_section(const DemoOptions& options) {
  if (!options.tls) return "";
  return fmt::format(", tls: {{port: {}, certificates: [{{certificate: {}, private_key: {}}}]}}", options.tls_port,
                     quoted(options.certificate_file()), quoted(options.private_key_file()));
}
}  // namespace

base::Result<void> write_authority(const DemoOptions& options, const sim::Sandbox& sandbox) {
  return world::write_private(options.ca_file(), sandbox.authority()->certificate_pem());
}

base::Result<void> write_gateway_certificate(const DemoOptions& options, const sim::Sandbox& sandbox,
                                             const world::Clock& clock) {
  TRY(const sim::CertificateWithKey shown,
      sandbox.authority()->issue({.subject = "gateway",
                                  .dns_names = {"localhost"},
                                  .addresses = {"127.0.0.1"},
                                  .validity = sim::Validity::days(90, clock.wall())}));
  TRY_VOID(world::write_private(options.certificate_file(), shown.certificate_pem));
  return world::write_private(options.private_key_file(), shown.private_key_pem);
}

sim::SandboxOptions sandbox_options(const DemoOptions& options, const world::Clock& clock) {
  const auto catalog = domain::Catalog::builtin();
  sim::SandboxOptions sandbox;
  sandbox.catalog = catalog;
  sandbox.from = catalog->find_region(options.source_region);
  sandbox.clock = &clock;
  sandbox.seed = options.seed;
  sandbox.account_id = provider_account;
  sandbox.access_key_id = provider_access_key_id;
  sandbox.secret_access_key = provider_secret;
  sandbox.capacity = options.capacity;
  sandbox.latency = options.latency;
  sandbox.tls = options.tls;
  return sandbox;
}

std::string endpoint_url(const DemoOptions& options, const sim::SandboxEndpoint& endpoint) {
  return fmt::format("{}://{}:{}", options.tls ? "https" : "http", endpoint.address, endpoint.port);
}

std::string demo_configuration(const DemoOptions& options, const sim::Sandbox& sandbox,
                               const domain::Catalog& catalog) {
  const DemoKeys keys;
  std::string yaml = fmt::format(
      "# The demonstration of `portolan up`: written anew at every start.\n"
      "version: 1\n"
      "dev: true  # lets secrets stand in this file; never outside a demonstration\n"
      "data_dir: {}\n"
      "source_region: {}\n"
      "listen: {{address: 127.0.0.1, port: {}{}}}\n"
      "admin: {{address: 127.0.0.1, port: {}}}\n"
      "deadlines: {{first_byte: {}}}\n"
      "keys: {{master_key: {}}}\n",
      quoted(options.data_dir), options.source_region, options.port, tls_section(options), options.admin_port,
      options.first_byte, quoted("file:" + options.data_dir + "/master.key"));
  if (options.reactors > 0) yaml += fmt::format("reactors: {}\n", options.reactors);
  yaml += fmt::format(
      "account: {{name: sandbox, account_id: \"{}\", access_key_id: {}, secret_access_key: {}}}\n"
      "tenants:\n"
      "  - name: demo  # may call every profile\n"
      "    account_id: \"111122223333\"\n"
      "    keys:\n"
      "      - {{name: alice, access_key_id: {}, secret_access_key: {}}}\n"
      "      - {{name: bot, api_key_sha256: {}}}\n"
      "  - name: research  # may call us. profiles only\n"
      "    account_id: \"444455556666\"\n"
      "    profiles: [\"us.*\"]\n"
      "    quota: {{requests_per_minute: 6000, tokens_per_minute: 20000000}}\n"
      "    keys:\n"
      "      - {{name: rosa, access_key_id: {}, secret_access_key: {}}}\n"
      "      - {{name: notebook, api_key_sha256: {}}}\n"
      "regions:\n",
      provider_account, provider_access_key_id, provider_secret, keys.access_key_id, keys.secret_access_key,
      base::to_hex(base::sha256(keys.api_key)), keys.second_access_key_id, keys.second_secret_access_key,
      base::to_hex(base::sha256(keys.second_api_key)));
  for (const sim::SandboxEndpoint& endpoint : sandbox.endpoints())
    yaml += fmt::format("  {}: {{endpoint: \"{}\"{}}}\n", catalog.region(endpoint.region).name,
                        endpoint_url(options, endpoint), options.tls ? ", ca: " + quoted(options.ca_file()) : "");
  return yaml;
}

std::string unknown_region(std::string_view option, std::string_view region, const domain::Catalog& catalog) {
  return fmt::format("{} {}: there is no such Region{}", option, region,
                     domain::did_you_mean(catalog.nearest_region(region)));
}

void mount_sandbox(control::AdminServer& admin, sim::Sandbox& sandbox) {
  for (const char* method : {"GET", "POST"}) {
    admin.route(method, "/api/sandbox/", [&sandbox](const control::AdminRequest& request) {
      const sim::Sandbox::Reply reply = sandbox.handle(request.method, request.path, request.body);
      return control::AdminReply{.status = reply.status, .content_type = "application/json", .body = reply.body};
    });
  }
}

}  // namespace portolan::cli
