// SPDX-License-Identifier: Apache-2.0
#include "trail/trail.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/check.h"
#include "trail/group_pace.h"
#include "trail/segment.h"

namespace portolan::trail {
namespace {

constexpr std::uint64_t segment_bytes_max = 1ull << 30;
// A group beyond this is cut in two, so that the writer's buffer stays small. Group starts stay far inside 32 bits.
constexpr std::size_t group_bytes_max = 4 << 20;

}  // namespace

/// A place in the queue that flush() waits for.
struct Trail::Flush : Entry {
  bool done = false;
};

std::string Recovery::text() const {
  std::string line = fmt::format("trail: {} records in {} segments", records, segments);
  if (segments_left != 0) line += fmt::format("; {} left to the predecessor, which still writes", segments_left);
  if (bytes_dropped != 0)
    line += fmt::format(
        "; {} bytes after the last whole record of {} dropped (never reported durable), kept in its "
        ".torn file",
        bytes_dropped, torn);
  return line;
}

Trail::Trail(TrailOptions options, world::Disk& disk, Report report)
    : options_(std::move(options)), disk_(disk), report_(std::move(report)) {
  options_.segment_bytes = std::min(options_.segment_bytes, segment_bytes_max);
}

base::Result<std::unique_ptr<Trail>> Trail::open(TrailOptions options, world::Disk& disk, Report report) {
  std::unique_ptr<Trail> trail{new Trail(std::move(options), disk, std::move(report))};
  TRY_VOID(trail->recover());
  if (trail->options_.writer_thread) trail->writer_ = std::thread([raw = trail.get()] { raw->run(); });
  return trail;
}

Trail::~Trail() {
  if (writer_.joinable()) {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_one();
    writer_.join();
  } else {
    while (write_waiting()) {
    }
  }
  close_own_segment();
}

std::optional<base::Error> Trail::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

// ---- appending

void Trail::push(Entry* entry) {
  Entry* newest = queue_.load(std::memory_order_relaxed);
  do {
    entry->next = newest == &asleep_ ? nullptr : newest;
  } while (!queue_.compare_exchange_weak(newest, entry, std::memory_order_release, std::memory_order_relaxed));
  if (newest != &asleep_) return;
  // The writer holds the mutex from marking itself asleep until it waits; passing through it here means that it
  // waits.
  {
    const std::lock_guard lock(mutex_);
  }
  wake_.notify_one();
}

bool Trail::append(Entry* entry) {
  if (broken() || entry->json.empty() || entry->json.size() > record_bytes_max) return false;
  if (waiting_.fetch_add(1, std::memory_order_relaxed) >= options_.records_waiting_max) {
    waiting_.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }
  entry->failed = false;
  push(entry);
  return true;
}

void Trail::flush() {
  if (!options_.writer_thread) {
    while (write_waiting()) {
    }
    return;
  }
  Flush flush;  // no record: the writer tells it by that
  push(&flush);
  std::unique_lock lock(mutex_);
  flushed_.wait(lock, [&] { return flush.done; });
}

// ---- the writer

void Trail::run() {
  const world::RealClock clock;
  GroupPace pace;
  for (;;) {
    if (!write_waiting()) {
      if (!sleep()) return;
      continue;
    }
    if (pace.note(batch_.size(), clock.now())) std::this_thread::sleep_for(options_.gather);
  }
}

/// Sleeps until something waits, or a broken trail may be tried again. False when the trail stops and nothing
/// waits.
bool Trail::sleep() {
  std::unique_lock lock(mutex_);
  Entry* expected = nullptr;
  if (!queue_.compare_exchange_strong(expected, &asleep_, std::memory_order_relaxed)) return true;
  const auto woken = [&] { return stop_ || queue_.load(std::memory_order_relaxed) != &asleep_; };
  const bool mendable = repair_ != Repair::none && repair_ != Repair::impossible;
  bool time_to_mend = false;
  if (mendable)
    time_to_mend = !wake_.wait_for(lock, options_.mend_pause, woken);
  else
    wake_.wait(lock, woken);
  expected = &asleep_;
  const bool nothing_waits = queue_.compare_exchange_strong(expected, nullptr, std::memory_order_relaxed);
  if (nothing_waits && stop_) return false;
  lock.unlock();
  if (time_to_mend) mend();
  return true;
}

bool Trail::write_waiting() {
  Entry* newest = queue_.exchange(nullptr, std::memory_order_acquire);
  if (newest == nullptr) return false;
  batch_.clear();
  flushes_.clear();
  for (Entry* entry = newest; entry != nullptr; entry = entry->next) {
    if (entry->json.empty())
      flushes_.push_back(static_cast<Flush*>(entry));
    else
      batch_.push_back(entry);
  }
  std::ranges::reverse(batch_);
  write_batch();
  if (!flushes_.empty()) {
    const std::lock_guard lock(mutex_);
    for (Flush* flush : flushes_) flush->done = true;
    flushed_.notify_all();
  }
  return true;
}

void Trail::write_batch() {
  std::span<Entry*> rest = batch_;
  while (!rest.empty()) {
    std::size_t count = 0;
    std::size_t bytes = 0;
    do {
      bytes += frame_head_bytes + rest[count]->json.size();
      ++count;
    } while (count < rest.size() && bytes < group_bytes_max);
    write_and_report(rest.first(count));
    rest = rest.subspan(count);
  }
}

void Trail::write_and_report(std::span<Entry*> group) {
  base::Result<void> written =
      broken() ? base::Result<void>{base::fail(base::Code::unrecordable, "")} : write_group(group);
  if (written) {
    records_durable_.fetch_add(group.size(), std::memory_order_relaxed);
    groups_.fetch_add(1, std::memory_order_relaxed);
  } else {
    for (Entry* entry : group) entry->failed = true;
    if (!broken()) break_with(std::move(written).error());
  }
  waiting_.fetch_sub(static_cast<std::uint32_t>(group.size()), std::memory_order_relaxed);
  report_(group);
}

base::Result<void> Trail::write_group(std::span<Entry*> group) {
  if (segment_size_ >= options_.segment_bytes) TRY_VOID(rotate());
  const auto group_start = static_cast<std::uint32_t>(segment_size_);
  SegmentIndex index = index_;
  buffer_.clear();
  for (const Entry* entry : group) {
    const std::uint64_t offset = segment_size_ + buffer_.size();
    const std::uint32_t crc = append_frame(buffer_, entry->json, group_start);
    index.add({.offset = offset, .group_start = group_start, .crc = crc, .record = entry->json});
  }
  repair_ = Repair::cut_failed_append;
  TRY_VOID(segment_->append(buffer_));
  repair_ = Repair::leave_segment;
  TRY_VOID(segment_->sync());
  repair_ = Repair::none;
  index_ = index;
  segment_size_ += buffer_.size();
  return {};
}

}  // namespace portolan::trail
