// SPDX-License-Identifier: Apache-2.0
// Two processes with one trail, while the one takes over from the other. trail_recovery.cc, from 9, says why this
// is sound.
#include "trail/segment_files.h"
#include "trail/trail.h"

namespace portolan::trail {

base::Result<void> Trail::hand_over() {
  const std::lock_guard lock(succession_);
  if (const std::optional<base::Error> broken_by = failure())
    return base::fail(base::Code::unrecordable, "the trail is broken: " + broken_by->message);
  TRY_VOID(close_segments_of_others());
  TRY(const std::unique_ptr<world::File> mark, disk_.open(path(mark_name(segment_number_))));
  TRY_VOID(mark->sync());
  TRY_VOID(disk_.sync_directory(options_.directory));
  marked_ = true;
  handed_over_ = true;
  return {};
}

void Trail::take_back() {
  const std::lock_guard lock(succession_);
  handed_over_ = false;
  others_left_some_ = true;
}

/// What a process left that was killed, brought to its end.
base::Result<Trail::Recovered> Trail::close_left_segment(const SegmentPlace& place) {
  TRY(Recovered recovered, recover_open_segment(place.number));
  (void)write_index(disk_, options_.directory, place.number, recovered.index);
  if (place.marked) TRY_VOID(remove_mark(place.number));
  return recovered;
}

/// Of a predecessor that was killed before it had closed its segment, and of a successor that failed. Neither
/// lives.
base::Result<void> Trail::close_segments_of_others() {
  TRY(const std::vector<SegmentPlace> places, find_segments(disk_, options_.directory));
  for (const SegmentPlace& place : places) {
    newest_number_ = place.number;
    if (place.number == segment_number_ || !place.open) continue;
    TRY(const Recovered closed, close_left_segment(place));
    if (closed.bytes_dropped != 0)
      options_.tell("trail: " + std::to_string(closed.bytes_dropped) + " bytes after the last whole record of " +
                    path(segment_name(place.number)) + " dropped (never reported durable), kept in its .torn file");
  }
  others_left_some_ = false;
  return {};
}

base::Result<void> Trail::remove_mark(std::uint32_t number) {
  TRY_VOID(disk_.remove(path(mark_name(number))));
  return disk_.sync_directory(options_.directory);
}

/// The segment is full: the next one, unless that is a successor's.
base::Result<void> Trail::rotate() {
  const std::lock_guard lock(succession_);
  if (handed_over_) return {};
  (void)write_index(disk_, options_.directory, segment_number_, index_);
  repair_ = Repair::begin_next_segment;
  return begin_next_segment();
}

/// With succession_ held, and everything in this one's segment durable.
base::Result<void> Trail::begin_next_segment() {
  if (handed_over_)
    return base::fail(base::Code::disk,
                      options_.directory + ": handed over, so that no segment is begun here any more");
  if (others_left_some_) TRY_VOID(close_segments_of_others());
  const std::uint32_t left = segment_number_;
  TRY_VOID(begin_segment(newest_number_ + 1));
  if (marked_) (void)remove_mark(left);
  marked_ = false;
  return {};
}

/// At the end of the trail. A segment that is not sound keeps its mark, and is recovered by the next start.
void Trail::close_own_segment() {
  if (!marked_ || repair_ != Repair::none) return;
  (void)write_index(disk_, options_.directory, segment_number_, index_);
  (void)remove_mark(segment_number_);
}

}  // namespace portolan::trail
