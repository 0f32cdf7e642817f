// SPDX-License-Identifier: Apache-2.0
// portolan load: the load generator.
#include "load/load.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <unistd.h>

#include "cli/command.h"

namespace portolan::cli {
namespace {

using domain::Operation;

struct CallKind {
  std::string_view name;
  Operation operation;
  bool stream;  // as LoadOptions::stream: the others say it by their operation
};
constexpr std::array call_kinds{CallKind{"converse", Operation::converse, false},
                                CallKind{"converse-stream", Operation::converse_stream, false},
                                CallKind{"invoke-model", Operation::invoke_model, false},
                                CallKind{"invoke-model-stream", Operation::invoke_model_stream, false},
                                CallKind{"chat", Operation::chat_completions, false},
                                CallKind{"chat-stream", Operation::chat_completions, true}};

std::vector<std::string> names_of_operations() {
  std::vector<std::string> names;
  for (const CallKind& kind : call_kinds) names.emplace_back(kind.name);
  return names;
}

}  // namespace

void add_load(CLI::App& app, int& exit_code) {
  struct Options {
    load::LoadOptions load;
    std::string operation = "converse", duration;
    bool json = false, quiet = false;
  };
  auto options = std::make_shared<Options>();
  load::LoadOptions& load = options->load;
  load.url = "http://127.0.0.1:8080";
  load.source_region = "us-east-1";
  CLI::App* command =
      app.add_subcommand("load", "Make calls at a rate (open loop) or n at once, and measure what a caller sees");
  command->footer(
      "Examples:\n"
      "  portolan load --model us.anthropic.claude-sonnet-4-5-20250929-v1:0 --api-key KEY --rate 100 --for 30s\n"
      "  portolan load --operation converse-stream --concurrency 200 --calls 2000 --access-key-id ID "
      "--secret-access-key SECRET --model …\n\nExit code 0: every call was answered whole. 1: some were not.");
  command->add_option("--url", load.url, "Gateway, http://HOST:PORT")->capture_default_str();
  command->add_option("--operation", options->operation, "What to call")
      ->check(CLI::IsMember(names_of_operations()))
      ->capture_default_str();
  command->add_option("--model", load.model, "Inference profile or model")->required();
  command->add_option("--access-key-id", load.access_key_id, "Sign with SigV4");
  command->add_option("--secret-access-key", load.secret_access_key, "Its secret")->envname("PORTOLAN_LOAD_SECRET");
  command->add_option("--source-region", load.source_region, "Region of the signature")->capture_default_str();
  command->add_option("--api-key", load.api_key, "Or send this API key as a bearer token")
      ->envname("PORTOLAN_LOAD_API_KEY");
  command->add_option("--rate", load.rate_per_s, "Calls a second, open loop");
  add_number(*command, "--concurrency", load.concurrency, "Calls at once, closed loop");
  command->add_option("--for", options->duration, "How long, 30s, 2m");
  add_number(*command, "--calls", load.calls, "How many");
  add_number(*command, "--request-bytes", load.request_bytes, "Size of a request's body")->capture_default_str();
  add_number(*command, "--output-tokens", load.output_tokens, "Length of the answers asked for")
      ->capture_default_str();
  command->add_flag("--json", options->json, "The report as one JSON object");
  command->add_flag("--quiet", options->quiet, "No progress");
  command->callback([options, &exit_code] {
    load::LoadOptions& wanted = options->load;
    if (!options->duration.empty() && !base::parse_duration(options->duration, wanted.duration)) {
      exit_code =
          report(Exit::usage, "--for " + options->duration + ": a duration like 250ms, 10s or 2m is expected");
      return;
    }
    const CallKind& kind = *std::ranges::find(call_kinds, options->operation, &CallKind::name);
    wanted.operation = kind.operation;
    wanted.stream = kind.stream;
    const bool progress = !options->quiet && ::isatty(STDERR_FILENO) != 0;
    if (progress) {
      wanted.on_progress = [](const load::Progress& now) {
        fmt::print(stderr, "\r{:>6.0f} s  {} sent  {} whole  {} failed ", base::to_ms(now.elapsed) / 1000, now.sent,
                   now.complete, now.failed);
        std::fflush(stderr);
        return true;
      };
    }
    const auto measured = load::run(wanted);
    if (progress) fmt::print(stderr, "\r\x1b[K");
    if (!measured) {
      exit_code = report(measured.error());
      return;
    }
    fmt::print("{}\n", options->json ? measured->to_json() : measured->to_text());
    if (measured->complete != measured->sent) exit_code = Exit::finding;
  });
}

}  // namespace portolan::cli
