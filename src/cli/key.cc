// SPDX-License-Identifier: Apache-2.0
// portolan key: the keys that the gateway issues. Asks the running gateway; only `init` works by itself.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "cli/admin_client.h"
#include "cli/command.h"
#include "cli/issued_keys.h"

namespace portolan::cli {
namespace {

using base::Result;
using Json = nlohmann::ordered_json;

struct Options {
  AdminClient admin;
  std::string file, kind, tenant, name, expires, overlap, id;
  std::vector<std::string> profiles;
  bool json = false;
};
using Shared = std::shared_ptr<Options>;

std::string text_or(const Json& value, const char* member, std::string_view absent) {
  return value[member].is_string() ? value[member].get<std::string>() : std::string{absent};
}

Result<Json> ask(const Options& options, std::string_view method, const std::string& path, const Json& body = {}) {
  TRY(const std::string text, options.admin.expect(method, path, body.is_null() ? "" : body.dump()));
  return Json::parse(text);
}

std::string path_of(const std::string& id, std::string_view verb) {
  std::string path = "/api/keys/";
  base::percent_encode(id, path);
  return path.append("/").append(verb);
}

void print_new(const Json& key) {
  if (key.contains("api_key")) {
    fmt::print("API key            {}\n", key["api_key"].get<std::string>());
  } else {
    fmt::print("access key id      {}\nsecret access key  {}\n", key["access_key_id"].get<std::string>(),
               key["secret_access_key"].get<std::string>());
  }
  fmt::print("id {}, user {} of tenant {}, {}\nThis is the only time that the secret is shown.\n",
             key["id"].get<std::string>(), key["name"].get<std::string>(), key["tenant"].get<std::string>(),
             key["expires"].is_null() ? "never expires" : "expires " + key["expires"].get<std::string>());
}

void print_table(const Json& keys) {
  fmt::print("{:<21} {:<11} {:<16} {:<16} {:<9} {:<21} {:<21} {}\n", "id", "kind", "tenant", "name", "state",
             "expires", "last used", "profiles");
  for (const Json& key : keys)
    fmt::print("{:<21} {:<11} {:<16} {:<16} {:<9} {:<21} {:<21} {}\n", key["id"].get<std::string>(),
               key["kind"].get<std::string>(), key["tenant"].get<std::string>(), key["name"].get<std::string>(),
               key["state"].get<std::string>(), text_or(key, "expires", "never"), text_or(key, "last_used", "-"),
               key["profiles"].empty()
                   ? "all"
                   : fmt::format("{}", fmt::join(key["profiles"].get<std::vector<std::string>>(), " ")));
  if (keys.empty()) fmt::print("no key was issued\n");
}

int init(const Options& options) {
  const auto id = make_master_key(options.file, false);
  if (!id) return report(id.error());
  if (options.json)
    fmt::print("{}\n", Json{{"id", *id}, {"file", options.file}}.dump());
  else
    fmt::print(
        "{} holds master key {}. Keep a copy in a safe place: without it, what it seals is lost. Then "
        "configure:\n\n"
        "keys: {{master_key: \"file:{}\"}}\n",
        options.file, *id, options.file);
  return Exit::done;
}

/// Prints the key that an answer hands over.
int hand_over(const Options& options, const Result<Json>& key) {
  if (!key) return report(key.error());
  if (options.json)
    fmt::print("{}\n", key->dump());
  else
    print_new(*key);
  if (!key->contains("warning")) return Exit::done;
  fmt::print(stderr, "portolan: the key was made, but: {}\n", (*key)["warning"].get<std::string>());
  return Exit::finding;
}

int create(const Options& options) {
  Json order{{"kind", options.kind}, {"tenant", options.tenant}, {"name", options.name}};
  if (!options.expires.empty()) order["expires"] = options.expires;
  if (!options.profiles.empty()) order["profiles"] = options.profiles;
  return hand_over(options, ask(options, "POST", "/api/keys", order));
}

int rotate(const Options& options) {
  Json order = Json::object();
  if (!options.overlap.empty()) order["overlap"] = options.overlap;
  if (!options.expires.empty()) order["expires"] = options.expires;
  return hand_over(options, ask(options, "POST", path_of(options.id, "rotate"), order));
}

int revoke(const Options& options) {
  const auto key = ask(options, "POST", path_of(options.id, "revoke"));
  if (!key) return report(key.error());
  if (options.json)
    fmt::print("{}\n", key->dump());
  else
    fmt::print("{} is refused from now on\n", options.id);
  return Exit::done;
}

int list(const Options& options) {
  const auto answer = ask(options, "GET", "/api/keys");
  if (!answer) return report(answer.error());
  Json chosen = Json::array();
  for (const Json& key : (*answer)["keys"])
    if (options.tenant.empty() || key["tenant"] == options.tenant) chosen.push_back(key);
  if (!options.json)
    print_table(chosen);
  else
    for (const Json& key : chosen) fmt::print("{}\n", key.dump());
  return Exit::done;
}

int history(const Options& options) {
  const auto answer = ask(options, "GET", "/api/keys/history");
  if (!answer) return report(answer.error());
  for (const Json& event : (*answer)["events"]) {
    if (options.json)
      fmt::print("{}\n", event.dump());
    else
      fmt::print("{} {:<13} {:<21} {}\n", event["time"].get<std::string>(), event["action"].get<std::string>(),
                 event["key"].get<std::string>(), event["detail"].get<std::string>());
  }
  return Exit::done;
}

/// A subcommand of `key` that runs `action`.
CLI::App* add(CLI::App& key, const std::string& name, const std::string& says, const std::string& example,
              const Shared& options, int& exit_code, int (*action)(const Options&)) {
  CLI::App* command = key.add_subcommand(name, says);
  command->footer("Example:\n  " + example);
  command->add_flag("--json", options->json, "One JSON value a line");
  command->callback([options, &exit_code, action] { exit_code = action(*options); });
  return command;
}

void add_expires(CLI::App& command, Options& options, const std::string& otherwise) {
  command.add_option("--expires", options.expires,
                     "90d, 2027-01-31 or 2027-01-31T12:00:00Z (default: " + otherwise + ")");
}

}  // namespace

void add_key(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* key = app.add_subcommand("key", "Keys that the gateway issues: create, list, rotate, revoke");
  key->require_subcommand(1);
  key->footer(
      "Keys of the configuration file go on beside them. Start with: portolan key init /etc/portolan/master.key");

  CLI::App* command = add(*key, "init", "Make a master key, under which the secrets of issued keys are sealed",
                          "portolan key init /etc/portolan/master.key", options, exit_code, init);
  command->add_option("file", options->file, "Where to write it (mode 0600); must not exist")->required();

  command =
      add(*key, "create", "Make a key; its secret is shown once",
          "portolan key create --kind access-key --tenant research --name alice --expires 90d --profiles 'us.*'",
          options, exit_code, create);
  options->admin.add_options(*command);
  command->add_option("--kind", options->kind, "access-key (AWS SDKs, SigV4) or api-key (bearer token)")
      ->required()
      ->check(CLI::IsMember({"access-key", "api-key"}));
  command->add_option("--tenant", options->tenant, "A tenant of the configuration")->required();
  command->add_option("--name", options->name, "The user name in ARNs and records")->required();
  add_expires(*command, *options, "never");
  command
      ->add_option(
          "--profiles", options->profiles,
          "Only these profiles (ids or globs), of those that the tenant may call; a full session policy comes "
          "with the policy engine")
      ->delimiter(',');

  command = add(*key, "list", "List the issued keys, revoked and expired ones too",
                "portolan key list --tenant research", options, exit_code, list);
  options->admin.add_options(*command);
  command->add_option("--tenant", options->tenant, "Only this tenant's");

  command = add(*key, "rotate", "Make the successor of a key; the old one stays valid for a while",
                "portolan key rotate PTLNABCDEFGHIJKLMNOP --overlap 24h", options, exit_code, rotate);
  options->admin.add_options(*command);
  command->add_option("id", options->id, "The key's id")->required();
  command->add_option("--overlap", options->overlap, "How long the old one stays valid")->default_str("24h");
  add_expires(*command, *options, "as long from now as the old key's whole life; never when it had no end");

  command = add(*key, "revoke", "Refuse a key from now on, and forget its secret",
                "portolan key revoke PTLNABCDEFGHIJKLMNOP", options, exit_code, revoke);
  options->admin.add_options(*command);
  command->add_option("id", options->id, "The key's id")->required();

  command = add(*key, "history", "Every change of a key, newest first", "portolan key history --json", options,
                exit_code, history);
  options->admin.add_options(*command);
}

}  // namespace portolan::cli
