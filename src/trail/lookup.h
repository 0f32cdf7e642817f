// SPDX-License-Identifier: Apache-2.0
// Finding records: newest first, filtered, bounded.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "world/disk.h"

namespace portolan::trail {

/// What to look for; all that is set must hold. eventTime has whole seconds, so `from` is taken down to its second.
struct Filter {
  std::optional<base::WallTime> from;   // inclusive
  std::optional<base::WallTime> until;  // exclusive
  std::string principal;                // ARN, user name, access key id or key id
  std::string tenant;
  std::string profile;  // resolved profile id, or the model as requested
  std::string source_region;
  std::string inference_region;
  std::string outcome;  // "served", "denied", "failed" (trail::Outcome), or an errorCode
  std::string call_id;
  std::string event_name;
  std::size_t limit = 50;  // 0: all
};

/// Records that match, newest first, each the JSON line as it was written. Reads while a Trail writes: a record
/// that is not yet whole is not seen. Closed segments of another time are passed over (segment_index.h). Memory: a
/// window of 1 MiB, four bytes for each record of one segment, and the result. Code::usage for an outcome that no
/// record can have; Code::disk; Code::corrupt, naming file and offset.
base::Result<std::vector<std::string>> lookup(world::Disk& disk, const std::string& directory,
                                              const Filter& filter);

/// Every record, oldest first, until `visit` returns false. For exports, verification and tests.
base::Result<void> scan(world::Disk& disk, const std::string& directory,
                        const std::function<bool(std::string_view json)>& visit);

}  // namespace portolan::trail
