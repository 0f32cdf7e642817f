// SPDX-License-Identifier: Apache-2.0
// Two trails over one directory, as at a rolling restart; power loss meanwhile is in
// sim/trail_hand_over_crash_test.cc.
#include <algorithm>
#include <deque>
#include <gtest/gtest.h>

#include "sim/crash_disk.h"
#include "trail/check.h"
#include "trail/lookup.h"
#include "trail/trail.h"

namespace portolan::trail {
namespace {

constexpr char directory[] = "data/trail";
constexpr char first_segment[] = "data/trail/trail-00000001.seg";
constexpr char first_mark[] = "data/trail/trail-00000001.open";
constexpr char second_segment[] = "data/trail/trail-00000002.seg";

std::string record(const std::string& name) {
  return R"({"requestID":")" + name + "\"}";
}

/// A process that has the trail open, driven by hand.
class Writer {
 public:
  explicit Writer(world::Disk& disk, std::shared_ptr<world::DirectoryLock> lock = nullptr,
                  std::uint64_t segment_bytes = 200)
      : trail_(Trail::open({.directory = directory,
                            .segment_bytes = segment_bytes,
                            .tell = [this](const std::string& line) { told_ += line; },
                            .inherited_lock = std::move(lock),
                            .writer_thread = false},
                           disk, [](auto) {})
                   .value()) {}

  bool write(const std::string& name) {
    Entry& entry = entries_.emplace_back();
    entry.json = record(name);
    return trail_->append(&entry) && trail_->write_waiting() && !entry.failed;
  }
  Trail* operator->() { return trail_.get(); }
  void end() { trail_.reset(); }
  const std::string& told() const { return told_; }

 private:
  std::string told_;
  std::deque<Entry> entries_;
  std::unique_ptr<Trail> trail_;
};

class TrailHandOver : public ::testing::Test {
 protected:
  std::vector<std::string> records() {
    std::vector<std::string> found;
    const auto scanned = scan(disk_, directory, [&](std::string_view json) {
      found.emplace_back(json.substr(14, json.size() - 16));
      return true;
    });
    EXPECT_TRUE(scanned) << scanned.error().message;
    std::ranges::sort(found);
    return found;
  }
  bool sound() {
    const auto reports = check_files(disk_, directory);
    return reports && std::ranges::all_of(*reports, [](const SegmentReport& each) { return each.flaw.empty(); });
  }
  void append_to(const std::string& path, std::string_view bytes) {
    disk_.put(path, disk_.content(path).value() + std::string(bytes));
  }
  bool exists(const std::string& path) { return disk_.content(path).has_value(); }

  sim::CrashDisk disk_{1};
};

using Names = std::vector<std::string>;

TEST_F(TrailHandOver, BothWriteAndEachRecordIsFoundOnce) {
  Writer before(disk_);
  ASSERT_TRUE(before.write("a"));
  ASSERT_TRUE(before->hand_over());
  EXPECT_TRUE(exists(first_mark));
  Writer after(disk_, before->lock());
  ASSERT_TRUE(after.write("b"));
  ASSERT_TRUE(before.write("c"));
  ASSERT_TRUE(after.write("d"));
  EXPECT_EQ(records(), (Names{"a", "b", "c", "d"}));
  EXPECT_EQ(after->recovery().segments_left, 1u);
  EXPECT_NE(after->recovery().text().find("1 left to the predecessor"), std::string::npos);
  before.end();
  EXPECT_FALSE(exists(first_mark)) << "whoever ends in order closes its segment";
  EXPECT_TRUE(sound());
  after.end();
  EXPECT_EQ(Writer(disk_)->recovery().records, 4u);
}

TEST_F(TrailHandOver, NoThirdProcessComesBetween) {
  Writer before(disk_);
  ASSERT_TRUE(before->hand_over());
  Writer after(disk_, before->lock());
  before.end();
  const auto third = Trail::open({.directory = directory, .writer_thread = false}, disk_, [](auto) {});
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, base::Code::disk);
}

TEST_F(TrailHandOver, ThePredecessorBeginsNoSegmentAnyMore) {
  Writer before(disk_);
  ASSERT_TRUE(before->hand_over());
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(before.write("before" + std::to_string(i)));
  EXPECT_FALSE(exists(second_segment));
  Writer after(disk_, before->lock());
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(after.write("after" + std::to_string(i)));
    ASSERT_TRUE(before.write("late" + std::to_string(i)));
  }
  EXPECT_TRUE(exists("data/trail/trail-00000003.seg")) << "the successor begins as many as it needs";
  EXPECT_EQ(records().size(), 60u);
}

TEST_F(TrailHandOver, AFailedSyncLeavesThePredecessorBrokenAndTheSuccessorAlone) {
  Writer before(disk_);
  ASSERT_TRUE(before.write("a"));
  ASSERT_TRUE(before->hand_over());
  Writer after(disk_, before->lock());
  disk_.set_faults({.sync_error_at = 1});
  EXPECT_FALSE(before.write("b"));
  EXPECT_FALSE(before->mend());
  EXPECT_FALSE(before->mend()) << "the next segment is not its own to begin";
  ASSERT_TRUE(after.write("c"));
  before.end();
  EXPECT_EQ(records(), (Names{"a", "c"}));
  EXPECT_TRUE(exists(first_mark)) << "what is not sound stays open";
  after.end();
  Writer again(disk_);
  EXPECT_FALSE(exists(first_mark));
  EXPECT_EQ(again->recovery().records, 2u);
}

TEST_F(TrailHandOver, AMarkedSegmentMayBeTornAndAnotherMayNot) {
  {
    Writer before(disk_);
    ASSERT_TRUE(before.write("a"));
    ASSERT_TRUE(before->hand_over());
    Writer after(disk_, before->lock());
    ASSERT_TRUE(after.write("b"));
  }
  disk_.put(first_mark, "");
  append_to(first_segment, "torn");
  EXPECT_EQ(records(), (Names{"a", "b"}));
  EXPECT_TRUE(sound());
  {
    Writer again(disk_);
    EXPECT_EQ(again->recovery().records, 2u);
    EXPECT_EQ(again->recovery().bytes_dropped, 4u);
    EXPECT_NE(again->recovery().text().find(first_segment), std::string::npos);
    EXPECT_EQ(disk_.content("data/trail/trail-00000001.torn"), "torn");
    EXPECT_FALSE(exists(first_mark));
  }
  append_to(first_segment, "torn");
  EXPECT_FALSE(sound());
  EXPECT_FALSE(Trail::open({.directory = directory, .writer_thread = false}, disk_, [](auto) {}));
}

TEST_F(TrailHandOver, AfterASuccessorThatFailedThePredecessorGoesOn) {
  Writer before(disk_);
  ASSERT_TRUE(before.write("a"));
  ASSERT_TRUE(before->hand_over());
  {
    Writer failed(disk_, before->lock());
    ASSERT_TRUE(failed.write("b"));
  }
  append_to(second_segment, "torn");
  before->take_back();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(before.write("c" + std::to_string(i)));
  EXPECT_TRUE(exists("data/trail/trail-00000003.seg")) << "behind what the failed one began";
  EXPECT_FALSE(exists(first_mark));
  EXPECT_NE(before.told().find("4 bytes"), std::string::npos) << before.told();
  EXPECT_EQ(records().size(), 22u);
  EXPECT_TRUE(sound());
  before.end();
  EXPECT_EQ(Writer(disk_)->recovery().records, 22u);
}

TEST_F(TrailHandOver, ASecondTryComesBehindWhatTheFailedOneBegan) {
  Writer before(disk_);
  ASSERT_TRUE(before.write("a"));
  ASSERT_TRUE(before->hand_over());
  {
    Writer failed(disk_, before->lock());
    ASSERT_TRUE(failed.write("b"));
  }
  append_to(second_segment, "torn");
  before->take_back();
  ASSERT_TRUE(before->hand_over());
  Writer after(disk_, before->lock());
  ASSERT_TRUE(after.write("c"));
  ASSERT_TRUE(before.write("d"));
  EXPECT_TRUE(exists("data/trail/trail-00000003.seg"));
  before.end();
  EXPECT_TRUE(sound());
  EXPECT_EQ(records(), (Names{"a", "b", "c", "d"}));
}

TEST_F(TrailHandOver, WhatAKilledPredecessorLeftIsClosedBeforeTheNextHandOver) {
  Writer before(disk_);
  ASSERT_TRUE(before.write("a"));
  ASSERT_TRUE(before->hand_over());
  Writer after(disk_, before->lock());
  ASSERT_TRUE(after.write("b"));
  before.end();
  disk_.put(first_mark, "");  // as if it had been killed
  append_to(first_segment, "torn");
  ASSERT_TRUE(after->hand_over());
  EXPECT_FALSE(exists(first_mark));
  EXPECT_TRUE(exists("data/trail/trail-00000002.open"));
  Writer third(disk_, after->lock());
  ASSERT_TRUE(third.write("c"));
  EXPECT_EQ(third->recovery().segments_left, 1u);
  EXPECT_EQ(records(), (Names{"a", "b", "c"}));
  after.end();
  EXPECT_TRUE(sound());
}

TEST_F(TrailHandOver, ABrokenTrailIsNotHandedOver) {
  Writer before(disk_);
  ASSERT_TRUE(before.write("a"));
  disk_.set_faults({.bytes_max = 1});
  EXPECT_FALSE(before.write("b"));
  const auto refused = before->hand_over();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, base::Code::unrecordable);
  EXPECT_FALSE(exists(first_mark));
  disk_.set_faults({});
  ASSERT_TRUE(before->mend());
  EXPECT_TRUE(before->hand_over());
}

TEST_F(TrailHandOver, AMarkThatCannotBeWrittenChangesNothing) {
  Writer before(disk_);
  disk_.set_faults({.read_only = true});
  EXPECT_FALSE(before->hand_over());
  disk_.set_faults({});
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(before.write("a" + std::to_string(i)));
  EXPECT_TRUE(exists(second_segment));
  EXPECT_TRUE(sound());
}

}  // namespace
}  // namespace portolan::trail
