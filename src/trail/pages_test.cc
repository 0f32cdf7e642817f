// SPDX-License-Identifier: Apache-2.0
#include "trail/pages.h"

#include <deque>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sim/crash_disk.h"
#include "trail/segment_files.h"
#include "trail/trail.h"

namespace portolan::trail {
namespace {

constexpr char paged_directory[] = "data/trail";

class Pages : public testing::Test {
 protected:
  static std::string record(int number) {
    return fmt::format(R"({{"n":{},"eventTime":"2026-11-21T10:00:{:02}Z","pad":"{}"}})", number, number % 60,
                       std::string(300, 'x'));
  }
  void write(int from, int to, std::uint64_t segment_bytes) {
    std::deque<Entry> entries;
    auto trail = Trail::open({.directory = paged_directory, .segment_bytes = segment_bytes, .writer_thread = false},
                             disk_, [](auto) {});
    ASSERT_TRUE(trail);
    for (int number = from; number < to; ++number) {
      entries.emplace_back().json = record(number);
      ASSERT_TRUE((*trail)->append(&entries.back()));
      (*trail)->flush();
    }
  }
  Page page(const Bookmark& after, std::uint64_t bytes_max, std::optional<base::WallTime> from = std::nullopt,
            std::optional<base::WallTime> until = std::nullopt) {
    auto read = read_page(disk_, paged_directory, after, from, until, bytes_max);
    EXPECT_TRUE(read) << read.error().message;
    return read ? *read : Page{.records = {}, .next = {}, .last = true};
  }
  std::vector<std::string> all(std::uint64_t bytes_max, int* pages = nullptr) {
    std::vector<std::string> records;
    Bookmark after;
    for (bool last = false; !last;) {
      Page one = page(after, bytes_max);
      records.insert(records.end(), one.records.begin(), one.records.end());
      after = one.next;
      last = one.last;
      if (pages != nullptr) ++*pages;
    }
    return records;
  }

  sim::CrashDisk disk_{1};
};

base::WallTime second(int number) {
  base::WallTime at;
  EXPECT_TRUE(base::parse_time(fmt::format("2026-11-21T10:00:{:02}Z", number), at));
  return at;
}

TEST_F(Pages, GiveEveryRecordOnceInOrderWhateverTheirSize) {
  write(0, 50, 4096);
  ASSERT_GT(find_segments(disk_, paged_directory)->size(), 3u);
  std::vector<std::string> expected;
  for (int number = 0; number < 50; ++number) expected.push_back(record(number));
  for (const std::uint64_t bytes_max : {1ull, 400ull, 1000ull, 5000ull, 1ull << 20}) {
    int pages = 0;
    EXPECT_EQ(all(bytes_max, &pages), expected) << bytes_max;
    EXPECT_LE(pages, bytes_max == 1 ? 51 : 50);
  }
}

TEST_F(Pages, GoOnWithWhatWasWrittenMeanwhile) {
  write(0, 5, 1 << 20);
  const Page first = page({}, 1 << 20);
  EXPECT_TRUE(first.last);
  EXPECT_EQ(first.records.size(), 5u);
  EXPECT_TRUE(page(first.next, 1 << 20).records.empty());
  write(5, 8, 1 << 20);
  const Page second_page = page(first.next, 1 << 20);
  ASSERT_EQ(second_page.records.size(), 3u);
  EXPECT_EQ(second_page.records.front(), record(5));
}

TEST_F(Pages, LeaveOutOtherTimes) {
  write(0, 50, 4096);
  const Page some = page({}, 1 << 20, second(10), second(13));
  ASSERT_EQ(some.records.size(), 3u);
  EXPECT_EQ(some.records.front(), record(10));
  EXPECT_EQ(some.records.back(), record(12));
  EXPECT_TRUE(some.last);
}

TEST_F(Pages, TellOfSegmentsThatAreNotThereAndNeverReachAcrossThem) {
  write(0, 50, 4096);
  const auto places = *find_segments(disk_, paged_directory);
  ASSERT_GT(places.size(), 4u);
  ASSERT_TRUE(disk_.remove(std::string(paged_directory) + "/" + segment_name(1)));
  ASSERT_TRUE(disk_.remove(std::string(paged_directory) + "/" + segment_name(3)));
  const Page first = page({}, 1 << 20);
  EXPECT_EQ(first.segments_missing, 1u);
  EXPECT_FALSE(first.last);
  const Page rest = page(first.next, 1 << 20);
  EXPECT_EQ(rest.segments_missing, 1u);
  EXPECT_TRUE(rest.last);
  EXPECT_EQ(rest.records.back(), record(49));
  EXPECT_LT(first.records.size() + rest.records.size(), 50u);
}

TEST_F(Pages, RefuseABookmarkBeyondTheSegmentAndDamage) {
  write(0, 5, 1 << 20);
  const auto beyond = read_page(disk_, paged_directory, {.segment = 1, .offset = 1 << 30}, {}, {});
  ASSERT_FALSE(beyond);
  EXPECT_EQ(beyond.error().code, base::Code::usage);
}

TEST(Bookmarks, AreTextAndNothingElseIsOne) {
  EXPECT_EQ(text_of({.segment = 7, .offset = 1234}), "7:1234");
  EXPECT_EQ(bookmark_of("7:1234"), (Bookmark{.segment = 7, .offset = 1234}));
  for (const char* wrong : {"", "7", "7:", ":20", "7:19", "-1:20", "7:20 ", "99999999999:20"})
    EXPECT_FALSE(bookmark_of(wrong)) << wrong;
}

}  // namespace
}  // namespace portolan::trail
