// SPDX-License-Identifier: Apache-2.0
#include "sim/crash_disk.h"

#include <gtest/gtest.h>

namespace portolan::sim {
namespace {

constexpr char file_name[] = "d/f";

std::unique_ptr<world::File> opened(CrashDisk& disk, const std::string& path = file_name) {
  EXPECT_TRUE(disk.make_directory("d"));
  auto file = disk.open(path);
  EXPECT_TRUE(file);
  return *std::move(file);
}

std::string read_all(world::File& file) {
  return *file.read(0, 1 << 20);
}

TEST(CrashDisk, KeepsWhatWasSyncedWhateverTheSeed) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    CrashDisk disk(seed);
    auto file = opened(disk);
    const std::string durable(700, 'a');
    ASSERT_TRUE(file->append(durable));
    ASSERT_TRUE(file->sync());
    ASSERT_TRUE(disk.sync_directory("d"));
    ASSERT_TRUE(file->append(std::string(2000, 'b')));
    const auto after = disk.crash(seed);
    auto survivor = after->open_existing(file_name);
    ASSERT_TRUE(survivor);
    const std::string content = read_all(**survivor);
    ASSERT_GE(content.size(), durable.size());
    ASSERT_LE(content.size(), 2700u);
    ASSERT_EQ(content.substr(0, 700), durable);
    ASSERT_EQ(content.find_first_not_of(std::string_view{"b\0", 2}, 700), content.npos);
  }
}

TEST(CrashDisk, LosesTearsAndReordersWhatWasNotSynced) {
  int lost = 0;
  int kept = 0;
  int holes = 0;  // a later sector there, an earlier one not
  int torn = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    CrashDisk disk(seed);
    auto file = opened(disk);
    ASSERT_TRUE(file->sync());
    ASSERT_TRUE(disk.sync_directory("d"));
    ASSERT_TRUE(file->append(std::string(512 * 6, 'b')));
    const std::string content = *disk.crash(seed)->content(file_name);
    const std::size_t hole = content.find('\0');
    lost += content.find('b') == content.npos;
    kept += content.size() == 512 * 6 && hole == content.npos;
    holes += hole != content.npos && content.find('b', hole) != content.npos;
    torn += hole != content.npos && hole % 512 != 0;
  }
  EXPECT_GT(lost, 10);
  EXPECT_GT(kept, 5);
  EXPECT_GT(holes, 10);
  EXPECT_GT(torn, 10);
}

TEST(CrashDisk, MayLoseANameThatWasNotSyncedAndUndoARename) {
  int created = 0;
  int renamed = 0;
  constexpr int rounds = 100;
  for (std::uint64_t seed = 0; seed < rounds; ++seed) {
    CrashDisk disk(seed);
    auto file = opened(disk);
    ASSERT_TRUE(file->append("x"));
    ASSERT_TRUE(file->sync());
    created += disk.crash(seed)->content(file_name).has_value();

    CrashDisk other(seed);
    auto before = opened(other);
    ASSERT_TRUE(other.sync_directory("d"));
    ASSERT_TRUE(other.rename(file_name, "d/g"));
    const auto after = other.crash(seed);
    ASSERT_NE(after->content(file_name).has_value(), after->content("d/g").has_value());
    renamed += after->content("d/g").has_value();
  }
  EXPECT_GT(created, rounds / 4);
  EXPECT_LT(created, rounds * 3 / 4);
  EXPECT_GT(renamed, rounds / 4);
  EXPECT_LT(renamed, rounds * 3 / 4);
}

TEST(CrashDisk, AfterAFailedSyncShowsTheBytesUntilTheFileIsOpenedAnewAndNeverCarriesThemOver) {
  int partial = 0;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    CrashDisk disk(seed);
    auto file = opened(disk);
    ASSERT_TRUE(disk.sync_directory("d"));
    disk.set_faults({.sync_error_at = 1});
    const std::string bytes(4096, 'b');
    ASSERT_TRUE(file->append(bytes));
    ASSERT_FALSE(file->sync());
    ASSERT_EQ(read_all(*file), bytes);
    ASSERT_TRUE(file->sync()) << "the kernel thinks it has nothing left to write";
    auto again = disk.open(file_name);
    ASSERT_TRUE(again);
    const std::string content = read_all(**again);
    partial += content != bytes;
    ASSERT_EQ(*disk.crash(seed)->content(file_name), content);
  }
  EXPECT_GT(partial, 10);
}

TEST(CrashDisk, FailsAsToldAndKeepsThePartThatWasWritten) {
  CrashDisk disk(1, {.bytes_max = 1000});
  auto file = opened(disk);
  ASSERT_TRUE(file->append(std::string(900, 'a')));
  const auto full = file->append(std::string(200, 'b'));
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, base::Code::disk);
  EXPECT_EQ(*file->size(), 1000u);

  disk.set_faults({.short_write_at = 1});
  ASSERT_FALSE(file->append(std::string(500, 'c')));
  EXPECT_LE(*file->size(), 1500u);
  EXPECT_TRUE(file->append("d")) << "once only";
}

TEST(CrashDisk, RefusesEverythingAfterThePowerWent) {
  CrashDisk disk(1);
  auto file = opened(disk);
  disk.set_faults({.power_loss_at = disk.operations() + 1});
  EXPECT_FALSE(file->append("x"));
  EXPECT_FALSE(file->sync());
  EXPECT_FALSE(file->read(0, 1));
  EXPECT_FALSE(file->size());
  EXPECT_FALSE(disk.open(file_name));
  EXPECT_FALSE(disk.list("d"));
  EXPECT_FALSE(disk.sync_directory("d"));
}

TEST(CrashDisk, TruncatesAndMayForgetThatItDid) {
  int forgotten = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    CrashDisk disk(seed);
    auto file = opened(disk);
    ASSERT_TRUE(file->append(std::string(1500, 'a')));
    ASSERT_TRUE(file->sync());
    ASSERT_TRUE(disk.sync_directory("d"));
    ASSERT_TRUE(file->truncate(700));
    ASSERT_EQ(*file->size(), 700u);
    const std::string content = *disk.crash(seed)->content(file_name);
    ASSERT_EQ(content.substr(0, 700), std::string(700, 'a'));
    forgotten += content.size() == 1500;
  }
  EXPECT_GT(forgotten, 5);
}

TEST(CrashDisk, LocksADirectoryForOneOwnerAtATime) {
  CrashDisk disk(1);
  ASSERT_TRUE(disk.make_directory("d"));
  auto first = disk.lock("d");
  ASSERT_TRUE(first);
  EXPECT_FALSE(disk.lock("d"));
  first->reset();
  EXPECT_TRUE(disk.lock("d"));
}

}  // namespace
}  // namespace portolan::sim
