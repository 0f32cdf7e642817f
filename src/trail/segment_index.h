// SPDX-License-Identifier: Apache-2.0
// What is in a segment that will not change any more, in `trail-NNNNNNNN.idx` beside it: so that a start need not
// read every segment whole, and a look-up can pass over those outside its time. Integers are big endian.
//
//   8 bytes "PORTOIDX" · u32 format version · u32 segment number · u64 size of the segment · u64 records ·
//   u64 offset of its last frame · u32 that frame's CRC · i64 earliest and i64 latest eventTime (Unix seconds) ·
//   u32 CRC of all before
//
// An index is a shortcut and never evidence. It is believed only where the segment has exactly the size it says and
// ends in the frame it names; else it is as good as missing, and the segment is read whole. A missing, damaged,
// older or newer one is therefore no error: opening the trail writes it anew. It is not synced, for a torn one
// shows in its CRC. What it cannot see, a byte changed in the middle of a segment, is found by whoever reads that
// segment, and by check_files (check.h).
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "trail/segment.h"
#include "world/disk.h"

namespace portolan::trail {

inline constexpr std::uint32_t index_format_version = 1;

/// "trail-00000007.idx".
std::string index_name(std::uint32_t number);

/// Counts records as they are written or read.
struct SegmentIndex {
  std::uint64_t segment_bytes = 0;
  std::uint64_t records = 0;
  std::uint64_t last_frame = 0;  // its offset; zero when there is no record
  std::uint32_t last_frame_crc = 0;
  // Of all records that have an eventTime; earliest > latest when none has.
  std::int64_t earliest = std::numeric_limits<std::int64_t>::max();
  std::int64_t latest = std::numeric_limits<std::int64_t>::min();

  void add(const Frame& frame);
  /// Whether some record may have an eventTime with from <= it < until. `from` is taken down to its second.
  bool meets(std::optional<base::WallTime> from, std::optional<base::WallTime> until) const;
  bool operator==(const SegmentIndex&) const = default;
};

/// The record's eventTime in Unix seconds, found without decoding the record.
std::optional<std::int64_t> event_second(std::string_view record);

std::string index_bytes(const SegmentIndex& index, std::uint32_t number);
std::optional<SegmentIndex> parse_index(std::string_view bytes, std::uint32_t number);

/// Writes the index, replacing what is there. Its failure costs time, never a record: callers may ignore it.
base::Result<void> write_index(world::Disk& disk, const std::string& directory, std::uint32_t number,
                               const SegmentIndex& index);
/// The index if there is one that fits the segment, whose header was found valid. Code::disk from the segment.
base::Result<std::optional<SegmentIndex>> read_index(world::Disk& disk, const std::string& directory,
                                                     std::uint32_t number, world::File& segment,
                                                     std::uint64_t segment_bytes);

}  // namespace portolan::trail
