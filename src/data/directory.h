// SPDX-License-Identifier: Apache-2.0
// The format of a data directory as a whole.
//
// DATA_DIR/format holds one line, "portolan-data N". N governs everything in the directory that does not carry a
// version of its own:
//
//   format          this
//   admin.key       64 hexadecimal digits
//   admin.url       where the running gateway's admin port is; made anew at each start
//   master.key      of `portolan up` only, which has no better place; a configuration names its own
//   portolan.yaml   of `portolan up` only; a configuration has its own `version`
//   keys.db         carries its version (store/database.h)
//   policy.db       the same
//   trail/*.seg     each carries its version (trail/segment.h)
//   trail/*.idx     each carries its version; made anew when it is another (trail/segment_index.h)
//   trail/*.open    empty; its segment is left to a process that hands over (trail/trail_recovery.cc)
//   trail/*.torn    bytes as a crash left them
//   trail/lock      empty
//
// Format 1 is what was written before there was this file: it has none. Format 2 added it, the indexes, and space
// reserved at the end of the last segment.
//
// A newer directory is refused and not touched. An older one is migrated at the start of a gateway: first every
// file that the migration or the start may change (all but closed segments, which nothing changes) is copied into
// DATA_DIR/before-format-N, then the migrations run, then the new number is written. A crash in between leaves the
// old number, so all of it is done again.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "world/disk.h"

namespace portolan::data {

inline constexpr std::uint32_t directory_format = 2;

/// Takes a directory from format `from` to the next. Must bear to be run again after it was interrupted anywhere.
struct Migration {
  std::uint32_t from = 0;
  std::function<base::Result<void>(world::Disk& disk, const std::string& directory)> run;
};

/// The directory's format; nothing when it is new. Code::disk; Code::corrupt when DATA_DIR/format says nothing that
/// can be understood.
base::Result<std::optional<std::uint32_t>> found_format(world::Disk& disk, const std::string& directory);

/// For commands that only read: Code::disk when the directory is of a newer format.
base::Result<void> expect_readable(world::Disk& disk, const std::string& directory);

/// Makes the directory when there is none, and brings it to the present format. Returns a line for the log, empty
/// when nothing was migrated. Code::disk when it is newer, in use, or cannot be written.
base::Result<std::string> prepare_directory(world::Disk& disk, const std::string& directory);
/// The same with a table of one's own, one for each step up to `newest`: for tests.
base::Result<std::string> prepare_directory(world::Disk& disk, const std::string& directory, std::uint32_t newest,
                                            std::span<const Migration> migrations);

}  // namespace portolan::data
