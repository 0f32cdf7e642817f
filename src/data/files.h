// SPDX-License-Identifier: Apache-2.0
// Whole files through the disk door.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "world/disk.h"

namespace portolan::data {

/// The first `size` bytes of the file, a piece of at most 1 MiB at a time. Code::disk, also when there are fewer.
base::Result<void> read_pieces(world::Disk& disk, const std::string& path, std::uint64_t size,
                               const std::function<base::Result<void>(std::string_view piece)>& take);
/// The whole of a small file.
base::Result<std::string> read_file(world::Disk& disk, const std::string& path);
/// Replaces the file at once and durably: by way of PATH.new.
base::Result<void> replace_file(world::Disk& disk, const std::string& path, std::string_view content);
/// Copies the file as it is now, durably but for its name.
base::Result<void> copy_file(world::Disk& disk, const std::string& from, const std::string& to);

bool exists(world::Disk& disk, const std::string& path);
std::string path_in(const std::string& directory, const std::string& name);
std::string directory_of(const std::string& path);

}  // namespace portolan::data
