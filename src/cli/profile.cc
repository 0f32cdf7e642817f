// SPDX-License-Identifier: Apache-2.0
// portolan profile: the inference profiles of a running gateway. AWS's and the configuration's are shown;
// application profiles are made, tagged and deleted too.
#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/bytes.h"
#include "cli/admin_client.h"
#include "cli/command.h"
#include "cli/policy_orders.h"
#include "cli/text_table.h"

namespace portolan::cli {
namespace {

using base::Code;
using base::Result;
using Json = nlohmann::ordered_json;

struct ProfileOptions {
  AdminClient admin;
  std::string id, type, source, tenant, name, description, copy_from, why;
  std::string by = PolicyOrder::operator_name();
  std::vector<std::string> tags;  // "key=value", or keys
  bool json = false;
};
using SharedOptions = std::shared_ptr<ProfileOptions>;

constexpr int successor_takes_over = 503;
constexpr std::chrono::milliseconds profile_asked_again_after{200};
constexpr std::chrono::seconds successor_within{90};

std::string text_of(const Json& profile, const char* member) {
  const auto found = profile.find(member);
  return found != profile.end() && found->is_string() ? found->get<std::string>() : "-";
}

std::string tags_of(const Json& profile) {
  const auto tags = profile.find("tags");
  if (tags == profile.end() || tags->empty()) return "-";
  std::string text;
  for (const auto& [key, value] : tags->items())
    text += fmt::format("{}{}={}", text.empty() ? "" : " ", key, value.get<std::string>());
  return text;
}

std::string words_of(const Json& names) {
  return fmt::format("{}", fmt::join(names.get<std::vector<std::string>>(), " "));
}

/// Few enough for a column of a table; `show` names them all.
std::string few_words_of(const Json& names) {
  constexpr std::size_t few = 6;
  return names.size() <= few ? words_of(names) : fmt::format("{} Regions", names.size());
}

/// The destinations from one source, or how many sources there are.
std::string destinations_from(const Json& profile, const std::string& source) {
  const Json& by_source = profile["destinations"];
  if (!source.empty()) return by_source.contains(source) ? few_words_of(by_source[source]) : "-";
  if (by_source.empty()) return "none: what it copies is gone";
  if (by_source.size() == 1) return few_words_of(by_source.begin().value());
  return fmt::format("from {} Regions", by_source.size());
}

Result<std::vector<Json>> all_profiles(const ProfileOptions& options) {
  TRY(const std::string text, options.admin.expect("GET", "/api/profiles"));
  return Json::parse(text)["profiles"].get<std::vector<Json>>();
}

bool is_wanted(const Json& profile, const ProfileOptions& options) {
  if (!options.type.empty() && profile["type"] != options.type) return false;
  if (!options.source.empty() && !profile["destinations"].contains(options.source)) return false;
  if (options.tenant.empty()) return true;
  const auto tenants = profile.find("tenants");
  return tenants != profile.end() && std::ranges::find(*tenants, Json(options.tenant)) != tenants->end();
}

int list_profiles(const ProfileOptions& options) {
  const auto profiles = all_profiles(options);
  if (!profiles) return report(profiles.error());
  TextTable table({"id", "type", "kind", "name", "destinations", "tags"});
  for (const Json& profile : *profiles) {
    if (!is_wanted(profile, options)) continue;
    if (options.json)
      fmt::print("{}\n", profile.dump());
    else
      table.add({text_of(profile, "id"), text_of(profile, "type"), text_of(profile, "kind"),
                 text_of(profile, "name"), destinations_from(profile, options.source), tags_of(profile)});
  }
  if (options.json) return Exit::done;
  fmt::print("{}", table.empty() ? "no such profile\n" : table.text());
  return Exit::done;
}

void print_profile(const Json& profile) {
  TextTable facts;
  const auto add = [&](std::string_view label, const std::string& value) {
    if (value != "-") facts.add({std::string(label), value});
  };
  add("id", text_of(profile, "id"));
  add("name", text_of(profile, "name"));
  add("type", text_of(profile, "type"));
  add("kind", text_of(profile, "kind"));
  add("model", text_of(profile, "model"));
  add("arn", text_of(profile, "arn"));
  add("description", text_of(profile, "description"));
  add("copies", text_of(profile, "copy_from"));
  if (profile.contains("tenants")) add("tenants", words_of(profile["tenants"]));
  add("tags", tags_of(profile));
  add("created", text_of(profile, "created"));
  add("updated", text_of(profile, "updated"));
  fmt::print("{}\n", facts.text());
  TextTable routes({"from", "to"});
  for (const auto& [source, destinations] : profile["destinations"].items())
    routes.add({source, words_of(destinations)});
  fmt::print("{}", routes.empty() ? "it cannot be called: what it copies is gone\n" : routes.text());
}

int show_profile(const ProfileOptions& options) {
  const auto profiles = all_profiles(options);
  if (!profiles) return report(profiles.error());
  for (const char* member : {"id", "arn", "name"}) {
    for (const Json& profile : *profiles) {
      if (text_of(profile, member) != options.id) continue;
      if (options.json)
        fmt::print("{}\n", profile.dump());
      else
        print_profile(profile);
      return Exit::done;
    }
  }
  return report(Exit::usage, "there is no inference profile " + options.id + " (portolan profile list)");
}

/// A gateway that is being replaced takes no orders until its successor serves: it is asked again until then.
Result<Json> send_order(const ProfileOptions& options, const std::string& path, Json order) {
  order["by"] = options.by;
  if (!options.why.empty()) order["why"] = options.why;
  const auto until = std::chrono::steady_clock::now() + successor_within;
  for (;;) {
    TRY(AdminClient::Answer answer, options.admin.ask("POST", path, order.dump()));
    if (answer.status != successor_takes_over || std::chrono::steady_clock::now() >= until) {
      TRY(const std::string text, AdminClient::expect_success(std::move(answer)));
      return Json::parse(text);
    }
    std::this_thread::sleep_for(profile_asked_again_after);
  }
}

std::string order_path(const std::string& id, std::string_view verb) {
  std::string path = "/api/profiles/";
  base::percent_encode(id, path);
  return path.append("/").append(verb);
}

Result<Json> tags_asked(const ProfileOptions& options) {
  Json tags = Json::object();
  for (const std::string& tag : options.tags) {
    const std::size_t equals = tag.find('=');
    if (equals == std::string::npos || equals == 0)
      return base::fail(Code::usage, "tag " + tag + ": KEY=VALUE is expected");
    tags[tag.substr(0, equals)] = tag.substr(equals + 1);
  }
  return tags;
}

int print_changed(const ProfileOptions& options, const Result<Json>& profile, std::string_view done) {
  if (!profile) return report(profile.error());
  if (options.json)
    fmt::print("{}\n", profile->dump());
  else
    fmt::print("{} {}\n", text_of(*profile, "arn"), done);
  if (!profile->contains("warnings")) return Exit::done;
  for (const Json& warning : (*profile)["warnings"])
    fmt::print(stderr, "portolan: it was done, but: {}\n", warning.get<std::string>());
  return Exit::finding;
}

int create_profile(const ProfileOptions& options) {
  const auto tags = tags_asked(options);
  if (!tags) return report(tags.error());
  Json order{{"tenant", options.tenant}, {"name", options.name}, {"copy_from", options.copy_from}};
  if (!options.source.empty()) order["source_region"] = options.source;
  if (!options.description.empty()) order["description"] = options.description;
  if (!tags->empty()) order["tags"] = *tags;
  return print_changed(options, send_order(options, "/api/profiles", std::move(order)), "was created");
}

int delete_profile(const ProfileOptions& options) {
  return print_changed(options, send_order(options, order_path(options.id, "delete"), Json::object()),
                       "was deleted: calls of it are refused from now on");
}

int tag_profile(const ProfileOptions& options) {
  const auto tags = tags_asked(options);
  if (!tags) return report(tags.error());
  const auto profile = send_order(options, order_path(options.id, "tag"), {{"tags", *tags}});
  return print_changed(options, profile, profile ? "has the tags " + tags_of(*profile) : "");
}

int untag_profile(const ProfileOptions& options) {
  const auto profile = send_order(options, order_path(options.id, "untag"), {{"tag_keys", options.tags}});
  return print_changed(options, profile, profile ? "has the tags " + tags_of(*profile) : "");
}

/// A subcommand of `profile` that runs `action`.
CLI::App* add_action(CLI::App& profile, const std::string& name, const std::string& says,
                     const std::string& example, const SharedOptions& options, int& exit_code,
                     int (*action)(const ProfileOptions&)) {
  CLI::App* command = profile.add_subcommand(name, says);
  command->footer("Example:\n  " + example);
  options->admin.add_options(*command);
  command->add_flag("--json", options->json, "One JSON object a line");
  command->callback([options, &exit_code, action] { exit_code = action(*options); });
  return command;
}

void add_order_options(CLI::App& command, ProfileOptions& options) {
  command.add_option("--why", options.why, "The reason, for the trail");
  command.add_option("--by", options.by, "Who says so, for the trail (default: the user's name)");
}

}  // namespace

void add_profile(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<ProfileOptions>();
  CLI::App* profile =
      app.add_subcommand("profile", "Inference profiles: list, show; create, tag, delete a tenant's own");
  profile->require_subcommand(1);
  profile->footer(
      "Profiles over Regions of your choice are written into the configuration file, under `profiles`; these\n"
      "commands make application profiles, which copy one of them, one of AWS's, or a model.");
  const std::string id_says = "Its id, its ARN, or a name that only one has";

  CLI::App* command =
      add_action(*profile, "list", "List the profiles: AWS's, the configuration's, the tenants'",
                 "portolan profile list --source us-east-1 --type application", options, exit_code, list_profiles);
  command->add_option("--type", options->type, "Only system, configured or application ones")
      ->check(CLI::IsMember({"system", "configured", "application"}));
  command->add_option("--source", options->source,
                      "Only those that can be called from this Region, and where they go");
  command->add_option("--tenant", options->tenant, "Only application profiles of this tenant's account");

  command = add_action(*profile, "show", "Show one profile, with its destinations from each source Region",
                       "portolan profile show us.anthropic.claude-sonnet-4-5-20250929-v1:0", options, exit_code,
                       show_profile);
  command->add_option("profile", options->id, "Its id, its ARN or its name")->required();

  command = add_action(*profile, "create", "Make an application profile of a tenant",
                       "portolan profile create --tenant research --name search --copy-from "
                       "us.anthropic.claude-sonnet-4-5-20250929-v1:0 --tag CostCenter=7",
                       options, exit_code, create_profile);
  command->add_option("--tenant", options->tenant, "Whose account it belongs to")->required();
  command->add_option("--name", options->name, "Its name, unique in the account and Region")->required();
  command->add_option("--copy-from", options->copy_from, "Profile or model, id or ARN")->required();
  command->add_option("--source", options->source,
                      "Region that it is made in and called from (default: the gateway's source_region)");
  command->add_option("--description", options->description, "A line about it");
  command->add_option("--tag", options->tags, "KEY=VALUE; as often as needed");
  add_order_options(*command, *options);

  command = add_action(*profile, "delete", "Delete an application profile; calls that have begun go on",
                       "portolan profile delete search", options, exit_code, delete_profile);
  command->add_option("profile", options->id, id_says)->required();
  add_order_options(*command, *options);

  command = add_action(*profile, "tag", "Add tags to an application profile, or replace them",
                       "portolan profile tag search CostCenter=8 Team=search", options, exit_code, tag_profile);
  command->add_option("profile", options->id, id_says)->required();
  command->add_option("tags", options->tags, "KEY=VALUE")->required();
  add_order_options(*command, *options);

  command = add_action(*profile, "untag", "Take tags away from an application profile",
                       "portolan profile untag search CostCenter", options, exit_code, untag_profile);
  command->add_option("profile", options->id, id_says)->required();
  command->add_option("keys", options->tags, "Their keys")->required();
  add_order_options(*command, *options);
}

}  // namespace portolan::cli
