// SPDX-License-Identifier: Apache-2.0
#include "cli/policy_orders.h"

#include <cstdlib>
#include <fmt/format.h>
#include <thread>

#include "cli/command.h"

namespace portolan::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr int being_replaced = 503;
constexpr std::chrono::milliseconds ask_again_after{200};
constexpr std::chrono::seconds replaced_within{90};

std::string freeze_line(const Json& freeze) {
  std::string what = freeze["scope"].get<std::string>();
  if (freeze["profile"].is_string()) what += " " + freeze["profile"].get<std::string>();
  return fmt::format("frozen {} since {} by {}: {}", what, freeze["since"].get<std::string>(),
                     freeze["by"].get<std::string>(), freeze["why"].get<std::string>());
}

std::string version_line(const Json& version) {
  return fmt::format("version {} ({})", version["version"].get<std::uint32_t>(),
                     version["hash"].get<std::string>().substr(0, 12));
}

void print_for_people(const Json& state) {
  for (const Json& freeze : state["freezes"]) fmt::print("{}\n", freeze_line(freeze));
  if (state["freezes"].empty()) fmt::print("nothing is frozen\n");
  fmt::print("policies in force: {}\n", state["in_force"].is_null() ? "none" : version_line(state["in_force"]));
  const Json& candidate = state["candidate"];
  if (candidate.is_null()) return;
  fmt::print("candidate: {}, {}\n", version_line(candidate),
             candidate["shadow"].get<bool>()
                 ? "a shadow: evaluated, not enforced"
                 : fmt::format("for {} % of calls", candidate["share_percent"].get<unsigned>()));
}

}  // namespace

std::string PolicyOrder::operator_name() {
  for (const char* variable : {"SUDO_USER", "USER", "LOGNAME"})
    if (const char* name = std::getenv(variable); name != nullptr && *name != '\0') return name;
  return "operator";
}

void PolicyOrder::add_options(CLI::App& command) {
  admin.add_options(command);
  command.add_option("--why", why, "The reason, for the trail; callers that a freeze refuses read it too")
      ->required();
  command.add_option("--by", by, "Who says so, for the trail (default: the user's name)");
  command.add_flag("--json", json, "One JSON object: what is in force by now");
}

base::Result<Json> PolicyOrder::send(const std::string& path, Json body) const {
  body["by"] = by;
  body["why"] = why;
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

int print_policy_state(const base::Result<Json>& state, bool json) {
  if (!state) return report(state.error());
  if (json)
    fmt::print("{}\n", state->dump());
  else
    print_for_people(*state);
  if (!state->contains("warnings")) return Exit::done;
  for (const Json& warning : (*state)["warnings"])
    fmt::print(stderr, "portolan: it was done, but: {}\n", warning.get<std::string>());
  return Exit::finding;
}

}  // namespace portolan::cli
