// SPDX-License-Identifier: Apache-2.0
#include "data/backup.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/sha256.h"
#include "data/directory.h"
#include "data/files.h"
#include "trail/segment_files.h"
#include "trail/trail.h"

namespace portolan::data {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint32_t manifest_version = 1;
constexpr std::string_view manifest_name = "manifest.json";
constexpr std::size_t name_bytes_max = 255;
constexpr std::size_t piece_bytes_max = 1 << 20;
constexpr std::size_t manifest_bytes_max = 64 << 20;

std::string be32(std::size_t value) {
  std::string bytes;
  base::append_be32(bytes, static_cast<std::uint32_t>(value));
  return bytes;
}

/// Writes entries and keeps the manifest's account of them.
class EntryWriter {
 public:
  explicit EntryWriter(SealedWriter& sealed) : sealed_(sealed) {}

  base::Result<void> add(const Piece& piece) {
    base::Sha256 hash;
    std::uint64_t size = 0;
    TRY_VOID(write(piece, [&](std::string_view bytes) {
      hash.update(bytes);
      size += bytes.size();
    }));
    files_.push_back(Json{{"name", piece.name}, {"size", size}, {"sha256", base::to_hex(hash.finish())}});
    bytes_ += size;
    return {};
  }

  base::Result<void> finish(Json manifest) {
    manifest["files"] = files_;
    TRY_VOID(write(text_piece(std::string(manifest_name), manifest.dump(2) + "\n"), [](std::string_view) {}));
    TRY_VOID(sealed_.write(be32(0)));
    return sealed_.finish();
  }

  std::uint64_t files() const { return files_.size(); }
  std::uint64_t bytes() const { return bytes_; }

 private:
  base::Result<void> write(const Piece& piece, const std::function<void(std::string_view)>& see) {
    TRY_VOID(sealed_.write(be32(piece.name.size()) + piece.name));
    TRY_VOID(piece.read([&](std::string_view bytes) -> base::Result<void> {
      while (!bytes.empty()) {
        const std::string_view part = bytes.substr(0, piece_bytes_max);
        see(part);
        TRY_VOID(sealed_.write(be32(part.size())));
        TRY_VOID(sealed_.write(part));
        bytes.remove_prefix(part.size());
      }
      return {};
    }));
    return sealed_.write(be32(0));
  }

  SealedWriter& sealed_;
  Json files_ = Json::array();
  std::uint64_t bytes_ = 0;
};

Piece file_piece(world::Disk& disk, std::string name, std::string path, std::uint64_t size) {
  return {.name = std::move(name), .read = [&disk, path = std::move(path), size](const Piece::Take& take) {
            return read_pieces(disk, path, size, take);
          }};
}

/// Each segment up to its last whole frame. Gives how many records there were.
base::Result<std::uint64_t> add_trail(world::Disk& disk, const std::string& directory, EntryWriter& entries) {
  std::uint64_t records = 0;
  const std::string trail = directory + "/trail";
  TRY(const std::vector<trail::SegmentPlace> places, trail::find_segments(disk, trail));
  for (const trail::SegmentPlace& place : places) {
    TRY(trail::Segment segment, trail::open_segment(disk, trail, place));
    if (segment.unborn) break;
    std::uint64_t end = trail::header_bytes;
    TRY([[maybe_unused]] const bool all, trail::for_each_frame(segment, [&](const trail::Frame& frame) {
          ++records;
          end = frame.end();
          return true;
        }));
    TRY_VOID(entries.add(file_piece(disk, path_in("trail", trail::segment_name(place.number)), segment.path, end)));
  }
  TRY(const std::vector<std::string> names, disk.list(trail));
  for (const std::string& name : names) {
    if (!name.ends_with(".torn")) continue;
    TRY(const std::unique_ptr<world::File> file, disk.open_existing(path_in(trail, name)));
    TRY(const std::uint64_t size, file->size());
    TRY_VOID(entries.add(file_piece(disk, path_in("trail", name), path_in(trail, name), size)));
  }
  return records;
}

base::Error refused(const std::string& from, std::string_view entry, std::string_view why) {
  return base::error(base::Code::corrupt, from + ": " + std::string(entry) + ": " + std::string(why) +
                                              "; nothing of it is used: take another backup");
}

/// Names are authenticated, and looked at all the same: no file is written outside the directory.
bool is_plain_name(std::string_view name) {
  const bool characters = std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_' || c == '/';
  });
  return characters && !name.empty() && name.size() <= name_bytes_max && !name.starts_with('/') &&
         !name.starts_with('.') && !name.ends_with('/') && !name.contains("/.") && !name.contains("//");
}

/// Reads entries in order.
class EntryReader {
 public:
  explicit EntryReader(SealedReader& sealed) : sealed_(sealed) {}

  /// Empty at the end.
  base::Result<std::string> name() {
    TRY(const std::size_t size, number());
    if (size > name_bytes_max) return std::string("?");
    TRY(const std::string_view name, sealed_.read(size));
    return std::string(name);
  }
  base::Result<void> pieces(const Piece::Take& take) {
    for (;;) {
      TRY(const std::size_t size, number());
      if (size == 0) return {};
      if (size > piece_bytes_max) return base::fail(base::Code::corrupt, "a piece is too long");
      TRY(const std::string_view bytes, sealed_.read(size));
      TRY_VOID(take(bytes));
    }
  }

 private:
  base::Result<std::size_t> number() {
    TRY(const std::string_view bytes, sealed_.read(4));
    return base::get_be32(base::as_bytes(bytes).data());
  }

  SealedReader& sealed_;
};

base::Result<Json> restore_file(world::Disk& disk, EntryReader& entries, const std::string& name,
                                const std::string& path) {
  TRY_VOID(disk.make_directory(directory_of(path)));
  TRY(const std::unique_ptr<world::File> file, disk.open(path));
  base::Sha256 hash;
  std::uint64_t size = 0;
  TRY_VOID(entries.pieces([&](std::string_view bytes) {
    hash.update(bytes);
    size += bytes.size();
    return file->append(bytes);
  }));
  TRY_VOID(file->sync());
  TRY_VOID(disk.sync_directory(directory_of(path)));
  return Json{{"name", name}, {"size", size}, {"sha256", base::to_hex(hash.finish())}};
}

base::Result<BackupSummary> check_manifest(const std::string& from, const std::string& text, const Json& written) {
  const Json manifest = Json::parse(text, nullptr, false);
  if (!manifest.is_object() || !manifest.contains("version") || !manifest["version"].is_number_unsigned())
    return base::fail(refused(from, manifest_name, "cannot be read"));
  const auto version = manifest["version"].get<std::uint32_t>();
  if (version > manifest_version) return base::fail(trail::newer_format(from, version, manifest_version));
  BackupSummary summary;
  if (!manifest.contains("files") || !manifest["files"].is_array() || !manifest.contains("records") ||
      !manifest["records"].is_number_unsigned() || !manifest.contains("made") || !manifest["made"].is_string() ||
      !base::parse_time(manifest["made"].get<std::string>(), summary.made))
    return base::fail(refused(from, manifest_name, "cannot be read"));
  for (std::size_t i = 0; i < std::max(written.size(), manifest["files"].size()); ++i) {
    if (i < written.size() && i < manifest["files"].size() && manifest["files"][i] == written[i]) {
      summary.bytes += written[i]["size"].get<std::uint64_t>();
      continue;
    }
    const Json& entry = i < written.size() ? written[i] : manifest["files"][i];
    return base::fail(
        refused(from, entry.is_object() ? entry.value("name", "?") : "?", "is not what the manifest says"));
  }
  summary.files = written.size();
  summary.records = manifest["records"].get<std::uint64_t>();
  return summary;
}

base::Result<void> check_trail(world::Disk& disk, const std::string& from, const std::string& directory,
                               std::uint64_t records) {
  TRY_VOID(expect_readable(disk, directory));
  TRY(const std::unique_ptr<trail::Trail> trail,
      trail::Trail::open({.directory = directory + "/trail", .writer_thread = false}, disk, [](auto) {}));
  if (trail->recovery().records == records) return {};
  return base::fail(refused(from, "trail",
                            "holds " + std::to_string(trail->recovery().records) + " records, not the " +
                                std::to_string(records) + " of the manifest"));
}

}  // namespace

Piece text_piece(std::string name, std::string text) {
  return {.name = std::move(name),
          .read = [text = std::move(text)](const Piece::Take& take) { return take(text); }};
}

std::vector<Piece> small_pieces(world::Disk& disk, const std::string& directory) {
  std::vector<Piece> pieces;
  for (const char* name : {"format", "admin.key", "master.key", "portolan.yaml"}) {
    const std::string path = directory + "/" + name;
    if (!exists(disk, path)) continue;
    pieces.push_back({.name = name, .read = [&disk, path](const Piece::Take& take) -> base::Result<void> {
                        TRY(const std::string text, read_file(disk, path));
                        return take(text);
                      }});
  }
  return pieces;
}

base::Result<BackupSummary> back_up(world::Disk& disk, const BackupPlan& plan) {
  TRY_VOID(expect_readable(disk, plan.directory));
  if (exists(disk, plan.to))
    return base::fail(base::Code::usage, plan.to + " exists; a backup replaces nothing: name another file");
  const std::string part = plan.to + ".part";
  TRY(const std::unique_ptr<SealedWriter> sealed,
      SealedWriter::create(disk, part, plan.passphrase, plan.salt, plan.log2_n));
  EntryWriter entries(*sealed);
  for (const Piece& piece : plan.pieces) TRY_VOID(entries.add(piece));
  TRY(const std::uint64_t records, add_trail(disk, plan.directory, entries));
  TRY_VOID(entries.finish(Json{{"version", manifest_version},
                               {"made", base::iso8601(plan.now)},
                               {"portolan", plan.program_version},
                               {"records", records}}));
  TRY_VOID(disk.rename(part, plan.to));
  TRY_VOID(disk.sync_directory(directory_of(plan.to)));
  return BackupSummary{.made = plan.now, .files = entries.files(), .bytes = entries.bytes(), .records = records};
}

base::Result<BackupSummary> restore(world::Disk& disk, const std::string& from, const base::Secret& passphrase,
                                    const std::string& directory) {
  TRY(const std::unique_ptr<SealedReader> sealed, SealedReader::open(disk, from, passphrase));
  EntryReader entries(*sealed);
  TRY_VOID(disk.make_directory(directory));
  Json written = Json::array();
  std::string manifest;
  for (;;) {
    TRY(const std::string name, entries.name());
    if (name.empty()) break;
    if (!is_plain_name(name) || !manifest.empty()) return base::fail(refused(from, name, "has no place here"));
    if (name == manifest_name) {
      TRY_VOID(entries.pieces([&](std::string_view bytes) -> base::Result<void> {
        if (manifest.size() + bytes.size() > manifest_bytes_max)
          return base::fail(refused(from, manifest_name, "is too long"));
        manifest += bytes;
        return {};
      }));
      continue;
    }
    TRY(Json entry, restore_file(disk, entries, name, path_in(directory, name)));
    written.push_back(std::move(entry));
  }
  TRY(const bool at_end, sealed->at_end());
  if (!at_end) return base::fail(refused(from, "its end", "is followed by more"));
  TRY(const BackupSummary summary, check_manifest(from, manifest, written));
  TRY_VOID(check_trail(disk, from, directory, summary.records));
  return summary;
}

}  // namespace portolan::data
