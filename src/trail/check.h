// SPDX-License-Identifier: Apache-2.0
// Reads every byte of the trail, for `portolan trail check`. Opening the trail believes an index (segment_index.h)
// and reads the last segment only; this believes nothing.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "trail/segment_index.h"
#include "world/disk.h"

namespace portolan::trail {

/// One segment, as it was found.
struct SegmentReport {
  std::string path;
  SegmentIndex content;  // of the records before the flaw, if there is one
  std::string flaw;      // what is wrong, where, and what to do; empty when nothing is
};

/// All segments, oldest first, while a gateway may be writing the last one. Finds frames that are not whole or not
/// JSON, segments that are missing, and an index that says other than its segment. Code::disk.
base::Result<std::vector<SegmentReport>> check_files(world::Disk& disk, const std::string& directory);

}  // namespace portolan::trail
