// SPDX-License-Identifier: Apache-2.0
#include "trail/lookup.h"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <ranges>

#include "base/json_text.h"
#include "domain/nearest.h"
#include "trail/record.h"
#include "trail/segment_files.h"
#include "trail/segment_index.h"

namespace portolan::trail {
namespace {

using nlohmann::json;

constexpr std::size_t block_bytes = 1 << 20;

/// A mistyped outcome would match nothing, which reads as if nothing had happened.
base::Result<void> check_outcome(std::string_view outcome) {
  if (outcome.empty()) return {};
  std::vector<std::string_view> known{name(Outcome::served), name(Outcome::denied), name(Outcome::failed)};
#define PORTOLAN_ERROR(code, ...) known.push_back(error_code(base::Code::code));
#include "base/error_codes.def"
#undef PORTOLAN_ERROR
  if (std::ranges::find(known, outcome) != known.end()) return {};
  return base::fail(base::Code::usage,
                    "outcome '" + std::string{outcome} +
                        "': served, denied, failed or an errorCode such as AccessDenied is expected" +
                        domain::did_you_mean(domain::nearest_name(outcome, known)));
}

/// The text at `names`, or empty when it is not there or not a text.
std::string_view text_at(const json& record, std::initializer_list<const char*> names) {
  const json* at = &record;
  for (const char* name : names) {
    if (!at->is_object()) return {};
    const auto member = at->find(name);
    if (member == at->end()) return {};
    at = &*member;
  }
  const auto* text = at->get_ptr<const std::string*>();
  return text != nullptr ? std::string_view{*text} : std::string_view{};
}

/// A Filter made ready: most records are told apart by a search for the wanted texts, without decoding.
class Matcher {
 public:
  explicit Matcher(const Filter& filter) : filter_(filter) {
    for (const std::string* text :
         {&filter.principal, &filter.tenant, &filter.profile, &filter.source_region, &filter.inference_region,
          &filter.outcome, &filter.call_id, &filter.event_name}) {
      if (!text->empty()) base::append_json_string(needles_.emplace_back(), *text);
    }
    if (filter_.from) filter_.from = std::chrono::floor<base::seconds>(*filter_.from);
  }

  base::Result<bool> matches(std::string_view line, std::string_view path, std::uint64_t offset) const {
    for (const std::string& needle : needles_)
      if (line.find(needle) == line.npos) return false;
    if (needles_.empty() && !filter_.from && !filter_.until) return true;
    const json record = json::parse(line, nullptr, false);
    if (record.is_discarded()) return base::fail(damaged(path, offset, "the record is not JSON"));
    return in_time(record) && matches_who(record) && matches_what(record) && matches_outcome(record);
  }

 private:
  bool in_time(const json& record) const {
    if (!filter_.from && !filter_.until) return true;
    base::WallTime at;
    if (!base::parse_time(text_at(record, {"eventTime"}), at)) return false;
    return (!filter_.from || at >= *filter_.from) && (!filter_.until || at < *filter_.until);
  }

  bool matches_who(const json& record) const {
    const bool principal = filter_.principal.empty() ||
                           text_at(record, {"userIdentity", "arn"}) == filter_.principal ||
                           text_at(record, {"userIdentity", "userName"}) == filter_.principal ||
                           text_at(record, {"userIdentity", "accessKeyId"}) == filter_.principal ||
                           text_at(record, {"portolan", "keyId"}) == filter_.principal;
    return principal && is(filter_.tenant, record, {"portolan", "tenant"});
  }

  bool matches_what(const json& record) const {
    const bool profile = filter_.profile.empty() || text_at(record, {"portolan", "profile"}) == filter_.profile ||
                         text_at(record, {"requestParameters", "modelId"}) == filter_.profile ||
                         text_at(record, {"requestParameters", "inferenceProfileIdentifier"}) == filter_.profile;
    return profile && is(filter_.source_region, record, {"awsRegion"}) &&
           is(filter_.inference_region, record, {"additionalEventData", "inferenceRegion"}) &&
           is(filter_.call_id, record, {"requestID"}) && is(filter_.event_name, record, {"eventName"});
  }

  bool matches_outcome(const json& record) const {
    return is(filter_.outcome, record, {"portolan", "outcome"}) || is(filter_.outcome, record, {"errorCode"});
  }

  static bool is(const std::string& wanted, const json& record, std::initializer_list<const char*> names) {
    return wanted.empty() || text_at(record, names) == wanted;
  }

  Filter filter_;
  std::vector<std::string> needles_;
};

/// Frames point forward only: their places are gathered first, then read again from the end, a block at a time.
base::Result<void> collect_newest_first(Segment& segment, const Matcher& matcher, std::size_t limit,
                                        std::vector<std::string>& found) {
  std::vector<std::uint32_t> offsets;
  std::uint64_t end = header_bytes;
  TRY([[maybe_unused]] const bool all, for_each_frame(segment, [&](const Frame& frame) {
        offsets.push_back(static_cast<std::uint32_t>(frame.offset));
        end = frame.end();
        return true;
      }));
  std::string block;
  std::uint64_t block_start = end;
  for (std::size_t i = offsets.size(); i-- > 0;) {
    if (offsets[i] < block_start) {
      // As many earlier frames as fit the block, and this one in any case.
      const std::uint64_t from = end > block_bytes ? end - block_bytes : 0;
      const auto first = std::lower_bound(offsets.begin(), offsets.begin() + static_cast<std::ptrdiff_t>(i), from);
      block_start = *first;
      TRY(block, segment.file->read(block_start, end - block_start));
      if (block.size() < end - block_start)
        return base::fail(base::Code::disk, segment.path + ": became shorter while it was read");
    }
    const std::string_view line = std::string_view{block}.substr(offsets[i] - block_start + frame_head_bytes,
                                                                 end - offsets[i] - frame_head_bytes);
    TRY(const bool matches, matcher.matches(line, segment.path, offsets[i]));
    if (matches) found.emplace_back(line);
    if (limit != 0 && found.size() == limit) return {};
    end = offsets[i];
  }
  return {};
}

/// Whether the segment may hold a record of the wanted time. What says no is an index that fits the segment.
base::Result<bool> may_match_time(world::Disk& disk, const std::string& directory, const Segment& segment,
                                  const Filter& filter) {
  if (segment.open || (!filter.from && !filter.until)) return true;
  TRY(const std::optional<SegmentIndex> index,
      read_index(disk, directory, segment.number, *segment.file, segment.size));
  return !index || index->meets(filter.from, filter.until);
}

}  // namespace

base::Result<std::vector<std::string>> lookup(world::Disk& disk, const std::string& directory,
                                              const Filter& filter) {
  TRY_VOID(check_outcome(filter.outcome));
  TRY(const std::vector<SegmentPlace> places, find_segments(disk, directory));
  const Matcher matcher(filter);
  std::vector<std::string> found;
  for (const SegmentPlace& place : std::views::reverse(places)) {
    TRY(Segment segment, open_segment(disk, directory, place));
    TRY(const bool may_match, may_match_time(disk, directory, segment, filter));
    if (!may_match) continue;
    TRY_VOID(collect_newest_first(segment, matcher, filter.limit, found));
    if (filter.limit != 0 && found.size() == filter.limit) break;
  }
  return found;
}

base::Result<void> scan(world::Disk& disk, const std::string& directory,
                        const std::function<bool(std::string_view json)>& visit) {
  TRY(const std::vector<SegmentPlace> places, find_segments(disk, directory));
  for (const SegmentPlace& place : places) {
    TRY(Segment segment, open_segment(disk, directory, place));
    TRY(const bool goes_on, for_each_frame(segment, [&](const Frame& frame) { return visit(frame.record); }));
    if (!goes_on) break;
  }
  return {};
}

}  // namespace portolan::trail
