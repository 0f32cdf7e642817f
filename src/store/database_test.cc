// SPDX-License-Identifier: Apache-2.0
// Formats: made, migrated with a backup first, refused.
#include "store/database.h"

#include <array>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/test_directory.h"

namespace portolan::store {
namespace {

using base::Code;
using testing::HasSubstr;

constexpr const char* first = "CREATE TABLE words (word TEXT NOT NULL) STRICT";
constexpr const char* second =
    "ALTER TABLE words ADD COLUMN length INTEGER; UPDATE words SET length = length(word)";
constexpr const char* broken = "ALTER TABLE words ADD COLUMN length INTEGER; SELECT nonsense";

class Formats : public TestDirectory {
 protected:
  base::Result<Database> open(std::vector<const char*> steps) {
    return Database::open(path, "a list of words", steps);
  }
  static std::string ask(Database& database, std::string_view sql) {
    auto statement = database.prepare(sql);
    if (!statement) return statement.error().message;
    return statement->step().value_or(false) ? std::string{statement->text_at(0)} : "no row";
  }
  const std::string path = file("words.db");
};

TEST_F(Formats, ANewFileIsReadableByItsOwnerAlone) {
  ::umask(0);
  auto database = open({first});
  ASSERT_TRUE(database) << database.error().message;
  ASSERT_TRUE(database->run("BEGIN; INSERT INTO words VALUES ('x')"));
  for (const std::string& name : {path, path + "-journal"}) {
    struct stat facts{};
    ASSERT_EQ(::stat(name.c_str(), &facts), 0) << name;
    EXPECT_EQ(facts.st_mode & 0777, 0600u) << name;
  }
}

TEST_F(Formats, AnOlderOneIsMigratedWithACopyFirst) {
  {
    ASSERT_TRUE(open({first})->run("INSERT INTO words VALUES ('portolan')"));
  }
  auto migrated = open({first, second});
  ASSERT_TRUE(migrated) << migrated.error().message;
  EXPECT_EQ(ask(*migrated, "SELECT length FROM words"), "8");
  EXPECT_EQ(ask(*migrated, "PRAGMA user_version"), "2");

  const std::string copy = path + ".v1.backup";
  struct stat facts{};
  ASSERT_EQ(::stat(copy.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600u);
  auto old = Database::open(copy, "a list of words", std::array{first});
  ASSERT_TRUE(old) << old.error().message;
  EXPECT_EQ(ask(*old, "SELECT word FROM words"), "portolan");
}

TEST_F(Formats, ANewerOneIsRefusedAndLeftAlone) {
  ASSERT_TRUE(open({first, second}));
  const auto refused = open({first});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::config_invalid);
  EXPECT_THAT(refused.error().message,
              HasSubstr("is a list of words of format 2, and this version knows formats up to 1"));
  EXPECT_TRUE(open({first, second}));
}

TEST_F(Formats, AMigrationThatFailsChangesNothing) {
  {
    ASSERT_TRUE(open({first})->run("INSERT INTO words VALUES ('portolan')"));
  }
  EXPECT_FALSE(open({first, broken}));
  auto again = open({first});
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(ask(*again, "SELECT count(*) FROM pragma_table_info('words')"), "1");
}

TEST_F(Formats, AFileThatIsNotOursIsRefused) {
  std::ofstream(path) << std::string(8192, 'x');
  const auto not_sqlite = open({first});
  ASSERT_FALSE(not_sqlite);
  EXPECT_EQ(not_sqlite.error().code, Code::corrupt);
  std::filesystem::remove(path);
  {
    ASSERT_TRUE(open({})->run("CREATE TABLE bookmarks (url TEXT)"));
  }
  const auto foreign = open({first});
  ASSERT_FALSE(foreign);
  EXPECT_THAT(foreign.error().message, HasSubstr("is a SQLite file, but not a list of words"));
}

TEST_F(Formats, APathThatCannotBeMadeSaysSo) {
  const auto refused = Database::open(file("absent/words.db"), "a list", std::array{first});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, file("absent/words.db") + ": No such file or directory");
}

TEST_F(Formats, ATransactionThatFailsLeavesNothing) {
  auto database = open({first});
  const auto done = database->transaction([&]() -> base::Result<void> {
    TRY_VOID(database->run("INSERT INTO words VALUES ('half')"));
    return base::fail(Code::usage, "no");
  });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message, "no");
  EXPECT_EQ(ask(*database, "SELECT count(*) FROM words"), "0");
  EXPECT_TRUE(database->transaction([&] { return database->run("INSERT INTO words VALUES ('whole')"); }));
  EXPECT_EQ(ask(*database, "SELECT word FROM words"), "whole");
}

}  // namespace
}  // namespace portolan::store
