// SPDX-License-Identifier: Apache-2.0
#include "trail/segment_files.h"

#include <algorithm>

namespace portolan::trail {
namespace {

// A header is all that opening looks at.
constexpr std::size_t header_window_bytes = 512;

}  // namespace

base::Result<bool> is_unborn(world::File& file, const std::string& path, std::uint64_t size) {
  if (size <= header_bytes) return true;
  SegmentReader reader(file, path, size);
  reader.seek(header_bytes);
  return reader.only_zeros_follow();
}

std::string mark_name(std::uint32_t number) {
  std::string name = segment_name(number);
  name.replace(name.size() - 4, 4, ".open");
  return name;
}

base::Result<std::vector<SegmentPlace>> find_segments(world::Disk& disk, const std::string& directory) {
  TRY(const std::vector<std::string> segments, disk.list(directory));
  // Listed after the segments: what is followed by another segment had its mark before that one was begun. When the
  // mark is gone by now, so is its writer.
  TRY(const std::vector<std::string> marks, disk.list(directory));
  std::vector<SegmentPlace> places;  // ascending, as the names are sorted and of one length
  for (const std::string& name : segments) {
    const auto number = segment_number(name);
    if (!number) continue;
    const bool marked = std::ranges::binary_search(marks, mark_name(*number));
    places.push_back({.number = *number, .marked = marked, .open = marked});
  }
  if (!places.empty()) places.back().open = true;
  return places;
}

base::Result<Segment> open_segment(world::Disk& disk, const std::string& directory, const SegmentPlace& place) {
  Segment segment{.path = directory + "/" + segment_name(place.number), .number = place.number, .open = place.open};
  TRY(segment.file, disk.open_existing(segment.path));
  TRY(segment.size, segment.file->size());
  SegmentReader reader(*segment.file, segment.path, segment.size, header_window_bytes);
  TRY(const SegmentReader::Header header, reader.header(place.number));
  if (header == SegmentReader::Header::invalid && place.open) {
    TRY(segment.unborn, is_unborn(*segment.file, segment.path, segment.size));
  }
  if (header != SegmentReader::Header::valid && !segment.unborn) return base::fail(reader.refusal(header));
  return segment;
}

base::Result<bool> for_each_frame(Segment& segment, const std::function<bool(const Frame&)>& visit,
                                  std::uint64_t from) {
  if (segment.unborn) return true;
  SegmentReader reader(*segment.file, segment.path, segment.size);
  reader.seek(from);
  while (true) {
    TRY(std::optional<Frame> frame, reader.next());
    if (!frame) {
      if (reader.at_end()) return true;
      bool durable = !segment.open;
      if (!durable) {
        TRY(durable, reader.was_durable());
      }
      if (!durable) return true;  // reserved space, a record in the making, or a torn end
      reader.look_again();
      TRY(frame, reader.next());
      if (!frame) return base::fail(damaged(segment.path, reader.offset(), "no whole record begins here"));
    }
    if (!visit(*frame)) return false;
  }
}

}  // namespace portolan::trail
