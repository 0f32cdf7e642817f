// SPDX-License-Identifier: Apache-2.0
// A disk in memory that loses power, exactly as badly as world/disk.h allows.
//
// It keeps two versions of everything: what the kernel shows and what the medium holds. A sync carries the one to
// the other; power loss leaves, of what was not synced, any part:
//   - each 512-byte sector on its own is new, old, or torn in the middle (so later writes may survive earlier
//   ones);
//     beyond the old end, old means zeros;
//   - the file's size is the old one, the new one, or anything between;
//   - each created, renamed or removed name is kept or lost on its own.
// After a sync that failed, the kernel believes the sectors clean: they may or may not be on the medium, reads go
// on showing them, no later sync carries them, and opening the file anew shows what the medium holds.
//
// Everything random comes from the seed. Any thread; one mutex over the whole disk.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "world/disk.h"

namespace portolan::sim {

/// What shall go wrong. Operations are counted from 1 over the disk's life: append, sync, truncate, a name created,
/// renamed or removed, sync_directory. Zero: never.
struct DiskFaults {
  std::uint64_t power_loss_at = 0;   // during this operation; it and every later one fail
  std::uint64_t sync_error_at = 0;   // the first sync of a file at or after this operation fails, once
  std::uint64_t short_write_at = 0;  // the first append at or after this operation writes a part and fails, once
  std::uint64_t bytes_max = 0;       // the disk is full beyond this
  bool read_only = false;            // nothing may be created or opened for appending
  bool syncs_hang = false;           // syncs of files wait until other faults are set
};

class CrashDisk final : public world::Disk {
 public:
  explicit CrashDisk(std::uint64_t seed, DiskFaults faults = {});
  ~CrashDisk() override;

  base::Result<void> make_directory(const std::string& path) override;  // durable at once
  base::Result<std::unique_ptr<world::File>> open(const std::string& path) override;
  base::Result<std::unique_ptr<world::File>> open_existing(const std::string& path) override;
  base::Result<std::vector<std::string>> list(const std::string& directory) override;
  base::Result<void> rename(const std::string& from, const std::string& to) override;
  base::Result<void> remove(const std::string& path) override;
  base::Result<void> sync_directory(const std::string& directory) override;
  /// The lock must not outlive the disk.
  base::Result<std::unique_ptr<world::DirectoryLock>> lock(const std::string& directory) override;

  /// Power loss now: the disk as the next boot finds it. This one refuses everything from then on.
  std::unique_ptr<CrashDisk> crash(std::uint64_t seed);
  /// The faults from now on; operations go on counting.
  void set_faults(DiskFaults faults);
  std::uint64_t operations() const;
  bool has_power() const;

  /// For tests that look at or damage a file behind everyone's back; nothing when it does not exist.
  std::optional<std::string> content(const std::string& path) const;
  /// Puts a durable file in place.
  void put(const std::string& path, std::string content);

 private:
  class OpenFile;
  class HeldLock;

  struct Inode {
    std::string shown;  // by the kernel
    std::string medium;
    std::set<std::size_t> dirty;  // sectors that the next sync carries over
    bool size_dirty = false;
  };
  using InodePtr = std::shared_ptr<Inode>;
  /// One change of names not yet synced; null: the name is gone. A rename is two names and happens whole or not.
  struct NameChange {
    std::vector<std::pair<std::string, InodePtr>> names;
  };
  using Names = std::map<std::string, InodePtr>;

  // All with mutex_ held.
  base::Result<void> begin_operation(const std::string& path);
  base::Result<InodePtr> find(const std::string& path) const;
  void change_names(NameChange change);
  void write(Inode& inode, std::string_view bytes);
  base::Result<void> sync(const std::string& path, Inode& inode);
  std::uint64_t bytes_used() const;
  static void apply(const NameChange& change, Names& names);

  mutable std::mutex mutex_;
  std::condition_variable faults_changed_;
  base::Random random_;
  DiskFaults faults_;
  std::uint64_t operations_ = 0;
  bool powered_ = true;
  Names names_;
  Names medium_names_;
  std::vector<NameChange> changes_;
  std::set<std::string> directories_;
  std::set<std::string> locked_;
};

}  // namespace portolan::sim
