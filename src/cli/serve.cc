// SPDX-License-Identifier: Apache-2.0
// portolan serve: the gateway.
#include "cli/command.h"
#include "cli/configuration.h"
#include "cli/running_gateway.h"

namespace portolan::cli {

void add_serve(CLI::App& app, int& exit_code) {
  struct Options {
    std::string config;
    double time_scale = 1;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("serve", "Run the gateway");
  command->footer(
      "Example:\n  portolan serve -c /etc/portolan/portolan.yaml\n\n"
      "SIGHUP reads the configuration again; a bad one changes nothing. SIGTERM finishes what is in hand and "
      "ends. SIGUSR2 starts the program anew, as it is on the disk by now, hands it the sockets, and ends like "
      "SIGTERM once it is ready: no call fails. When it does not become ready, nothing changes.");
  command->add_option("-c,--config", options->config, "Configuration file")->required();
  command->add_option("--time-scale", options->time_scale, "World time runs this many times as fast (tests)")
      ->check(CLI::Range(0.01, 1000.0));
  command->callback([options, &exit_code] {
    block_signals();
    world::Inheritance inherited = world::Inheritance::take();
    const auto command_line = world::own_command_line();
    const world::RealClock clock(options->time_scale);
    auto config = read_configuration(options->config);
    if (!config) {
      exit_code = report(config.error());
      return;
    }
    if (!command_line) log("this gateway cannot be replaced while it runs: " + command_line.error().message);
    auto running = RunningGateway::start(std::move(*config), clock, {}, std::move(inherited));
    if (!running) {
      exit_code = report(running.error());
      return;
    }
    const std::string tls_url = (*running)->gateway_tls_url();
    log("serving on " + (*running)->gateway_url() + (tls_url.empty() ? "" : " and " + tls_url) + ", admin on " +
        (*running)->admin_url());
    exit_code = (*running)->run_until_told([&] { return read_configuration(options->config); },
                                           command_line ? std::optional(*command_line) : std::nullopt);
  });
}

}  // namespace portolan::cli
