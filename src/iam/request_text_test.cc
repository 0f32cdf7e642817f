// SPDX-License-Identifier: Apache-2.0
#include "iam/request_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

namespace portolan::iam {
namespace {

using testing::HasSubstr;

constexpr std::string_view who =
    R"("principal":"arn:aws:iam::111122223333:user/a","action":"bedrock:InvokeModel","resource":"*")";

std::string line_with(std::string_view rest) {
  return "{" + std::string(who) + "," + std::string(rest) + "}";
}

TEST(RequestLines, AnswersWithTheStatementThatDecided) {
  RequestLines lines;
  EXPECT_EQ(lines.answer(line_with(R"("identity_policies":[{"Statement":[
{"Sid":"No","Effect":"Deny","Action":"s3:*","Resource":"*"},
{"Sid":"Yes","Effect":"Allow","Action":"*","Resource":"*"}]}])")),
            R"({"decision":"allowed","by":{"kind":"identity","index":0,"statement":1,"sid":"Yes"}})");
}

TEST(RequestLines, NamesTheLevelOfAGuardrail) {
  RequestLines lines;
  const std::string allow =
      R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}})";
  const std::string deny =
      R"({"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"bedrock:*","Resource":"*"}})";
  const std::string identity = R"("identity_policies":[)" + allow + "],";
  EXPECT_EQ(lines.answer(line_with(identity + R"("scps":[[)" + allow + "],[" + allow + "," + deny + "]]")),
            R"({"decision":"explicit_deny","by":{"kind":"scp","level":1,"index":1,"statement":0,"sid":null}})");
  EXPECT_EQ(
      lines.answer(line_with(identity + R"("scps":[[)" + allow + "],[]]")),
      R"({"decision":"implicit_deny","by":{"kind":"scp","level":1,"index":null,"statement":null,"sid":null}})");
}

TEST(RequestLines, TellsTheChainWhenAsked) {
  RequestLines lines;
  const std::string answer = lines.answer(line_with(
      R"("explain":true,"identity_policies":[{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}],)"
      R"("session_policies":[{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}])"));
  EXPECT_EQ(
      answer,
      R"({"decision":"implicit_deny","by":{"kind":"session","index":null,"statement":null,"sid":null},)"
      R"("chain":[{"kind":"identity","index":0,"statement":0,"sid":null,"outcome":"allowed","waived":false},)"
      R"({"kind":"session","index":null,"statement":null,"sid":null,"outcome":"implicit_deny","waived":false}]})");
}

TEST(RequestLines, TakesContextValuesOfEveryType) {
  RequestLines lines;
  const auto answer = [&](std::string_view context) {
    return lines.answer(line_with(
        R"("identity_policies":[{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{)"
        R"("Bool":{"aws:SecureTransport":true},"NumericLessThan":{"aws:MultiFactorAuthAge":300},)"
        R"("ForAllValues:StringEquals":{"aws:TagKeys":["a","b"]},"Null":{"aws:username":true}}}}],"context":)" +
        std::string(context)));
  };
  EXPECT_THAT(answer(R"({"AWS:securetransport":true,"aws:MultiFactorAuthAge":299.5,"aws:TagKeys":["a"],)"
                     R"("aws:username":null})"),
              HasSubstr("allowed"));
  EXPECT_THAT(answer(R"({"aws:SecureTransport":"true","aws:MultiFactorAuthAge":"300"})"),
              HasSubstr("implicit_deny"));
  EXPECT_THAT(answer(R"({"a:b":"1","A:B":"2"})"), HasSubstr("'A:B' stands twice"));
  EXPECT_THAT(answer(R"({"a:b":{"c":1}})"), HasSubstr("an array of them"));
}

TEST(RequestLines, NamesTheMemberAndThePlaceOfAMistake) {
  RequestLines lines;
  const std::string line =
      line_with(R"("scps":[[],[{"Statement":{"Effect":"allow","Action":"*","Resource":"*"}}]])");
  const std::size_t column = line.find("\"allow\"") + 1;
  EXPECT_EQ(
      lines.answer(line),
      R"({"error":"scps[1][0]: line 1, column )" + std::to_string(column) +
          R"(: Effect \"allow\" does not exist; write \"Allow\" or \"Deny\"","member":"scps[1][0]","line":1,)" +
          R"("column":)" + std::to_string(column) + "}");
  EXPECT_THAT(lines.answer("{"), HasSubstr(R"("member":null,"line":1,"column":2)"));
  EXPECT_THAT(lines.answer("[]"), HasSubstr("one JSON object a line"));
  EXPECT_THAT(lines.answer(R"({"principal":"a","action":"b:c"})"), HasSubstr(R"("member":"resource")"));
  EXPECT_THAT(lines.answer(line_with(R"("identity_policy":[])")), HasSubstr("is no member of a request"));
  EXPECT_THAT(lines.answer(line_with(R"("note":"mine")")), HasSubstr(R"("decision":"implicit_deny")"));
  EXPECT_THAT(lines.answer(line_with(R"("scps":[{}])")), HasSubstr("scps[0]"));
  EXPECT_THAT(lines.answer(line_with(R"("identity_policies":{})")), HasSubstr("not object"));
  EXPECT_THAT(lines.answer(std::string(request_line_bytes_max + 1, ' ')), HasSubstr("at most 4194304"));
}

TEST(RequestLines, ReadsTheSameTextAsWhatItIsGivenFor) {
  RequestLines lines;
  const std::string document = R"({"Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}})";
  EXPECT_THAT(lines.answer(line_with(R"("resource_policies":[)" + document + "]")), HasSubstr("allowed"));
  EXPECT_THAT(lines.answer(line_with(R"("identity_policies":[)" + document + "]")), HasSubstr("has no Principal"));
}

}  // namespace
}  // namespace portolan::iam
