// SPDX-License-Identifier: Apache-2.0
// Full, read-only, slow and failing disks, and what the trail makes of them. Lying ones, which lose what they said
// was durable or not, are in sim/trail_crash_test.cc.
#include <algorithm>
#include <atomic>
#include <deque>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <thread>

#include "sim/crash_disk.h"
#include "trail/check.h"
#include "trail/lookup.h"
#include "trail/trail.h"

namespace portolan::trail {
namespace {

using testing::HasSubstr;

constexpr char directory[] = "data/trail";

std::string record(int n) {
  return R"({"requestID":")" + std::to_string(n) + "\"}";
}

/// A trail and what was reported about each record.
class Mending : public testing::Test {
 protected:
  void open(TrailOptions options = {.writer_thread = false}) {
    options.directory = directory;
    options.tell = [this](const std::string& line) { told_.push_back(line); };
    auto opened = Trail::open(std::move(options), disk_, [this](std::span<Entry*> group) {
      for (const Entry* entry : group) (entry->failed ? failed_ : durable_).push_back(entry->json);
    });
    ASSERT_TRUE(opened) << opened.error().message;
    trail_ = *std::move(opened);
  }

  bool append(int n) {
    Entry& entry = entries_.emplace_back();
    entry.json = record(n);
    const bool taken = trail_->append(&entry);
    trail_->flush();
    return taken;
  }

  std::vector<std::string> on_disk() {
    std::vector<std::string> records;
    const auto scanned = scan(disk_, directory, [&](std::string_view json) {
      records.emplace_back(json);
      return true;
    });
    EXPECT_TRUE(scanned) << scanned.error().message;
    return records;
  }

  /// Whether the trail, opened again, finds just what was reported durable, and nothing to drop.
  void expect_sound() {
    trail_.reset();
    EXPECT_EQ(on_disk(), durable_);
    open();
    EXPECT_EQ(trail_->recovery().records, durable_.size());
    EXPECT_EQ(trail_->recovery().bytes_dropped, 0u);
    for (const SegmentReport& report : *check_files(disk_, directory)) EXPECT_EQ(report.flaw, "");
  }

  std::uint64_t used() {
    std::uint64_t bytes = 0;
    for (const std::string& name : *disk_.list(directory))
      bytes += disk_.content(std::string(directory) + "/" + name)->size();
    return bytes;
  }

  sim::CrashDisk disk_{1};
  std::deque<Entry> entries_;
  std::vector<std::string> durable_;
  std::vector<std::string> failed_;
  std::vector<std::string> told_;
  std::unique_ptr<Trail> trail_;
};

TEST_F(Mending, AFullDiskRefusesAndGoesOnInTheSameSegmentWhenThereIsRoom) {
  open();
  ASSERT_TRUE(append(0));
  disk_.set_faults({.bytes_max = used() + 10});
  EXPECT_TRUE(append(1)) << "taken, and then reported as failed";
  EXPECT_EQ(failed_, std::vector<std::string>{record(1)});
  EXPECT_TRUE(trail_->broken());
  EXPECT_THAT(trail_->failure()->message, HasSubstr("no space"));
  EXPECT_FALSE(append(2));
  EXPECT_FALSE(trail_->mend()) << "there is still no room";
  EXPECT_FALSE(trail_->mend());
  EXPECT_TRUE(trail_->broken());
  ASSERT_EQ(told_.size(), 1u) << "one line, however often it is tried";
  EXPECT_THAT(told_[0], HasSubstr("no space"));

  disk_.set_faults({});
  EXPECT_TRUE(trail_->mend());
  EXPECT_FALSE(trail_->broken());
  EXPECT_FALSE(trail_->failure());
  ASSERT_EQ(told_.size(), 2u);
  EXPECT_THAT(told_[1], HasSubstr("mended"));
  EXPECT_TRUE(append(3));
  EXPECT_EQ(durable_, (std::vector<std::string>{record(0), record(3)}));
  EXPECT_FALSE(disk_.content("data/trail/trail-00000002.seg"));
  expect_sound();
}

TEST_F(Mending, ADiskWithAFewBytesLeftIsStillFull) {
  open();
  ASSERT_TRUE(append(0));
  disk_.set_faults({.bytes_max = used() + 10});
  EXPECT_TRUE(append(1));
  disk_.set_faults({.bytes_max = used() + 60'000});
  EXPECT_FALSE(trail_->mend()) << "else it would be ready and refuse in turns";
  disk_.set_faults({.bytes_max = used() + (2 << 20)});
  EXPECT_TRUE(trail_->mend());
  expect_sound();
}

TEST_F(Mending, AFullDiskWhenASegmentIsToBeginLeavesTheFullOneClosed) {
  open({.segment_bytes = 60, .writer_thread = false});
  ASSERT_TRUE(append(0));
  ASSERT_TRUE(append(1));
  ASSERT_TRUE(append(2));
  disk_.set_faults({.bytes_max = used() + 90});  // an index has room, and a part of a header
  int n = 3;
  while (!trail_->broken()) ASSERT_TRUE(append(n++));
  EXPECT_FALSE(trail_->mend());
  disk_.set_faults({});
  EXPECT_TRUE(trail_->mend());
  EXPECT_TRUE(append(n));
  EXPECT_EQ(durable_.back(), record(n));
  expect_sound();
}

TEST_F(Mending, AfterAFailedSyncTheFileIsNeverAppendedToAgain) {
  open();
  ASSERT_TRUE(append(0));
  const std::string before = *disk_.content("data/trail/trail-00000001.seg");
  disk_.set_faults({.sync_error_at = 1});
  EXPECT_TRUE(append(1));
  EXPECT_TRUE(trail_->broken());
  EXPECT_TRUE(trail_->mend());
  EXPECT_TRUE(append(2));
  EXPECT_EQ(disk_.content("data/trail/trail-00000001.seg"), before) << "just what was durable";
  EXPECT_EQ(durable_, (std::vector<std::string>{record(0), record(2)}));
  EXPECT_TRUE(disk_.content("data/trail/trail-00000002.seg"));
  EXPECT_TRUE(disk_.content("data/trail/trail-00000001.idx"));
  expect_sound();
}

TEST_F(Mending, ASyncThatFailsBeforeTheFirstRecordLeavesAnEmptySegmentBehind) {
  open();
  disk_.set_faults({.sync_error_at = 1});
  EXPECT_TRUE(append(0));
  EXPECT_TRUE(trail_->mend());
  EXPECT_TRUE(append(1));
  EXPECT_EQ(disk_.content("data/trail/trail-00000001.seg")->size(), header_bytes);
  expect_sound();
}

TEST_F(Mending, EverySyncThatFailsWhileItIsMendedIsMendedToo) {
  for (std::uint64_t at = 1; at < 12; ++at) {
    SCOPED_TRACE(at);
    disk_.set_faults({});
    if (!trail_) open();
    ASSERT_TRUE(append(0));
    disk_.set_faults({.sync_error_at = 1});
    EXPECT_TRUE(append(1));
    disk_.set_faults({.sync_error_at = disk_.operations() + at});
    for (int tries = 0; tries < 5 && !trail_->mend(); ++tries) {
    }
    EXPECT_FALSE(trail_->broken());
    disk_.set_faults({});
    ASSERT_TRUE(append(2));
    expect_sound();
  }
}

TEST_F(Mending, IsNotMendedWhenADurableRecordIsGone) {
  open();
  ASSERT_TRUE(append(0));
  ASSERT_TRUE(append(1));
  const std::string whole = *disk_.content("data/trail/trail-00000001.seg");
  disk_.set_faults({.sync_error_at = 1});
  EXPECT_TRUE(append(2));
  std::string harmed = whole;
  harmed[whole.size() - 3] ^= 1;
  disk_.put("data/trail/trail-00000001.seg", harmed);
  EXPECT_FALSE(trail_->mend());
  ASSERT_TRUE(trail_->failure());
  EXPECT_EQ(trail_->failure()->code, base::Code::corrupt);
  EXPECT_THAT(trail_->failure()->message, HasSubstr("trail-00000001.seg"));
  ASSERT_EQ(told_.size(), 2u);
  EXPECT_THAT(told_[1], HasSubstr("were durable are gone"));
  disk_.put("data/trail/trail-00000001.seg", whole);
  EXPECT_FALSE(trail_->mend()) << "a person has to decide";
  EXPECT_TRUE(trail_->broken());
}

TEST_F(Mending, HappensByItselfBesideTheWriter) {
  open({.mend_pause = std::chrono::milliseconds{1}});
  ASSERT_TRUE(append(0));
  disk_.set_faults({.bytes_max = used() + 10});
  EXPECT_TRUE(append(1));
  EXPECT_TRUE(trail_->broken());
  disk_.set_faults({});
  for (int ms = 0; trail_->broken() && ms < 10'000; ++ms) std::this_thread::sleep_for(std::chrono::milliseconds{1});
  ASSERT_FALSE(trail_->broken());
  EXPECT_TRUE(append(2));
  EXPECT_EQ(durable_, (std::vector<std::string>{record(0), record(2)}));
  trail_.reset();
  EXPECT_EQ(told_.size(), 2u);
}

TEST_F(Mending, ABrokenTrailStopsAtOnce) {
  open({.mend_pause = std::chrono::hours{1}});
  disk_.set_faults({.bytes_max = 1});
  EXPECT_TRUE(append(0));
  EXPECT_TRUE(trail_->broken());
  trail_.reset();  // the test's time limit says whether it waits for the pause
}

TEST_F(Mending, AReadOnlyDiskIsAClearErrorAtTheStart) {
  open();
  ASSERT_TRUE(append(0));
  trail_.reset();
  disk_.set_faults({.read_only = true});
  const auto opened = Trail::open({.directory = directory, .writer_thread = false}, disk_, [](auto) {});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, base::Code::disk);
  EXPECT_THAT(opened.error().message, HasSubstr("trail-00000001.seg: cannot open: read-only"));
  EXPECT_EQ(lookup(disk_, directory, {.limit = 0})->size(), 1u) << "reading still works";
}

TEST_F(Mending, BehindASlowDiskOnlySoManyWaitAndAllAreReportedAtLast) {
  open({.records_waiting_max = 20});
  disk_.set_faults({.syncs_hang = true});
  int taken = 0;
  for (int n = 0; n < 50; ++n) {
    Entry& entry = entries_.emplace_back();
    entry.json = record(n);
    if (trail_->append(&entry)) ++taken;
  }
  EXPECT_EQ(taken, 20);
  EXPECT_EQ(trail_->records_waiting(), 20u);
  EXPECT_FALSE(trail_->broken()) << "slow is not broken";
  disk_.set_faults({});
  trail_->flush();
  EXPECT_EQ(trail_->records_waiting(), 0u);
  EXPECT_EQ(durable_.size(), 20u);
}

}  // namespace
}  // namespace portolan::trail
