// SPDX-License-Identifier: Apache-2.0
// The disk door: just what an append-only log needs, so that a crash can be simulated exactly (sim/crash_disk.h).
//
// Rules the callers rely on: bytes appended are durable only after sync() returns; a created, renamed or removed
// name is durable only after sync_directory(); after an error from sync() the state of the file is unknown (the
// kernel may have dropped the dirty pages), so the caller must stop using that File.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "world/descriptors.h"

namespace portolan::world {

/// An open file. One owner; not for several threads at once.
class File {
 public:
  virtual ~File() = default;
  /// Appends all of `bytes` (in one write where the system allows). Code::disk with the system's reason.
  virtual base::Result<void> append(std::string_view bytes) = 0;
  /// fdatasync: what was appended is on stable storage when this returns.
  virtual base::Result<void> sync() = 0;
  /// Reads up to `size` bytes at `offset`; fewer only at the end of the file.
  virtual base::Result<std::string> read(std::uint64_t offset, std::size_t size) = 0;
  virtual base::Result<std::uint64_t> size() = 0;
  virtual base::Result<void> truncate(std::uint64_t size) = 0;
};

/// Held until it is destroyed.
class DirectoryLock {
 public:
  virtual ~DirectoryLock() = default;
  /// What holds it, for another process to inherit: the lock lasts until every process has closed its copy. -1 in a
  /// simulation.
  virtual int descriptor() const { return -1; }
};

class Disk {
 public:
  virtual ~Disk() = default;
  /// Creates the directory and its parents; their names are durable on return.
  virtual base::Result<void> make_directory(const std::string& path) = 0;
  /// Opens for append and read; creates when absent. What an existing file then shows is what the medium holds:
  /// dirty pages are synced first and cached ones dropped, for after an earlier failed sync the cache may be wrong.
  virtual base::Result<std::unique_ptr<File>> open(const std::string& path) = 0;
  /// Opens an existing file for reading.
  virtual base::Result<std::unique_ptr<File>> open_existing(const std::string& path) = 0;
  /// Names (not paths) in the directory, sorted.
  virtual base::Result<std::vector<std::string>> list(const std::string& directory) = 0;
  virtual base::Result<void> rename(const std::string& from, const std::string& to) = 0;
  virtual base::Result<void> remove(const std::string& path) = 0;
  virtual base::Result<void> sync_directory(const std::string& directory) = 0;
  /// An exclusive lock on the directory: one process, one trail.
  virtual base::Result<std::unique_ptr<DirectoryLock>> lock(const std::string& directory) = 0;
};

/// The lock that another process holds and handed on as `inherited`. Null when that is not the lock of `directory`.
std::unique_ptr<DirectoryLock> inherited_lock(const std::string& directory, Descriptor inherited);

/// The real file system, mode 0600 for files and 0700 for directories it creates.
std::unique_ptr<Disk> real_disk();

}  // namespace portolan::world
