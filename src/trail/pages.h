// SPDX-License-Identifier: Apache-2.0
// Reading the trail from its beginning on, a bounded piece at a time: for work over all records, beside a gateway
// that writes. Look-up (lookup.h) is for a few of the newest.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "trail/segment.h"
#include "world/disk.h"

namespace portolan::trail {

/// Between two records. The default is before the first.
struct Bookmark {
  std::uint32_t segment = 0;
  std::uint64_t offset = header_bytes;
  friend bool operator==(const Bookmark&, const Bookmark&) = default;
};
/// "7:123456".
std::string text_of(const Bookmark& mark);
/// Nothing for what is none.
std::optional<Bookmark> bookmark_of(std::string_view text);

struct Page {
  std::vector<std::string> records;  // JSON lines as they were written, oldest first
  Bookmark next;                     // where the next page begins
  bool last = false;                 // there is no more by now
  /// Segments that are not there between the page before and this one, such as those that were moved away: what is
  /// told of that time is unknown. No page goes past such a gap in its middle.
  std::uint32_t segments_missing = 0;
};

inline constexpr std::uint64_t page_bytes_usual = 2 << 20;

/// The page behind `after`. Looks at about `bytes_max` bytes of records, and leaves out those with an eventTime
/// before `from` (taken down to its second) or not before `until`; closed segments of another time are passed over
/// unread. A page can be empty and not the last. Code::usage for a bookmark that is in no segment; Code::disk;
/// Code::corrupt, naming file and offset.
base::Result<Page> read_page(world::Disk& disk, const std::string& directory, const Bookmark& after,
                             std::optional<base::WallTime> from, std::optional<base::WallTime> until,
                             std::uint64_t bytes_max = page_bytes_usual);

}  // namespace portolan::trail
