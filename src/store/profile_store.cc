// SPDX-License-Identifier: Apache-2.0
#include "store/profile_store.h"

#include <algorithm>

namespace portolan::store {
namespace {

using base::Code;
using base::Result;
using domain::ApplicationProfile;

// To change the format: append a step, never change one, and keep a file of the old format in testdata/formats.
constexpr const char* profile_format_1 = R"sql(
CREATE TABLE profiles (
  id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL,
  region TEXT NOT NULL,
  arn TEXT NOT NULL,
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  copy_from TEXT NOT NULL,
  client_token TEXT NOT NULL,        -- empty: the request had none
  created_us INTEGER NOT NULL,       -- microseconds since 1970, UTC, as all times here
  updated_us INTEGER NOT NULL,
  UNIQUE (account_id, region, name)
) STRICT;
CREATE TABLE tags (
  profile_id TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (profile_id, key)
) STRICT;
)sql";
constexpr const char* profile_steps[] = {profile_format_1};

std::int64_t profile_us(base::WallTime at) {
  return at.time_since_epoch().count();
}
base::WallTime profile_time(std::int64_t us) {
  return base::WallTime{base::microseconds{us}};
}

}  // namespace

Result<std::unique_ptr<ProfileStore>> ProfileStore::open(const std::string& path) {
  TRY(Database database, Database::open(path, "a store of application profiles", profile_steps));
  return std::unique_ptr<ProfileStore>{new ProfileStore(std::move(database))};
}

Result<std::vector<ApplicationProfile>> ProfileStore::profiles() {
  // One state of the file: another process may change it between the two tables.
  TRY_VOID(database_.run("BEGIN"));
  auto profiles = read_profiles();
  TRY_VOID(database_.run("COMMIT"));
  return profiles;
}

Result<std::vector<ApplicationProfile>> ProfileStore::read_profiles() {
  TRY(Statement rows,
      database_.prepare(
          "SELECT id, account_id, region, arn, name, description, copy_from, client_token, created_us, "
          "updated_us FROM profiles ORDER BY id"));
  std::vector<ApplicationProfile> profiles;
  for (;;) {
    TRY(const bool row, rows.step());
    if (!row) break;
    profiles.push_back({.id = std::string{rows.text_at(0)},
                        .account_id = std::string{rows.text_at(1)},
                        .region = std::string{rows.text_at(2)},
                        .arn = std::string{rows.text_at(3)},
                        .name = std::string{rows.text_at(4)},
                        .description = std::string{rows.text_at(5)},
                        .copy_from = std::string{rows.text_at(6)},
                        .tags = {},
                        .client_token = std::string{rows.text_at(7)},
                        .created = profile_time(rows.number_at(8)),
                        .updated = profile_time(rows.number_at(9))});
  }
  TRY(Statement tags, database_.prepare("SELECT profile_id, key, value FROM tags ORDER BY profile_id, key"));
  for (auto profile = profiles.begin();;) {
    TRY(const bool row, tags.step());
    if (!row) return profiles;
    while (profile != profiles.end() && profile->id < tags.text_at(0)) ++profile;
    if (profile == profiles.end() || profile->id != tags.text_at(0))
      return base::fail(Code::corrupt, database_.path() + ": a tag of a profile that is not there");
    profile->tags.emplace_back(tags.text_at(1), tags.text_at(2));
  }
}

Result<void> ProfileStore::insert_tags(const std::string& id, const domain::Tags& tags) {
  for (const auto& [key, value] : tags) {
    TRY(Statement row, database_.prepare("INSERT INTO tags VALUES (?, ?, ?)"));
    TRY_VOID(row.text(id).text(key).text(value).run());
  }
  return {};
}

Result<void> ProfileStore::add(const ApplicationProfile& profile) {
  return database_.transaction([&]() -> Result<void> {
    TRY(Statement row, database_.prepare("INSERT INTO profiles VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
    row.text(profile.id).text(profile.account_id).text(profile.region).text(profile.arn).text(profile.name);
    row.text(profile.description).text(profile.copy_from).text(profile.client_token);
    TRY_VOID(row.number(profile_us(profile.created)).number(profile_us(profile.updated)).run());
    return insert_tags(profile.id, profile.tags);
  });
}

Result<void> ProfileStore::remove(const std::string& id) {
  return database_.transaction([&]() -> Result<void> {
    TRY(Statement tags, database_.prepare("DELETE FROM tags WHERE profile_id = ?"));
    TRY_VOID(tags.text(id).run());
    TRY(Statement row, database_.prepare("DELETE FROM profiles WHERE id = ?"));
    return row.text(id).run();
  });
}

Result<void> ProfileStore::set_tags(const std::string& id, const domain::Tags& tags, base::WallTime now) {
  return database_.transaction([&]() -> Result<void> {
    TRY(Statement before, database_.prepare("DELETE FROM tags WHERE profile_id = ?"));
    TRY_VOID(before.text(id).run());
    TRY(Statement row, database_.prepare("UPDATE profiles SET updated_us = ? WHERE id = ?"));
    TRY_VOID(row.number(profile_us(now)).text(id).run());
    if (database_.rows_changed() != 1) return base::fail(Code::internal, "there is no profile " + id + " to tag");
    return insert_tags(id, tags);
  });
}

Result<std::int64_t> ProfileStore::changes_elsewhere() {
  TRY(Statement ask, database_.prepare("PRAGMA data_version"));
  TRY([[maybe_unused]] const bool row, ask.step());
  return ask.number_at(0);
}

}  // namespace portolan::store
