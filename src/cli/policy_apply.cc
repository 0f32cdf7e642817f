// SPDX-License-Identifier: Apache-2.0
// portolan policy apply, rollback, versions, status, history: which policies a running gateway enforces.
#include <fmt/format.h>

#include "cli/command.h"
#include "cli/enforced_policies.h"
#include "cli/policy.h"
#include "cli/policy_orders.h"

namespace portolan::cli {
namespace {

using Json = nlohmann::ordered_json;

struct ApplyOptions {
  PolicyOrder order;
  std::string directory;
  unsigned share_percent = 0;
  bool shadow = false;
  std::optional<std::uint32_t> version;
};

int apply_policies(const ApplyOptions& options) {
  const auto set = read_policies(options.directory);
  if (!set) return report(set.error());
  Json body{{"files", set->files}};
  if (options.shadow) body["shadow"] = true;
  if (options.share_percent > 0) body["share_percent"] = options.share_percent;
  return print_policy_state(options.order.send("/api/policy/apply", std::move(body)), options.order.json);
}

int roll_back(const ApplyOptions& options) {
  Json body = Json::object();
  if (options.version) body["version"] = *options.version;
  return print_policy_state(options.order.send("/api/policy/rollback", std::move(body)), options.order.json);
}

int print_status(const PolicyOrder& asked) {
  const auto text = asked.admin.expect("GET", "/api/policy");
  if (!text) return report(text.error());
  return print_policy_state(Json::parse(*text), asked.json);
}

int print_versions(const PolicyOrder& asked) {
  const auto text = asked.admin.expect("GET", "/api/policy/versions");
  if (!text) return report(text.error());
  const Json answer = Json::parse(*text);
  for (const Json& version : answer["versions"]) {
    if (asked.json)
      fmt::print("{}\n", version.dump());
    else
      fmt::print("{:>4} {} {} {:<9} by {}: {}\n", version["version"].get<std::uint32_t>(),
                 version["hash"].get<std::string>().substr(0, 12), version["since"].get<std::string>(),
                 version["state"].get<std::string>(), version["by"].get<std::string>(),
                 version["why"].get<std::string>());
  }
  if (!asked.json && answer["versions"].empty()) fmt::print("there are no policies\n");
  return Exit::done;
}

int print_policy_history(const PolicyOrder& asked) {
  const auto text = asked.admin.expect("GET", "/api/policy/history");
  if (!text) return report(text.error());
  const Json answer = Json::parse(*text);
  for (const Json& event : answer["events"]) {
    if (asked.json)
      fmt::print("{}\n", event.dump());
    else
      fmt::print("{} {:<9} {} by {}: {}\n", event["time"].get<std::string>(), event["action"].get<std::string>(),
                 event["detail"].get<std::string>(), event["by"].get<std::string>(),
                 event["why"].get<std::string>());
  }
  return Exit::done;
}

void add_policy_question(CLI::App& group, int& exit_code, const std::string& name, const std::string& says,
                         int (*answer)(const PolicyOrder&)) {
  const auto asked = std::make_shared<PolicyOrder>();
  CLI::App* command = group.add_subcommand(name, says);
  command->footer("Example:\n  portolan policy " + name);
  asked->admin.add_options(*command);
  command->add_flag("--json", asked->json, "One JSON object a line");
  command->callback([asked, &exit_code, answer] { exit_code = answer(*asked); });
}

}  // namespace

void add_policy_apply(CLI::App& group, int& exit_code) {
  const auto options = std::make_shared<ApplyOptions>();
  CLI::App* command = group.add_subcommand("apply", "Enforce a set of policies from now on");
  command->footer(
      "The set gets a number, and is kept. A mistake in it changes nothing. When the command returns, no attempt "
      "begins "
      "outside it, of calls in flight neither.\n\n"
      "Example:\n  portolan policy apply ./policies --shadow --why 'change 812: what would it deny?'");
  command->add_option("directory", options->directory, "The set: organization.yaml and the policies that it names")
      ->required();
  CLI::Option* share = command->add_option("--share", options->share_percent,
                                           "Only for this many of a hundred calls, chosen by their ids");
  share->check(CLI::Range(1, 99));
  command->add_flag("--shadow", options->shadow, "Evaluate and count, enforce nothing of it")->excludes(share);
  options->order.add_options(*command);
  command->callback([options, &exit_code] { exit_code = apply_policies(*options); });

  const auto back = std::make_shared<ApplyOptions>();
  command = group.add_subcommand("rollback", "Take a candidate back, or return to an earlier version");
  command->footer(
      "Without a version: ends a share or a shadow; where there is neither, returns to what was in force "
      "before.\n\n"
      "Example:\n  portolan policy rollback 3 --why 'change 812 denied the batch jobs'");
  command->add_option("version", back->version, "Its number; 0: enforce no policies");
  back->order.add_options(*command);
  command->callback([back, &exit_code] { exit_code = roll_back(*back); });

  add_policy_question(group, exit_code, "versions", "Every version that was ever applied, newest first",
                      print_versions);
  add_policy_question(group, exit_code, "status", "What is frozen, and which policies are in force", print_status);
  add_policy_question(group, exit_code, "history", "Every change that was ordered, newest first",
                      print_policy_history);
}

}  // namespace portolan::cli
