// SPDX-License-Identifier: Apache-2.0
//
// What recovery relies on, and why it is sound
//
// 1. A segment is born in the order: create, append header, sync, sync the directory; only then are groups
// appended.
//    So a last segment with a broken header and nothing behind it is an unfinished birth and holds no record; a
//    broken header with bytes behind it is damage.
// 2. A segment is followed by another only when all its groups are durable. So any flaw in a segment that is not
// the
//    last is damage.
// 3. A group is appended only when everything before it is durable, and reported only when it is durable itself.
// After
//    a power loss its sectors may each be there or not, in any combination: a hole may have whole frames behind it.
//    Those belong to the same group, which nobody was told about, so cutting at the hole drops nothing that was
//    promised. That the frames behind a hole are of that group, and not of a later one, is read from their group
//    start (segment.h); a later one means that durable records are damaged, and the trail does not open. Not told
//    apart: damage after the fact to the very last group looks like a torn end. The seals of the trail are there
//    for that.
// 4. What recovery keeps it syncs before the first new group, or 3 would not hold for whole frames of a group that
// was
//    never synced (a process that was killed leaves them in the kernel's memory).
#include "trail/trail.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/check.h"
#include "trail/segment.h"

namespace portolan::trail {
namespace {

constexpr std::uint64_t segment_bytes_max = 1ull << 30;
// A group beyond this is cut in two, so that the writer's buffer stays small. Group starts stay far inside 32 bits.
constexpr std::size_t group_bytes_max = 4 << 20;
constexpr std::size_t gathers_from = 8;
constexpr std::size_t torn_piece_bytes = 1 << 20;

}  // namespace

/// A place in the queue that flush() waits for.
struct Trail::Flush : Entry {
  bool done = false;
};

std::string Recovery::text() const {
  std::string line = fmt::format("trail: {} records in {} segments", records, segments);
  if (bytes_dropped != 0)
    line += fmt::format(
        "; {} bytes after the last whole record of {} dropped (never reported durable), kept in its "
        ".torn file",
        bytes_dropped, last_segment);
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
  if (!writer_.joinable()) {
    while (segment_ && write_waiting()) {
    }
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  writer_.join();
}

std::optional<base::Error> Trail::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

// ---- opening

base::Result<void> Trail::recover() {
  TRY_VOID(disk_.make_directory(options_.directory));
  TRY(lock_, disk_.lock(options_.directory));
  TRY(const std::vector<std::string> names, disk_.list(options_.directory));
  std::vector<std::uint32_t> numbers;  // ascending, as the names are sorted and of one length
  for (const std::string& name : names)
    if (const auto number = segment_number(name)) numbers.push_back(*number);

  if (numbers.empty()) {
    TRY_VOID(begin_segment(1));
    recovery_.last_segment = path(segment_name(1));
    recovery_.segments = 1;
    return {};
  }
  for (std::size_t i = 0; i + 1 < numbers.size(); ++i) {
    if (numbers[i] + 1 != numbers[i + 1])
      return base::fail(damaged(path(segment_name(numbers[i] + 1)), 0, "the segment is missing"));
    TRY_VOID(check_closed_segment(numbers[i]));
  }
  recovery_.segments = numbers.size();
  recovery_.last_segment = path(segment_name(numbers.back()));
  return recover_last_segment(numbers.back());
}

base::Result<void> Trail::check_closed_segment(std::uint32_t number) {
  const std::string name = path(segment_name(number));
  TRY(const std::unique_ptr<world::File> file, disk_.open_existing(name));
  TRY(const std::uint64_t size, file->size());
  SegmentReader reader(*file, name, size);
  TRY(const SegmentReader::Header header, reader.header(number));
  if (header != SegmentReader::Header::valid) return base::fail(damaged(name, 0, SegmentReader::flaw(header)));
  while (true) {
    TRY(const std::optional<Frame> frame, reader.next());
    if (!frame) break;
    ++recovery_.records;
  }
  if (!reader.at_end()) return base::fail(damaged(name, reader.offset(), "no whole record begins here"));
  return {};
}

base::Result<void> Trail::recover_last_segment(std::uint32_t number) {
  const std::string& name = recovery_.last_segment;
  TRY(std::unique_ptr<world::File> file, disk_.open(name));
  TRY(const std::uint64_t size, file->size());
  SegmentReader reader(*file, name, size);
  TRY(const SegmentReader::Header header, reader.header(number));
  if (header == SegmentReader::Header::invalid && size <= header_bytes) {  // 1: an unfinished birth
    if (size != 0) TRY_VOID(cut_torn_end(*file, size));
    std::string bytes;
    append_header(bytes, number);
    TRY_VOID(file->append(bytes));
    segment_size_ = bytes.size();
  } else if (header != SegmentReader::Header::valid) {
    return base::fail(damaged(name, 0, SegmentReader::flaw(header)));
  } else {
    while (true) {
      TRY(const std::optional<Frame> frame, reader.next());
      if (!frame) break;
      ++recovery_.records;
    }
    segment_size_ = reader.offset();
    if (!reader.at_end()) {
      TRY(const bool was_durable, reader.was_durable());
      if (was_durable)
        return base::fail(
            damaged(name, reader.offset(), "no whole record begins here, yet one did: later ones follow"));
      TRY_VOID(cut_torn_end(*file, size));
    }
  }
  TRY_VOID(file->sync());
  TRY_VOID(disk_.sync_directory(options_.directory));
  segment_ = std::move(file);
  segment_number_ = number;
  return {};
}

/// Cuts the segment at segment_size_. What is cut is first kept aside, appended to what earlier crashes left there.
base::Result<void> Trail::cut_torn_end(world::File& segment, std::uint64_t size) {
  std::string aside = recovery_.last_segment;
  aside.replace(aside.size() - 4, 4, ".torn");
  TRY(const std::unique_ptr<world::File> torn, disk_.open(aside));
  for (std::uint64_t at = segment_size_; at < size; at += torn_piece_bytes) {
    TRY(const std::string piece, segment.read(at, std::min<std::uint64_t>(torn_piece_bytes, size - at)));
    TRY_VOID(torn->append(piece));
  }
  TRY_VOID(torn->sync());
  TRY_VOID(disk_.sync_directory(options_.directory));
  TRY_VOID(segment.truncate(segment_size_));
  recovery_.bytes_dropped = size - segment_size_;
  return {};
}

base::Result<void> Trail::begin_segment(std::uint32_t number) {
  TRY(std::unique_ptr<world::File> file, disk_.open(path(segment_name(number))));
  std::string bytes;
  append_header(bytes, number);
  TRY_VOID(file->append(bytes));
  TRY_VOID(file->sync());
  TRY_VOID(disk_.sync_directory(options_.directory));
  segment_ = std::move(file);
  segment_number_ = number;
  segment_size_ = bytes.size();
  return {};
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
  for (;;) {
    if (!write_waiting()) {
      if (!sleep()) return;
      continue;
    }
    // A sync costs the same for one record as for a hundred, and more processor time than all else that is done for
    // a record. When many came together, more will: they are let gather rather than synced in dribs.
    if (batch_.size() >= gathers_from) std::this_thread::sleep_for(options_.gather);
  }
}

/// Sleeps until something waits. False when the trail stops and nothing does.
bool Trail::sleep() {
  std::unique_lock lock(mutex_);
  Entry* expected = nullptr;
  if (!queue_.compare_exchange_strong(expected, &asleep_, std::memory_order_relaxed)) return true;
  wake_.wait(lock, [&] { return stop_ || queue_.load(std::memory_order_relaxed) != &asleep_; });
  expected = &asleep_;
  return !queue_.compare_exchange_strong(expected, nullptr, std::memory_order_relaxed);
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
    if (!broken()) {
      const std::lock_guard lock(mutex_);
      failure_ = std::move(written).error();
      broken_.store(true, std::memory_order_relaxed);
    }
  }
  waiting_.fetch_sub(static_cast<std::uint32_t>(group.size()), std::memory_order_relaxed);
  report_(group);
}

base::Result<void> Trail::write_group(std::span<Entry*> group) {
  if (segment_size_ >= options_.segment_bytes) TRY_VOID(begin_segment(segment_number_ + 1));
  buffer_.clear();
  for (const Entry* entry : group) append_frame(buffer_, entry->json, static_cast<std::uint32_t>(segment_size_));
  TRY_VOID(segment_->append(buffer_));
  TRY_VOID(segment_->sync());
  segment_size_ += buffer_.size();
  return {};
}

}  // namespace portolan::trail
