// SPDX-License-Identifier: Apache-2.0
// The trail: every call's record, on stable storage before the answer ends.
//
// Records go into append-only segment files `DATA_DIR/trail/trail-NNNNNNNN.seg` (segment.h says how they look). One
// writer takes all records that wait, writes them in one append, syncs once (group commit) and reports them durable
// together. At most one group is in the making at a time: the busier the gateway, the larger the group.
//
// After a failed append or sync the trail is broken: the group's records and all from then on are refused
// (Code::unrecordable). The writer then mends it and tries again until that succeeds (trail_recovery.cc says how
// and why that is sound):
//   - an append failed, say for want of space: the segment is cut back to its durable end;
//   - a sync failed: the kernel may have dropped what it took and would deny it afterwards, so the file is never
//     appended to again. It is opened anew, its durable records are verified, and a new segment is begun;
//   - a durable record is gone: the trail stays broken, for a person has to decide.
//
// At a rolling restart two processes have the trail open for a while: the predecessor hands it on (hand_over) and
// goes on with its own segment, for the calls that it still finishes; the successor opens it with the lock that it
// was handed, leaves that segment alone and begins the next (trail_recovery.cc, from 9).
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/result.h"
#include "trail/segment_files.h"
#include "trail/segment_index.h"
#include "world/clock.h"
#include "world/disk.h"

namespace portolan::trail {

/// A record on its way to the disk. Owned by the caller, who keeps it alive and untouched from append() until it is
/// reported durable.
struct Entry {
  std::string json;
  std::uint32_t reactor = 0;  // whom to wake; the trail does not look at it
  void* waiter = nullptr;     // for the caller's use
  bool failed = false;        // set before the report: the record is not durable
  Entry* next = nullptr;      // the trail's queue
};

/// What opening an existing trail found.
struct Recovery {
  std::string last_segment;  // its path
  std::uint64_t records = 0;
  std::uint64_t segments = 0;
  /// Bytes after the last whole record of a segment: cut off and kept aside, appended to trail-NNNNNNNN.torn. No
  /// record among them was ever reported durable.
  std::uint64_t bytes_dropped = 0;
  std::string torn;  // the paths of those segments
  /// Left to the predecessor, which still writes them; their records are not counted.
  std::uint64_t segments_left = 0;
  std::string text() const;  // one line for the log
};

struct TrailOptions {
  std::string directory;                        // DATA_DIR/trail
  std::uint64_t segment_bytes = 64ull << 20;    // a new segment begins beyond this; at most 1 GiB
  std::uint32_t records_waiting_max = 100'000;  // append() refuses beyond this
  /// Under load (group_pace.h) the writer lets records gather this long before the next group. Real time; it is
  /// what a call may wait longer for its last byte.
  std::chrono::microseconds gather{2000};
  /// A broken trail is tried again after this. Real time.
  std::chrono::milliseconds mend_pause{1000};
  /// Called by the writer with a line for the log when the trail breaks, and when it takes records again.
  std::function<void(const std::string&)> tell = [](const std::string&) {};
  /// What a predecessor that handed the trail on, and still writes to its segment, gave of its lock on the
  /// directory. Null: nobody else may have the trail open.
  std::shared_ptr<world::DirectoryLock> inherited_lock;
  /// False: no writer thread; the owner calls write_waiting() and mend(). For simulation, where one seed rebuilds a
  /// run.
  bool writer_thread = true;
};

class Trail {
 public:
  /// Called by the writer with all entries of a group, in order, after the sync (or its failure). The entries are
  /// the caller's again; wake each reactor once for a group.
  using Report = std::function<void(std::span<Entry*>)>;

  /// Opens or creates the trail and starts the writer. Code::corrupt, naming file and offset, when records that
  /// were durable are damaged: anywhere but at the torn end of an open segment. Code::disk when the disk says no
  /// or another process has the trail open.
  static base::Result<std::unique_ptr<Trail>> open(TrailOptions options, world::Disk& disk, Report report);
  ~Trail();  // writes and reports what waits, then stops

  /// Queues an entry. False when the trail is broken, too many wait, or the record is empty or longer than
  /// record_bytes_max: the entry will not be reported. Any thread; never waits for the disk: one atomic exchange,
  /// and a wake-up when the writer sleeps.
  bool append(Entry* entry);
  /// Waits until all that was queued before is durable or refused. Any thread but the writer.
  void flush();
  /// Writes and reports what waits, on this thread; false when nothing did. Only without a writer thread.
  bool write_waiting();
  /// Makes a broken trail take records again if the disk allows it by now; false when it stays broken. Only without
  /// a writer thread.
  bool mend();

  /// From now on another process may open the trail with a copy of lock(). This one begins no segment any more, but
  /// goes on with its own however long that grows (a start takes seconds, and offsets have 4 GiB), and closes it
  /// when the trail ends. Code::disk, Code::unrecordable when the trail is broken: then nothing has changed. Any
  /// thread but the writer. Not while this one's own predecessor lives, nor twice without take_back() between.
  base::Result<void> hand_over();
  /// The other process is gone, and none will open the trail: segments are begun again.
  void take_back();
  const std::shared_ptr<world::DirectoryLock>& lock() const { return lock_; }

  const Recovery& recovery() const { return recovery_; }
  bool broken() const { return broken_.load(std::memory_order_relaxed); }
  /// Why the trail is broken; nothing while it is not. Any thread.
  std::optional<base::Error> failure() const;
  std::uint64_t records_durable() const { return records_durable_.load(std::memory_order_relaxed); }
  std::uint64_t groups() const { return groups_.load(std::memory_order_relaxed); }
  /// Records that were appended and are neither durable nor refused yet.
  std::uint32_t records_waiting() const { return waiting_.load(std::memory_order_relaxed); }

 private:
  struct Flush;

  Trail(TrailOptions options, world::Disk& disk, Report report);
  std::string path(std::string_view name) const { return options_.directory + "/" + std::string(name); }

  /// A segment brought to its durable end, on stable storage.
  struct Recovered {
    std::unique_ptr<world::File> file;
    SegmentIndex index;
    std::uint64_t bytes_dropped = 0;
  };
  base::Result<void> recover();
  base::Result<void> recover_segment(const SegmentPlace& place, bool last);
  base::Result<void> check_closed_segment(const SegmentPlace& place);
  base::Result<Recovered> recover_open_segment(std::uint32_t number);
  base::Result<std::uint64_t> cut_torn_end(world::File& segment, const std::string& name, std::uint64_t durable_end,
                                           std::uint64_t size);
  base::Result<void> keep_aside(world::File& segment, const std::string& name, std::uint64_t from,
                                std::uint64_t end);
  base::Result<void> begin_segment(std::uint32_t number);

  base::Result<Recovered> close_left_segment(const SegmentPlace& place);
  base::Result<void> close_segments_of_others();
  base::Result<void> remove_mark(std::uint32_t number);
  base::Result<void> rotate();
  base::Result<void> begin_next_segment();
  void close_own_segment();

  base::Result<void> repair();
  base::Result<void> cut_failed_append();
  base::Result<void> leave_doubted_segment();
  base::Result<void> verify_durable(world::File& file, std::uint64_t size);
  void break_with(base::Error error);

  void push(Entry* entry);
  void run();
  bool sleep();
  void write_batch();
  void write_and_report(std::span<Entry*> group);
  base::Result<void> write_group(std::span<Entry*> group);

  TrailOptions options_;
  world::Disk& disk_;
  Report report_;
  Recovery recovery_;
  std::shared_ptr<world::DirectoryLock> lock_;

  // The writer's own.
  std::unique_ptr<world::File> segment_;
  std::uint32_t segment_number_ = 0;  // changed under succession_
  std::uint64_t segment_size_ = 0;    // up to its durable end
  SegmentIndex index_;                // of the durable records
  std::string buffer_;
  /// What has to be done before the next group, after something failed.
  enum class Repair : std::uint8_t { none, begin_next_segment, cut_failed_append, leave_segment, impossible };
  Repair repair_ = Repair::none;
  std::vector<Entry*> batch_;
  std::vector<Flush*> flushes_;

  std::mutex succession_;            // guards what follows; the writer takes it only to begin a segment
  std::uint32_t newest_number_ = 0;  // of all segments in the directory
  bool handed_over_ = false;         // the next segment is another process's
  bool marked_ = false;              // this one's segment
  bool others_left_some_ = false;    // segments that nobody closed

  // The queue: a stack, newest first, that appenders push to and the writer takes whole. `asleep_` at its bottom
  // says that the writer sleeps; whoever replaces it wakes the writer.
  Entry asleep_;
  std::atomic<Entry*> queue_{nullptr};
  std::atomic<std::uint32_t> waiting_{0};

  mutable std::mutex mutex_;  // only for sleeping, flushing and failing
  std::condition_variable wake_;
  std::condition_variable flushed_;
  bool stop_ = false;
  std::optional<base::Error> failure_;
  std::atomic<bool> broken_{false};
  std::atomic<std::uint64_t> records_durable_{0};
  std::atomic<std::uint64_t> groups_{0};
  std::thread writer_;
};

}  // namespace portolan::trail
