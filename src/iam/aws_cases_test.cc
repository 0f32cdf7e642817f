// SPDX-License-Identifier: Apache-2.0
// testdata/iam/aws_cases.jsonl: what AWS's pages say of their own examples. Each line is a request as in
// request_text.h, with the page ("source"), the fact in a few words, the outcome that the page states ("expect"),
// and where the page says more, members of "by" ("expect_by").
#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "iam/request_text.h"

namespace portolan::iam {
namespace {

using nlohmann::json;

std::string text_without(json request, std::string_view member) {
  request.erase(std::string(member));
  return request.dump();
}

TEST(AwsCases, DecidesEveryCaseAsItsPageSays) {
  std::ifstream file(PORTOLAN_TESTDATA "/iam/aws_cases.jsonl");
  ASSERT_TRUE(file.is_open());
  RequestLines lines;
  int cases = 0;
  std::set<std::string> pages;
  for (std::string line; std::getline(file, line); ++cases) {
    const json request = json::parse(line);
    pages.insert(request.at("source").get<std::string>());
    SCOPED_TRACE("line " + std::to_string(cases + 1) + ", " + request.at("source").get<std::string>() + ": " +
                 request.at("fact").get<std::string>());
    const json answer = json::parse(lines.answer(text_without(request, "expect_by")));
    if (!answer.contains("decision")) {
      ADD_FAILURE() << answer.dump();
      continue;
    }
    EXPECT_EQ(answer["decision"], request.at("expect"));
    const json expect_by = request.value("expect_by", json::object());
    for (const auto& [member, value] : expect_by.items()) EXPECT_EQ(answer["by"][member], value) << member;
  }
  EXPECT_GE(cases, 440) << "docs/operate/policy_evaluation.md tells their number";
  EXPECT_GE(pages.size(), 25u);
}

}  // namespace
}  // namespace portolan::iam
