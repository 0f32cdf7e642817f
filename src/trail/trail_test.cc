// SPDX-License-Identifier: Apache-2.0
// The trail on a disk in memory; power loss is in sim/trail_crash_test.cc.
#include "trail/trail.h"

#include <algorithm>
#include <deque>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "sim/crash_disk.h"
#include "trail/check.h"
#include "trail/lookup.h"
#include "trail/segment.h"

namespace portolan::trail {
namespace {

constexpr char directory[] = "data/trail";
constexpr char first_segment[] = "data/trail/trail-00000001.seg";

std::string record(int n) {
  return R"({"requestID":")" + std::to_string(n) + "\"}";
}

/// A trail whose owner keeps the entries and what was reported about them.
class Log {
 public:
  explicit Log(world::Disk& disk, TrailOptions options = {}) : disk_(disk), options_(std::move(options)) {
    options_.directory = directory;
  }

  base::Result<void> open() {
    trail_.reset();
    TRY(trail_, Trail::open(options_, disk_, [this](std::span<Entry*> group) {
          groups_.push_back(group.size());
          for (const Entry* entry : group) (entry->failed ? failed_ : durable_).push_back(entry->json);
        }));
    return {};
  }
  void close() { trail_.reset(); }

  bool append(std::string json) {
    Entry& entry = entries_.emplace_back();
    entry.json = std::move(json);
    return trail_->append(&entry);
  }

  Trail& trail() { return *trail_; }
  const std::vector<std::string>& durable() const { return durable_; }
  const std::vector<std::string>& failed() const { return failed_; }
  const std::vector<std::size_t>& groups() const { return groups_; }

 private:
  world::Disk& disk_;
  TrailOptions options_;
  std::deque<Entry> entries_;
  std::vector<std::string> durable_;
  std::vector<std::string> failed_;
  std::vector<std::size_t> groups_;
  std::unique_ptr<Trail> trail_;
};

std::vector<std::string> scanned(world::Disk& disk) {
  std::vector<std::string> records;
  const auto result = scan(disk, directory, [&](std::string_view json) {
    records.emplace_back(json);
    return true;
  });
  EXPECT_TRUE(result) << result.error().message;
  return records;
}

/// A closed trail with records 0 to count - 1, each a group of its own.
void fill(world::Disk& disk, int count, std::uint64_t segment_bytes = 64 << 20) {
  Log log(disk, {.segment_bytes = segment_bytes, .writer_thread = false});
  ASSERT_TRUE(log.open());
  for (int n = 0; n < count; ++n) {
    ASSERT_TRUE(log.append(record(n)));
    ASSERT_TRUE(log.trail().write_waiting());
  }
}

TEST(Trail, ReportsRecordsInOrderAndFindsThemAgain) {
  sim::CrashDisk disk(1);
  Log log(disk);
  ASSERT_TRUE(log.open());
  std::vector<std::string> expected;
  for (int n = 0; n < 500; ++n) {
    expected.push_back(record(n));
    ASSERT_TRUE(log.append(expected.back()));
  }
  log.trail().flush();
  EXPECT_EQ(log.durable(), expected);
  EXPECT_EQ(log.trail().records_durable(), 500u);
  EXPECT_EQ(scanned(disk), expected);
  ASSERT_TRUE(log.open());
  EXPECT_EQ(log.trail().recovery().records, 500u);
  EXPECT_EQ(log.trail().recovery().bytes_dropped, 0u);
  EXPECT_EQ(log.trail().recovery().text(), "trail: 500 records in 1 segments");
}

TEST(Trail, WritesAllThatWaitsAsOneGroup) {
  sim::CrashDisk disk(1);
  Log log(disk, {.writer_thread = false});
  ASSERT_TRUE(log.open());
  EXPECT_FALSE(log.trail().write_waiting());
  for (int n = 0; n < 64; ++n) ASSERT_TRUE(log.append(record(n)));
  const std::uint64_t before = disk.operations();
  EXPECT_TRUE(log.trail().write_waiting());
  EXPECT_EQ(disk.operations() - before, 2u) << "one append, one sync";
  EXPECT_EQ(log.groups(), std::vector<std::size_t>{64});
  EXPECT_EQ(log.trail().groups(), 1u);
}

TEST(Trail, CutsAVeryLargeGroupInPieces) {
  sim::CrashDisk disk(1);
  Log log(disk, {.writer_thread = false});
  ASSERT_TRUE(log.open());
  for (int n = 0; n < 20; ++n) ASSERT_TRUE(log.append(std::string(record_bytes_max, 'x')));
  EXPECT_TRUE(log.trail().write_waiting());
  EXPECT_EQ(log.groups(), (std::vector<std::size_t>{8, 8, 4}));
}

TEST(Trail, BeginsANewSegmentWhenOneIsFull) {
  sim::CrashDisk disk(1);
  fill(disk, 40, 300);
  const auto names = *disk.list(directory);
  const auto segments = std::ranges::count_if(names, [](const auto& name) { return name.ends_with(".seg"); });
  const auto indexes = std::ranges::count_if(names, [](const auto& name) { return name.ends_with(".idx"); });
  EXPECT_GT(segments, 3);
  EXPECT_EQ(indexes, segments - 1) << "each closed one has its index";
  Log log(disk);
  ASSERT_TRUE(log.open());
  EXPECT_EQ(log.trail().recovery().records, 40u);
  EXPECT_EQ(log.trail().recovery().segments, static_cast<std::uint64_t>(segments));
}

TEST(Trail, RefusesAnEmptyRecordATooLongOneAndTooMany) {
  sim::CrashDisk disk(1);
  Log log(disk, {.records_waiting_max = 2, .writer_thread = false});
  ASSERT_TRUE(log.open());
  EXPECT_FALSE(log.append(""));
  EXPECT_FALSE(log.append(std::string(record_bytes_max + 1, 'x')));
  EXPECT_TRUE(log.append(record(0)));
  EXPECT_TRUE(log.append(record(1)));
  EXPECT_FALSE(log.append(record(2)));
  log.trail().flush();
  EXPECT_TRUE(log.append(record(3)));
  log.close();
  EXPECT_EQ(log.durable(), (std::vector<std::string>{record(0), record(1), record(3)}))
      << "closing writes what waits";
}

TEST(Trail, HasOneOwner) {
  sim::CrashDisk disk(1);
  Log log(disk);
  ASSERT_TRUE(log.open());
  Log second(disk);
  const auto opened = second.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, base::Code::disk);
  log.close();
  EXPECT_TRUE(second.open());
}

TEST(Trail, IsBrokenAfterAFailedSyncAndSaysWhy) {
  sim::CrashDisk disk(1);
  Log log(disk, {.writer_thread = false});
  ASSERT_TRUE(log.open());
  ASSERT_TRUE(log.append(record(0)));
  log.trail().flush();
  EXPECT_FALSE(log.trail().failure());
  disk.set_faults({.sync_error_at = 1});
  ASSERT_TRUE(log.append(record(1)));
  ASSERT_TRUE(log.append(record(2)));
  log.trail().flush();
  EXPECT_EQ(log.failed(), (std::vector<std::string>{record(1), record(2)}));
  EXPECT_TRUE(log.trail().broken());
  ASSERT_TRUE(log.trail().failure());
  EXPECT_EQ(log.trail().failure()->code, base::Code::disk);
  EXPECT_NE(log.trail().failure()->message.find("sync"), std::string::npos);
  EXPECT_FALSE(log.append(record(3)));
  EXPECT_EQ(log.trail().records_durable(), 1u);
}

TEST(Trail, RefusesWhatWaitsBehindAFailedGroup) {
  sim::CrashDisk disk(1);
  Log log(disk, {.writer_thread = false});
  ASSERT_TRUE(log.open());
  disk.set_faults({.short_write_at = 1});
  for (int n = 0; n < 20; ++n) ASSERT_TRUE(log.append(std::string(record_bytes_max, 'x')));
  log.trail().flush();
  EXPECT_EQ(log.failed().size(), 20u);
  disk.set_faults({});
  ASSERT_TRUE(log.open()) << "what the short write left is a torn end";
}

TEST(Trail, DropsATornEndKeepsItAsideAndGoesOn) {
  sim::CrashDisk disk(1);
  fill(disk, 3);
  const std::string whole = *disk.content(first_segment);
  disk.put(first_segment, whole + "torn");
  Log log(disk);
  ASSERT_TRUE(log.open());
  EXPECT_EQ(log.trail().recovery().records, 3u);
  EXPECT_EQ(log.trail().recovery().bytes_dropped, 4u);
  EXPECT_EQ(log.trail().recovery().text(),
            "trail: 3 records in 1 segments; 4 bytes after the last whole record of data/trail/trail-00000001.seg "
            "dropped (never reported durable), kept in its .torn file");
  EXPECT_EQ(disk.content(first_segment), whole);
  EXPECT_EQ(disk.content("data/trail/trail-00000001.torn"), "torn");
  ASSERT_TRUE(log.append(record(3)));
  log.trail().flush();
  EXPECT_EQ(scanned(disk).size(), 4u);
  // A second torn end is kept behind the first.
  log.close();
  disk.put(first_segment, *disk.content(first_segment) + "again");
  ASSERT_TRUE(log.open());
  EXPECT_EQ(disk.content("data/trail/trail-00000001.torn"), "tornagain");
}

TEST(Trail, NeverDropsADurableRecordThatWasDamagedLater) {
  sim::CrashDisk disk(1);
  fill(disk, 3);
  const std::string whole = *disk.content(first_segment);
  const std::size_t second = header_bytes + frame_head_bytes + record(0).size();
  std::string bad = whole;
  bad[second + frame_head_bytes + 2] ^= 1;
  disk.put(first_segment, bad);
  Log log(disk);
  const auto opened = log.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, base::Code::corrupt);
  EXPECT_NE(
      opened.error().message.find(std::string(first_segment) + ": damaged at offset " + std::to_string(second)),
      std::string::npos)
      << opened.error().message;
  EXPECT_EQ(disk.content(first_segment), bad) << "nothing is touched";
}

TEST(Trail, FinishesTheBirthOfASegmentThatACrashInterrupted) {
  for (std::size_t size = 0; size < header_bytes; ++size) {
    sim::CrashDisk disk(1);
    std::string header;
    append_header(header, 1);
    const std::string part = header.substr(0, size);
    disk.put(first_segment, part);
    Log log(disk);
    ASSERT_TRUE(log.open()) << size;
    EXPECT_EQ(log.trail().recovery().bytes_dropped, part.find_last_not_of('\0') + 1);
    ASSERT_TRUE(log.append(record(0)));
    log.trail().flush();
    log.close();
    EXPECT_EQ(scanned(disk), std::vector<std::string>{record(0)});
    ASSERT_TRUE(log.open());
  }
}

TEST(Trail, TakesZerosToTheEndForReservedSpaceAndDropsNothing) {
  for (const std::size_t zeros : {1u, 11u, 4096u, 3u << 20}) {
    sim::CrashDisk disk(1);
    fill(disk, 3);
    const std::string whole = *disk.content(first_segment);
    disk.put(first_segment, whole + std::string(zeros, '\0'));
    Log log(disk);
    ASSERT_TRUE(log.open()) << zeros;
    EXPECT_EQ(log.trail().recovery().records, 3u);
    EXPECT_EQ(log.trail().recovery().bytes_dropped, 0u);
    EXPECT_EQ(disk.content(first_segment), whole);
    EXPECT_FALSE(disk.content("data/trail/trail-00000001.torn"));
    ASSERT_TRUE(log.append(record(3)));
    log.trail().flush();
    EXPECT_EQ(scanned(disk).size(), 4u);
  }
}

TEST(Trail, KeepsAsideWhatIsTornInReservedSpaceButNotTheSpace) {
  sim::CrashDisk disk(1);
  fill(disk, 3);
  const std::string whole = *disk.content(first_segment);
  disk.put(first_segment, whole + std::string(100, '\0') + "torn" + std::string(2 << 20, '\0'));
  Log log(disk);
  ASSERT_TRUE(log.open());
  EXPECT_EQ(log.trail().recovery().bytes_dropped, 104u);
  EXPECT_EQ(disk.content("data/trail/trail-00000001.torn"), std::string(100, '\0') + "torn");
  EXPECT_EQ(disk.content(first_segment), whole);
}

TEST(Trail, RefusesZerosWithALaterGroupBehindThem) {
  sim::CrashDisk disk(1);
  fill(disk, 3);
  std::string content = *disk.content(first_segment);
  const std::size_t second = header_bytes + frame_head_bytes + record(0).size();
  content.replace(second, frame_head_bytes + record(1).size(), frame_head_bytes + record(1).size(), '\0');
  disk.put(first_segment, content + std::string(4096, '\0'));
  Log log(disk);
  EXPECT_EQ(log.open().error().code, base::Code::corrupt);
  EXPECT_FALSE(scan(disk, directory, [](std::string_view) { return true; }));
}

TEST(Trail, FinishesTheBirthOfASegmentWhoseSpaceWasReserved) {
  for (std::size_t size = 0; size < header_bytes; ++size) {
    sim::CrashDisk disk(1);
    std::string header;
    append_header(header, 1);
    disk.put(first_segment, header.substr(0, size) + std::string(4096, '\0'));
    Log log(disk);
    ASSERT_TRUE(log.open()) << size;
    ASSERT_TRUE(log.append(record(0)));
    log.trail().flush();
    log.close();
    EXPECT_EQ(scanned(disk), std::vector<std::string>{record(0)});
  }
}

TEST(Trail, WritesAMissingOrDamagedIndexAnewAndReadsTheSegmentInstead) {
  sim::CrashDisk disk(1);
  fill(disk, 40, 300);
  const char path[] = "data/trail/trail-00000002.idx";
  const std::string good = *disk.content(path);
  for (const std::string& bad : {std::string{}, good.substr(1), std::string(good.size(), 'x'),
                                 *disk.content("data/trail/trail-00000003.idx")}) {
    disk.put(path, bad);
    Log log(disk);
    ASSERT_TRUE(log.open());
    EXPECT_EQ(log.trail().recovery().records, 40u);
    EXPECT_EQ(disk.content(path), good);
  }
  ASSERT_TRUE(disk.remove(path));
  Log log(disk);
  ASSERT_TRUE(log.open());
  EXPECT_EQ(disk.content(path), good);
}

TEST(Trail, RefusesASegmentOfALaterFormatAndTouchesNothing) {
  for (const char* path : {first_segment, "data/trail/trail-00000002.seg"}) {
    sim::CrashDisk disk(1);
    fill(disk, 7, 100);
    std::string content = *disk.content(path);
    const std::uint8_t version[4] = {0, 0, 0, 9};
    content.replace(8, 4, base::as_text(version));
    std::uint8_t crc[4];
    base::put_be32(crc, crc32c(content.substr(0, 16)));
    content.replace(16, 4, base::as_text(crc));
    disk.put(path, content);
    Log log(disk);
    const auto opened = log.open();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, base::Code::disk);
    EXPECT_NE(opened.error().message.find(std::string(path) + ": this is format version 9, and 1 is the newest"),
              std::string::npos)
        << opened.error().message;
    EXPECT_EQ(disk.content(path), content);
  }
}

TEST(CheckFiles, FindsWhatAStartBelievesAndNamesIt) {
  sim::CrashDisk disk(1);
  fill(disk, 40, 300);
  const auto flaws = [&] {
    std::string all;
    for (const SegmentReport& report : *check_files(disk, directory)) all += report.flaw;
    return all;
  };
  EXPECT_EQ(flaws(), "");
  std::uint64_t records = 0;
  for (const SegmentReport& report : *check_files(disk, directory)) records += report.content.records;
  EXPECT_EQ(records, 40u);

  // A byte in the middle of a closed segment: a start with indexes does not read it.
  const std::string good = *disk.content(first_segment);
  std::string bad = good;
  bad[header_bytes + frame_head_bytes + 2] ^= 1;
  disk.put(first_segment, bad);
  {
    Log log(disk);
    EXPECT_TRUE(log.open());
  }
  EXPECT_NE(flaws().find(std::string(first_segment) + ": damaged at offset 20"), std::string::npos) << flaws();
  disk.put(first_segment, good);

  // An index that says other than its segment, with a sound CRC.
  SegmentIndex lying = *parse_index(*disk.content("data/trail/trail-00000001.idx"), 1);
  ++lying.records;
  ASSERT_TRUE(write_index(disk, directory, 1, lying));
  EXPECT_NE(flaws().find("trail-00000001.idx: says other than its segment"), std::string::npos) << flaws();
  ASSERT_TRUE(disk.remove("data/trail/trail-00000001.idx"));
  EXPECT_EQ(flaws(), "");

  ASSERT_TRUE(disk.remove("data/trail/trail-00000003.seg"));
  EXPECT_NE(flaws().find("trail-00000003.seg"), std::string::npos);
  disk.put("data/trail/trail-00000003.seg", "not a segment, and long enough");
  EXPECT_NE(flaws().find("trail-00000003.seg: damaged at offset 0"), std::string::npos);
}

TEST(CheckFiles, FindsARecordThatIsNotJson) {
  sim::CrashDisk disk(1);
  Log log(disk, {.writer_thread = false});
  ASSERT_TRUE(log.open());
  ASSERT_TRUE(log.append("{}"));
  ASSERT_TRUE(log.append("{"));
  log.close();
  const auto reports = *check_files(disk, directory);
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_NE(reports[0].flaw.find("damaged at offset 34: the record is not JSON"), std::string::npos)
      << reports[0].flaw;
  EXPECT_EQ(reports[0].content.records, 1u);
}

TEST(Trail, RefusesDamageThatNoCrashCanCause) {
  const auto refusal = [](const char* segment, const std::function<void(std::string&)>& damage) {
    sim::CrashDisk disk(1);
    fill(disk, 40, 300);
    std::string content = *disk.content(segment);
    damage(content);
    disk.put(segment, content);
    Log log(disk);
    const auto opened = log.open();
    EXPECT_FALSE(opened);
    if (opened) return std::string{};
    EXPECT_EQ(opened.error().code, base::Code::corrupt);
    const auto scan_result = scan(disk, directory, [](std::string_view) { return true; });
    EXPECT_FALSE(scan_result) << "a look-up sees it too";
    return opened.error().message;
  };
  const auto has = [](const std::string& text, const char* part) { return text.find(part) != text.npos; };
  EXPECT_TRUE(has(refusal(first_segment, [](std::string& bytes) { bytes += "x"; }), "no whole record"));
  EXPECT_TRUE(has(refusal(first_segment, [](std::string& bytes) { bytes.pop_back(); }), "no whole record"));
  EXPECT_TRUE(has(refusal(first_segment, [](std::string& bytes) { bytes.clear(); }), "not a segment's header"));
  EXPECT_TRUE(has(refusal(first_segment, [](std::string& bytes) { bytes[3] ^= 1; }), "not a segment's header"));
  EXPECT_TRUE(has(refusal(first_segment,
                          [](std::string& bytes) {
                            std::string other;
                            append_header(other, 9);
                            bytes.replace(0, header_bytes, other);
                          }),
                  "another segment"));
}

TEST(Trail, RefusesABrokenHeaderOfTheLastSegmentWithBytesBehindIt) {
  sim::CrashDisk disk(1);
  fill(disk, 3);
  std::string content = *disk.content(first_segment);
  content[3] ^= 1;
  disk.put(first_segment, content);
  Log log(disk);
  const auto opened = log.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, base::Code::corrupt);
}

TEST(Trail, MissesASegmentThatIsGone) {
  sim::CrashDisk disk(1);
  fill(disk, 40, 300);
  ASSERT_TRUE(disk.remove("data/trail/trail-00000002.seg"));
  Log log(disk);
  const auto opened = log.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, base::Code::corrupt);
  EXPECT_NE(opened.error().message.find("trail-00000002.seg"), std::string::npos);
}

TEST(Trail, GoesOnAfterTheOldestSegmentsWereMovedAway) {
  sim::CrashDisk disk(1);
  fill(disk, 40, 300);
  ASSERT_TRUE(disk.remove(first_segment));
  Log log(disk);
  EXPECT_TRUE(log.open());
}

TEST(Trail, TakesRecordsFromManyThreadsEachInItsOrder) {
  sim::CrashDisk disk(1);
  constexpr int threads = 8;
  constexpr int each = 2000;
  std::deque<Entry> entries[threads];
  std::vector<std::string> order;
  auto trail = Trail::open({.directory = directory, .segment_bytes = 100'000}, disk, [&](std::span<Entry*> group) {
    for (const Entry* entry : group) order.push_back(entry->json);
  });
  ASSERT_TRUE(trail);
  std::vector<std::thread> appenders;
  for (int thread = 0; thread < threads; ++thread) {
    appenders.emplace_back([&, thread] {
      for (int n = 0; n < each; ++n) {
        Entry& entry = entries[thread].emplace_back();
        entry.json = std::to_string(thread) + "/" + std::to_string(n);
        while (!(*trail)->append(&entry)) std::this_thread::yield();
        if (n % 500 == 499) (*trail)->flush();
      }
    });
  }
  for (std::thread& appender : appenders) appender.join();
  (*trail)->flush();
  EXPECT_EQ((*trail)->records_durable(), static_cast<std::uint64_t>(threads * each));
  EXPECT_EQ(scanned(disk), order);
  int next[threads] = {};
  for (const std::string& json : order) {
    const int thread = json[0] - '0';
    ASSERT_EQ(json, std::to_string(thread) + "/" + std::to_string(next[thread]++));
  }
}

}  // namespace
}  // namespace portolan::trail
