// SPDX-License-Identifier: Apache-2.0
#include "store/key_store.h"

#include <fmt/format.h>

namespace portolan::store {
namespace {

using base::Code;
using base::Result;
using domain::CredentialKind;
using domain::IssuedKey;

constexpr std::string_view what = "a key store";

// To change the format: append a step, never change one, and keep a file of the old format in testdata/store.
constexpr const char* format_1 = R"sql(
CREATE TABLE keys (
  id TEXT NOT NULL PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('access-key', 'api-key')),
  tenant TEXT NOT NULL,
  user_name TEXT NOT NULL,
  profiles TEXT NOT NULL,            -- globs, one a line; empty: all of the tenant's
  master_key_id TEXT,                -- under which sealed_secret was sealed
  sealed_secret BLOB,                -- nonce, ciphertext, tag; null once revoked
  api_key_sha256 BLOB UNIQUE,
  created_us INTEGER NOT NULL,       -- microseconds since 1970, UTC, as all times here
  expires_us INTEGER,
  revoked_us INTEGER,
  replaced_by TEXT NOT NULL,
  last_use_us INTEGER
) STRICT;
CREATE TABLE events (
  number INTEGER PRIMARY KEY,
  at_us INTEGER NOT NULL,
  action TEXT NOT NULL,
  key_id TEXT NOT NULL,
  detail TEXT NOT NULL
) STRICT;
CREATE TABLE sealing (master_key_id TEXT NOT NULL) STRICT;  -- one row, so that an empty store has a master key too
)sql";
constexpr const char* steps[] = {format_1};

/// Additional data of a sealed secret: whoever moves it to another key, tenant or master key cannot open it there.
std::string owner_of(std::string_view master_key_id, std::string_view id, std::string_view tenant) {
  return fmt::format("portolan key 1\n{}\n{}\n{}", master_key_id, id, tenant);
}

std::string_view name(CredentialKind kind) {
  return kind == CredentialKind::sigv4 ? "access-key" : "api-key";
}

std::int64_t to_us(base::WallTime at) {
  return at.time_since_epoch().count();
}
base::WallTime from_us(std::int64_t us) {
  return base::WallTime{base::microseconds{us}};
}

std::string join_lines(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text.append(line).append("\n");
  return text;
}
std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines;
  for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  return lines;
}

std::string describe(const IssuedKey& key) {
  std::string text = fmt::format("{} of user {} of tenant {}, {}", name(key.kind), key.user_name, key.tenant,
                                 key.expires ? "expires " + base::iso8601(*key.expires) : "never expires");
  for (const std::string& profile : key.profiles)
    text += (&profile == &key.profiles.front() ? ", only profiles " : " ") + profile;
  return text;
}

}  // namespace

Result<std::unique_ptr<KeyStore>> KeyStore::open(const std::string& path, MasterKeys master_keys) {
  TRY(Database database, Database::open(path, what, steps));
  std::unique_ptr<KeyStore> store{new KeyStore(std::move(database), std::move(master_keys))};
  TRY(const std::string id, store->sealed_under());
  const MasterKeys& known = store->master_keys_;
  if (id.empty()) {
    TRY(Statement first, store->database_.prepare("INSERT INTO sealing VALUES (?)"));
    TRY_VOID(first.text(known.current.id()).run());
  } else if (known.find(id) == nullptr) {
    return base::fail(
        Code::config_invalid,
        fmt::format(
            "{} was sealed under master key {}, and keys.master_key is {}{}; give the key that it was sealed "
            "under, or name it in keys.previous_master_key to seal the store anew",
            path, id, known.current.id(),
            known.previous ? ", keys.previous_master_key " + known.previous->id() : ""));
  }
  return store;
}

Result<std::string> KeyStore::sealed_under() {
  TRY(Statement ask, database_.prepare("SELECT master_key_id FROM sealing"));
  TRY(const bool row, ask.step());
  return row ? std::string{ask.text_at(0)} : "";
}

Result<std::vector<IssuedKey>> KeyStore::keys() {
  TRY(Statement rows,
      database_.prepare(
          "SELECT id, kind, tenant, user_name, profiles, master_key_id, sealed_secret, api_key_sha256, "
          "created_us, expires_us, revoked_us, replaced_by, last_use_us FROM keys ORDER BY rowid"));
  std::vector<IssuedKey> keys;
  for (;;) {
    TRY(const bool row, rows.step());
    if (!row) return keys;
    const auto time = [&rows](int column) -> std::optional<base::WallTime> {
      if (rows.null_at(column)) return std::nullopt;
      return from_us(rows.number_at(column));
    };
    IssuedKey key;
    key.id = rows.text_at(0);
    key.kind = rows.text_at(1) == name(CredentialKind::sigv4) ? CredentialKind::sigv4 : CredentialKind::api_key;
    key.tenant = rows.text_at(2);
    key.user_name = rows.text_at(3);
    key.profiles = split_lines(rows.text_at(4));
    if (!rows.null_at(6)) {
      const std::string master_key_id{rows.text_at(5)};
      auto secret =
          base::Result<base::Secret>{base::fail(Code::corrupt, "it names another master key than its store")};
      if (const MasterKey* under = master_keys_.find(master_key_id))
        secret = under->open(rows.text_at(6), owner_of(master_key_id, key.id, key.tenant));
      if (!secret)
        return base::fail(Code::corrupt,
                          fmt::format("{}: key {}: {}", database_.path(), key.id, secret.error().message));
      key.secret_access_key = *std::move(secret);
    }
    const base::Bytes hash = rows.blob_at(7);
    if (hash.size() == key.api_key_sha256.size()) std::ranges::copy(hash, key.api_key_sha256.begin());
    key.created = from_us(rows.number_at(8));
    key.expires = time(9);
    key.revoked = time(10);
    key.replaced_by = rows.text_at(11);
    key.last_use = std::make_shared<domain::LastUse>(time(12));
    keys.push_back(std::move(key));
  }
}

Result<void> KeyStore::insert(const IssuedKey& key) {
  TRY(Statement count, database_.prepare("SELECT count(*), count(*) FILTER (WHERE id = ?) FROM keys"));
  TRY(const bool counted, count.text(key.id).step());
  if (counted && count.number_at(1) != 0)
    return base::fail(Code::usage, fmt::format("there is a key {} already", key.id));
  if (counted && count.number_at(0) >= static_cast<std::int64_t>(keys_max))
    return base::fail(Code::usage, fmt::format("the key store holds {} keys, the most it may", keys_max));

  TRY(Statement row, database_.prepare("INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, '', NULL)"));
  const std::string profiles = join_lines(key.profiles);
  std::string sealed;
  row.text(key.id).text(name(key.kind)).text(key.tenant).text(key.user_name).text(profiles);
  if (key.kind == CredentialKind::sigv4) {
    const MasterKey& master = master_keys_.current;
    TRY(sealed, master.seal(key.secret_access_key, owner_of(master.id(), key.id, key.tenant)));
    row.text(master.id()).blob(base::as_bytes(sealed)).null();
  } else {
    row.null().null().blob({key.api_key_sha256.data(), key.api_key_sha256.size()});
  }
  row.number(to_us(key.created));
  return (key.expires ? row.number(to_us(*key.expires)) : row.null()).run();
}

Result<void> KeyStore::note(const KeyEvent& event) {
  TRY(Statement row, database_.prepare("INSERT INTO events (at_us, action, key_id, detail) VALUES (?, ?, ?, ?)"));
  return row.number(to_us(event.at)).text(event.action).text(event.key_id).text(event.detail).run();
}

Result<void> KeyStore::add(const IssuedKey& key) {
  return database_.transaction([&]() -> Result<void> {
    TRY_VOID(insert(key));
    return note({.at = key.created, .action = "create", .key_id = key.id, .detail = describe(key)});
  });
}

Result<void> KeyStore::replace(const std::string& id, base::WallTime until, const IssuedKey& successor) {
  return database_.transaction([&]() -> Result<void> {
    TRY(Statement old, database_.prepare("UPDATE keys SET replaced_by = ?, expires_us = min(coalesce(expires_us, "
                                         "?), ?) WHERE id = ? AND revoked_us IS NULL AND replaced_by = ''"));
    TRY_VOID(old.text(successor.id).number(to_us(until)).number(to_us(until)).text(id).run());
    if (database_.rows_changed() != 1)
      return base::fail(Code::usage,
                        fmt::format("key {} cannot be rotated: it is revoked, or was rotated before", id));
    TRY_VOID(insert(successor));
    return note({.at = successor.created,
                 .action = "rotate",
                 .key_id = id,
                 .detail = fmt::format("valid until {}; its successor is {}, {}", base::iso8601(until),
                                       successor.id, describe(successor))});
  });
}

Result<void> KeyStore::revoke(const std::string& id, base::WallTime now) {
  return database_.transaction([&]() -> Result<void> {
    TRY(Statement row,
        database_.prepare("UPDATE keys SET revoked_us = ?, sealed_secret = NULL, master_key_id = NULL "
                          "WHERE id = ? AND revoked_us IS NULL"));
    TRY_VOID(row.number(to_us(now)).text(id).run());
    if (database_.rows_changed() != 1)
      return base::fail(Code::usage, fmt::format("key {} is revoked already, or there is none", id));
    return note({.at = now, .action = "revoke", .key_id = id, .detail = "refused from now on; its secret is gone"});
  });
}

Result<void> KeyStore::note_uses(const std::vector<std::pair<std::string, base::WallTime>>& uses) {
  if (uses.empty()) return {};
  return database_.transaction([&]() -> Result<void> {
    for (const auto& [id, at] : uses) {
      TRY(Statement row,
          database_.prepare("UPDATE keys SET last_use_us = max(coalesce(last_use_us, 0), ?) WHERE id = ?"));
      TRY_VOID(row.number(to_us(at)).text(id).run());
    }
    return {};
  });
}

Result<void> KeyStore::accepts(const MasterKeys& master_keys) {
  TRY(const std::string id, sealed_under());
  if (master_keys.find(id) != nullptr) return {};
  return base::fail(Code::config_invalid,
                    fmt::format("the key store is sealed under master key {}, and keys.master_key is {}; name the "
                                "old one in keys.previous_master_key to seal the store anew",
                                id, master_keys.current.id()));
}

Result<std::size_t> KeyStore::use(MasterKeys master_keys, base::WallTime now) {
  TRY_VOID(accepts(master_keys));
  TRY(const std::string id, sealed_under());
  const MasterKey* under = master_keys.find(id);
  std::size_t sealed = 0;
  if (under != &master_keys.current) {
    TRY(sealed, reseal(*under, master_keys.current, now));
  }
  master_keys_ = std::move(master_keys);
  return sealed;
}

Result<std::size_t> KeyStore::reseal(const MasterKey& from, const MasterKey& to, base::WallTime now) {
  struct Sealed {
    std::string id, secret;
  };
  std::vector<Sealed> all;
  const Result<void> done = database_.transaction([&]() -> Result<void> {
    TRY(Statement rows,
        database_.prepare("SELECT id, tenant, sealed_secret FROM keys WHERE sealed_secret NOT NULL"));
    for (;;) {
      TRY(const bool row, rows.step());
      if (!row) break;
      const std::string id{rows.text_at(0)};
      const std::string tenant{rows.text_at(1)};
      const auto secret = from.open(rows.text_at(2), owner_of(from.id(), id, tenant));
      if (!secret)
        return base::fail(Code::corrupt,
                          fmt::format("{}: key {}: {}", database_.path(), id, secret.error().message));
      TRY(std::string sealed, to.seal(*secret, owner_of(to.id(), id, tenant)));
      all.push_back({id, std::move(sealed)});
    }
    for (const Sealed& key : all) {
      TRY(Statement row, database_.prepare("UPDATE keys SET master_key_id = ?, sealed_secret = ? WHERE id = ?"));
      TRY_VOID(row.text(to.id()).blob(base::as_bytes(key.secret)).text(key.id).run());
    }
    TRY(Statement sealing, database_.prepare("UPDATE sealing SET master_key_id = ?"));
    TRY_VOID(sealing.text(to.id()).run());
    return note({.at = now,
                 .action = "rotate-master",
                 .key_id = to.id(),
                 .detail = fmt::format("{} secrets sealed anew, before under {}", all.size(), from.id())});
  });
  if (!done) return std::unexpected(done.error());
  return all.size();
}

Result<std::vector<KeyEvent>> KeyStore::history(std::size_t limit) {
  TRY(Statement rows,
      database_.prepare("SELECT at_us, action, key_id, detail FROM events ORDER BY number DESC LIMIT ?"));
  rows.number(static_cast<std::int64_t>(limit));
  std::vector<KeyEvent> events;
  for (;;) {
    TRY(const bool row, rows.step());
    if (!row) return events;
    events.push_back({.at = from_us(rows.number_at(0)),
                      .action = std::string{rows.text_at(1)},
                      .key_id = std::string{rows.text_at(2)},
                      .detail = std::string{rows.text_at(3)}});
  }
}

}  // namespace portolan::store
