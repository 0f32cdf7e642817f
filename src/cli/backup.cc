// SPDX-License-Identifier: Apache-2.0
// portolan backup, portolan restore: the data directory into one sealed file and back.
#include "data/backup.h"

#include <filesystem>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <openssl/rand.h>

#include "cli/admin_client.h"
#include "cli/command.h"
#include "cli/configuration.h"
#include "cli/process_secrets.h"
#include "store/database.h"
#include "world/clock.h"

namespace portolan::cli {
namespace {

constexpr std::string_view version = PORTOLAN_VERSION;

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

int print_summary(const data::BackupSummary& summary, const std::string& what, const std::string& path, bool json) {
  if (json)
    fmt::print("{}\n", nlohmann::ordered_json{{what, path},
                                              {"made", base::iso8601(summary.made)},
                                              {"files", summary.files},
                                              {"bytes", summary.bytes},
                                              {"records", summary.records}}
                           .dump());
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
  for (const char* name : {"keys.db", "policy.db"}) {
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
  plan.program_version = version;
  const bool replaces_nothing = !std::filesystem::exists(to);
  auto made = data::back_up(*disk, plan);
  std::error_code ignored;
  if (!made && replaces_nothing) std::filesystem::remove(to + ".part", ignored);
  return made;
}

/// Into a directory beside `data_dir`, which takes its name only when all of it was checked.
base::Result<data::BackupSummary> restore_to(const std::string& from, const std::string& data_dir,
                                             const std::string& key) {
  namespace fs = std::filesystem;
  std::error_code failure;
  if (fs::exists(data_dir, failure) && !fs::is_empty(data_dir, failure))
    return base::fail(base::Code::usage, data_dir +
                                             " is not empty; a restore replaces nothing: name another "
                                             "directory, or move this one away");
  TRY(const base::Secret secret, passphrase(key));
  const auto disk = world::real_disk();
  // With or without a slash at its end, the other one stands beside it.
  const std::string part = (fs::path(data_dir) / ".").lexically_normal().parent_path().string() + ".restoring";
  fs::remove_all(part, failure);
  auto restored = data::restore(*disk, from, secret, part);
  if (restored) fs::rename(part, data_dir, failure);
  if (restored && failure) restored = base::fail(base::Code::disk, data_dir + ": " + failure.message());
  if (!restored) {
    std::error_code ignored;
    fs::remove_all(part, ignored);
  }
  return restored;
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
    std::string from, data_dir, key;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("restore", "Make a data directory from a backup");
  command->footer(
      "Example:\n  portolan restore --from /backup/portolan-monday --key file:/etc/portolan/backup.key --data-dir "
      "/var/lib/portolan");
  command->add_option("--from", options->from, "The backup")->required();
  command->add_option("--key", options->key, "Passphrase that it was made with: env:NAME or file:PATH")->required();
  command->add_option("--data-dir", options->data_dir, "Where it goes: absent or empty")->required();
  command->add_flag("--json", options->json, "One JSON line");
  command->callback([options, &exit_code] {
    const auto restored = restore_to(options->from, options->data_dir, options->key);
    exit_code = restored ? print_summary(*restored, "data_dir", options->data_dir, options->json)
                         : report(restored.error());
  });
}

}  // namespace portolan::cli
