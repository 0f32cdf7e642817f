// SPDX-License-Identifier: Apache-2.0
// portolan explain: what would happen to a call, stop by stop, asked of the running gateway.
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "cli/admin_client.h"
#include "cli/command.h"

namespace portolan::cli {
namespace {

void print(const nlohmann::json& answer) {
  const bool colours = ::isatty(STDOUT_FILENO) != 0;
  int number = 0;
  for (const auto& verdict : answer["verdicts"]) {
    const bool reached = verdict["reached"], passed = verdict["passed"];
    const char* mark = !reached ? "-  " : passed ? "ok " : "NO ";
    const char* paint = !colours ? "" : !reached ? "\x1b[2m" : passed ? "\x1b[32m" : "\x1b[31;1m";
    fmt::print("{} {:<10} {}{}{} {}\n", ++number, verdict["stop"].get<std::string>(), paint, mark,
               colours ? "\x1b[0m" : "", verdict["detail"].get<std::string>());
  }
  if (answer["allowed"])
    fmt::print("\nallowed; it would go to {} first\n", answer["first_region"].get<std::string>());
  else
    fmt::print("\nrefused; the caller is answered HTTP {} {}\n", answer["status"].get<int>(),
               answer["error_type"].get<std::string>());
}

}  // namespace

void add_explain(CLI::App& app, int& exit_code) {
  struct Options {
    AdminClient admin;
    std::string principal, model, source_region;
    std::uint32_t input_tokens = 100, output_tokens_max = 0;
    bool stream = false, json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("explain", "Say what would happen to a call, stop by stop");
  command->footer(
      "Example:\n  portolan explain --principal alice --profile us.anthropic.claude-sonnet-4-5-20250929-v1:0 "
      "--input-tokens 2000\n\nExit code 0: it would be sent. 1: it would be refused.");
  options->admin.add_options(*command);
  command->add_option("--principal", options->principal, "ARN, access key id, key id or user name")->required();
  command->add_option("--profile,--model", options->model, "Inference profile or model, id or ARN")->required();
  command->add_option("--source-region", options->source_region,
                      "Region the call is made in (default: the gateway's)");
  add_number(*command, "--input-tokens", options->input_tokens, "Size of the prompt")->capture_default_str();
  add_number(*command, "--max-tokens", options->output_tokens_max, "Output limit asked for (default: the model's)");
  command->add_flag("--stream", options->stream, "A streamed call");
  command->add_flag("--json", options->json, "One JSON object");
  command->callback([options, &exit_code] {
    const nlohmann::json question{{"principal", options->principal},
                                  {"model", options->model},
                                  {"source_region", options->source_region},
                                  {"input_tokens", options->input_tokens},
                                  {"output_tokens_max", options->output_tokens_max},
                                  {"stream", options->stream}};
    const auto body = options->admin.expect("POST", "/api/explain", question.dump());
    if (!body) {
      exit_code = report(body.error());
      return;
    }
    const auto answer = nlohmann::ordered_json::parse(*body);
    if (options->json)
      fmt::print("{}\n", answer.dump());
    else
      print(answer);
    exit_code = answer["allowed"] ? Exit::done : Exit::finding;
  });
}

}  // namespace portolan::cli
