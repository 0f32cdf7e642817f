// SPDX-License-Identifier: Apache-2.0
#include "data/backup.h"

#include <deque>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <thread>

#include "data/files.h"
#include "sim/crash_disk.h"
#include "trail/lookup.h"
#include "trail/trail.h"

namespace portolan::data {
namespace {

using testing::HasSubstr;

const base::Secret passphrase{std::string_view{"correct horse battery staple"}};

std::string record(int n) {
  return R"({"requestID":")" + std::to_string(n) + R"(","eventTime":"2026-11-21T10:00:00Z"})";
}

class Backup : public testing::Test {
 protected:
  void SetUp() override {
    disk_.put("data/format", "portolan-data 2\n");
    disk_.put("data/admin.key", std::string(64, 'a') + "\n");
    disk_.put("data/admin.url", "http://127.0.0.1:1\n");
    ASSERT_TRUE(disk_.make_directory("backups"));
    write(0, 60);
  }

  void write(int from, int until) {
    std::deque<trail::Entry> entries;
    const auto trail = trail::Trail::open(
        {.directory = "data/trail", .segment_bytes = 1000, .writer_thread = false}, disk_, [](auto) {});
    ASSERT_TRUE(trail);
    for (int n = from; n < until; ++n) {
      entries.emplace_back().json = record(n);
      ASSERT_TRUE((*trail)->append(&entries.back()));
      (*trail)->flush();
    }
  }

  base::Result<BackupSummary> make(const std::string& to = "backups/a.backup") {
    return back_up(disk_, {.directory = "data",
                           .to = to,
                           .pieces = small_pieces(disk_, "data"),
                           .passphrase = passphrase,
                           .salt = {1, 2, 3},
                           .log2_n = 8,
                           .now = {},
                           .program_version = "test"});
  }
  base::Result<BackupSummary> take_back(const base::Secret& key = passphrase) {
    return restore(disk_, "backups/a.backup", key, "new" + std::to_string(++restored_));
  }
  std::string home() const { return "new" + std::to_string(restored_); }

  sim::CrashDisk disk_{1};
  int restored_ = 0;
};

TEST_F(Backup, GivesEverythingBackButWhatIsMadeAnew) {
  disk_.put("data/trail/trail-00000001.torn", "torn");
  const auto made = make();
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->records, 60u);
  const auto restored = take_back();
  ASSERT_TRUE(restored) << restored.error().message;
  EXPECT_EQ(restored->records, 60u);
  EXPECT_EQ(restored->files, made->files);
  EXPECT_EQ(restored->bytes, made->bytes);
  for (const char* name : {"/format", "/admin.key", "/trail/trail-00000001.seg", "/trail/trail-00000002.seg",
                           "/trail/trail-00000001.torn"})
    EXPECT_EQ(disk_.content(home() + name), disk_.content("data" + std::string(name))) << name;
  EXPECT_FALSE(disk_.content(home() + "/admin.url"));
  EXPECT_EQ(trail::lookup(disk_, home() + "/trail", {.limit = 0})->size(), 60u);
  EXPECT_FALSE(disk_.content("backups/a.backup.part"));
}

TEST_F(Backup, HoldsNoSecretAndNoRecordInTheClear) {
  ASSERT_TRUE(make());
  const std::string sealed = *disk_.content("backups/a.backup");
  for (const char* known : {"aaaaaaaa", "requestID", "PORTOLAN", "admin.key", "manifest"})
    EXPECT_FALSE(sealed.contains(known)) << known;
}

TEST_F(Backup, ReplacesNoFile) {
  ASSERT_TRUE(make());
  EXPECT_EQ(make().error().code, base::Code::usage);
}

TEST_F(Backup, OfADamagedTrailIsRefusedForItWouldBeNone) {
  std::string bytes = *disk_.content("data/trail/trail-00000001.seg");
  bytes[60] ^= 1;
  disk_.put("data/trail/trail-00000001.seg", bytes);
  const auto made = make();
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message, HasSubstr("data/trail/trail-00000001.seg: damaged at offset 20"));
  EXPECT_FALSE(disk_.content("backups/a.backup"));
}

TEST_F(Backup, LeavesOutWhatIsTornOrReserved) {
  std::string last;
  for (const std::string& name : *disk_.list("data/trail"))
    if (name.ends_with(".seg")) last = "data/trail/" + name;
  const std::string whole = *disk_.content(last);
  for (const std::string& tail : {std::string("half a frame"), std::string(100'000, '\0')}) {
    disk_.put(last, whole + tail);
    static_cast<void>(disk_.remove("backups/a.backup"));
    ASSERT_TRUE(make());
    ASSERT_TRUE(take_back());
    EXPECT_EQ(disk_.content(home() + last.substr(4)), whole);
  }
}

TEST_F(Backup, DoesNotOpenWithAnotherKey) {
  ASSERT_TRUE(make());
  const auto restored = take_back(base::Secret{std::string_view{"correct horse battery stable"}});
  ASSERT_FALSE(restored);
  EXPECT_EQ(restored.error().code, base::Code::corrupt);
  EXPECT_THAT(restored.error().message, HasSubstr("backups/a.backup: does not open: the key is not"));
}

TEST_F(Backup, ChangedOrCutAnywhereIsRefusedByName) {
  ASSERT_TRUE(make());
  const std::string good = *disk_.content("backups/a.backup");
  const auto refused = [&](std::string bytes) {
    disk_.put("backups/a.backup", std::move(bytes));
    const auto restored = take_back();
    return !restored && restored.error().message.starts_with("backups/a.backup: ");
  };
  for (const std::size_t at : {std::size_t{0}, std::size_t{11}, std::size_t{13}, std::size_t{15}, std::size_t{16},
                               std::size_t{31}, std::size_t{32}, good.size() / 2, good.size() - 1}) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 2);
    EXPECT_TRUE(refused(bad)) << at;
  }
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{20}, std::size_t{32}, std::size_t{40}, good.size() - 1})
    EXPECT_TRUE(refused(good.substr(0, size))) << size;
  EXPECT_TRUE(refused(good + "x"));
  disk_.put("backups/a.backup", good);
  EXPECT_TRUE(take_back());
}

TEST_F(Backup, TakenWhileTheTrailGrowsHoldsAllThatWasDurableBefore) {
  std::deque<trail::Entry> entries;
  std::atomic<int> durable{0};
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    const auto trail =
        trail::Trail::open({.directory = "data/trail", .segment_bytes = 3000}, disk_,
                           [&](std::span<trail::Entry*> group) { durable += static_cast<int>(group.size()); });
    ASSERT_TRUE(trail);
    for (int n = 60; !stop; ++n) {
      entries.emplace_back().json = record(n);
      ASSERT_TRUE((*trail)->append(&entries.back()));
      if (n % 8 == 0) (*trail)->flush();
    }
  });
  for (int round = 0; round < 5; ++round) {
    const int before = durable;
    const std::string to = "backups/" + std::to_string(round);
    const auto made = make(to);
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_GE(made->records, static_cast<std::uint64_t>(60 + before));
    const auto restored = restore(disk_, to, passphrase, "grown" + std::to_string(round));
    EXPECT_TRUE(restored) << restored.error().message;
  }
  stop = true;
  writer.join();
}

TEST_F(Backup, OnAFullDiskLeavesNoFileOfThatName) {
  disk_.set_faults({.bytes_max = 1});
  EXPECT_EQ(make().error().code, base::Code::disk);
  EXPECT_FALSE(disk_.content("backups/a.backup"));
}

TEST(SealedFile, ReadsBackAnyLengthAndKnowsTheEnd) {
  constexpr std::size_t chunk = 1 << 20;
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, chunk - 1, chunk, chunk + 1, 2 * chunk}) {
    sim::CrashDisk disk(1);
    disk.put("d/x", "");
    std::string text;
    for (std::size_t i = 0; i < size; ++i) text += static_cast<char>(i * 31 >> 3);
    const auto writer = SealedWriter::create(disk, "d/sealed", passphrase, {9}, 4);
    ASSERT_TRUE(writer);
    ASSERT_TRUE((*writer)->write(std::string_view{text}.substr(0, size / 3)));
    ASSERT_TRUE((*writer)->write(std::string_view{text}.substr(size / 3)));
    ASSERT_TRUE((*writer)->finish());
    const auto open = [&] { return *SealedReader::open(disk, "d/sealed", passphrase); };
    const auto reader = open();
    std::string back;
    while (!*reader->at_end()) back += *reader->read(std::min<std::size_t>(size - back.size(), 1000));
    EXPECT_EQ(back, text) << size;
    EXPECT_FALSE(reader->read(1)) << "there is no more";
    // Cut where a chunk ends: what is left is whole chunks, of which none says that it is the last.
    if (size <= chunk) continue;
    const std::string sealed = *disk.content("d/sealed");
    disk.put("d/sealed", sealed.substr(0, 32 + chunk + 16));
    EXPECT_FALSE(open()->read(1));
  }
}

TEST(SealedFile, RefusesALaterFormat) {
  sim::CrashDisk disk(1);
  disk.put("d/sealed", std::string("PORTOBAK\0\0\0\2", 12) + std::string(40, 'x'));
  EXPECT_THAT(SealedReader::open(disk, "d/sealed", passphrase).error().message,
              HasSubstr("d/sealed: this is format version 2, and 1 is the newest"));
}

}  // namespace
}  // namespace portolan::data
