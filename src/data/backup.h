// SPDX-License-Identifier: Apache-2.0
// A data directory, copied while its gateway works, into one sealed file (sealed_file.h); and back.
//
// What is sealed is a row of entries: u32 length of the name, the name, then pieces (u32 length, bytes) up to one
// of length 0; a name of length 0 ends the row. The last entry is manifest.json: the versions, when it was made,
// how many records it holds, and size and SHA-256 of every other entry.
//
// It is taken from the files, not through the gateway: the trail only grows, so that what was there when the backup
// began is a prefix that nobody changes any more. Of the last segment the whole frames are taken. They may end
// within the group that is being written; then they are what a crash at that moment would have left, which is what
// recovery is made for: every record that was durable when the backup began is among them. A backup therefore works
// as well when no gateway runs. Indexes, locks and admin.url are left out, for they are made anew.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "base/time.h"
#include "data/sealed_file.h"
#include "world/disk.h"

namespace portolan::data {

/// Something beside the trail that a backup holds: its name in the directory, and how a consistent copy of it is
/// read. A database gives its own copy here.
struct Piece {
  using Take = std::function<base::Result<void>(std::string_view bytes)>;
  std::string name;
  std::function<base::Result<void>(const Take& take)> read;
};

/// The small files that the directory has: format, admin.key, and master.key and portolan.yaml of `portolan up`.
std::vector<Piece> small_pieces(world::Disk& disk, const std::string& directory);
/// One text under a name.
Piece text_piece(std::string name, std::string text);

struct BackupPlan {
  std::string directory;
  std::string to;  // must not exist; written as TO.part first
  std::vector<Piece> pieces;
  base::Secret passphrase;
  Salt salt{};
  std::uint32_t log2_n = 15;  // what guessing a passphrase costs (sealed_file.h); tests are in a hurry
  base::WallTime now{};
  std::string program_version;
};

struct BackupSummary {
  base::WallTime made{};
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;  // before sealing
  std::uint64_t records = 0;
};

/// Code::usage when `to` exists; Code::corrupt when the trail is damaged, for a backup of that would be none;
/// Code::disk.
base::Result<BackupSummary> back_up(world::Disk& disk, const BackupPlan& plan);

/// Writes the entries of `from` into `directory`, which must hold no file yet, checks each against the manifest,
/// and opens the trail. Code::corrupt, naming the backup and the entry; Code::disk. On an error the directory is
/// not to be used.
base::Result<BackupSummary> restore(world::Disk& disk, const std::string& from, const base::Secret& passphrase,
                                    const std::string& directory);

}  // namespace portolan::data
