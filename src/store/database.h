// SPDX-License-Identifier: Apache-2.0
// A SQLite file with a format version: opened, migrated, or refused.
//
// The version is SQLite's user_version. A file of an older format is first copied beside itself (PATH.v1.backup),
// then taken to the present one in one transaction; a newer one is refused, for whoever wrote it knew rules that we
// do not. Files are made with mode 0600. Writes are durable when they return (rollback journal, synchronous=EXTRA),
// and what is deleted is overwritten (secure_delete). One thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace portolan::store {

/// One prepared statement. Values are bound from left to right and must live until step() has returned.
class Statement {
 public:
  Statement& text(std::string_view value);
  Statement& number(std::int64_t value);
  Statement& blob(base::Bytes value);
  Statement& null();

  /// True: a row stands ready. False: there are no more. Code::disk.
  base::Result<bool> step();
  /// For a statement that gives no rows.
  base::Result<void> run();

  // Columns of the row, from 0. Views are valid until the next step().
  std::string_view text_at(int column) const;
  std::int64_t number_at(int column) const;
  base::Bytes blob_at(int column) const;
  bool null_at(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}

  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int bound_ = 0;
};

class Database {
 public:
  /// `steps[n]` is the SQL that takes a file of format n to format n + 1; a new file takes all of them. `what`
  /// names the file's purpose in messages. Code::disk; Code::corrupt for a file that is not ours;
  /// Code::config_invalid for a newer format.
  static base::Result<Database> open(const std::string& path, std::string_view what,
                                     std::span<const char* const> steps);

  /// SQL text of ours only; values are bound.
  base::Result<Statement> prepare(std::string_view sql);
  base::Result<void> run(const char* sql);
  /// All of `changes` or nothing: rolled back when it gives an error.
  base::Result<void> transaction(const std::function<base::Result<void>()>& changes);
  /// How many rows the last statement changed.
  int rows_changed() const;
  /// A whole and consistent copy, mode 0600; replaces a file at `to`.
  base::Result<void> copy_to(const std::string& to);

  /// All bytes of the file, as of one moment.
  base::Result<std::string> content();

  const std::string& path() const { return path_; }

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  friend base::Result<std::string> content_of(const std::string& path);
  /// To a file that is there, with whatever is in it.
  static base::Result<Database> connect(const std::string& path);
  explicit Database(std::string path) : path_(std::move(path)) {}
  base::Result<void> migrate(std::string_view what, std::span<const char* const> steps);
  base::Result<std::int64_t> ask_number(std::string_view sql);
  std::unexpected<base::Error> failed() const;

  std::string path_;
  std::unique_ptr<sqlite3, Close> database_;
};

/// All bytes of the SQLite file at `path` as of one moment, whatever another process is changing in it meanwhile;
/// what a crash left half done is rolled back first. For backups. Code::disk, Code::corrupt.
base::Result<std::string> content_of(const std::string& path);

}  // namespace portolan::store
