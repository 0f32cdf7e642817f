// SPDX-License-Identifier: Apache-2.0
#include "iam/arn.h"

#include <gtest/gtest.h>

namespace portolan::iam {
namespace {

TEST(SplitArn, KeepsColonsAndSlashesOfTheSixthPart) {
  const auto arn = split_arn("arn:aws-us-gov:bedrock:us-gov-west-1:111122223333:inference-profile/us-gov.a:0");
  ASSERT_TRUE(arn.has_value());
  EXPECT_EQ(arn->partition, "aws-us-gov");
  EXPECT_EQ(arn->service, "bedrock");
  EXPECT_EQ(arn->region, "us-gov-west-1");
  EXPECT_EQ(arn->account, "111122223333");
  EXPECT_EQ(arn->resource, "inference-profile/us-gov.a:0");
}

TEST(SplitArn, TakesEmptyPartsAndWildcardsAsTheyStand) {
  const auto arn = split_arn("arn:*:bedrock:::");
  ASSERT_TRUE(arn.has_value());
  EXPECT_EQ(arn->partition, "*");
  EXPECT_EQ(arn->region, "");
  EXPECT_EQ(arn->account, "");
  EXPECT_EQ(arn->resource, "");
}

TEST(SplitArn, TakesNothingElseForAnArn) {
  for (const std::string_view text : {"", "*", "arn", "arn:aws:iam::111122223333", "ARN:aws:iam:::root",
                                      "xarn:aws:iam::111122223333:root", ":arn:aws:iam::111122223333:root"})
    EXPECT_FALSE(split_arn(text).has_value()) << text;
}

}  // namespace
}  // namespace portolan::iam
