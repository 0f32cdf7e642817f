// SPDX-License-Identifier: Apache-2.0
// portolan policy freeze, unfreeze: the emergency brake of a running gateway.
#include "cli/command.h"
#include "cli/policy.h"
#include "cli/policy_orders.h"

namespace portolan::cli {
namespace {

struct FreezeOptions {
  PolicyOrder order;
  std::string scope, profile;
};

int change_freeze(const FreezeOptions& options, const std::string& path) {
  if (options.profile.empty() == (options.scope == "profile"))
    return report(Exit::usage, options.scope == "profile" ? "profile: the id of one is needed after it"
                                                          : "only after 'profile' a second word is understood");
  nlohmann::ordered_json body{{"scope", options.scope}};
  if (!options.profile.empty()) body["profile"] = options.profile;
  return print_policy_state(options.order.send(path, std::move(body)), options.order.json);
}

void add_change(CLI::App& group, int& exit_code, const std::string& verb, const std::string& says,
                const std::string& more) {
  const auto options = std::make_shared<FreezeOptions>();
  CLI::App* command = group.add_subcommand(verb, says);
  command->footer(more);
  command
      ->add_option("scope", options->scope,
                   "global, cross-region (whatever may leave its source Region), profile ID, or all")
      ->required()
      ->check(CLI::IsMember({"global", "cross-region", "profile", "all"}));
  command->add_option("id", options->profile, "The inference profile, after 'profile'");
  options->order.add_options(*command);
  command->callback(
      [options, &exit_code, path = "/api/policy/" + verb] { exit_code = change_freeze(*options, path); });
}

}  // namespace

void add_policy_freeze(CLI::App& group, int& exit_code) {
  add_change(group, exit_code, "freeze", "Deny inference at once, whatever policies allow",
             "When it returns, no attempt begins against it, of calls in flight neither. A freeze outlasts a "
             "restart.\n\n"
             "Example:\n  portolan policy freeze cross-region --why 'incident 4711: data must stay where it is'");
  add_change(group, exit_code, "unfreeze", "Lift a freeze",
             "Example:\n  portolan policy unfreeze cross-region --why 'incident 4711 is over'");
}

}  // namespace portolan::cli
