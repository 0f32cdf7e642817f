// SPDX-License-Identifier: Apache-2.0
// portolan sandbox: the emulated Regions alone, and faults in a running one.
#include <fmt/format.h>
#include <fstream>
#include <nlohmann/json.hpp>
#include <signal.h>

#include "cli/admin_client.h"
#include "cli/command.h"
#include "cli/demo.h"
#include "cli/running_gateway.h"
#include "data/directory.h"
#include "world/disk.h"

namespace portolan::cli {
namespace {

struct RunOptions {
  DemoOptions demo;
  std::uint64_t requests_per_minute = 0, tokens_per_minute = 0;
  std::string refill = "bucket";
  std::string access_key_id, secret_access_key;
  bool no_latency = false, json = false;
};

int run(const RunOptions& options) {
  block_signals();
  const world::RealClock clock(options.demo.time_scale);
  sim::SandboxOptions wanted = sandbox_options(options.demo, clock);
  if (wanted.from == domain::region_none)
    return report(Exit::usage, unknown_region("--from", options.demo.source_region, *wanted.catalog));
  wanted.port = options.demo.port;
  wanted.latency = !options.no_latency;
  wanted.quota = {.requests_per_minute = options.requests_per_minute,
                  .tokens_per_minute = options.tokens_per_minute};
  wanted.refill_law = options.refill == "sliding" ? sim::RefillLaw::sliding
                      : options.refill == "fixed" ? sim::RefillLaw::fixed
                                                  : sim::RefillLaw::bucket;
  if (!options.access_key_id.empty()) wanted.access_key_id = options.access_key_id;
  if (!options.secret_access_key.empty()) wanted.secret_access_key = options.secret_access_key;
  const sim::SandboxOptions used = wanted;
  auto sandbox = sim::Sandbox::start(std::move(wanted));
  if (!sandbox) return report(sandbox.error());

  const auto disk = world::real_disk();
  if (const auto ready = data::prepare_directory(*disk, options.demo.data_dir); !ready)
    return report(ready.error());
  if (options.demo.tls) {
    if (const auto written = write_authority(options.demo, **sandbox); !written) return report(written.error());
  }
  const auto key = control::admin_key(options.demo.data_dir);
  if (!key) return report(key.error());
  control::AdminServer admin;
  mount_sandbox(admin, **sandbox);
  if (const auto started =
          admin.start({.address = "127.0.0.1", .port = options.demo.admin_port, .key = *key, .host_names = {}});
      !started)
    return report(started.error());
  const std::string admin_url = fmt::format("http://127.0.0.1:{}", admin.port());
  std::ofstream(options.demo.data_dir + "/admin.url") << admin_url << "\n";

  nlohmann::ordered_json regions = nlohmann::ordered_json::object();
  for (const sim::SandboxEndpoint& endpoint : (*sandbox)->endpoints())
    regions[used.catalog->region(endpoint.region).name] = endpoint_url(options.demo, endpoint);
  if (options.json) {
    nlohmann::ordered_json line{{"ready", true},
                                {"admin", admin_url},
                                {"admin_key", *key},
                                {"access_key_id", used.access_key_id},
                                {"secret_access_key", used.secret_access_key},
                                {"regions", regions}};
    if (options.demo.tls) line["ca_file"] = options.demo.ca_file();
    fmt::print("{}\n", line.dump());
  } else {
    for (const auto& [name, url] : regions.items()) fmt::print("{:<16} {}\n", name, url.get<std::string>());
    if (options.demo.tls) fmt::print("\ntrust {}\n", options.demo.ca_file());
    fmt::print("\nadmin {}   accepts access key {} / {}\nCtrl-C ends it.\n", admin_url, used.access_key_id,
               used.secret_access_key);
  }
  std::fflush(stdout);
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT}) sigaddset(&set, signal);
  int signal = 0;
  sigwait(&set, &signal);
  admin.stop();
  (*sandbox)->stop();
  return Exit::done;
}

void add_run(CLI::App* command, int& exit_code) {
  auto options = std::make_shared<RunOptions>();
  options->demo.port = 0;
  options->demo.admin_port = 0;
  command->footer(
      "Examples:\n  portolan sandbox --from eu-west-1                  run the Regions alone, for a gateway of "
      "your own\n"
      "  portolan sandbox fault us-east-1 refuse --for 30s  break one that runs, here or inside portolan up\n"
      "  portolan sandbox counts                            what each Region itself saw");
  add_number(*command, "--port", options->demo.port, "The same port for every Region; 0: a free one for each")
      ->capture_default_str();
  add_number(*command, "--admin-port", options->demo.admin_port, "Where faults and counts are asked; 0: a free one")
      ->capture_default_str();
  command->add_option("--data-dir", options->demo.data_dir, "Where the admin key goes")->capture_default_str();
  command->add_option("--from", options->demo.source_region, "Region the caller stands in")->capture_default_str();
  command->add_option("--time-scale", options->demo.time_scale, "World time runs this many times as fast")
      ->check(CLI::Range(0.01, 1000.0));
  add_number(*command, "--seed", options->demo.seed, "Of all chances")->capture_default_str();
  add_number(*command, "--capacity", options->demo.capacity, "Answers at once in each Region; 0: no limit")
      ->capture_default_str();
  add_number(*command, "--requests-per-minute", options->requests_per_minute,
             "Of each Region and model; 0: no limit");
  add_number(*command, "--tokens-per-minute", options->tokens_per_minute, "Of each Region and model; 0: no limit");
  command->add_option("--refill", options->refill, "How quotas refill")
      ->check(CLI::IsMember({"bucket", "sliding", "fixed"}))
      ->capture_default_str();
  command->add_option("--access-key-id", options->access_key_id, "Accept this key");
  command->add_option("--secret-access-key", options->secret_access_key, "And this secret");
  command->add_flag("--tls", options->demo.tls,
                    "Regions speak TLS; the authority that vouches for them goes to DATA_DIR/sandbox-ca.pem");
  command->add_flag("--no-latency", options->no_latency, "Answer at once (benchmarks)");
  command->add_flag("--json", options->json, "One JSON line when ready");
  command->callback([options, command, &exit_code] {
    if (command->get_subcommands().empty()) exit_code = run(*options);
  });
}

void add_fault(CLI::App& sandbox, int& exit_code) {
  struct Options {
    AdminClient admin;
    std::string region, kind, duration;
    std::vector<std::string> arguments;
    double share = 1;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = sandbox.add_subcommand("fault", "Put a fault in force; returns once it is");
  command->footer(
      "Kinds: refuse | drop | slow N | first-token DUR | throttle | unavailable | error [STATUS] | cut TOKENS |\n"
      "       stall [TOKENS] | malformed | version-absent MODEL\n"
      "Example:\n  portolan sandbox fault us-east-1 slow 8 --share 0.5 --for 30s");
  options->admin.add_options(*command);
  command->add_option("region", options->region, "Region")->required();
  command->add_option("kind", options->kind, "Kind of fault")->required();
  command->add_option("arguments", options->arguments, "What the kind takes");
  command->add_option("--share", options->share, "Share of the requests, 0 to 1")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command->add_option("--for", options->duration, "How long, 250ms, 10s, 2m (default: until cleared)");
  command->callback([options, &exit_code] {
    nlohmann::json body{{"region", options->region},
                        {"kind", options->kind},
                        {"args", options->arguments},
                        {"share", options->share}};
    if (!options->duration.empty()) body["for"] = options->duration;
    if (const auto done = options->admin.expect("POST", "/api/sandbox/fault", body.dump()); !done)
      exit_code = report(done.error());
  });
}

void add_clear(CLI::App& sandbox, int& exit_code) {
  struct Options {
    AdminClient admin;
    std::string region;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = sandbox.add_subcommand("clear", "End the faults of a Region, or of all");
  command->footer("Examples:\n  portolan sandbox clear us-east-1\n  portolan sandbox clear");
  options->admin.add_options(*command);
  command->add_option("region", options->region, "Region (default: all)");
  command->callback([options, &exit_code] {
    nlohmann::json body = nlohmann::json::object();
    if (!options->region.empty()) body["region"] = options->region;
    if (const auto done = options->admin.expect("POST", "/api/sandbox/clear", body.dump()); !done)
      exit_code = report(done.error());
  });
}

void add_counts(CLI::App& sandbox, int& exit_code) {
  struct Options {
    AdminClient admin;
    bool json = false, reset = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = sandbox.add_subcommand("counts", "What each Region itself saw: connections, bytes, requests");
  command->footer("Examples:\n  portolan sandbox counts\n  portolan sandbox counts --reset");
  options->admin.add_options(*command);
  command->add_flag("--json", options->json, "One JSON object");
  command->add_flag("--reset", options->reset, "Count from zero again");
  command->callback([options, &exit_code] {
    const auto body = options->reset ? options->admin.expect("POST", "/api/sandbox/counts/reset")
                                     : options->admin.expect("GET", "/api/sandbox/counts");
    if (!body) {
      exit_code = report(body.error());
      return;
    }
    if (options->reset) return;
    if (options->json) {
      fmt::print("{}\n", *body);
      return;
    }
    const auto counts = nlohmann::json::parse(*body);
    fmt::print("{:<16} {:>12} {:>6} {:>12} {:>12} {:>10}\n", "Region", "connections", "open", "bytes in",
               "bytes out", "requests");
    for (const auto& [region, seen] : counts["regions"].items()) {
      std::uint64_t requests = 0;
      for (const auto& [operation, outcomes] : seen["requests"].items())
        for (const auto& [outcome, count] : outcomes.items()) requests += count.get<std::uint64_t>();
      if (seen["connections_accepted"].get<std::uint64_t>() == 0) continue;
      fmt::print("{:<16} {:>12} {:>6} {:>12} {:>12} {:>10}\n", region, seen.value("connections_accepted", 0ull),
                 seen.value("connections_open", 0ull), seen.value("bytes_in", 0ull), seen.value("bytes_out", 0ull),
                 requests);
    }
  });
}

}  // namespace

void add_sandbox(CLI::App& app, int& exit_code) {
  CLI::App* sandbox = app.add_subcommand("sandbox", "Emulated Regions: run them, break them, see what they saw");
  sandbox->require_subcommand(0, 1);
  add_run(sandbox, exit_code);
  add_fault(*sandbox, exit_code);
  add_clear(*sandbox, exit_code);
  add_counts(*sandbox, exit_code);
}

}  // namespace portolan::cli
