// SPDX-License-Identifier: Apache-2.0
#include "config/glob.h"

#include <gtest/gtest.h>
#include <string>

#include "base/random.h"

namespace portolan::config {
namespace {

/// The definition, for comparison: slow and plain.
bool matches_by_definition(std::string_view glob, std::string_view text) {
  if (glob.empty()) return text.empty();
  if (glob[0] == '*') {
    for (std::size_t skip = 0; skip <= text.size(); ++skip)
      if (matches_by_definition(glob.substr(1), text.substr(skip))) return true;
    return false;
  }
  return !text.empty() && (glob[0] == '?' || glob[0] == text[0]) &&
         matches_by_definition(glob.substr(1), text.substr(1));
}

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

TEST(Glob, AgreesWithItsDefinition) {
  base::Random random(1);
  const auto word = [&random](std::string_view letters, std::uint64_t size_max) {
    std::string text;
    for (std::uint64_t left = random.below(size_max + 1); left > 0; --left)
      text += letters[random.below(letters.size())];
    return text;
  };
  int matched = 0;
  for (int i = 0; i < 50'000; ++i) {
    const std::string glob = word("ab*?", 7);
    const std::string text = word("ab", 8);
    ASSERT_EQ(glob_matches(glob, text), matches_by_definition(glob, text)) << glob << " on " << text;
    matched += glob_matches(glob, text);
  }
  EXPECT_GT(matched, 1'000);
}

}  // namespace
}  // namespace portolan::config
