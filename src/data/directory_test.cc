// SPDX-License-Identifier: Apache-2.0
#include "data/directory.h"

#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iterator>
#include <nlohmann/json.hpp>

#include "data/files.h"
#include "sim/crash_disk.h"
#include "trail/check.h"
#include "trail/lookup.h"
#include "trail/trail.h"

namespace portolan::data {
namespace {

using testing::HasSubstr;

constexpr char home[] = "data";

/// A data directory of an earlier release, as it was written then.
void put_fixture(sim::CrashDisk& disk, const std::string& version) {
  const std::filesystem::path root = std::filesystem::path(PORTOLAN_TESTDATA) / "formats" / version;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream stream(entry.path(), std::ios::binary);
    disk.put(std::string(home) + "/" + std::filesystem::relative(entry.path(), root).string(),
             std::string{std::istreambuf_iterator<char>(stream), {}});
  }
}

TEST(DataDirectory, IsOfThePresentFormatWhenItIsNew) {
  sim::CrashDisk disk(1);
  EXPECT_EQ(*prepare_directory(disk, home), "");
  EXPECT_EQ(disk.content("data/format"), "portolan-data 2\n");
  EXPECT_EQ(*found_format(disk, home), directory_format);
  EXPECT_EQ(*prepare_directory(disk, home), "") << "and stays as it is";
  EXPECT_TRUE(disk.list("data/before-format-2").value_or(std::vector<std::string>{}).empty());
}

TEST(DataDirectory, RefusesANewerFormatAndTouchesNothing) {
  sim::CrashDisk disk(1);
  put_fixture(disk, "v1");
  disk.put("data/format", "portolan-data 3\n");
  const std::uint64_t before = disk.operations();
  const auto prepared = prepare_directory(disk, home);
  ASSERT_FALSE(prepared);
  EXPECT_EQ(prepared.error().message,
            "data/format: this is format version 3, and 2 is the newest that this Portolan understands; run the "
            "Portolan that wrote it, or a later one, or restore a backup from before the upgrade");
  EXPECT_EQ(expect_readable(disk, home).error().message, prepared.error().message);
  EXPECT_EQ(disk.operations(), before);
}

TEST(DataDirectory, RefusesAFormatFileThatSaysNothing) {
  for (const char* text : {"", "2", "portolan-data 2", "portolan-data \n", "portolan-data 1\n", "portolan-data 0\n",
                           "portolan-data 2x\n", "portolan-data -2\n", "portolan-data 99999999999\n"}) {
    sim::CrashDisk disk(1);
    disk.put("data/format", text);
    EXPECT_EQ(prepare_directory(disk, home).error().code, base::Code::corrupt) << text;
  }
}

TEST(DataDirectory, OfFormatOneIsMigratedWithItsRecordsAndABackupFirst) {
  sim::CrashDisk disk(1);
  put_fixture(disk, "v1");
  const std::string last = *disk.content("data/trail/trail-00000003.seg");
  const std::string first = *disk.content("data/trail/trail-00000001.seg");
  EXPECT_EQ(*found_format(disk, home), 1u);
  EXPECT_TRUE(expect_readable(disk, home)) << "an older one can be read without being changed";

  const auto migrated = prepare_directory(disk, home);
  ASSERT_TRUE(migrated) << migrated.error().message;
  EXPECT_EQ(
      *migrated,
      "data directory data: migrated from format 1 to 2; what was there before is kept in data/before-format-2");
  EXPECT_EQ(disk.content("data/format"), "portolan-data 2\n");
  EXPECT_EQ(disk.content("data/before-format-2/trail/trail-00000003.seg"), last);
  EXPECT_EQ(disk.content("data/before-format-2/admin.key"), disk.content("data/admin.key"));
  EXPECT_FALSE(disk.content("data/before-format-2/trail/trail-00000001.seg")) << "closed: nothing changes it";

  const auto trail = trail::Trail::open({.directory = "data/trail", .writer_thread = false}, disk, [](auto) {});
  ASSERT_TRUE(trail) << trail.error().message;
  EXPECT_EQ((*trail)->recovery().records, 12u);
  EXPECT_EQ((*trail)->recovery().segments, 3u);
  EXPECT_EQ((*trail)->recovery().bytes_dropped, 0u);
  EXPECT_EQ(disk.content("data/trail/trail-00000001.seg"), first);
  EXPECT_TRUE(disk.content("data/trail/trail-00000001.idx"));
  for (const trail::SegmentReport& report : *trail::check_files(disk, "data/trail")) EXPECT_EQ(report.flaw, "");
}

TEST(DataDirectory, OfFormatOneCanBeLookedUpAsItIs) {
  sim::CrashDisk disk(1);
  put_fixture(disk, "v1");
  const auto count = [&](const trail::Filter& filter) { return trail::lookup(disk, "data/trail", filter)->size(); };
  EXPECT_EQ(count({.limit = 0}), 12u);
  EXPECT_EQ(count({.outcome = "served", .limit = 0}), 8u);
  EXPECT_EQ(count({.outcome = "denied", .limit = 0}), 3u);
  EXPECT_EQ(count({.outcome = "failed", .limit = 0}), 1u);
  const auto found = trail::lookup(disk, "data/trail", {.call_id = "29d8a7fd-ccbc-49cb-b4a5-95b56e50947b"});
  ASSERT_EQ(found->size(), 1u);
  const auto record = nlohmann::json::parse(found->front());
  EXPECT_EQ(record["eventName"], "ChatCompletions");
  EXPECT_EQ(record["additionalEventData"]["inferenceRegion"], "us-east-2");
}

TEST(DataDirectory, IsNotMigratedWhileAnotherProcessHasItsTrailOpen) {
  sim::CrashDisk disk(1);
  put_fixture(disk, "v1");
  const auto lock = disk.lock("data/trail");
  EXPECT_EQ(prepare_directory(disk, home).error().code, base::Code::disk);
  EXPECT_FALSE(disk.content("data/format"));
}

TEST(DataDirectory, IsMigratedStepByStepHoweverOftenThePowerGoes) {
  const auto add = [](const char* word) {
    return [word](world::Disk& disk, const std::string& directory) -> base::Result<void> {
      TRY(std::string text, read_file(disk, directory + "/admin.key"));
      if (!text.contains(word)) text += word;
      return replace_file(disk, directory + "/admin.key", text);
    };
  };
  const Migration steps[] = {{.from = 1, .run = add("two ")}, {.from = 2, .run = add("three ")}};
  int interrupted = 0;
  for (std::uint64_t at = 1; at < 60; ++at) {
    SCOPED_TRACE(at);
    auto disk = std::make_unique<sim::CrashDisk>(at);
    disk->put("data/admin.key", "one ");
    disk->put("data/trail/trail-00000001.torn", "bytes");
    disk->set_faults({.power_loss_at = at});
    if (!prepare_directory(*disk, home, 3, steps)) {
      ++interrupted;
      disk = disk->crash(at);
      const auto again = prepare_directory(*disk, home, 3, steps);
      ASSERT_TRUE(again) << again.error().message;
    }
    EXPECT_EQ(disk->content("data/admin.key"), "one two three ");
    EXPECT_EQ(disk->content("data/format"), "portolan-data 3\n");
    EXPECT_TRUE(disk->content("data/before-format-3/admin.key").value_or("").starts_with("one "));
    EXPECT_EQ(disk->content("data/before-format-3/trail/trail-00000001.torn"), "bytes");
  }
  EXPECT_GT(interrupted, 10);
}

TEST(DataDirectory, OnAReadOnlyDiskIsAClearError) {
  sim::CrashDisk disk(1);
  put_fixture(disk, "v1");
  disk.set_faults({.read_only = true});
  EXPECT_THAT(prepare_directory(disk, home).error().message, HasSubstr("read-only file system"));
}

}  // namespace
}  // namespace portolan::data
