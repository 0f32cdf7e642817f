// SPDX-License-Identifier: Apache-2.0
// The segments in a trail's directory, for whoever reads them while somebody may be writing: look-up, check,
// backup. Nothing here changes a file.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "trail/segment.h"
#include "world/disk.h"

namespace portolan::trail {

/// "trail-00000007.open": an empty file beside a segment whose writer does not stop where the next one begins,
/// because it handed the trail on to a successor (trail_recovery.cc, 9).
std::string mark_name(std::uint32_t number);

/// A segment in the directory.
struct SegmentPlace {
  std::uint32_t number = 0;
  bool marked = false;
  /// It may end in the middle of a record, and grow: the last one, or a marked one.
  bool open = false;
};

/// A segment opened for reading, as long as it was then.
struct Segment {
  std::string path;
  std::uint32_t number = 0;
  std::unique_ptr<world::File> file;
  std::uint64_t size = 0;
  bool open = false;
  bool unborn = false;  // its header is not yet whole: it has no records
};

/// Ascending. Code::disk.
base::Result<std::vector<SegmentPlace>> find_segments(world::Disk& disk, const std::string& directory);

/// For a file whose header is not valid: whether it is a segment whose birth was interrupted, and which holds no
/// record. `size` of it is looked at.
base::Result<bool> is_unborn(world::File& file, const std::string& path, std::uint64_t size);

/// Opens and reads the header. Code::disk; Code::corrupt, naming the file.
base::Result<Segment> open_segment(world::Disk& disk, const std::string& directory, const SegmentPlace& place);

/// Every frame from the one at `from` on, oldest first, until `visit` returns false. The result says whether it
/// never did. Code::disk; Code::corrupt, naming file and offset: anything but whole frames up to the end, or in an
/// open segment up to a torn end, a record in the making or reserved space.
base::Result<bool> for_each_frame(Segment& segment, const std::function<bool(const Frame&)>& visit,
                                  std::uint64_t from = header_bytes);

}  // namespace portolan::trail
