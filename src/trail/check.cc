// SPDX-License-Identifier: Apache-2.0
#include "trail/check.h"

#include <nlohmann/json.hpp>

#include "trail/segment_files.h"

namespace portolan::trail {
namespace {

base::Result<void> check_segment(world::Disk& disk, const std::string& directory, std::uint32_t number, bool last,
                                 SegmentReport& report) {
  TRY(Segment segment, open_segment(disk, directory, number, last));
  std::uint64_t not_json_at = 0;
  TRY([[maybe_unused]] const bool all, for_each_frame(segment, [&](const Frame& frame) {
        if (!nlohmann::json::accept(frame.record)) not_json_at = frame.offset;
        if (not_json_at == 0) report.content.add(frame);
        return not_json_at == 0;
      }));
  if (not_json_at != 0) return base::fail(damaged(segment.path, not_json_at, "the record is not JSON"));
  if (last) return {};
  TRY(const std::optional<SegmentIndex> index, read_index(disk, directory, number, *segment.file, segment.size));
  if (index && *index != report.content)
    return base::fail(base::Code::corrupt, directory + "/" + index_name(number) +
                                               ": says other than its segment, which is sound; remove this file, "
                                               "and the next start of the gateway writes it anew");
  return {};
}

}  // namespace

base::Result<std::vector<SegmentReport>> check_files(world::Disk& disk, const std::string& directory) {
  TRY(const std::vector<std::uint32_t> numbers, segment_numbers(disk, directory));
  std::vector<SegmentReport> reports;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (i != 0 && numbers[i - 1] + 1 != numbers[i]) {
      const std::string path = directory + "/" + segment_name(numbers[i - 1] + 1);
      const std::string what = "missing, with " + std::to_string(numbers[i] - numbers[i - 1] - 1) + " in a row";
      reports.push_back({.path = path, .content = {}, .flaw = damaged(path, 0, what).message});
    }
    SegmentReport& report = reports.emplace_back();
    report.path = directory + "/" + segment_name(numbers[i]);
    report.content.segment_bytes = header_bytes;
    const auto checked = check_segment(disk, directory, numbers[i], i + 1 == numbers.size(), report);
    if (!checked) report.flaw = checked.error().message;
  }
  return reports;
}

}  // namespace portolan::trail
