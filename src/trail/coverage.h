// SPDX-License-Identifier: Apache-2.0
// What a reading of the trail can bear witness to: from when to when there are records, and when there are none.
//
// A time without a trail tells nothing of what was done in it. That of segments which are not there (they were
// moved away) is certain; a long time without any record is told too, for nobody can say whether no call came or no
// gateway ran.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"

namespace portolan::trail {

/// A time that nothing is known of, or in which nothing was recorded.
struct Gap {
  std::optional<base::WallTime> from;  // nothing: from before the first record
  base::WallTime until{};
  std::uint32_t segments_missing = 0;  // 0: all segments are there, and silent
  friend bool operator==(const Gap&, const Gap&) = default;
};

/// Follows a reading, record by record in the order of the trail.
class Coverage {
 public:
  /// Between the record before and the next one, segments are not there.
  void note_missing(std::uint32_t segments) { segments_missing_ += segments; }
  void note(base::WallTime at);

  std::uint64_t records() const { return records_; }
  std::optional<base::WallTime> first() const { return first_; }
  std::optional<base::WallTime> last() const { return last_; }
  const std::vector<Gap>& gaps() const { return gaps_; }

  /// Lines for people: what is known from when to when, and what is not. `since` is what was asked for, `begins`
  /// the first record of the whole trail; nothing where there is none.
  std::vector<std::string> text(std::optional<base::WallTime> since, std::optional<base::WallTime> begins) const;

 private:
  std::uint64_t records_ = 0;
  std::uint32_t segments_missing_ = 0;
  std::optional<base::WallTime> first_, last_;
  std::vector<Gap> gaps_;
};

}  // namespace portolan::trail
