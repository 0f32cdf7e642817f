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

/// A segment opened for reading, as long as it was then. Only the last one may end in the middle of a record.
struct Segment {
  std::string path;
  std::uint32_t number = 0;
  std::unique_ptr<world::File> file;
  std::uint64_t size = 0;
  bool last = false;
  bool unborn = false;  // its header is not yet whole: it has no records
};

/// Ascending. Code::disk.
base::Result<std::vector<std::uint32_t>> segment_numbers(world::Disk& disk, const std::string& directory);

/// For a file whose header is not valid: whether it is a segment whose birth was interrupted, and which holds no
/// record. `size` of it is looked at.
base::Result<bool> is_unborn(world::File& file, const std::string& path, std::uint64_t size);

/// Opens and reads the header. Code::disk; Code::corrupt, naming the file.
base::Result<Segment> open_segment(world::Disk& disk, const std::string& directory, std::uint32_t number,
                                   bool last);

/// Every frame, oldest first, until `visit` returns false. The result says whether it never did. Code::disk;
/// Code::corrupt, naming file and offset: anything but whole frames up to the end, or in the last segment up to a
/// torn end, a record in the making or reserved space.
base::Result<bool> for_each_frame(Segment& segment, const std::function<bool(const Frame&)>& visit);

}  // namespace portolan::trail
