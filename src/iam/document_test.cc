// SPDX-License-Identifier: Apache-2.0
#include "iam/document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

namespace portolan::iam {
namespace {

TEST(PolicyDocument, ReadsEveryElement) {
  std::vector<Notice> notices;
  const auto document = parse_document(R"({
  "Version": "2012-10-17",
  "Id": "guard",
  "Statement": {
    "Sid": "One", "Effect": "Deny", "Principal": {"AWS": ["111122223333"], "Service": "lambda.amazonaws.com"},
    "NotAction": "bedrock:Get*", "NotResource": ["arn:aws:bedrock:*::foundation-model/${aws:username}"],
    "Condition": {"ForAnyValue:StringLikeIfExists": {"aws:TagKeys": ["a*", true, 7]}}
  }
})",
                                       PolicyKind::resource, notices);
  ASSERT_TRUE(document.has_value()) << document.error().message;
  EXPECT_TRUE(notices.empty());
  EXPECT_EQ(document->id, "guard");
  EXPECT_TRUE(document->has_variables);
  ASSERT_EQ(document->statements.size(), 1u);
  const Statement& statement = document->statements[0];
  EXPECT_EQ(statement.sid, "One");
  EXPECT_EQ(statement.place, (Place{4, 16}));
  EXPECT_TRUE(statement.not_action);
  EXPECT_TRUE(statement.not_resource);
  EXPECT_EQ(statement.principals.size(), 2u);
  EXPECT_EQ(statement.resources[0].text.variables(), std::vector<std::string>{"aws:username"});
  ASSERT_EQ(statement.conditions.size(), 1u);
  EXPECT_EQ(statement.conditions[0].quantifier, Quantifier::for_any_value);
  EXPECT_TRUE(statement.conditions[0].if_exists);
  EXPECT_EQ(statement.conditions[0].values[1].written(), "true");
  EXPECT_EQ(statement.conditions[0].place, (Place{7, 54}));
}

}  // namespace
}  // namespace portolan::iam
