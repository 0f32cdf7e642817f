// SPDX-License-Identifier: Apache-2.0
#include "trail/segment_index.h"

#include <gtest/gtest.h>

#include "sim/crash_disk.h"

namespace portolan::trail {
namespace {

constexpr char directory[] = "d";

std::string timed(std::string_view time) {
  return R"({"eventVersion":"1.11","eventTime":")" + std::string(time) + R"(","requestID":"x"})";
}

base::WallTime at(std::string_view text) {
  base::WallTime time;
  EXPECT_TRUE(base::parse_time(text, time)) << text;
  return time;
}

SegmentIndex index_of(std::initializer_list<std::string> records, std::string* bytes = nullptr) {
  std::string content;
  append_header(content, 7);
  SegmentIndex index{.segment_bytes = header_bytes};
  for (const std::string& record : records) {
    const std::uint64_t offset = content.size();
    const std::uint32_t crc = append_frame(content, record, header_bytes);
    index.add({.offset = offset, .group_start = header_bytes, .crc = crc, .record = record});
  }
  if (bytes != nullptr) *bytes = content;
  return index;
}

TEST(SegmentIndex, CountsRecordsAndKeepsTheirEarliestAndLatestTime) {
  std::string bytes;
  const SegmentIndex index = index_of(
      {timed("2026-11-21T10:00:05Z"), timed("2026-11-21T10:00:01Z"), "{}", timed("2026-11-21T10:00:03Z")}, &bytes);
  EXPECT_EQ(index.records, 4u);
  EXPECT_EQ(index.segment_bytes, bytes.size());
  EXPECT_EQ(index.latest - index.earliest, 4);
  EXPECT_TRUE(index.meets({}, {}));
  EXPECT_TRUE(index.meets(at("2026-11-21T10:00:05Z"), {}));
  EXPECT_TRUE(index.meets(at("2026-11-21T10:00:05.900Z"), {})) << "eventTime has whole seconds";
  EXPECT_FALSE(index.meets(at("2026-11-21T10:00:06Z"), {}));
  EXPECT_TRUE(index.meets({}, at("2026-11-21T10:00:01.001Z")));
  EXPECT_FALSE(index.meets({}, at("2026-11-21T10:00:01Z"))) << "until is exclusive";
  EXPECT_FALSE(index_of({"{}"}).meets(at("2026-11-21T10:00:00Z"), {})) << "no record has a time";
  EXPECT_TRUE(index_of({"{}"}).meets({}, {}));
}

TEST(SegmentIndex, FindsTheTimeAtTheTopAndInNoText) {
  EXPECT_EQ(event_second(timed("1970-01-01T00:01:00Z")), 60);
  EXPECT_EQ(
      event_second(R"({"userName":"x,\"eventTime\":\"1970-01-01T00:00:01Z","eventTime":"1970-01-01T00:00:02Z"})"),
      2);
  for (const char* none :
       {"", "{}", R"({"a":1,"eventTime":"yesterday"})", R"({"a":1,"eventTime":")", R"({"a":1,"eventTime":7})"})
    EXPECT_FALSE(event_second(none)) << none;
}

TEST(SegmentIndex, ReadsBackWhatWasWrittenAndNothingElse) {
  const SegmentIndex index = index_of({timed("2026-11-21T10:00:05Z"), "{}"});
  const std::string bytes = index_bytes(index, 7);
  EXPECT_EQ(parse_index(bytes, 7), index);
  EXPECT_FALSE(parse_index(bytes, 8));
  EXPECT_FALSE(parse_index(bytes + "x", 7));
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(parse_index(bytes.substr(0, size), 7)) << size;
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string bad = bytes;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(parse_index(bad, 7)) << bit;
  }
  const SegmentIndex none;
  EXPECT_EQ(parse_index(index_bytes(none, 7), 7), none) << "negative and extreme numbers pass";
}

TEST(SegmentIndex, IsBelievedOnlyWhereTheSegmentEndsAsItSays) {
  sim::CrashDisk disk(1);
  std::string bytes;
  const SegmentIndex index = index_of({timed("2026-11-21T10:00:05Z"), "{}", "{\"n\":1}"}, &bytes);
  disk.put("d/" + segment_name(7), bytes);
  const auto read = [&](std::string content) {
    const std::uint64_t size = content.size();
    disk.put("d/" + segment_name(7), std::move(content));
    const auto file = *disk.open_existing("d/" + segment_name(7));
    return *read_index(disk, directory, 7, *file, size);
  };
  EXPECT_FALSE(read(bytes)) << "there is none yet";
  ASSERT_TRUE(write_index(disk, directory, 7, index));
  EXPECT_EQ(read(bytes), index);
  EXPECT_FALSE(read(bytes + "x"));
  EXPECT_FALSE(read(bytes.substr(0, bytes.size() - 1)));
  std::string other_end = bytes;
  other_end.back() = ' ';
  EXPECT_FALSE(read(other_end));
  // Whole, of the same size, and another record all the same.
  std::string other;
  index_of({timed("2026-11-21T10:00:05Z"), "{}", "{\"n\":2}"}, &other);
  ASSERT_EQ(other.size(), bytes.size());
  EXPECT_FALSE(read(other));
  // An offset that leads outside, with a CRC that fits.
  for (const std::uint64_t offset :
       {std::uint64_t{0}, std::uint64_t{19}, std::uint64_t{bytes.size()}, ~std::uint64_t{0}}) {
    SegmentIndex lying = index;
    lying.last_frame = offset;
    ASSERT_TRUE(write_index(disk, directory, 7, lying));
    EXPECT_FALSE(read(bytes)) << offset;
  }
  ASSERT_TRUE(write_index(disk, directory, 7, index)) << "a shorter or longer one is replaced as a whole";
  EXPECT_EQ(read(bytes), index);
}

}  // namespace
}  // namespace portolan::trail
