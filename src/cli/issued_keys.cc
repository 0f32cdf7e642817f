// SPDX-License-Identifier: Apache-2.0
#include "cli/issued_keys.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>

#include "cli/command.h"
#include "config/format.h"
#include "config/glob.h"
#include "world/private_file.h"

namespace portolan::cli {

using base::Code;
using base::Result;

namespace {

bool has_tenant(const config::Config& config, const std::string& name) {
  return std::ranges::find(config.tenants, name, &config::Tenant::name) != config.tenants.end();
}

Result<void> admit_profiles(const domain::IssuedKey& key, const domain::Catalog& catalog) {
  for (const std::string& glob : key.profiles) {
    const auto matches = [&](const auto& named) { return config::glob_matches(glob, named->id); };
    if (std::ranges::any_of(catalog.profiles(), matches) || std::ranges::any_of(catalog.models(), matches))
      continue;
    const std::string near = config::is_glob(glob) ? "" : catalog.nearest_profile(glob);
    return base::fail(Code::usage, fmt::format("profiles: there is no profile {}{}", glob,
                                               near.empty() ? "" : "; did you mean " + near + "?"));
  }
  return {};
}

Result<void> admit(const domain::IssuedKey& key, const config::Config& config) {
  if (!config::name_text.accepts(key.user_name))
    return base::fail(Code::usage, fmt::format("name: {} is expected", config::name_text.allowed));
  if (!has_tenant(config, key.tenant)) {
    std::string known;
    for (const config::Tenant& tenant : config.tenants) known += (known.empty() ? "" : ", ") + tenant.name;
    return base::fail(Code::usage, fmt::format("tenant: it must be one of the configuration: {}", known));
  }
  return admit_profiles(key, *config.catalog);
}

void tell_strangers(const std::vector<domain::IssuedKey>& keys, const config::Config& config) {
  const auto is_strange = [&](const domain::IssuedKey& key) {
    return !key.revoked && !has_tenant(config, key.tenant);
  };
  const auto strangers = std::ranges::count_if(keys, is_strange);
  if (strangers > 0)
    log(fmt::format("{} issued keys belong to tenants that are not configured, and are refused", strangers));
}

}  // namespace

Result<store::MasterKeys> master_keys(const config::Keys& keys) {
  TRY(store::MasterKey current, store::MasterKey::read(keys.master_key));
  if (keys.previous_master_key.empty()) return store::MasterKeys{std::move(current), std::nullopt};
  TRY(store::MasterKey previous, store::MasterKey::read(keys.previous_master_key));
  return store::MasterKeys{std::move(current), std::move(previous)};
}

Result<std::unique_ptr<control::KeyDesk>> open_key_desk(const config::Config& config, const world::Clock& clock,
                                                        const std::function<gateway::Gateway&()>& gateway) {
  const std::string path = config.data_dir + "/keys.db";
  if (!config.keys) {
    std::error_code unknown;
    if (!std::filesystem::exists(path, unknown)) return std::unique_ptr<control::KeyDesk>{};
    return base::fail(
        Code::config_invalid,
        fmt::format("{} holds issued keys, and the configuration has no keys.master_key to open them; set "
                    "it, or move the file away to refuse those keys",
                    path));
  }
  TRY(store::MasterKeys named, master_keys(*config.keys));
  TRY(auto store, store::KeyStore::open(path, std::move(named)));
  control::KeyDesk::Doors doors{
      .now = [&clock] { return clock.wall(); },
      .admit = [gateway](const domain::IssuedKey& key) { return admit(key, gateway().snapshot()->config); },
      .publish = [gateway](std::vector<domain::IssuedKey> keys) { return gateway().use_keys(std::move(keys)); },
      .log = log};
  TRY(auto desk, control::KeyDesk::open(std::move(store), std::move(doors)));
  tell_strangers(desk->keys(), config);
  return desk;
}

Result<std::string> make_master_key(const std::string& path, bool keep) {
  TRY(const base::Secret text, store::MasterKey::make());
  std::string line = std::string{text.reveal()} + "\n";
  const auto written = world::write_private_once(path, line);
  base::wipe(line);
  TRY(const bool made, written);
  if (!made && keep) return std::string{};
  if (!made) return base::fail(Code::usage, path + ": File exists (a master key is never replaced)");
  TRY(const store::MasterKey key, store::MasterKey::read(text));
  return key.id();
}

}  // namespace portolan::cli
