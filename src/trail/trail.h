// SPDX-License-Identifier: Apache-2.0
// The trail: every call's record, on stable storage before the answer ends.
//
// Records go into append-only segment files `DATA_DIR/trail/trail-NNNNNNNN.seg`. A segment opens with a format line; each
// record is framed by its length and a CRC-32 over length and bytes, so that a torn end is told from a record. One
// writer thread takes all records that wait, writes them in one append, syncs once (group commit) and reports them
// durable together. At most one group is in the making at a time: the busier the gateway, the larger the group.
//
// After a failed append or sync the trail is broken: every record from then on is refused (Code::unrecordable), for the
// kernel may have dropped what it took. Reopening reads what is really there.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "world/clock.h"
#include "world/disk.h"

namespace portolan::trail {

/// A record on its way to the disk. Owned by the caller, who keeps it alive and untouched from append() until it is
/// reported durable.
struct Entry {
  std::string json;
  std::uint32_t reactor = 0;     // whom to wake; the trail does not look at it
  void* waiter = nullptr;        // for the caller's use
  bool failed = false;           // set before the report: the record is not durable
  Entry* next = nullptr;         // the trail's queue
};

/// What opening an existing trail found.
struct Recovery {
  std::uint64_t records = 0;
  std::uint64_t segments = 0;
  /// Bytes after the last whole record of the last segment: cut off and kept aside as trail-NNNNNNNN.torn.
  std::uint64_t bytes_dropped = 0;
  std::string text() const;  // one line for the log
};

struct TrailOptions {
  std::string directory;                       // DATA_DIR/trail
  std::uint64_t segment_bytes = 64ull << 20;   // a new segment begins beyond this
  std::uint32_t records_waiting_max = 100'000; // append() refuses beyond this
};

class Trail {
 public:
  /// Called on the writer thread with all entries of a group, in order, after the sync (or its failure).
  using Report = std::function<void(std::span<Entry*>)>;

  /// Opens or creates the trail; damage anywhere but at the torn end of the last segment is Code::corrupt, naming file
  /// and offset. Starts the writer thread.
  static base::Result<std::unique_ptr<Trail>> open(TrailOptions options, world::Disk& disk, Report report);
  ~Trail();  // writes and reports what waits, then stops

  /// Queues an entry. False when the trail is broken or too many wait: the entry will not be reported. Any thread;
  /// never blocks on the disk.
  bool append(Entry* entry);
  /// Waits until all that was queued before is durable or refused.
  void flush();

  const Recovery& recovery() const { return recovery_; }
  bool broken() const { return broken_.load(std::memory_order_relaxed); }
  std::uint64_t records_durable() const { return records_durable_.load(std::memory_order_relaxed); }
  std::uint64_t groups() const { return groups_.load(std::memory_order_relaxed); }

 private:
  Trail(TrailOptions options, world::Disk& disk, Report report);
  base::Result<void> recover();
  base::Result<void> begin_segment(std::uint64_t number);
  base::Result<void> write_group(std::span<Entry*> group);
  void run();

  TrailOptions options_;
  world::Disk& disk_;
  Report report_;
  Recovery recovery_;
  std::unique_ptr<void, void (*)(void*)> lock_{nullptr, nullptr};
  std::unique_ptr<world::File> segment_;
  std::uint64_t segment_number_ = 0;
  std::uint64_t segment_size_ = 0;
  std::string buffer_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable idle_;
  Entry* first_ = nullptr;
  Entry* last_ = nullptr;
  std::uint32_t waiting_ = 0;
  bool busy_ = false;
  bool stop_ = false;
  std::atomic<bool> broken_{false};
  std::atomic<std::uint64_t> records_durable_{0};
  std::atomic<std::uint64_t> groups_{0};
  std::thread writer_;
};

}  // namespace portolan::trail
