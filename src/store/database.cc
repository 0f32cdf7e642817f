// SPDX-License-Identifier: Apache-2.0
#include "store/database.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

namespace portolan::store {

using base::Code;
using base::Result;

namespace {

constexpr int busy_wait_ms = 5000;

/// SQLite would make it readable by all that the umask lets; its journals take the mode of the file.
Result<void> create_private(const std::string& path, int more_flags) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | more_flags, 0600);
  if (file < 0) return base::fail(Code::disk, fmt::format("{}: {}", path, std::strerror(errno)));
  ::close(file);
  return {};
}

std::unexpected<base::Error> failure(sqlite3* database, std::string_view path) {
  const int code = sqlite3_extended_errcode(database);
  const bool damaged = (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB;
  return base::fail(damaged ? Code::corrupt : Code::disk, fmt::format("{}: {}", path, sqlite3_errmsg(database)));
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

// A null destructor is SQLITE_STATIC: SQLite reads the caller's bytes in place. Errors of binding show at step().
Statement& Statement::text(std::string_view value) {
  sqlite3_bind_text64(statement_.get(), ++bound_, value.empty() ? "" : value.data(), value.size(), nullptr,
                      SQLITE_UTF8);
  return *this;
}
Statement& Statement::number(std::int64_t value) {
  sqlite3_bind_int64(statement_.get(), ++bound_, value);
  return *this;
}
Statement& Statement::blob(base::Bytes value) {
  sqlite3_bind_blob64(statement_.get(), ++bound_, value.data(), value.size(), nullptr);
  return *this;
}
Statement& Statement::null() {
  sqlite3_bind_null(statement_.get(), ++bound_);
  return *this;
}

Result<bool> Statement::step() {
  const int result = sqlite3_step(statement_.get());
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  sqlite3* database = sqlite3_db_handle(statement_.get());
  const char* path = sqlite3_db_filename(database, "main");
  return failure(database, path != nullptr ? path : "");
}

Result<void> Statement::run() {
  TRY(const bool row, step());
  if (row) return base::fail(Code::internal, "a statement that gives rows was run as one that gives none");
  return {};
}

std::string_view Statement::text_at(int column) const {
  return base::as_text(blob_at(column));
}
std::int64_t Statement::number_at(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}
base::Bytes Statement::blob_at(int column) const {
  const void* bytes = sqlite3_column_blob(statement_.get(), column);
  return {static_cast<const std::uint8_t*>(bytes),
          static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}
bool Statement::null_at(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

void Database::Close::operator()(sqlite3* database) const {
  sqlite3_close(database);
}

std::unexpected<base::Error> Database::failed() const {
  return failure(database_.get(), path_);
}

Result<Database> Database::connect(const std::string& path) {
  Database database{path};
  sqlite3* handle = nullptr;
  const int opened = sqlite3_open_v2(path.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  database.database_.reset(handle);
  if (opened != SQLITE_OK) return database.failed();
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, busy_wait_ms);
  return database;
}

Result<Database> Database::open(const std::string& path, std::string_view what,
                                std::span<const char* const> steps) {
  TRY_VOID(create_private(path, 0));
  TRY(Database database, connect(path));
  TRY_VOID(
      database.run("PRAGMA secure_delete=ON; PRAGMA synchronous=EXTRA; PRAGMA foreign_keys=ON; "
                   "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON"));
  TRY_VOID(database.migrate(what, steps));
  return database;
}

Result<void> Database::migrate(std::string_view what, std::span<const char* const> steps) {
  TRY(const std::int64_t version, ask_number("PRAGMA user_version"));
  const auto newest = static_cast<std::int64_t>(steps.size());
  if (version == newest) return {};
  if (version > newest || version < 0)
    return base::fail(
        Code::config_invalid,
        fmt::format("{} is {} of format {}, and this version knows formats up to {}; start the version "
                    "that wrote it, or a newer one",
                    path_, what, version, newest));
  if (version == 0) {
    TRY(const std::int64_t tables, ask_number("SELECT count(*) FROM sqlite_master"));
    if (tables != 0) return base::fail(Code::corrupt, fmt::format("{} is a SQLite file, but not {}", path_, what));
  } else {
    TRY_VOID(copy_to(fmt::format("{}.v{}.backup", path_, version)));
  }
  return transaction([&]() -> Result<void> {
    for (const char* step : steps.subspan(static_cast<std::size_t>(version))) TRY_VOID(run(step));
    return run(fmt::format("PRAGMA user_version={}", newest).c_str());
  });
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(database_.get(), sql.data(), static_cast<int>(sql.size()), &statement, nullptr) !=
      SQLITE_OK)
    return failed();
  return Statement{statement};
}

Result<void> Database::run(const char* sql) {
  if (sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) return failed();
  return {};
}

Result<std::int64_t> Database::ask_number(std::string_view sql) {
  TRY(Statement statement, prepare(sql));
  TRY(const bool row, statement.step());
  return row ? statement.number_at(0) : 0;
}

Result<void> Database::transaction(const std::function<Result<void>()>& changes) {
  TRY_VOID(run("BEGIN IMMEDIATE"));
  Result<void> done = changes();
  if (done) done = run("COMMIT");
  // A failed COMMIT (a full disk) leaves the transaction open, or already rolled back; either way nothing stays.
  if (!done && sqlite3_get_autocommit(database_.get()) == 0) (void)run("ROLLBACK");
  return done;
}

int Database::rows_changed() const {
  return sqlite3_changes(database_.get());
}

Result<void> Database::copy_to(const std::string& to) {
  // VACUUM INTO takes an empty file that is there.
  TRY_VOID(create_private(to, O_TRUNC));
  TRY(Statement copy, prepare("VACUUM INTO ?"));
  return copy.text(to).run();
}

Result<std::string> Database::content() {
  // What was read keeps writers out until the transaction ends.
  TRY_VOID(run("BEGIN; SELECT count(*) FROM sqlite_master"));
  sqlite3_int64 size = 0;
  const std::unique_ptr<unsigned char, decltype(&sqlite3_free)> bytes{
      sqlite3_serialize(database_.get(), "main", &size, 0), sqlite3_free};
  TRY_VOID(run("COMMIT"));
  if (bytes == nullptr) return base::fail(Code::disk, path_ + ": cannot be read as a whole");
  return std::string{base::as_text({bytes.get(), static_cast<std::size_t>(size)})};
}

Result<std::string> content_of(const std::string& path) {
  TRY(Database database, Database::connect(path));
  return database.content();
}

}  // namespace portolan::store
