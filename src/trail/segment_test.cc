// SPDX-License-Identifier: Apache-2.0
#include "trail/segment.h"

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "sim/crash_disk.h"

namespace portolan::trail {
namespace {

constexpr char path[] = "d/trail-00000007.seg";

/// Reads the frames of a file with this content.
struct Walk {
  explicit Walk(std::string content) : size(content.size()) {
    disk.put(path, std::move(content));
    file = *disk.open_existing(path);
    reader.emplace(*file, path, size);
    header = *reader->header(7);
    if (header != SegmentReader::Header::valid) return;
    while (const std::optional<Frame> frame = *reader->next()) records.emplace_back(frame->record);
  }

  sim::CrashDisk disk{1};
  std::uint64_t size;
  std::unique_ptr<world::File> file;
  std::optional<SegmentReader> reader;
  SegmentReader::Header header{};
  std::vector<std::string> records;
};

std::string segment_of(std::initializer_list<std::pair<std::string_view, std::uint32_t>> frames) {
  std::string bytes;
  append_header(bytes, 7);
  for (const auto& [record, group_start] : frames) append_frame(bytes, record, group_start);
  return bytes;
}

TEST(Segment, ComputesCrc32c) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);  // the check value of RFC 3720's polynomial
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(crc32c("56789", crc32c("1234")), 0xe3069283u);
  EXPECT_EQ(crc32c(""), 0u);
}

TEST(Segment, NamesAreEightDigitsAndNothingElse) {
  EXPECT_EQ(segment_name(7), "trail-00000007.seg");
  EXPECT_EQ(segment_name(12345678), "trail-12345678.seg");
  EXPECT_EQ(segment_number("trail-00000007.seg"), 7u);
  for (const char* name : {"trail-7.seg", "trail-00000007.torn", "trail-0000000x.seg", "trail--0000007.seg", "lock",
                           "trail-000000007.seg", "xtrail-00000007.seg", ""})
    EXPECT_FALSE(segment_number(name)) << name;
}

TEST(Segment, ReadsBackWhatWasWritten) {
  const std::string large(record_bytes_max, 'x');
  const Walk walk(segment_of({{"one", 20}, {"two", 20}, {large, 50}, {large, 50}, {large, 50}, {"six", 50}}));
  EXPECT_EQ(walk.records, (std::vector<std::string>{"one", "two", large, large, large, "six"}));
  EXPECT_TRUE(walk.reader->at_end());
}

TEST(Segment, TellsWhatIsWrongWithAHeader) {
  const std::string good = segment_of({});
  EXPECT_EQ(Walk(good).header, SegmentReader::Header::valid);
  for (std::size_t size = 0; size < header_bytes; ++size)
    EXPECT_EQ(Walk(good.substr(0, size)).header, SegmentReader::Header::invalid) << size;
  for (std::size_t at = 0; at < header_bytes; ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    EXPECT_EQ(Walk(bad).header, SegmentReader::Header::invalid) << at;
  }
  std::string other;
  append_header(other, 8);
  EXPECT_EQ(Walk(other).header, SegmentReader::Header::other_number);
}

std::string header_of_version(std::uint32_t version) {
  std::string bytes = segment_of({});
  const std::uint8_t be[4] = {0, 0, 0, static_cast<std::uint8_t>(version)};
  bytes.replace(8, 4, base::as_text(be));
  std::uint8_t crc[4];
  base::put_be32(crc, crc32c(bytes.substr(0, 16)));
  return bytes.replace(16, 4, base::as_text(crc));
}

TEST(Segment, RefusesAFormatThatALaterVersionWroteAndSaysWhatToDo) {
  Walk walk(header_of_version(format_version + 1) + "what no one here understands");
  ASSERT_EQ(walk.header, SegmentReader::Header::newer_version);
  const base::Error error = walk.reader->refusal(walk.header);
  EXPECT_EQ(error.code, base::Code::disk) << "nothing is damaged";
  EXPECT_EQ(
      error.message,
      "d/trail-00000007.seg: this is format version 2, and 1 is the newest that this Portolan understands; run "
      "the Portolan that wrote it, or a later one, or restore a backup from before the upgrade");
  EXPECT_EQ(Walk(header_of_version(0)).header, SegmentReader::Header::invalid);
}

TEST(Segment, FindsEveryFlippedBitAndStopsBeforeIt) {
  const std::string good = segment_of({{"first", 20}, {"second", 20}, {"third", 20}});
  const std::size_t second = header_bytes + frame_head_bytes + 5;
  const std::size_t third = second + frame_head_bytes + 6;
  for (std::size_t bit = second * 8; bit < third * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    const Walk walk(bad);
    ASSERT_EQ(walk.records, std::vector<std::string>{"first"}) << bit;
    ASSERT_EQ(walk.reader->offset(), second) << bit;
  }
}

TEST(Segment, StopsAtEveryPlaceWhereItWasCut) {
  const std::string good = segment_of({{"first", 20}, {"second", 20}});
  const std::size_t second = header_bytes + frame_head_bytes + 5;
  for (std::size_t size = second; size < good.size(); ++size) {
    const Walk walk(good.substr(0, size));
    ASSERT_EQ(walk.records.size(), 1u) << size;
    ASSERT_EQ(walk.reader->offset(), second);
    ASSERT_EQ(walk.reader->at_end(), size == second);
  }
}

TEST(Segment, RefusesAFrameThatClaimsAnImpossiblePlace) {
  EXPECT_TRUE(Walk(segment_of({{"first", 0}})).records.empty());   // before the header's end
  EXPECT_TRUE(Walk(segment_of({{"first", 21}})).records.empty());  // after itself
  EXPECT_EQ(Walk(segment_of({{"first", 20}, {"second", 37}, {"third", 20}})).records.size(), 2u);  // goes back
}

TEST(Segment, KnowsDamageFromATornEndByTheGroupsBehindIt) {
  const std::size_t second = header_bytes + frame_head_bytes + 5;
  const std::size_t third = second + frame_head_bytes + 6;
  const auto broken_at_second = [&](std::uint32_t group_of_third) {
    std::string bytes = segment_of({{"first", 20}, {"second", 20}, {"third", group_of_third}});
    bytes[second + frame_head_bytes] ^= 1;
    Walk walk(bytes);
    EXPECT_EQ(walk.reader->offset(), second);
    return *walk.reader->was_durable();
  };
  EXPECT_FALSE(broken_at_second(20)) << "the same group: nobody was told";
  EXPECT_FALSE(broken_at_second(static_cast<std::uint32_t>(second))) << "a group that begins at the hole";
  EXPECT_TRUE(broken_at_second(static_cast<std::uint32_t>(third))) << "a later group: the second was durable";
}

TEST(Segment, TakesZerosAndGarbageForATornEnd) {
  const std::string good = segment_of({{"first", 20}});
  Walk zeros(good + std::string(5000, '\0'));
  EXPECT_EQ(zeros.records.size(), 1u);
  EXPECT_FALSE(*zeros.reader->was_durable());
  Walk large_length(good + std::string("\xff\xff\xff\xff", 4) + std::string(100, 'x'));
  EXPECT_EQ(large_length.records.size(), 1u);
  EXPECT_FALSE(*large_length.reader->was_durable());
}

TEST(Segment, TellsReservedSpaceFromAnythingElse) {
  const std::string good = segment_of({{"first", 20}});
  EXPECT_TRUE(*Walk(good).reader->only_zeros_follow());
  EXPECT_TRUE(*Walk(good + std::string(3 << 20, '\0')).reader->only_zeros_follow());
  for (const std::size_t zeros : {0u, 1u, 5000u, (1u << 20) - 1, 1u << 20, 3u << 20})
    EXPECT_FALSE(*Walk(good + std::string(zeros, '\0') + "x").reader->only_zeros_follow()) << zeros;
}

TEST(Segment, FindsALaterGroupBehindAnyStretchOfZeros) {
  const std::string good = segment_of({{"first", 20}});
  // A frame's length begins with zeros: the search must not pass over them. Around the window's edge too.
  for (std::size_t zeros = 1; zeros < 40; ++zeros) {
    for (const std::size_t more : {std::size_t{0}, (std::size_t{1} << 20) - 60}) {
      std::string bytes = good + std::string(zeros + more, '\0');
      append_frame(bytes, "later", static_cast<std::uint32_t>(bytes.size()));
      EXPECT_TRUE(*Walk(bytes).reader->was_durable()) << zeros << " + " << more;
      bytes = good + std::string(zeros + more, '\0');
      append_frame(bytes, "the same group", static_cast<std::uint32_t>(good.size()));
      EXPECT_FALSE(*Walk(bytes).reader->was_durable()) << zeros << " + " << more;
    }
  }
}

}  // namespace
}  // namespace portolan::trail
