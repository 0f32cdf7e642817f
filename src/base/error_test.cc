// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>
#include <set>
#include <vector>

#include "base/check.h"
#include "base/result.h"

namespace portolan::base {
namespace {

std::vector<Code> all_codes() {
  return {
#define PORTOLAN_ERROR(code, ...) Code::code,
#include "base/error_codes.def"
#undef PORTOLAN_ERROR
  };
}

TEST(ErrorTable, HasARowForEachCodeUnderItsOwnName) {
  EXPECT_EQ(facts(Code::malformed_request).name, "malformed_request");
  EXPECT_EQ(facts(Code::unreachable).name, "unreachable");
  std::set<std::string_view> names;
  for (const Code code : all_codes()) EXPECT_TRUE(names.insert(facts(code).name).second) << facts(code).name;
}

TEST(ErrorTable, HasStatusesAndTypesOfBothDialects) {
  for (const Code code : all_codes()) {
    const CodeFacts& row = facts(code);
    for (const int status : {row.bedrock_status, row.openai_status}) {
      EXPECT_GE(status, 400) << row.name;
      EXPECT_LT(status, 600) << row.name;
    }
    EXPECT_TRUE(row.bedrock_type.ends_with("Exception")) << row.name;
    EXPECT_TRUE(row.openai_type.ends_with("_error")) << row.name;
  }
}

TEST(ErrorTable, NeverSendsACallersMistakeElsewhere) {
  for (const Code code : all_codes()) {
    const CodeFacts& row = facts(code);
    if (row.blame == Blame::caller) EXPECT_NE(row.remedy, Remedy::retry_elsewhere) << row.name;
    if (row.remedy == Remedy::retry_elsewhere) EXPECT_TRUE(row.name.starts_with("upstream_")) << row.name;
  }
}

TEST(ErrorTable, BlamesTheCallerWith4xxInBothDialects) {
  for (const Code code : all_codes()) {
    const CodeFacts& row = facts(code);
    if (row.blame != Blame::caller) continue;
    EXPECT_LT(row.bedrock_status, 500) << row.name;
    EXPECT_LT(row.openai_status, 500) << row.name;
  }
}

TEST(ErrorTable, NamesBlameAndRemedy) {
  EXPECT_EQ(name(Blame::caller), "caller");
  EXPECT_EQ(name(Blame::operator_), "operator");
  EXPECT_EQ(name(Blame::gateway), "gateway");
  EXPECT_EQ(name(Blame::upstream), "upstream");
  EXPECT_EQ(name(Remedy::give_up), "give_up");
  EXPECT_EQ(name(Remedy::retry_here), "retry_here");
  EXPECT_EQ(name(Remedy::retry_elsewhere), "retry_elsewhere");
  EXPECT_EQ(name(Remedy::slow_down), "slow_down");
}

Result<int> half(int value) {
  if (value % 2 != 0) return fail(Code::invalid_field, "value: must be even", seconds{3});
  return value / 2;
}

Result<int> quarter(int value) {
  TRY(const int once, half(value));
  TRY(const int twice, half(once));
  return twice;
}

Result<> check_even(int value) {
  TRY_VOID(half(value));
  return {};
}

Result<std::unique_ptr<int>> boxed(int value) {
  TRY(auto box, Result<std::unique_ptr<int>>(std::make_unique<int>(value)));
  return box;
}

TEST(Result, PassesValuesAndErrorsUp) {
  EXPECT_EQ(quarter(12).value(), 3);
  const auto failed = quarter(6);
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code, Code::invalid_field);
  EXPECT_EQ(failed.error().message, "value: must be even");
  EXPECT_EQ(failed.error().retry_after, seconds{3});
  EXPECT_EQ(failed.error().facts().bedrock_status, 400);
  EXPECT_TRUE(check_even(4).has_value());
  EXPECT_FALSE(check_even(5).has_value());
}

TEST(Result, MovesWhatCannotBeCopied) {
  const auto box = boxed(7);
  ASSERT_TRUE(box.has_value());
  EXPECT_EQ(**box, 7);
}

TEST(CheckDeathTest, StopsTheProcessNamingTheCondition) {
  const int one = 1;
  CHECK(one == 1);
  EXPECT_DEATH(CHECK(one == 2), "portolan: impossible: one == 2 at .*error_test.cc:");
}

}  // namespace
}  // namespace portolan::base
