// SPDX-License-Identifier: Apache-2.0
#include "iam/pattern.h"

#include <gtest/gtest.h>
#include <string>

#include "iam/context.h"

namespace portolan::iam {
namespace {

struct Row {
  std::string_view pattern;
  std::string_view text;
  bool matches;
};

TEST(Like, MatchesRunsAndSingleCharacters) {
  const Row rows[] = {
      {"", "", true},           {"", "a", false},           {"*", "", true},           {"**", "", true},
      {"?", "", false},         {"?", "a", true},           {"?", "ab", false},        {"a*c", "ac", true},
      {"a*c", "abcbc", true},   {"a*c", "abcb", false},     {"*a*b*", "xaybz", true},  {"*a*b*", "ba", false},
      {"a?c", "a*c", true},     {"[a]", "[a]", true},       {"[a]", "a", false},       {"a\\*c", "a*c", true},
      {"a\\*c", "abc", false},  {"\\?", "?", true},         {"\\?", "a", false},       {"\\\\", "\\", true},
      {"a\\", "a\\", true},     {"a:*", "a:b:c/d", true},   {"??", "\xc3\xa9", false}, {"?", "\xc3\xa9", true},
      {"*?", "\xc3\xa9", true}, {"*??", "\xc3\xa9", false}, {"A", "a", false},
  };
  for (const Row& row : rows)
    EXPECT_EQ(like(row.pattern, row.text), row.matches) << row.pattern << " on " << row.text;
}

TEST(Like, DoesNotHangOnStarsThatNearlyMatch) {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "*a";
  EXPECT_FALSE(like(pattern + "b", std::string(3000, 'a')));
  EXPECT_FALSE(resource_like("arn:aws:s3:::" + pattern + "b", "arn:aws:s3:::" + std::string(3000, 'a')));
  EXPECT_FALSE(
      resource_like("arn:*:" + pattern + "b", "arn:" + std::string(3000, 'a') + ":" + std::string(3000, 'a')));
}

TEST(Like, IgnoresCaseAsFarAsAPolicysCharactersReach) {
  EXPECT_TRUE(like_ignoring_case("BEDROCK:invoke*", "bedrock:InvokeModel"));
  EXPECT_FALSE(like_ignoring_case("bedrock:Get*", "bedrock:InvokeModel"));
  EXPECT_TRUE(equals_ignoring_case("\xc3\x89", "\xc3\xa9"));
  EXPECT_FALSE(equals_ignoring_case("\xc3\x97", "\xc3\xb7"));  // the signs × and ÷ are no letters
  EXPECT_EQ(lower_case("AWS:PrincipalTag/\xc3\x9c"
                       "ber"),
            "aws:principaltag/\xc3\xbc"
            "ber");
}

TEST(ResourceLike, KeepsWildcardsWithinTheFirstFivePartsOfAnArn) {
  const Row rows[] = {
      {"*", "anything:at:all", true},
      {"*", "*", true},
      {"arn:aws:s3:::*", "*", false},
      {"arn:aws:bedrock:*::foundation-model/m", "arn:aws:bedrock:us-east-1::foundation-model/m", true},
      {"arn:aws:bedrock:*::foundation-model/m", "arn:aws:bedrock:::foundation-model/m", true},
      {"arn:aws:bedrock:us-*-1::foundation-model/m", "arn:aws:bedrock:us-east-1::foundation-model/m", true},
      {"arn:aws:bedrock:us-*-1::foundation-model/m", "arn:aws:bedrock:us-east-2::foundation-model/m", false},
      {"arn:aws:bedrock:us-east-?::foundation-model/m", "arn:aws:bedrock:us-east-2::foundation-model/m", true},
      {"arn:aws:bedrock:::foundation-model/m", "arn:aws:bedrock:us-east-1::foundation-model/m", false},
      {"arn:aws:bedrock:*:*:inference-profile/us.*", "arn:aws:bedrock:us-east-1:1:inference-profile/us.a-v1:0",
       true},
      {"arn:aws:bedrock:*:*:inference-profile/us.*-v1:0", "arn:aws:bedrock:us-east-1:1:inference-profile/us.a-v1:0",
       true},
      {"arn:aws:bedrock:us*1:1:x", "arn:aws:bedrock:us-east:1:1:x", false},  // stays in its part
      {"arn:aws:bedrock:us-east?1:1:x", "arn:aws:bedrock:us-east:1:1:x", false},
      {"arn:aws:dynamodb:*:table/a", "arn:aws:dynamodb:us-east-1:1:table/a", true},  // ends its part: runs on
      {"arn:aws:dynamodb:us-*:table/a", "arn:aws:dynamodb:us-east-1:1:table/a", true},
      {"arn:aws:dynamodb:u*s:table/a", "arn:aws:dynamodb:us:1:table/a", false},
      {"arn:aws:s3:*", "arn:aws:s3:::b/k:x", true},
      {"arn:aws:s3:::b/*.jpg", "arn:aws:s3:::b/2026-11-22T10:00:00.jpg", true},  // the sixth part holds colons
      {"arn:aws:s3:::b/?", "arn:aws:s3:::b/:", true},
      {"arn:aws:s3:::b/*", "arn:aws:s3:::b/", true},
      {"arn:aws:s3:::b/*", "arn:aws:s3:::b", false},
      {"arn:aws:s3:::B/*", "arn:aws:s3:::b/x", false},
      {"arn:*:x:a*b:c", "arn:q:xa:x:ab:c", true},  // the run-on star gives way when the narrow one cannot
      {"arn:*:x*y:z", "arn:q:xa:b:xcy:z", true},
      {"arn:*:x*y:z", "arn:q:xa:b:xc:y:z", false},
      {"arn:*:b?c", "arn:x:q:q:q:q:b:c", false},  // a part is counted anew with every attempt
      {"arn:a**:b", "arn:axx:yy:b", true},
      {"arn:aws:s3:::a\\*", "arn:aws:s3:::a*", true},
      {"arn:aws:s3:::a\\*", "arn:aws:s3:::ab", false},
  };
  for (const Row& row : rows)
    EXPECT_EQ(resource_like(row.pattern, row.text), row.matches) << row.pattern << " on " << row.text;
}

TEST(ArnLike, ComparesSixParts) {
  const Row rows[] = {
      {"arn:aws:iam::1:role/*", "arn:aws:iam::1:role/a/b", true},
      {"arn:aws:iam::*:role/a", "arn:aws:iam::1:role/a", true},
      {"arn:aws:iam:*:role/a", "arn:aws:iam::1:role/a", false},  // five parts: no ARN
      {"arn:aws:iam:*:*:role/a", "arn:aws:iam::1:role/a", true},
      {"arn:aws:sns:*:*:*", "arn:aws:sns:r:1:t:s", true},
      {"*:*:*:*:*:*", "arn:aws:sns:r:1:t", true},
      {"*", "arn:aws:sns:r:1:t", false},
      {"arn:aws:sns:r:1:t", "t", false},
      {"arn:aws:sns:r:1\\:2:t", "arn:aws:sns:r:1:2:t", false},  // an escaped colon ends no part
      {"arn:aws:sns:r:1:a\\:t", "arn:aws:sns:r:1:a:t", true},
  };
  for (const Row& row : rows)
    EXPECT_EQ(arn_like(row.pattern, row.text), row.matches) << row.pattern << " on " << row.text;
}

TEST(Text, ReplacesVariablesAsPatternAndAsText) {
  Context context;
  context.set("aws:username", "a*b:c\\");
  const Text text = Text::compile("x/${aws:username}/*", true);
  EXPECT_EQ(text.written(), "x/${aws:username}/*");
  EXPECT_EQ(text.variables(), std::vector<std::string>{"aws:username"});
  std::string out;
  ASSERT_TRUE(text.resolve(context, out));
  EXPECT_EQ(out, "x/a\\*b\\:c\\\\/*");
  ASSERT_TRUE(text.resolve_literal(context, out));
  EXPECT_EQ(out, "x/a*b:c\\/*");
  EXPECT_FALSE(text.resolve(Context{}, out));
  EXPECT_FALSE(text.pattern(Context{}, out).has_value());
}

TEST(Text, WithoutVariablesIsTheSameForEveryRequest) {
  std::string out;
  const Text text = Text::compile("a\\b${*}*", true);
  EXPECT_FALSE(text.has_variables());
  EXPECT_EQ(*text.pattern(Context{}, out), "a\\\\b\\**");
  EXPECT_EQ(*text.literal(Context{}, out), "a\\b**");
  EXPECT_TRUE(text.resolve(Context{}, out));
  EXPECT_EQ(out, "a\\\\b\\**");
}

TEST(Text, TakesWhatIsNoVariableAsText) {
  for (const std::string_view written :
       {"${", "${}", "${a", "$a", "${a, none}", "${a, 'x}", "${a 'x'}", "${a, 'x'", "${ }", "${,'x'}"})
    EXPECT_FALSE(Text::compile(written, true).has_variables()) << written;
  EXPECT_FALSE(Text::compile("${aws:username}", false).has_variables());
  std::string out;
  EXPECT_EQ(*Text::compile("${aws:username}", false).literal(Context{}, out), "${aws:username}");
  EXPECT_EQ(Text::compile("${a:b}${A:B}${c:d, ''}", true).variables(), (std::vector<std::string>{"a:b", "c:d"}));
}

TEST(ActionPattern, IgnoresCase) {
  EXPECT_TRUE(ActionPattern{"bedrock:Invoke*"}.matches("Bedrock:invokemodel"));
  EXPECT_TRUE(ActionPattern{"*"}.matches("s3:GetObject"));
  EXPECT_FALSE(ActionPattern{"bedrock:InvokeModel"}.matches("bedrock:InvokeModelWithResponseStream"));
}

TEST(Context, IgnoresTheCaseOfKeysAndTakesNoValuesForNoKey) {
  Context context;
  context.set("AWS:TagKeys", std::vector<std::string>{"a", "b"});
  EXPECT_EQ(context.find("aws:tagkeys").size(), 2u);
  context.set("aws:tagKEYS", "c");
  ASSERT_EQ(context.find("aws:tagkeys").size(), 1u);
  EXPECT_EQ(context.find("aws:tagkeys")[0], "c");
  context.set("aws:tagkeys", std::vector<std::string>{});
  EXPECT_TRUE(context.find("aws:tagkeys").empty());
  EXPECT_TRUE(context.find("aws:other").empty());
}

}  // namespace
}  // namespace portolan::iam
