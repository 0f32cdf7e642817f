// SPDX-License-Identifier: Apache-2.0
#include "store/policy_store.h"

namespace portolan::store {
namespace {

using base::Code;
using base::Result;
using domain::Freeze;

// To change the format: append a step, never change one, and keep a file of the old format in testdata/formats.
constexpr const char* policy_format_1 = R"sql(
CREATE TABLE freezes (
  scope TEXT NOT NULL CHECK (scope IN ('global', 'cross-region', 'profile', 'all')),
  profile TEXT NOT NULL,             -- empty but for the scope 'profile'
  since_us INTEGER NOT NULL,         -- microseconds since 1970, UTC, as all times here
  actor TEXT NOT NULL,
  why TEXT NOT NULL,
  PRIMARY KEY (scope, profile)
) STRICT;
CREATE TABLE versions (
  number INTEGER PRIMARY KEY,
  hash TEXT NOT NULL UNIQUE,         -- of the content
  since_us INTEGER NOT NULL,
  actor TEXT NOT NULL,
  why TEXT NOT NULL
) STRICT;
CREATE TABLE version_files (
  number INTEGER NOT NULL,
  name TEXT NOT NULL,
  content TEXT NOT NULL,
  PRIMARY KEY (number, name)
) STRICT;
CREATE TABLE standing (              -- one row; 0: none
  in_force INTEGER NOT NULL,
  previous INTEGER NOT NULL,
  candidate INTEGER NOT NULL,
  share_percent INTEGER NOT NULL,
  directory_hash TEXT NOT NULL
) STRICT;
INSERT INTO standing VALUES (0, 0, 0, 0, '');
CREATE TABLE events (
  number INTEGER PRIMARY KEY,
  at_us INTEGER NOT NULL,
  action TEXT NOT NULL,
  actor TEXT NOT NULL,
  why TEXT NOT NULL,
  detail TEXT NOT NULL
) STRICT;
)sql";
constexpr const char* policy_steps[] = {policy_format_1};

std::int64_t us_of(base::WallTime at) {
  return at.time_since_epoch().count();
}
base::WallTime time_of(std::int64_t us) {
  return base::WallTime{base::microseconds{us}};
}

}  // namespace

Result<std::unique_ptr<PolicyStore>> PolicyStore::open(const std::string& path) {
  TRY(Database database, Database::open(path, "a policy store", policy_steps));
  return std::unique_ptr<PolicyStore>{new PolicyStore(std::move(database))};
}

Result<std::vector<Freeze>> PolicyStore::freezes() {
  TRY(Statement rows,
      database_.prepare("SELECT scope, profile, since_us, actor, why FROM freezes ORDER BY since_us, rowid"));
  std::vector<Freeze> freezes;
  for (;;) {
    TRY(const bool row, rows.step());
    if (!row) return freezes;
    const auto scope = domain::freeze_scope(rows.text_at(0));
    if (!scope) return base::fail(Code::corrupt, database_.path() + ": a freeze of an unknown scope");
    freezes.push_back({.scope = *scope,
                       .profile = std::string{rows.text_at(1)},
                       .since = time_of(rows.number_at(2)),
                       .by = std::string{rows.text_at(3)},
                       .why = std::string{rows.text_at(4)}});
  }
}

Result<void> PolicyStore::freeze(const Freeze& freeze) {
  return database_.transaction([&]() -> Result<void> {
    TRY(Statement row, database_.prepare("INSERT OR REPLACE INTO freezes VALUES (?, ?, ?, ?, ?)"));
    row.text(name(freeze.scope)).text(freeze.profile).number(us_of(freeze.since));
    TRY_VOID(row.text(freeze.by).text(freeze.why).run());
    return note(
        {.at = freeze.since, .action = "freeze", .by = freeze.by, .why = freeze.why, .detail = describe(freeze)});
  });
}

Result<void> PolicyStore::unfreeze(const Freeze& lift) {
  return database_.transaction([&]() -> Result<void> {
    TRY(Statement row, database_.prepare("DELETE FROM freezes WHERE scope = ? AND profile = ?"));
    TRY_VOID(row.text(name(lift.scope)).text(lift.profile).run());
    if (database_.rows_changed() != 1) return base::fail(Code::usage, describe(lift) + " is not frozen");
    return note({.at = lift.since, .action = "unfreeze", .by = lift.by, .why = lift.why, .detail = describe(lift)});
  });
}

Result<std::int64_t> PolicyStore::changes_elsewhere() {
  TRY(Statement ask, database_.prepare("PRAGMA data_version"));
  TRY([[maybe_unused]] const bool row, ask.step());
  return ask.number_at(0);
}

Result<std::int64_t> PolicyStore::newest_change() {
  TRY(Statement ask, database_.prepare("SELECT COALESCE(MAX(number), 0) FROM events"));
  TRY([[maybe_unused]] const bool row, ask.step());
  return ask.number_at(0);
}

Result<std::vector<VersionRow>> PolicyStore::versions() {
  TRY(Statement rows,
      database_.prepare("SELECT number, hash, since_us, actor, why FROM versions ORDER BY number DESC"));
  std::vector<VersionRow> versions;
  for (;;) {
    TRY(const bool row, rows.step());
    if (!row) return versions;
    versions.push_back({.number = static_cast<std::uint32_t>(rows.number_at(0)),
                        .hash = std::string{rows.text_at(1)},
                        .since = time_of(rows.number_at(2)),
                        .by = std::string{rows.text_at(3)},
                        .why = std::string{rows.text_at(4)}});
  }
}

Result<domain::PolicyBundle> PolicyStore::bundle(std::uint32_t number) {
  TRY(Statement version, database_.prepare("SELECT hash FROM versions WHERE number = ?"));
  TRY(const bool known, version.number(number).step());
  if (!known) return base::fail(Code::usage, "there is no version " + std::to_string(number) + " of the policies");
  domain::PolicyBundle bundle{.number = number, .hash = std::string{version.text_at(0)}, .files = nullptr};
  TRY(Statement rows, database_.prepare("SELECT name, content FROM version_files WHERE number = ?"));
  rows.number(number);
  domain::PolicyFiles files;
  for (;;) {
    TRY(const bool row, rows.step());
    if (!row) break;
    files.emplace(rows.text_at(0), rows.text_at(1));
  }
  bundle.files = std::make_shared<const domain::PolicyFiles>(std::move(files));
  return bundle;
}

Result<VersionNumbers> PolicyStore::numbers() {
  TRY(Statement row,
      database_.prepare("SELECT in_force, previous, candidate, share_percent, directory_hash FROM standing"));
  TRY(const bool there, row.step());
  if (!there) return base::fail(Code::corrupt, database_.path() + ": it does not say which version is in force");
  return VersionNumbers{.in_force = static_cast<std::uint32_t>(row.number_at(0)),
                        .previous = static_cast<std::uint32_t>(row.number_at(1)),
                        .candidate = static_cast<std::uint32_t>(row.number_at(2)),
                        .share_percent = static_cast<unsigned>(row.number_at(3)),
                        .directory_hash = std::string{row.text_at(4)}};
}

Result<std::uint32_t> PolicyStore::add(const VersionRow& row, const domain::PolicyFiles& files) {
  std::uint32_t number = 0;
  TRY_VOID(database_.transaction([&]() -> Result<void> {
    TRY(Statement known, database_.prepare("SELECT number FROM versions WHERE hash = ?"));
    TRY(const bool there, known.text(row.hash).step());
    if (there) {
      number = static_cast<std::uint32_t>(known.number_at(0));
      return {};
    }
    TRY(Statement next, database_.prepare("SELECT coalesce(max(number), 0) + 1 FROM versions"));
    TRY([[maybe_unused]] const bool counted, next.step());
    number = static_cast<std::uint32_t>(next.number_at(0));
    TRY(Statement version, database_.prepare("INSERT INTO versions VALUES (?, ?, ?, ?, ?)"));
    version.number(number).text(row.hash).number(us_of(row.since));
    TRY_VOID(version.text(row.by).text(row.why).run());
    for (const auto& [name, content] : files) {
      TRY(Statement file, database_.prepare("INSERT INTO version_files VALUES (?, ?, ?)"));
      TRY_VOID(file.number(number).text(name).text(content).run());
    }
    return {};
  }));
  return number;
}

Result<void> PolicyStore::put(const VersionNumbers& numbers, const PolicyEvent& event) {
  return database_.transaction([&]() -> Result<void> {
    TRY(Statement row,
        database_.prepare("UPDATE standing SET in_force = ?, previous = ?, candidate = ?, share_percent = ?, "
                          "directory_hash = ?"));
    row.number(numbers.in_force).number(numbers.previous).number(numbers.candidate);
    TRY_VOID(row.number(numbers.share_percent).text(numbers.directory_hash).run());
    return note(event);
  });
}

Result<std::vector<PolicyEvent>> PolicyStore::history(std::size_t limit) {
  TRY(Statement rows,
      database_.prepare("SELECT at_us, action, actor, why, detail FROM events ORDER BY number DESC LIMIT ?"));
  rows.number(static_cast<std::int64_t>(limit));
  std::vector<PolicyEvent> events;
  for (;;) {
    TRY(const bool row, rows.step());
    if (!row) return events;
    events.push_back({.at = time_of(rows.number_at(0)),
                      .action = std::string{rows.text_at(1)},
                      .by = std::string{rows.text_at(2)},
                      .why = std::string{rows.text_at(3)},
                      .detail = std::string{rows.text_at(4)}});
  }
}

Result<void> PolicyStore::note(const PolicyEvent& event) {
  TRY(Statement row,
      database_.prepare("INSERT INTO events (at_us, action, actor, why, detail) VALUES (?, ?, ?, ?, ?)"));
  row.number(us_of(event.at)).text(event.action).text(event.by);
  return row.text(event.why).text(event.detail).run();
}

}  // namespace portolan::store
