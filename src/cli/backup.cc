// SPDX-License-Identifier: Apache-2.0
// portolan backup, portolan restore: the data directory into one sealed file and back.
#include "data/backup.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <openssl/rand.h>

#include "cli/admin_client.h"
#include "cli/command.h"
#include "cli/configuration.h"
#include "cli/process_secrets.h"
#include "store/database.h"
#include "store/policy_store.h"
#include "world/clock.h"

namespace portolan::cli {
namespace {

constexpr std::string_view program_version = PORTOLAN_VERSION;

/// What a data directory has in force beside its configuration.
struct RulesKept {
  std::uint32_t version = 0;  // of the policies; 0: none
  std::vector<domain::Freeze> freezes;
  std::size_t taken_over = 0;  // of the freezes, from another directory
};

std::string freeze_text(const domain::Freeze& freeze) {
  return fmt::format("{} since {} by {}: {}", describe(freeze),
                     base::iso8601(std::chrono::floor<base::seconds>(freeze.since)), freeze.by, freeze.why);
}

base::Result<RulesKept> rules_kept_in(const std::string& data_dir) {
  const std::string path = data_dir + "/policy.db";
  RulesKept rules;
  if (!std::filesystem::exists(path)) return rules;
  TRY(const auto store, store::PolicyStore::open(path));
  TRY(const store::VersionNumbers numbers, store->numbers());
  rules.version = numbers.in_force;
  TRY(rules.freezes, store->freezes());
  return rules;
}

/// Freezes of `from` that `to` does not have are in force there too. What holds in both is as `to` has it.
base::Result<RulesKept> take_freezes_over(const std::string& from, const std::string& to) {
  TRY(const RulesKept before, rules_kept_in(from));
  TRY(const RulesKept backed_up, rules_kept_in(to));
  std::size_t taken_over = 0;
  for (const domain::Freeze& freeze : before.freezes) {
    const auto is_same = [&](const domain::Freeze& other) { return other.same_target(freeze); };
    if (std::ranges::any_of(backed_up.freezes, is_same)) continue;
    TRY(const auto store, store::PolicyStore::open(to + "/policy.db"));
    TRY_VOID(store->freeze(freeze));
    ++taken_over;
  }
  TRY(RulesKept rules, rules_kept_in(to));
  rules.taken_over = taken_over;
  return rules;
}

/// The passphrase that `reference` names.
base::Result<base::Secret> passphrase(const std::string& reference) {
  const ProcessSecrets secrets;
  base::Secret found;
  if (reference.starts_with("env:")) {
    const auto value = secrets.environment(reference.substr(4));
    if (!value) return base::fail(base::Code::usage, "--key " + reference + ": the variable is not set");
    found = *value;
  } else if (reference.starts_with("file:")) {
    auto value = secrets.file(reference.substr(5));
    if (!value) return base::fail(base::Code::usage, "--key " + reference + ": " + value.error().message);
    found = *std::move(value);
  } else {
    return base::fail(base::Code::usage,
                      "--key: env:NAME or file:PATH is expected; a key itself would be seen in the "
                      "list of processes");
  }
  std::string_view text = found.reveal();
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  if (text.size() < 12)
    return base::fail(base::Code::usage, "--key " + reference + ": 12 characters or more are expected");
  return base::Secret{text};
}

nlohmann::ordered_json summary_json(const data::BackupSummary& summary, const std::string& what,
                                    const std::string& path) {
  return {{what, path},
          {"made", base::iso8601(summary.made)},
          {"files", summary.files},
          {"bytes", summary.bytes},
          {"records", summary.records}};
}

int print_summary(const data::BackupSummary& summary, const std::string& what, const std::string& path, bool json) {
  if (json)
    fmt::print("{}\n", summary_json(summary, what, path).dump());
  else
    fmt::print("{}: {} records, {} files, {} bytes, made {}\n", path, summary.records, summary.files, summary.bytes,
               base::iso8601(summary.made));
  return Exit::done;
}

base::Result<data::BackupSummary> make_backup(const std::string& data_dir, const std::string& to,
                                              const std::string& key, const std::string& config) {
  const auto disk = world::real_disk();
  const world::RealClock clock;
  if (!std::filesystem::is_directory(data_dir))
    return base::fail(base::Code::usage, "--data-dir " + data_dir + ": there is no such directory");
  data::BackupPlan plan{.directory = data_dir, .to = to, .pieces = {}, .passphrase = {}, .program_version = {}};
  TRY(plan.passphrase, passphrase(key));
  plan.pieces = data::small_pieces(*disk, data_dir);
  // The secrets in keys.db stay sealed under the master key, which is kept apart.
  for (const char* name : {"keys.db", "policy.db", "profiles.db"}) {
    const std::string path = data_dir + "/" + name;
    if (!std::filesystem::exists(path)) continue;
    TRY(std::string content, store::content_of(path));
    plan.pieces.push_back(data::text_piece(name, std::move(content)));
  }
  if (!config.empty()) {
    TRY(std::string text, read_text(config));
    plan.pieces.push_back(data::text_piece("configuration.yaml", std::move(text)));
  }
  if (RAND_bytes(plan.salt.data(), static_cast<int>(plan.salt.size())) != 1)
    return base::fail(base::Code::internal, "no randomness for the backup");
  plan.now = clock.wall();
  plan.program_version = program_version;
  const bool replaces_nothing = !std::filesystem::exists(to);
  auto made = data::back_up(*disk, plan);
  std::error_code ignored;
  if (!made && replaces_nothing) std::filesystem::remove(to + ".part", ignored);
  return made;
}

struct RestoreOrder {
  std::string from, data_dir, key;
  std::string replaces;  // the directory whose place it takes; empty: none
};
struct RestoredDirectory {
  data::BackupSummary summary;
  RulesKept rules;
};

/// Moved away and restored over, it would be forgotten what operators froze since the backup was made.
base::Error not_empty(const std::string& data_dir) {
  std::string message =
      data_dir + " is not empty; a restore replaces nothing: name another directory, or move this one away";
  const base::Result<RulesKept> rules = rules_kept_in(data_dir);
  if (!rules || rules->freezes.empty()) return base::error(base::Code::usage, std::move(message));
  message += " and name it with --replaces, for these freezes are in force there:";
  for (const domain::Freeze& freeze : rules->freezes) message += "\n  " + freeze_text(freeze);
  return base::error(base::Code::usage, std::move(message));
}

/// Into a directory beside `data_dir`, which takes its name only when all of it was checked.
base::Result<RestoredDirectory> restore_to(const RestoreOrder& order) {
  namespace fs = std::filesystem;
  const std::string& data_dir = order.data_dir;
  std::error_code failure;
  if (fs::exists(data_dir, failure) && !fs::is_empty(data_dir, failure)) return base::fail(not_empty(data_dir));
  if (!order.replaces.empty() && !fs::is_directory(order.replaces, failure))
    return base::fail(base::Code::usage, "--replaces " + order.replaces + ": there is no such directory");
  TRY(const base::Secret secret, passphrase(order.key));
  const auto disk = world::real_disk();
  // With or without a slash at its end, the other one stands beside it.
  const std::string part = (fs::path(data_dir) / ".").lexically_normal().parent_path().string() + ".restoring";
  fs::remove_all(part, failure);
  const auto make = [&]() -> base::Result<RestoredDirectory> {
    RestoredDirectory made;
    TRY(made.summary, data::restore(*disk, order.from, secret, part));
    TRY(made.rules, order.replaces.empty() ? rules_kept_in(part) : take_freezes_over(order.replaces, part));
    fs::rename(part, data_dir, failure);
    if (failure) return base::fail(base::Code::disk, data_dir + ": " + failure.message());
    return made;
  };
  auto restored = make();
  if (!restored) {
    std::error_code ignored;
    fs::remove_all(part, ignored);
  }
  return restored;
}

int print_restored(const RestoredDirectory& restored, const std::string& data_dir, bool json) {
  if (json) {
    nlohmann::ordered_json line = summary_json(restored.summary, "data_dir", data_dir);
    line["policies"] = restored.rules.version == 0 ? nlohmann::ordered_json(nullptr)
                                                   : nlohmann::ordered_json(restored.rules.version);
    line["freezes"] = nlohmann::ordered_json::array();
    for (const domain::Freeze& freeze : restored.rules.freezes) line["freezes"].push_back(freeze_text(freeze));
    line["freezes_taken_over"] = restored.rules.taken_over;
    fmt::print("{}\n", line.dump());
    return Exit::done;
  }
  print_summary(restored.summary, "data_dir", data_dir, false);
  fmt::print("policies in force: {}\n",
             restored.rules.version == 0 ? "none" : fmt::format("version {}", restored.rules.version));
  for (const domain::Freeze& freeze : restored.rules.freezes) fmt::print("frozen: {}\n", freeze_text(freeze));
  if (restored.rules.freezes.empty()) fmt::print("nothing is frozen\n");
  if (restored.rules.taken_over > 0)
    fmt::print("{} of these the backup did not have: taken over from the directory that it replaces\n",
               restored.rules.taken_over);
  return Exit::done;
}

}  // namespace

void add_backup(CLI::App& app, int& exit_code) {
  struct Options {
    std::string to, key, config;
    std::string data_dir = default_data_dir();
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("backup", "Copy the data directory into one encrypted file");
  command->footer(
      "The gateway may be running: every record that was complete before is in the backup.\n\n"
      "Example:\n  portolan backup --to /backup/portolan-monday --key file:/etc/portolan/backup.key -c "
      "/etc/portolan/portolan.yaml");
  command->add_option("--to", options->to, "The file to write; it must not exist")->required();
  command->add_option("--key", options->key, "Passphrase that encrypts it: env:NAME or file:PATH")->required();
  command->add_option("--data-dir", options->data_dir, "The gateway's data directory")->capture_default_str();
  command->add_option("-c,--config", options->config, "A configuration to keep with it, as configuration.yaml");
  command->add_flag("--json", options->json, "One JSON line");
  command->callback([options, &exit_code] {
    const auto made = make_backup(options->data_dir, options->to, options->key, options->config);
    exit_code = made ? print_summary(*made, "backup", options->to, options->json) : report(made.error());
  });
}

void add_restore(CLI::App& app, int& exit_code) {
  struct Options {
    RestoreOrder order;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("restore", "Make a data directory from a backup");
  command->footer(
      "Says which policies and freezes the restored directory has in force. A freeze that was ordered after the "
      "backup "
      "was made is not in it: name the directory that this one takes the place of, and its freezes are taken "
      "over.\n\n"
      "Example:\n  portolan restore --from /backup/portolan-monday --key file:/etc/portolan/backup.key --data-dir "
      "/var/lib/portolan --replaces /var/lib/portolan.old");
  command->add_option("--from", options->order.from, "The backup")->required();
  command->add_option("--key", options->order.key, "Passphrase that it was made with: env:NAME or file:PATH")
      ->required();
  command->add_option("--data-dir", options->order.data_dir, "Where it goes: absent or empty")->required();
  command->add_option("--replaces", options->order.replaces,
                      "The directory whose place it takes, moved away: freezes in force there stay in force");
  command->add_flag("--json", options->json, "One JSON line");
  command->callback([options, &exit_code] {
    const auto restored = restore_to(options->order);
    exit_code =
        restored ? print_restored(*restored, options->order.data_dir, options->json) : report(restored.error());
  });
}

}  // namespace portolan::cli
