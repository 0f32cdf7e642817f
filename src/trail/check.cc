// SPDX-License-Identifier: Apache-2.0
#include "trail/check.h"

#include <nlohmann/json.hpp>

#include "trail/segment_files.h"

namespace portolan::trail {
namespace {

base::Result<void> check_segment(world::Disk& disk, const std::string& directory, const SegmentPlace& place,
                                 SegmentReport& report) {
  TRY(Segment segment, open_segment(disk, directory, place));
  std::uint64_t not_json_at = 0;
  TRY([[maybe_unused]] const bool all, for_each_frame(segment, [&](const Frame& frame) {
        if (!nlohmann::json::accept(frame.record)) not_json_at = frame.offset;
        if (not_json_at == 0) report.content.add(frame);
        return not_json_at == 0;
      }));
  if (not_json_at != 0) return base::fail(damaged(segment.path, not_json_at, "the record is not JSON"));
  if (place.open) return {};
  TRY(const std::optional<SegmentIndex> index,
      read_index(disk, directory, place.number, *segment.file, segment.size));
  if (index && *index != report.content)
    return base::fail(base::Code::corrupt, directory + "/" + index_name(place.number) +
                                               ": says other than its segment, which is sound; remove this file, "
                                               "and the next start of the gateway writes it anew");
  return {};
}

}  // namespace

base::Result<std::vector<SegmentReport>> check_files(world::Disk& disk, const std::string& directory) {
  TRY(const std::vector<SegmentPlace> places, find_segments(disk, directory));
  std::vector<SegmentReport> reports;
  std::uint32_t before = 0;
  for (const SegmentPlace& place : places) {
    if (before != 0 && before + 1 != place.number) {
      const std::string path = directory + "/" + segment_name(before + 1);
      const std::string what = "missing, with " + std::to_string(place.number - before - 1) + " in a row";
      reports.push_back({.path = path, .content = {}, .flaw = damaged(path, 0, what).message});
    }
    before = place.number;
    SegmentReport& report = reports.emplace_back();
    report.path = directory + "/" + segment_name(place.number);
    report.content.segment_bytes = header_bytes;
    const auto checked = check_segment(disk, directory, place, report);
    if (!checked) report.flaw = checked.error().message;
  }
  return reports;
}

}  // namespace portolan::trail
