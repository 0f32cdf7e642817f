// SPDX-License-Identifier: Apache-2.0
#include "trail/coverage.h"

#include <algorithm>
#include <utility>

namespace portolan::trail {
namespace {

constexpr std::chrono::hours silence_told_from{24};

std::string gap_line(const Gap& gap) {
  const std::string time =
      (gap.from ? "from " + base::iso8601(*gap.from) + " to " : "before ") + base::iso8601(gap.until);
  if (gap.segments_missing == 0) return "no record " + time + ": no call came, or no gateway ran";
  return "nothing is known " + time + ": " + std::to_string(gap.segments_missing) +
         (gap.segments_missing == 1 ? " segment of the trail is not here" : " segments of the trail are not here");
}

}  // namespace

void Coverage::note(base::WallTime at) {
  ++records_;
  const bool was_silent = last_ && at - *last_ >= silence_told_from;
  if (segments_missing_ > 0 || was_silent)
    gaps_.push_back({.from = last_, .until = at, .segments_missing = std::exchange(segments_missing_, 0)});
  // Records are written when calls end and timed when they begin.
  first_ = std::min(first_.value_or(at), at);
  last_ = std::max(last_.value_or(at), at);
}

std::vector<std::string> Coverage::text(std::optional<base::WallTime> since,
                                        std::optional<base::WallTime> begins) const {
  std::vector<std::string> lines;
  if (!first_) {
    lines.push_back("the trail has no record of that time");
  } else {
    lines.push_back(std::to_string(records_) + (records_ == 1 ? " record" : " records") + " of the trail, from " +
                    base::iso8601(*first_) + " to " + base::iso8601(*last_));
  }
  if (since && begins && *begins > *since)
    lines.push_back("nothing is known from " + base::iso8601(*since) + " to " + base::iso8601(*begins) +
                    ": the trail begins there");
  for (const Gap& gap : gaps_) lines.push_back(gap_line(gap));
  return lines;
}

}  // namespace portolan::trail
