// SPDX-License-Identifier: Apache-2.0
// portolan up: the demonstration. Sandbox Regions, a gateway in front of them, two tenants, three things to try.
#include <filesystem>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include "cli/command.h"
#include "cli/configuration.h"
#include "cli/demo.h"
#include "cli/issued_keys.h"
#include "cli/running_gateway.h"
#include "world/private_file.h"

namespace portolan::cli {
namespace {

void print_json(const RunningGateway& running, const DemoOptions& options, const std::string& gateway_url) {
  const DemoKeys keys;
  nlohmann::ordered_json line{{"ready", true},
                              {"gateway", gateway_url},
                              {"admin", running.admin_url()},
                              {"admin_key", running.admin_key()},
                              {"source_region", options.source_region},
                              {"access_key_id", keys.access_key_id},
                              {"secret_access_key", keys.secret_access_key},
                              {"api_key", keys.api_key},
                              {"data_dir", running.data_dir()},
                              {"second_tenant",
                               {{"access_key_id", keys.second_access_key_id},
                                {"secret_access_key", keys.second_secret_access_key},
                                {"api_key", keys.second_api_key}}}};
  if (options.tls) {
    line["gateway_tls"] = running.gateway_tls_url();
    line["ca_file"] = options.ca_file();
  }
  fmt::print("{}\n", line.dump());
  std::fflush(stdout);
}

void print_welcome(const RunningGateway& running, const DemoOptions& options, const std::string& gateway_url,
                   std::size_t regions) {
  const DemoKeys keys;
  constexpr std::string_view profile = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
  fmt::print(
      "\nPortolan is up: a gateway in {} before {} sandbox Regions.\n\n"
      "  gateway    {}\n"
      "{}"
      "  admin      {}   (key in {}/admin.key)\n"
      "  tenant demo       access key {} / {}\n"
      "                    API key    {}\n"
      "  tenant research   access key {} / {}   (us. profiles only)\n\n"
      "Three things to try, in another terminal:\n\n"
      "  1. Call a model. The reply's headers say where it ran:\n\n"
      "     curl -i {}/model/{}/converse \\\n"
      "       -H 'Authorization: Bearer {}' -H 'Content-Type: application/json' \\\n"
      "       -d '{{\"messages\":[{{\"role\":\"user\",\"content\":[{{\"text\":\"Where am I?\"}}]}}]}}'\n\n"
      "  2. Ask for the evidence, and why it went there:\n\n"
      "     export PORTOLAN_DATA_DIR={}\n"
      "     portolan trail lookup --limit 5\n"
      "     portolan explain --principal alice --profile {}\n\n"
      "  3. Take a Region away and call again:\n\n"
      "     portolan sandbox fault {} refuse --for 30s\n\n"
      "Ctrl-C ends it.\n",
      options.source_region, regions, gateway_url,
      options.tls ? fmt::format("             {}   (trust {})\n", running.gateway_tls_url(), options.ca_file())
                  : "",
      running.admin_url(), running.data_dir(), keys.access_key_id, keys.secret_access_key, keys.api_key,
      keys.second_access_key_id, keys.second_secret_access_key, gateway_url, profile, keys.api_key,
      running.data_dir(), profile, options.source_region);
  std::fflush(stdout);
}

int up(DemoOptions options, bool json) {
  block_signals();
  const auto catalog = domain::Catalog::builtin();
  if (catalog->find_region(options.source_region) == domain::region_none)
    return report(Exit::usage, unknown_region("--source-region", options.source_region, *catalog));
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(options.data_dir, error);
  if (!error) options.data_dir = absolute.string();
  std::filesystem::create_directories(options.data_dir, error);
  if (error) return report(Exit::usage, options.data_dir + ": " + error.message());
  ::chmod(options.data_dir.c_str(), 0700);

  const world::RealClock clock(options.time_scale);
  auto sandbox = sim::Sandbox::start(sandbox_options(options, clock));
  if (!sandbox) return report(sandbox.error());
  if (options.tls) {
    auto written = write_authority(options, **sandbox);
    if (written) written = write_gateway_certificate(options, **sandbox, clock);
    if (!written) return report(written.error());
  }
  if (const auto made = make_master_key(options.data_dir + "/master.key", true); !made) return report(made.error());
  const std::string config_path = options.data_dir + "/portolan.yaml";
  const std::string text = demo_configuration(options, **sandbox, *catalog);
  auto config = load_configuration(text, config_path);
  if (!config) return report(config.error());
  auto running = RunningGateway::start(
      std::move(*config), clock, [&](control::AdminServer& admin) { mount_sandbox(admin, **sandbox); },
      world::Inheritance{});
  if (!running) return report(running.error());
  // Only now: before, the directory may be another gateway's, which would read this on its next SIGHUP.
  if (const auto written = world::write_private(config_path, text); !written) return report(written.error());

  const std::string gateway_url = (*running)->gateway_url();
  if (json)
    print_json(**running, options, gateway_url);
  else
    print_welcome(**running, options, gateway_url, (*sandbox)->endpoints().size());
  const int exit = (*running)->run_until_told([&] { return read_configuration(config_path); }, std::nullopt);
  (*sandbox)->stop();
  return exit;
}

}  // namespace

void add_up(CLI::App& app, int& exit_code) {
  struct Options {
    DemoOptions demo;
    bool json = false;
    bool no_latency = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("up", "Start the demonstration: sandbox Regions and a gateway before them");
  command->footer(
      "Example:\n  portolan up\n  portolan up --json --port 0 --admin-port 0 --data-dir /tmp/demo --time-scale 10");
  add_number(*command, "--port", options->demo.port, "Gateway port; 0: a free one")->capture_default_str();
  add_number(*command, "--admin-port", options->demo.admin_port, "Admin port; 0: a free one")
      ->capture_default_str();
  command->add_option("--data-dir", options->demo.data_dir, "Where the trail, keys and configuration go")
      ->capture_default_str();
  command->add_option("--source-region", options->demo.source_region, "Region the gateway stands in")
      ->capture_default_str();
  command
      ->add_option("--time-scale", options->demo.time_scale,
                   "The sandbox's and the gateway's world runs this many times as fast")
      ->check(CLI::Range(0.01, 1000.0))
      ->capture_default_str();
  command->add_option("--first-byte", options->demo.first_byte, "How long an attempt may stay silent")
      ->capture_default_str();
  add_number(*command, "--seed", options->demo.seed, "Of the sandbox's chances")->capture_default_str();
  add_number(*command, "--capacity", options->demo.capacity, "Answers at once in each Region; 0: no limit")
      ->capture_default_str();
  add_number(*command, "--reactors", options->demo.reactors, "Reactors of the gateway; 0: one per core")
      ->capture_default_str();
  command->add_flag(
      "--tls", options->demo.tls,
      "TLS everywhere: a TLS port beside the plain one, and Regions that speak it; the authority that "
      "vouches for all of them goes to DATA_DIR/sandbox-ca.pem");
  add_number(*command, "--tls-port", options->demo.tls_port, "Gateway's TLS port with --tls; 0: a free one")
      ->capture_default_str();
  command->add_flag("--no-latency", options->no_latency, "Regions answer at once (benchmarks)");
  command->add_flag("--json", options->json, "One JSON line when ready; everything else goes to stderr");
  command->callback([options, &exit_code] {
    options->demo.latency = !options->no_latency;
    exit_code = up(options->demo, options->json);
  });
}

}  // namespace portolan::cli
