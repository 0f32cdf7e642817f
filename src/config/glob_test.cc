// SPDX-License-Identifier: Apache-2.0
#include "config/glob.h"

#include <gtest/gtest.h>
#include <string>

namespace portolan::config {
namespace {

TEST(Glob, WithoutWildcardsMatchesOnlyItself) {
  EXPECT_TRUE(glob_matches("us.a", "us.a"));
  EXPECT_FALSE(glob_matches("us.a", "us.ab"));
  EXPECT_FALSE(glob_matches("us.ab", "us.a"));
  EXPECT_FALSE(glob_matches("us.a", "usxa"));
}

TEST(Glob, AStarStandsForAnyCharactersAndNone) {
  EXPECT_TRUE(glob_matches("us.*", "us.amazon.nova"));
  EXPECT_TRUE(glob_matches("us.*", "us."));
  EXPECT_FALSE(glob_matches("us.*", "us-gov.amazon.nova"));
  EXPECT_TRUE(glob_matches("*", ""));
  EXPECT_TRUE(glob_matches("*haiku*", "eu.anthropic.claude-haiku-4-5"));
  EXPECT_TRUE(glob_matches("*a*b*c", "xxaxxbxxabc"));
  EXPECT_FALSE(glob_matches("*a*b*c", "xxaxxcxxb"));
}

TEST(Glob, AQuestionMarkStandsForExactlyOne) {
  EXPECT_TRUE(glob_matches("?s.*", "us.x"));
  EXPECT_FALSE(glob_matches("?s.*", "s.x"));
  EXPECT_FALSE(glob_matches("us.?", "us."));
}

TEST(Glob, ManyStarsDoNotMultiplyTheWork) {
  std::string pattern;
  for (int i = 0; i < 60; ++i) pattern += "a*";
  EXPECT_FALSE(glob_matches(pattern + "b", std::string(10'000, 'a')));
}

}  // namespace
}  // namespace portolan::config
