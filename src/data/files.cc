// SPDX-License-Identifier: Apache-2.0
#include "data/files.h"

#include <algorithm>

namespace portolan::data {
namespace {

constexpr std::uint64_t piece_bytes = 1 << 20;

}  // namespace

bool exists(world::Disk& disk, const std::string& path) {
  return disk.open_existing(path).has_value();
}

std::string path_in(const std::string& directory, const std::string& name) {
  return directory + "/" + name;
}

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

base::Result<void> read_pieces(world::Disk& disk, const std::string& path, std::uint64_t size,
                               const std::function<base::Result<void>(std::string_view piece)>& take) {
  TRY(const std::unique_ptr<world::File> file, disk.open_existing(path));
  for (std::uint64_t at = 0; at < size;) {
    const std::uint64_t wanted = std::min(piece_bytes, size - at);
    TRY(const std::string piece, file->read(at, wanted));
    if (piece.size() < wanted) return base::fail(base::Code::disk, path + ": became shorter while it was read");
    TRY_VOID(take(piece));
    at += piece.size();
  }
  return {};
}

base::Result<std::string> read_file(world::Disk& disk, const std::string& path) {
  TRY(const std::unique_ptr<world::File> file, disk.open_existing(path));
  TRY(const std::uint64_t size, file->size());
  return file->read(0, size);
}

base::Result<void> replace_file(world::Disk& disk, const std::string& path, std::string_view content) {
  const std::string fresh = path + ".new";
  TRY(const std::unique_ptr<world::File> file, disk.open(fresh));
  TRY_VOID(file->truncate(0));
  TRY_VOID(file->append(content));
  TRY_VOID(file->sync());
  TRY_VOID(disk.rename(fresh, path));
  return disk.sync_directory(directory_of(path));
}

base::Result<void> copy_file(world::Disk& disk, const std::string& from, const std::string& to) {
  TRY(const std::unique_ptr<world::File> source, disk.open_existing(from));
  TRY(const std::uint64_t size, source->size());
  TRY(const std::unique_ptr<world::File> copy, disk.open(to));
  TRY_VOID(copy->truncate(0));
  TRY_VOID(read_pieces(disk, from, size, [&](std::string_view piece) { return copy->append(piece); }));
  return copy->sync();
}

}  // namespace portolan::data
