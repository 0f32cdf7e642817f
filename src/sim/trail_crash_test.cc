// SPDX-License-Identifier: Apache-2.0
// The trail under power loss: what it reported durable is there afterwards, in order, once; nothing is there that
// was not appended; and it says what it dropped.
#include <atomic>
#include <cstdint>
#include <deque>
#include <gtest/gtest.h>
#include <map>
#include <thread>

#include "base/random.h"
#include "sim/crash_disk.h"
#include "sim/test_crash_points.h"
#include "trail/lookup.h"
#include "trail/trail.h"

namespace portolan::sim {
namespace {

constexpr char directory[] = "data/trail";

std::vector<std::string> records_in(world::Disk& disk) {
  std::vector<std::string> records;
  const auto scanned = trail::scan(disk, directory, [&](std::string_view json) {
    records.emplace_back(json);
    return true;
  });
  EXPECT_TRUE(scanned) << scanned.error().message;
  return records;
}

std::string record_text(const std::string& name, std::size_t padding) {
  return R"({"requestID":")" + name + R"(","pad":")" + std::string(padding, 'p') + "\"}";
}

/// The bytes that the last segment and its torn file hold: what recovery cut from the one went to the other.
struct LastSegment {
  std::string segment;
  std::string torn;
};
LastSegment look_at_last_segment(CrashDisk& disk) {
  std::string name;
  const auto names = disk.list(directory);
  for (const std::string& each : names ? *names : std::vector<std::string>{})
    if (each.ends_with(".seg")) name = each;
  if (name.empty()) return {};
  const std::string path = std::string(directory) + "/" + name;
  return {.segment = disk.content(path).value_or(""),
          .torn = disk.content(path.substr(0, path.size() - 4) + ".torn").value_or("")};
}

/// Zeros at the end say nothing: recovery cuts them without keeping them.
std::string without_zeros_behind(std::string bytes) {
  bytes.resize(bytes.find_last_not_of('\0') + 1);
  return bytes;
}

/// A trail driven by hand on a disk that fails in a way drawn from the seed, boot after boot. Tells at each boot
/// whether what is on the disk is what it must be.
class Voyage {
 public:
  explicit Voyage(std::uint64_t seed) : random_(seed), disk_(std::make_unique<CrashDisk>(seed)) {}

  void run() {
    constexpr int boots = 4;
    for (int boot = 0; boot < boots && !testing::Test::HasFatalFailure(); ++boot) {
      const DiskFaults faults = draw_faults();
      disk_->set_faults(faults);
      sail();
      // Until the file is opened anew, a failed sync leaves shown what the medium may not hold.
      shown_is_on_medium_ = faults.sync_error_at == 0;
      // Some boots find the same disk again (the process was restarted), the others one that lost power.
      if (!disk_->has_power() || random_.below(2) == 0) disk_ = disk_->crash(random_.next());
      disk_->set_faults({});
      check();
    }
  }

  std::uint64_t bytes_dropped() const { return bytes_dropped_; }
  int mended() const { return mended_; }

 private:
  DiskFaults draw_faults() {
    const std::uint64_t at = disk_->operations() + 1 + random_.below(60);
    switch (random_.below(8)) {
      case 0:
        return {.power_loss_at = at + 60, .sync_error_at = at};
      case 1:
        return {.power_loss_at = at + 60, .short_write_at = at};
      case 2:
        return {.power_loss_at = at + 60, .bytes_max = 2000 + random_.below(30'000)};
      case 3:
        return {};
      default:
        return {.power_loss_at = at};
    }
  }

  /// Opens, appends and writes until something goes wrong or enough was done.
  void sail() {
    auto opened = trail::Trail::open(
        {.directory = directory, .segment_bytes = 3000, .records_waiting_max = 100, .writer_thread = false}, *disk_,
        [&](std::span<trail::Entry*> group) { report(group); });
    if (!opened) {
      ASSERT_EQ(opened.error().code, base::Code::disk) << opened.error().message;
      return;
    }
    const std::unique_ptr<trail::Trail> trail = *std::move(opened);
    for (int round = 0; round < 25; ++round) {
      if (trail->broken()) {
        if (random_.below(3) == 0) return;
        trail->mend();
        mended_ += trail->broken() ? 0 : 1;
        continue;
      }
      for (std::uint64_t n = 1 + random_.below(8); n > 0; --n) {
        trail::Entry& entry = entries_.emplace_back();
        entry.json =
            record_text(std::to_string(appended_.size()), random_.below(random_.below(4) == 0 ? 1500 : 80));
        order_[entry.json] = appended_.size();
        appended_.push_back(entry.json);
        ASSERT_TRUE(trail->append(&entry));
      }
      if (random_.below(5) != 0) trail->write_waiting();
    }
  }

  void report(std::span<trail::Entry*> group) {
    for (const trail::Entry* entry : group)
      if (!entry->failed) durable_.push_back(entry->json);
  }

  void check() {
    const LastSegment before = look_at_last_segment(*disk_);
    auto opened = trail::Trail::open({.directory = directory, .writer_thread = false}, *disk_, [](auto) {});
    ASSERT_TRUE(opened) << opened.error().message;
    const trail::Recovery& recovery = (*opened)->recovery();
    const std::vector<std::string> records = records_in(*disk_);
    ASSERT_EQ(recovery.records, records.size());

    // Only whole appended records, each at most once, in the order of appending.
    std::size_t next = 0;
    for (const std::string& record : records) {
      const auto known = order_.find(record);
      ASSERT_NE(known, order_.end()) << "never appended: " << record.substr(0, 60);
      ASSERT_GE(known->second, next) << "twice or out of order: " << record.substr(0, 60);
      next = known->second + 1;
    }
    // Every durable one among them.
    std::size_t at = 0;
    for (const std::string& record : durable_) {
      while (at < records.size() && records[at] != record) ++at;
      ASSERT_LT(at, records.size()) << "reported durable, yet lost: " << record.substr(0, 60);
    }
    // What was dropped is told, and kept aside.
    const LastSegment after = look_at_last_segment(*disk_);
    if (recovery.bytes_dropped != 0) {
      bytes_dropped_ += recovery.bytes_dropped;
      ASSERT_LE(recovery.bytes_dropped, without_zeros_behind(before.segment).size());
      const std::string segment = without_zeros_behind(before.segment);
      const std::string dropped = segment.substr(segment.size() - recovery.bytes_dropped);
      if (shown_is_on_medium_) ASSERT_EQ(after.torn, before.torn + dropped);
      ASSERT_NE(recovery.text().find(std::to_string(recovery.bytes_dropped) + " bytes"), std::string::npos);
    } else if (!without_zeros_behind(before.segment).empty() && shown_is_on_medium_) {
      ASSERT_EQ(without_zeros_behind(after.segment), without_zeros_behind(before.segment));
    }
    // A record that was found stays: it is durable now.
    durable_ = records;
  }

  base::Random random_;
  std::unique_ptr<CrashDisk> disk_;
  std::deque<trail::Entry> entries_;
  std::vector<std::string> appended_;
  std::map<std::string, std::size_t> order_;
  std::vector<std::string> durable_;
  std::uint64_t bytes_dropped_ = 0;
  int mended_ = 0;
  bool shown_is_on_medium_ = true;
};

TEST(TrailUnderPowerLoss, KeepsEveryDurableRecordAtAThousandCrashPoints) {
  std::uint64_t bytes_dropped = 0;
  int mended = 0;
  for (std::uint64_t seed = 1; seed <= crash_points; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Voyage voyage(seed);
    voyage.run();
    bytes_dropped += voyage.bytes_dropped();
    mended += voyage.mended();
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(bytes_dropped, 0u) << "no crash tore anything: the disk is too kind";
  EXPECT_GT(mended, 50) << "hardly a trail broke and was mended: the faults are too few";
}

/// The same with real threads: four append and wait for their report, as calls do, and the power goes at some
/// point.
class Storm {
 public:
  explicit Storm(std::uint64_t seed) : random_(seed), seed_(seed) {}

  void run() {
    CrashDisk disk(seed_, {.power_loss_at = 4 + random_.below(120)});
    {
      auto opened = trail::Trail::open({.directory = directory, .segment_bytes = 4000}, disk,
                                       [](std::span<trail::Entry*> group) { report(group); });
      if (opened) {
        std::vector<std::thread> threads;
        for (int thread = 0; thread < appenders; ++thread)
          threads.emplace_back([this, thread, trail = opened->get()] { append_some(thread, *trail); });
        for (std::thread& thread : threads) thread.join();
      }
    }
    check(*disk.crash(seed_));
  }

 private:
  static constexpr int appenders = 4;

  struct Call {
    trail::Entry entry;
    std::atomic<bool> reported{false};
  };

  static void report(std::span<trail::Entry*> group) {
    for (trail::Entry* entry : group) {
      auto& reported = static_cast<Call*>(entry->waiter)->reported;
      reported.store(true);
      reported.notify_one();
    }
  }

  void append_some(int thread, trail::Trail& trail) {
    base::Random random(seed_ * appenders + static_cast<std::uint64_t>(thread));
    for (int n = 0;; ++n) {
      Call call;
      call.entry.json = record_text(std::to_string(thread) + "-" + std::to_string(n), random.below(200));
      call.entry.waiter = &call;
      appended_[thread].push_back(call.entry.json);
      if (!trail.append(&call.entry)) return;
      call.reported.wait(false);
      if (call.entry.failed) return;
      durable_[thread].push_back(call.entry.json);
    }
  }

  void check(CrashDisk& disk) {
    auto opened = trail::Trail::open({.directory = directory, .writer_thread = false}, disk, [](auto) {});
    ASSERT_TRUE(opened) << opened.error().message;
    std::size_t found = 0;
    const std::vector<std::string> records = records_in(disk);
    for (int thread = 0; thread < appenders; ++thread) {
      std::vector<std::string> of_thread;
      const std::string mark = R"({"requestID":")" + std::to_string(thread) + "-";
      for (const std::string& record : records)
        if (record.starts_with(mark)) of_thread.push_back(record);
      // In the thread's order, without a gap: all that was reported, and at most the one that was on its way.
      ASSERT_GE(of_thread.size(), durable_[thread].size());
      ASSERT_LE(of_thread.size(), appended_[thread].size());
      ASSERT_TRUE(std::equal(of_thread.begin(), of_thread.end(), appended_[thread].begin()));
      found += of_thread.size();
    }
    ASSERT_EQ(found, records.size());
  }

  base::Random random_;
  std::uint64_t seed_;
  std::vector<std::string> appended_[appenders];
  std::vector<std::string> durable_[appenders];
};

TEST(TrailUnderPowerLoss, KeepsEveryReportedRecordOfFourThreadsAtAThousandCrashPoints) {
  for (std::uint64_t seed = 1; seed <= crash_points; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Storm(seed).run();
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace portolan::sim
