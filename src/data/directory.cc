// SPDX-License-Identifier: Apache-2.0
#include "data/directory.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include "data/files.h"
#include "trail/segment_files.h"

namespace portolan::data {
namespace {

constexpr std::string_view lead = "portolan-data ";

bool has_trail(world::Disk& disk, const std::string& directory) {
  const auto segments = trail::find_segments(disk, directory + "/trail");
  return segments && !segments->empty();
}

base::Result<std::uint32_t> parse_format(std::string_view text, const std::string& path) {
  std::uint32_t format = 0;
  if (text.starts_with(lead) && text.ends_with('\n')) {
    const std::string_view digits = text.substr(lead.size(), text.size() - lead.size() - 1);
    const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), format);
    if (failure == std::errc{} && end == digits.data() + digits.size() && format >= 2) return format;
  }
  return base::fail(base::Code::corrupt,
                    path +
                        ": damaged: one line, \"portolan-data N\", is expected; restore the directory from a "
                        "backup, or write the number of the format that the log named last");
}

/// What a migration, or the start after it, may change: all but closed segments.
std::vector<std::string> changeable_files(world::Disk& disk, const std::string& directory) {
  std::vector<std::string> files;
  for (const char* name : {"format", "admin.key", "portolan.yaml"})
    if (exists(disk, directory + "/" + name)) files.emplace_back(name);
  const auto names = disk.list(directory + "/trail");
  const auto segments = trail::find_segments(disk, directory + "/trail");
  if (!names || !segments) return files;
  for (const std::string& name : *names)
    if (name.ends_with(".torn")) files.push_back("trail/" + name);
  for (const trail::SegmentPlace& place : *segments) {
    if (place.open) files.push_back("trail/" + trail::segment_name(place.number));
    if (place.marked) files.push_back("trail/" + trail::mark_name(place.number));
  }
  return files;
}

base::Result<void> keep_copies(world::Disk& disk, const std::string& directory, const std::string& kept) {
  TRY_VOID(disk.make_directory(kept));
  TRY_VOID(disk.make_directory(kept + "/trail"));
  for (const std::string& file : changeable_files(disk, directory))
    TRY_VOID(copy_file(disk, path_in(directory, file), path_in(kept, file)));
  TRY_VOID(disk.sync_directory(kept + "/trail"));
  return disk.sync_directory(kept);
}

base::Result<void> write_format(world::Disk& disk, const std::string& directory, std::uint32_t format) {
  return replace_file(disk, directory + "/format", std::string(lead) + std::to_string(format) + "\n");
}

/// From 1 to 2 nothing that exists changes: the indexes are written by the trail when it is opened.
const std::array<Migration, 1> all_migrations{
    Migration{.from = 1, .run = [](world::Disk&, const std::string&) { return base::Result<void>{}; }}};

}  // namespace

base::Result<std::optional<std::uint32_t>> found_format(world::Disk& disk, const std::string& directory) {
  const std::string path = directory + "/format";
  if (exists(disk, path)) {
    TRY(const std::string text, read_file(disk, path));
    TRY(const std::uint32_t format, parse_format(text, path));
    return format;
  }
  if (exists(disk, directory + "/admin.key") || has_trail(disk, directory)) return 1;
  return std::nullopt;
}

base::Result<void> expect_readable(world::Disk& disk, const std::string& directory) {
  TRY(const std::optional<std::uint32_t> format, found_format(disk, directory));
  if (format && *format > directory_format)
    return base::fail(trail::newer_format(directory + "/format", *format, directory_format));
  return {};
}

base::Result<std::string> prepare_directory(world::Disk& disk, const std::string& directory) {
  return prepare_directory(disk, directory, directory_format, all_migrations);
}

base::Result<std::string> prepare_directory(world::Disk& disk, const std::string& directory, std::uint32_t newest,
                                            std::span<const Migration> migrations) {
  TRY_VOID(disk.make_directory(directory));
  TRY(const std::optional<std::uint32_t> found, found_format(disk, directory));
  if (found && *found > newest) return base::fail(trail::newer_format(directory + "/format", *found, newest));
  if (found == newest) return std::string{};
  if (!found) {
    TRY_VOID(write_format(disk, directory, newest));
    return std::string{};
  }
  // Whoever has the trail open would go on writing what is being migrated.
  TRY_VOID(disk.make_directory(directory + "/trail"));
  TRY(const auto lock, disk.lock(directory + "/trail"));
  const std::string kept = directory + "/before-format-" + std::to_string(newest);
  TRY_VOID(keep_copies(disk, directory, kept));
  for (std::uint32_t format = *found; format < newest; ++format) {
    const auto step = std::ranges::find(migrations, format, &Migration::from);
    if (step == migrations.end())
      return base::fail(base::Code::internal, "no migration from format " + std::to_string(format));
    TRY_VOID(step->run(disk, directory));
  }
  TRY_VOID(write_format(disk, directory, newest));
  return "data directory " + directory + ": migrated from format " + std::to_string(*found) + " to " +
         std::to_string(newest) + "; what was there before is kept in " + kept;
}

}  // namespace portolan::data
