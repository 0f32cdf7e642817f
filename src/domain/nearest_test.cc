// SPDX-License-Identifier: Apache-2.0
#include "domain/nearest.h"

#include <gtest/gtest.h>

namespace portolan::domain {
namespace {

TEST(EditDistance, CountsInsertionsDeletionsReplacementsAndSwaps) {
  EXPECT_EQ(edit_distance("", ""), 0u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("port", "prot"), 1u);
  EXPECT_EQ(edit_distance("port", "pot"), 1u);
  EXPECT_EQ(edit_distance("port", "ports"), 1u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
}

TEST(EditDistance, IgnoresLetterCase) {
  EXPECT_EQ(edit_distance("US-East-1", "us-east-1"), 0u);
}

TEST(NearestName, PrefersTheFirstOfEquals) {
  EXPECT_EQ(nearest_name("us-east-3", {"us-east-1", "us-east-2"}), "us-east-1");
}

TEST(NearestName, IsEmptyWhenNothingIsNear) {
  EXPECT_EQ(nearest_name("teapot", {"us-east-1", "listen"}), "");
  EXPECT_EQ(nearest_name("", {"a"}), "");
  EXPECT_EQ(nearest_name("x", {}), "");
}

TEST(NearestName, TakesAPieceOfALongName) {
  EXPECT_EQ(nearest_name("nova-lite", {"us.anthropic.claude-3-haiku-20240307-v1:0", "us.amazon.nova-lite-v1:0"}),
            "us.amazon.nova-lite-v1:0");
}

TEST(NearestName, DoesNotWorkThroughHugeNames) {
  const std::string huge(100'000, 'a');
  EXPECT_EQ(nearest_name(huge, {"aaaa"}), "");
  EXPECT_EQ(nearest_name("aaaa", {huge}), "");
}

}  // namespace
}  // namespace portolan::domain
