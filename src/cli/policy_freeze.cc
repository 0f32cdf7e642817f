// SPDX-License-Identifier: Apache-2.0
// portolan policy freeze, unfreeze, status, history: the emergency brake of a running gateway.
#include <cstdlib>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/admin_client.h"
#include "cli/command.h"
#include "cli/policy.h"

namespace portolan::cli {
namespace {

using Json = nlohmann::ordered_json;

// A gateway that is being replaced takes no changes until its successor serves.
constexpr int being_replaced = 503;
constexpr std::chrono::milliseconds ask_again_after{200};
constexpr std::chrono::seconds replaced_within{90};

struct FreezeOptions {
  AdminClient admin;
  std::string scope, profile, why;
  std::string by = operator_name();
  bool json = false;

  static std::string operator_name() {
    for (const char* variable : {"SUDO_USER", "USER", "LOGNAME"})
      if (const char* name = std::getenv(variable); name != nullptr && *name != '\0') return name;
    return "operator";
  }
};

base::Result<Json> order(const AdminClient& admin, const std::string& path, const Json& body) {
  const auto until = std::chrono::steady_clock::now() + replaced_within;
  for (;;) {
    TRY(AdminClient::Answer answer, admin.ask("POST", path, body.dump()));
    if (answer.status != being_replaced || std::chrono::steady_clock::now() >= until) {
      TRY(const std::string text, AdminClient::expect_success(std::move(answer)));
      return Json::parse(text);
    }
    std::this_thread::sleep_for(ask_again_after);
  }
}

std::string line_of(const Json& freeze) {
  std::string what = freeze["scope"].get<std::string>();
  if (freeze["profile"].is_string()) what += " " + freeze["profile"].get<std::string>();
  return fmt::format("frozen {} since {} by {}: {}", what, freeze["since"].get<std::string>(),
                     freeze["by"].get<std::string>(), freeze["why"].get<std::string>());
}

int print_state(const base::Result<Json>& state, bool json) {
  if (!state) return report(state.error());
  if (json) {
    fmt::print("{}\n", state->dump());
  } else {
    for (const Json& freeze : (*state)["freezes"]) fmt::print("{}\n", line_of(freeze));
    if ((*state)["freezes"].empty()) fmt::print("nothing is frozen\n");
  }
  if (!state->contains("warnings")) return Exit::done;
  for (const Json& warning : (*state)["warnings"])
    fmt::print(stderr, "portolan: it was done, but: {}\n", warning.get<std::string>());
  return Exit::finding;
}

int change_freeze(const FreezeOptions& options, const std::string& path) {
  if (options.profile.empty() == (options.scope == "profile"))
    return report(Exit::usage, options.scope == "profile" ? "profile: the id of one is needed after it"
                                                          : "only after 'profile' a second word is understood");
  Json body{{"scope", options.scope}, {"by", options.by}, {"why", options.why}};
  if (!options.profile.empty()) body["profile"] = options.profile;
  return print_state(order(options.admin, path, body), options.json);
}

void add_change(CLI::App& policy, int& exit_code, const std::string& verb, const std::string& says,
                const std::string& more) {
  const auto options = std::make_shared<FreezeOptions>();
  CLI::App* command = policy.add_subcommand(verb, says);
  command->footer(more);
  options->admin.add_options(*command);
  command
      ->add_option("scope", options->scope,
                   "global, cross-region (whatever may leave its source Region), profile ID, or all")
      ->required()
      ->check(CLI::IsMember({"global", "cross-region", "profile", "all"}));
  command->add_option("id", options->profile, "The inference profile, after 'profile'");
  command->add_option("--why", options->why, "The reason: refused callers and the trail are told")->required();
  command->add_option("--by", options->by, "Who says so, for the trail")->capture_default_str();
  command->add_flag("--json", options->json, "One JSON object: what is frozen by now");
  command->callback(
      [options, &exit_code, path = "/api/policy/" + verb] { exit_code = change_freeze(*options, path); });
}

int print_policy_history(const FreezeOptions& options) {
  const auto text = options.admin.expect("GET", "/api/policy/history");
  if (!text) return report(text.error());
  for (const Json& event : Json::parse(*text)["events"]) {
    if (options.json)
      fmt::print("{}\n", event.dump());
    else
      fmt::print("{} {:<9} {} by {}: {}\n", event["time"].get<std::string>(), event["action"].get<std::string>(),
                 event["detail"].get<std::string>(), event["by"].get<std::string>(),
                 event["why"].get<std::string>());
  }
  return Exit::done;
}

}  // namespace

void add_policy_freeze(CLI::App& policy, int& exit_code) {
  add_change(
      policy, exit_code, "freeze", "Deny inference at once, whatever policies allow",
      "When it returns, no attempt begins against it, of calls in flight neither. A freeze outlasts a restart.\n\n"
      "Example:\n  portolan policy freeze cross-region --why 'incident 4711: data must stay where it is'");
  add_change(policy, exit_code, "unfreeze", "Lift a freeze",
             "Example:\n  portolan policy unfreeze cross-region --why 'incident 4711 is over'");

  const auto options = std::make_shared<FreezeOptions>();
  const auto add_question = [&](const std::string& name, const std::string& says, auto&& answer) {
    CLI::App* command = policy.add_subcommand(name, says);
    command->footer("Example:\n  portolan policy " + name);
    options->admin.add_options(*command);
    command->add_flag("--json", options->json, "One JSON object a line");
    command->callback([options, &exit_code, answer] { exit_code = answer(*options); });
  };
  add_question("status", "What is frozen", [](const FreezeOptions& asked) {
    const auto text = asked.admin.expect("GET", "/api/policy");
    if (!text) return report(text.error());
    return print_state(Json::parse(*text), asked.json);
  });
  add_question("history", "Every change that was ordered, newest first", print_policy_history);
}

}  // namespace portolan::cli
