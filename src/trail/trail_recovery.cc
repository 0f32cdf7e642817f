// SPDX-License-Identifier: Apache-2.0
// Opening a trail, and mending one that broke.
//
// What recovery relies on, and why it is sound
//
// 1. A segment is born in the order: create, append header, sync, sync the directory; only then are groups
//    appended. So a last segment with a broken header and nothing behind it is an unfinished birth and holds no
//    record; a broken header with bytes behind it is damage.
// 2. A segment is followed by another only when all its groups are durable and nothing is behind them, or when it
//    has a mark (9). So any flaw in a segment that is neither the last nor marked is damage.
// 3. A group is appended only when everything before it is durable, and reported only when it is durable itself.
//    After a power loss its sectors may each be there or not, in any combination: a hole may have whole frames
//    behind it. Those belong to the same group, which nobody was told about, so cutting at the hole drops nothing
//    that was promised. That the frames behind a hole are of that group, and not of a later one, is read from their
//    group start (segment.h); a later one means that durable records are damaged, and the trail does not open. Not
//    told apart: damage after the fact to the very last group looks like a torn end. The seals of the trail are
//    there for that.
// 4. What recovery keeps it syncs before the first new group, or 3 would not hold for whole frames of a group that
//    was never synced (a process that was killed leaves them in the kernel's memory).
// 5. Zeros up to the end of an open segment are a clean end, whoever put them there: space that a writer reserved
//    ahead of itself, or a file whose new length reached the medium before its content. A frame begins with a
//    length that is not zero, so no frame is among them. A group that was lost as a whole looks the same; it is
//    then the last one, and by 3 nobody was told about it. The same holds for a header with only zeros behind it: 1
//    with reserved space. Zeros with a frame of a later group behind them are damage by 3 as any hole is. The zeros
//    are cut off without being kept aside: they say nothing.
//
// What mending relies on
//
// 6. An append that failed (no space, a signal from the device) has left anything from nothing to all of its bytes
//    in the kernel's memory, and nothing was reported. Everything up to the durable end was synced without an error
//    before. Cutting the file there and syncing gives exactly the state before the group. If that sync fails: 7.
// 7. After a sync that failed Linux marks the pages clean and may drop them or keep showing them; a second sync of
//    the same file says yes without having written anything ("fsyncgate",
//    https://wiki.postgresql.org/wiki/Fsync_Errors). So no later success of that file is believed: its group stays
//    refused, and the file gets no further group. It is opened anew with the cache dropped, so that reading asks
//    the medium; every durable record is verified to be there, for the failed write may have harmed the sector that
//    it shares with the last durable one; what is behind them is cut off, and a new segment is begun. If a durable
//    record is not there, the trail stays broken and says so.
// 8. A disk that is full usually has room for a few more bytes. The trail takes records again only after a stretch
//    of zeros could be appended and synced, which is cut off again and by 5 is a clean end if the power goes
//    meanwhile. Else it would answer ready and refuse in turns.
//
// What a hand-over relies on (trail_hand_over.cc)
//
// While a successor takes over, two processes write: each to one segment, which the other never writes to.
//
// 9. Before anybody else may open the trail, the predecessor marks its segment N: `trail-N.open` is on stable
// storage
//    before N+1 can exist. From then on N may end as a last segment may, though it is not the last; all of 3 to 7
//    holds for it as before, since they speak of one segment and one writer. The predecessor begins no segment any
//    more, so no number is begun twice. A sync of it that fails leaves its trail broken until it ends.
// 10. The successor believes the mark: it does not touch a marked segment, holds every other one, the last among
//    them, for closed, and begins the number after the last. The lock of the directory is one for both and stays
//    taken until both are gone, so no third process comes between.
// 11. The mark goes when no group will follow: its writer has ended with everything durable and nothing behind it.
//    A mark that comes back after a power loss, or was never taken away because its writer was killed, does no
//    harm: a segment that is read as open and ends with its last frame is read alike. The next start that is not a
//    hand-over, or the next hand-over, brings such a segment to its end as it does the last one, then removes the
//    mark: cut and synced before it counts as closed.
// 12. A successor that failed may have left segments behind N, the last of them open, with records of calls that it
//    had begun to serve. The predecessor, alone again, brings them to their end before it begins the number behind
//    them: so 2 holds for them. Until then the last one is open by its place, and N by its mark.
#include <algorithm>

#include "trail/segment.h"
#include "trail/segment_files.h"
#include "trail/trail.h"

namespace portolan::trail {
namespace {

constexpr std::size_t torn_piece_bytes = 1 << 20;
// Room for some hundred records: enough that a disk which has it is not full.
constexpr std::uint64_t trial_bytes = 1 << 20;

}  // namespace

// ---- opening

base::Result<void> Trail::recover() {
  TRY_VOID(disk_.make_directory(options_.directory));
  const bool takes_over = options_.inherited_lock != nullptr;
  lock_ = std::move(options_.inherited_lock);
  if (!takes_over) {
    TRY(lock_, disk_.lock(options_.directory));
  }
  TRY(const std::vector<SegmentPlace> places, find_segments(disk_, options_.directory));
  recovery_.segments = places.size();
  for (std::size_t i = 0; i < places.size(); ++i) {
    newest_number_ = places[i].number;
    if (i != 0 && places[i - 1].number + 1 != newest_number_)
      return base::fail(damaged(path(segment_name(places[i - 1].number + 1)), 0, "the segment is missing"));
    if (!takes_over)
      TRY_VOID(recover_segment(places[i], i + 1 == places.size()));
    else if (places[i].marked)
      ++recovery_.segments_left;
    else
      TRY_VOID(check_closed_segment(places[i]));
  }
  if (segment_ == nullptr) {
    TRY_VOID(begin_segment(newest_number_ + 1));
    ++recovery_.segments;
  }
  recovery_.last_segment = path(segment_name(segment_number_));
  return {};
}

/// Of a trail that nobody else writes to. The last one is written to from now on.
base::Result<void> Trail::recover_segment(const SegmentPlace& place, bool last) {
  if (!place.open) return check_closed_segment(place);
  TRY(Recovered recovered, last ? recover_open_segment(place.number) : close_left_segment(place));
  recovery_.records += recovered.index.records;
  if (recovered.bytes_dropped != 0) {
    recovery_.bytes_dropped += recovered.bytes_dropped;
    recovery_.torn += (recovery_.torn.empty() ? "" : " and ") + path(segment_name(place.number));
  }
  if (!last) return {};
  segment_ = std::move(recovered.file);
  segment_number_ = place.number;
  segment_size_ = recovered.index.segment_bytes;
  index_ = recovered.index;
  marked_ = place.marked;
  return {};
}

/// By its index, or else by reading it whole, after which it has one.
base::Result<void> Trail::check_closed_segment(const SegmentPlace& place) {
  const std::uint32_t number = place.number;
  TRY(Segment segment, open_segment(disk_, options_.directory, {.number = number}));
  TRY(const std::optional<SegmentIndex> known,
      read_index(disk_, options_.directory, number, *segment.file, segment.size));
  if (known) {
    recovery_.records += known->records;
    return {};
  }
  SegmentIndex index{.segment_bytes = header_bytes};
  TRY([[maybe_unused]] const bool all, for_each_frame(segment, [&](const Frame& frame) {
        index.add(frame);
        return true;
      }));
  recovery_.records += index.records;
  (void)write_index(disk_, options_.directory, number, index);
  return {};
}

base::Result<Trail::Recovered> Trail::recover_open_segment(std::uint32_t number) {
  const std::string name = path(segment_name(number));
  Recovered recovered;
  TRY(recovered.file, disk_.open(name));
  world::File& file = *recovered.file;
  TRY(const std::uint64_t size, file.size());
  SegmentReader reader(file, name, size);
  TRY(const SegmentReader::Header header, reader.header(number));
  bool unborn = header == SegmentReader::Header::invalid;
  if (unborn) {
    TRY(unborn, is_unborn(file, name, size));
  }
  std::uint64_t end = header_bytes;
  if (unborn) {
    if (size != 0) {
      TRY(recovered.bytes_dropped, cut_torn_end(file, name, 0, size));
    }
    std::string bytes;
    append_header(bytes, number);
    TRY_VOID(file.append(bytes));
  } else if (header != SegmentReader::Header::valid) {
    return base::fail(reader.refusal(header));
  } else {
    while (true) {
      TRY(const std::optional<Frame> frame, reader.next());
      if (!frame) break;
      recovered.index.add(*frame);
    }
    end = reader.offset();
    if (!reader.at_end()) {
      TRY(const bool was_durable, reader.was_durable());
      if (was_durable)
        return base::fail(damaged(name, end, "no whole record begins here, yet one did: later ones follow"));
      TRY(recovered.bytes_dropped, cut_torn_end(file, name, end, size));
    }
  }
  TRY_VOID(file.sync());
  TRY_VOID(disk_.sync_directory(options_.directory));
  recovered.index.segment_bytes = end;
  return recovered;
}

/// Cuts the segment at `durable_end`. What is cut is first kept aside, but for zeros at its end. Gives how many
/// bytes that was.
base::Result<std::uint64_t> Trail::cut_torn_end(world::File& segment, const std::string& name,
                                                std::uint64_t durable_end, std::uint64_t size) {
  std::uint64_t end = durable_end;
  for (std::uint64_t at = durable_end; at < size; at += torn_piece_bytes) {
    TRY(const std::string piece, segment.read(at, std::min<std::uint64_t>(torn_piece_bytes, size - at)));
    if (const std::size_t last = piece.find_last_not_of('\0'); last != piece.npos) end = at + last + 1;
  }
  if (end != durable_end) TRY_VOID(keep_aside(segment, name, durable_end, end));
  TRY_VOID(segment.truncate(durable_end));
  return end - durable_end;
}

/// Appends those bytes to what earlier crashes left in the .torn file.
base::Result<void> Trail::keep_aside(world::File& segment, const std::string& name, std::uint64_t from,
                                     std::uint64_t end) {
  std::string aside = name;
  aside.replace(aside.size() - 4, 4, ".torn");
  TRY(const std::unique_ptr<world::File> torn, disk_.open(aside));
  for (std::uint64_t at = from; at < end; at += torn_piece_bytes) {
    TRY(const std::string piece, segment.read(at, std::min<std::uint64_t>(torn_piece_bytes, end - at)));
    TRY_VOID(torn->append(piece));
  }
  TRY_VOID(torn->sync());
  return disk_.sync_directory(options_.directory);
}

base::Result<void> Trail::begin_segment(std::uint32_t number) {
  const std::string name = path(segment_name(number));
  TRY(std::unique_ptr<world::File> file, disk_.open(name));
  // An earlier try may have left a part of the header; never anything behind it.
  TRY(const std::uint64_t size, file->size());
  if (size > header_bytes) return base::fail(damaged(name, size, "a segment that is to begin has content"));
  if (size != 0) TRY_VOID(file->truncate(0));
  std::string bytes;
  append_header(bytes, number);
  TRY_VOID(file->append(bytes));
  TRY_VOID(file->sync());
  TRY_VOID(disk_.sync_directory(options_.directory));
  segment_ = std::move(file);
  segment_number_ = number;
  newest_number_ = number;
  segment_size_ = bytes.size();
  index_ = {.segment_bytes = segment_size_};
  return {};
}

// ---- mending

void Trail::break_with(base::Error error) {
  options_.tell("trail: broken, calls are refused: " + error.message +
                (repair_ == Repair::impossible ? "" : "; trying again until the disk allows it"));
  const std::lock_guard lock(mutex_);
  failure_ = std::move(error);
  broken_.store(true, std::memory_order_relaxed);
}

bool Trail::mend() {
  if (!broken()) return true;
  if (repair_ == Repair::none || repair_ == Repair::impossible) return false;
  if (base::Result<void> repaired = repair(); !repaired) {
    if (repair_ == Repair::impossible) break_with(std::move(repaired).error());
    return false;
  }
  repair_ = Repair::none;
  {
    const std::lock_guard lock(mutex_);
    failure_.reset();
    broken_.store(false, std::memory_order_relaxed);
  }
  options_.tell("trail: mended, records are taken again");
  return true;
}

base::Result<void> Trail::repair() {
  if (repair_ == Repair::cut_failed_append) TRY_VOID(cut_failed_append());
  if (repair_ == Repair::leave_segment) TRY_VOID(leave_doubted_segment());
  if (repair_ == Repair::begin_next_segment) {
    const std::lock_guard lock(succession_);
    TRY_VOID(begin_next_segment());
  }
  // 8. What fails here is repaired the next time.
  repair_ = Repair::cut_failed_append;
  TRY_VOID(segment_->append(std::string(std::min(trial_bytes, options_.segment_bytes), '\0')));
  repair_ = Repair::leave_segment;
  TRY_VOID(segment_->sync());
  repair_ = Repair::cut_failed_append;
  return cut_failed_append();
}

/// 6.
base::Result<void> Trail::cut_failed_append() {
  TRY_VOID(segment_->truncate(segment_size_));
  repair_ = Repair::leave_segment;
  TRY_VOID(segment_->sync());
  repair_ = Repair::none;
  return {};
}

/// 7. Afterwards the next segment is to begin.
base::Result<void> Trail::leave_doubted_segment() {
  const std::string name = path(segment_name(segment_number_));
  segment_.reset();
  TRY(const std::unique_ptr<world::File> file, disk_.open(name));
  TRY(const std::uint64_t size, file->size());
  TRY_VOID(verify_durable(*file, size));
  if (size != segment_size_) {
    TRY_VOID(file->truncate(segment_size_));
    TRY_VOID(file->sync());
  }
  (void)write_index(disk_, options_.directory, segment_number_, index_);
  repair_ = Repair::begin_next_segment;
  return {};
}

base::Result<void> Trail::verify_durable(world::File& file, std::uint64_t size) {
  const std::string name = path(segment_name(segment_number_));
  SegmentReader reader(file, name, std::min(size, segment_size_));
  TRY(const SegmentReader::Header header, reader.header(segment_number_));
  SegmentIndex found{.segment_bytes = header_bytes};
  while (header == SegmentReader::Header::valid) {
    TRY(const std::optional<Frame> frame, reader.next());
    if (!frame) break;
    found.add(*frame);
  }
  if (found == index_) return {};
  repair_ = Repair::impossible;
  return base::fail(damaged(name, reader.offset(), "records that were durable are gone after a sync that failed"));
}

}  // namespace portolan::trail
