// SPDX-License-Identifier: Apache-2.0
#include "domain/application_profile.h"

#include <gtest/gtest.h>

namespace portolan::domain {
namespace {

TEST(Tags, MergeInOrderAndReplaceTheSameKey) {
  const Tags tags = merged({{"b", "1"}, {"d", "2"}}, {{"d", "3"}, {"a", "4"}, {"c", ""}});
  EXPECT_EQ(tags, (Tags{{"a", "4"}, {"b", "1"}, {"c", ""}, {"d", "3"}}));
  EXPECT_EQ(merged({}, {{"b", "1"}, {"a", "2"}}), (Tags{{"a", "2"}, {"b", "1"}}));
}

TEST(Tags, AreTakenAwayByKeyAndUnknownKeysDoNotMatter) {
  EXPECT_EQ(without({{"a", "1"}, {"b", "2"}}, {"b", "x"}), (Tags{{"a", "1"}}));
}

TEST(Tags, HaveNoKeyInTwoCases) {
  EXPECT_EQ(key_in_two_cases({{"Blocked", "yes"}, {"blocked", "no"}}), "blocked");
  EXPECT_EQ(key_in_two_cases({{"Blocked", "yes"}, {"Locked", "no"}}), "");
  EXPECT_EQ(key_in_two_cases({}), "");
}

}  // namespace
}  // namespace portolan::domain
