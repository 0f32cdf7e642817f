// SPDX-License-Identifier: Apache-2.0
#include "trail/segment_files.h"

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

base::Result<std::vector<std::uint32_t>> segment_numbers(world::Disk& disk, const std::string& directory) {
  TRY(const std::vector<std::string> names, disk.list(directory));
  std::vector<std::uint32_t> numbers;  // ascending, as the names are sorted and of one length
  for (const std::string& name : names)
    if (const auto number = segment_number(name)) numbers.push_back(*number);
  return numbers;
}

base::Result<Segment> open_segment(world::Disk& disk, const std::string& directory, std::uint32_t number,
                                   bool last) {
  Segment segment{.path = directory + "/" + segment_name(number), .number = number, .last = last};
  TRY(segment.file, disk.open_existing(segment.path));
  TRY(segment.size, segment.file->size());
  SegmentReader reader(*segment.file, segment.path, segment.size, header_window_bytes);
  TRY(const SegmentReader::Header header, reader.header(number));
  if (header == SegmentReader::Header::invalid && last) {
    TRY(segment.unborn, is_unborn(*segment.file, segment.path, segment.size));
  }
  if (header != SegmentReader::Header::valid && !segment.unborn) return base::fail(reader.refusal(header));
  return segment;
}

base::Result<bool> for_each_frame(Segment& segment, const std::function<bool(const Frame&)>& visit) {
  if (segment.unborn) return true;
  SegmentReader reader(*segment.file, segment.path, segment.size);
  reader.seek(header_bytes);
  while (true) {
    TRY(std::optional<Frame> frame, reader.next());
    if (!frame) {
      if (reader.at_end()) return true;
      bool durable = !segment.last;
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
