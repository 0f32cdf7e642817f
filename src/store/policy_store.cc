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
