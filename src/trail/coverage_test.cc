// SPDX-License-Identifier: Apache-2.0
#include "trail/coverage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace portolan::trail {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

base::WallTime day(const char* date) {
  base::WallTime at;
  EXPECT_TRUE(base::parse_time(std::string(date) + "T10:00:00Z", at));
  return at;
}

TEST(Coverage, SaysFromWhenToWhenThereAreRecords) {
  Coverage coverage;
  coverage.note(day("2026-11-20"));
  coverage.note(day("2026-11-20") - base::seconds{5});
  EXPECT_THAT(coverage.text({}, day("2026-11-20")),
              ElementsAre("2 records of the trail, from 2026-11-20T09:59:55Z to 2026-11-20T10:00:00Z"));
}

TEST(Coverage, SaysThatATimeBeforeTheTrailIsNotKnown) {
  Coverage coverage;
  coverage.note(day("2026-11-20"));
  EXPECT_THAT(coverage.text(day("2026-10-21"), day("2026-11-20")),
              ElementsAre(HasSubstr("1 record of"),
                          "nothing is known from 2026-10-21T10:00:00Z to 2026-11-20T10:00:00Z: the trail begins "
                          "there"));
  EXPECT_THAT(coverage.text(day("2026-10-21"), day("2026-10-01")), ElementsAre(HasSubstr("1 record of")));
}

TEST(Coverage, TellsAMissingSegmentFromSilence) {
  Coverage coverage;
  coverage.note_missing(2);
  coverage.note(day("2026-11-01"));
  coverage.note(day("2026-11-02"));
  coverage.note(day("2026-11-02") + std::chrono::hours{23});
  coverage.note_missing(1);
  coverage.note(day("2026-11-03"));
  EXPECT_THAT(coverage.gaps(),
              ElementsAre(Gap{.from = {}, .until = day("2026-11-01"), .segments_missing = 2},
                          Gap{.from = day("2026-11-01"), .until = day("2026-11-02"), .segments_missing = 0},
                          Gap{.from = day("2026-11-02") + std::chrono::hours{23},
                              .until = day("2026-11-03"),
                              .segments_missing = 1}));
  EXPECT_THAT(coverage.text({}, {}),
              ElementsAre(HasSubstr("4 records"),
                          "nothing is known before 2026-11-01T10:00:00Z: 2 segments of the trail are not here",
                          "no record from 2026-11-01T10:00:00Z to 2026-11-02T10:00:00Z: no call came, or no "
                          "gateway ran",
                          HasSubstr("1 segment of the trail is not here")));
}

TEST(Coverage, OfNothingKnowsNothing) {
  EXPECT_THAT(Coverage{}.text(day("2026-11-01"), {}), ElementsAre("the trail has no record of that time"));
}

}  // namespace
}  // namespace portolan::trail
