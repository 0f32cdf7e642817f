// SPDX-License-Identifier: Apache-2.0
#include "trail/pages.h"

#include <algorithm>
#include <charconv>

#include "trail/segment_files.h"
#include "trail/segment_index.h"

namespace portolan::trail {
namespace {

template <class Number>
bool read_whole_number(std::string_view text, Number& number) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  return failure == std::errc{} && end == text.data() + text.size() && !text.empty();
}

/// What is asked for, in whole seconds as eventTime is.
struct Period {
  std::optional<base::WallTime> from, until;

  bool has(std::string_view record) const {
    if (!from && !until) return true;
    const std::optional<std::int64_t> second = event_second(record);
    if (!second) return false;
    const base::WallTime at{base::seconds{*second}};
    return (!from || at >= std::chrono::floor<base::seconds>(*from)) && (!until || at < *until);
  }
};

class PageReader {
 public:
  PageReader(world::Disk& disk, const std::string& directory, Period period, std::uint64_t bytes_max)
      : disk_(disk), directory_(directory), period_(period), bytes_left_(bytes_max) {}

  base::Result<Page> read(const Bookmark& after) {
    TRY(const std::vector<SegmentPlace> places, find_segments(disk_, directory_));
    auto place = std::ranges::lower_bound(places, after.segment, {}, &SegmentPlace::number);
    page_.next = after;
    std::uint32_t expected = std::max(after.segment, 1u);
    for (; place != places.end() && bytes_left_ > 0; ++place, ++expected) {
      if (place->number > expected) {
        const bool is_within = page_.next != after;
        if (is_within) return std::move(page_);
        page_.segments_missing = place->number - expected;
        expected = place->number;
      }
      const bool is_marked_one = place->number == after.segment;
      TRY_VOID(take(*place, is_marked_one ? after.offset : header_bytes));
    }
    page_.last = bytes_left_ > 0;
    return std::move(page_);
  }

 private:
  base::Result<void> take(const SegmentPlace& place, std::uint64_t from) {
    TRY(Segment segment, open_segment(disk_, directory_, place));
    page_.next = {.segment = place.number, .offset = from};
    TRY(const bool may_have_some, may_have_some_of(segment));
    if (may_have_some) {
      if (from > segment.size && !segment.unborn)
        return base::fail(base::Code::usage, segment.path + " has no byte " + std::to_string(from));
      TRY(const bool whole, for_each_frame(
                                segment,
                                [this](const Frame& frame) {
                                  add(frame);
                                  return bytes_left_ > 0;
                                },
                                from));
      if (!whole || place.open) return {};
    }
    // A closed one does not grow: the next page begins behind it.
    if (!place.open) page_.next = {.segment = place.number + 1, .offset = header_bytes};
    return {};
  }

  void add(const Frame& frame) {
    page_.next.offset = frame.end();
    bytes_left_ -= std::min<std::uint64_t>(bytes_left_, frame.record.size());
    if (period_.has(frame.record)) page_.records.emplace_back(frame.record);
  }

  base::Result<bool> may_have_some_of(Segment& segment) {
    if (segment.open || (!period_.from && !period_.until)) return true;
    TRY(const std::optional<SegmentIndex> index,
        read_index(disk_, directory_, segment.number, *segment.file, segment.size));
    return !index || index->meets(period_.from, period_.until);
  }

  world::Disk& disk_;
  const std::string& directory_;
  Period period_;
  std::uint64_t bytes_left_;
  Page page_;
};

}  // namespace

std::string text_of(const Bookmark& mark) {
  return std::to_string(mark.segment) + ":" + std::to_string(mark.offset);
}

std::optional<Bookmark> bookmark_of(std::string_view text) {
  Bookmark mark;
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || !read_whole_number(text.substr(0, colon), mark.segment) ||
      !read_whole_number(text.substr(colon + 1), mark.offset) || mark.offset < header_bytes)
    return std::nullopt;
  return mark;
}

base::Result<Page> read_page(world::Disk& disk, const std::string& directory, const Bookmark& after,
                             std::optional<base::WallTime> from, std::optional<base::WallTime> until,
                             std::uint64_t bytes_max) {
  return PageReader(disk, directory, {.from = from, .until = until}, bytes_max).read(after);
}

}  // namespace portolan::trail
