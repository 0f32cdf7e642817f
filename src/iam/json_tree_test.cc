// SPDX-License-Identifier: Apache-2.0
#include "iam/json_tree.h"

#include <gtest/gtest.h>
#include <string>

namespace portolan::iam {
namespace {

struct BadText {
  std::string text;
  Place place;
  std::string_view part_of_message;
};

TEST(JsonTree, RefusesWhatIsNoStrictJsonAndSaysWhere) {
  const BadText rows[] = {
      {"", {1, 1}, "the text ends"},
      {" \n  ", {2, 3}, "the text ends"},
      {"\xef\xbb\xbf{}", {1, 1}, "byte order mark"},
      {"{} x", {1, 4}, "something follows"},
      {"{}{}", {1, 3}, "something follows"},
      {"[1,]", {1, 4}, "a comma before ']'"},
      {"{\"a\":1,}", {1, 8}, "a comma before '}'"},
      {"[1 2]", {1, 4}, "']' expected"},
      {"[1", {1, 3}, "the text ends inside an array"},
      {"{\"a\":1", {1, 7}, "the text ends inside an object"},
      {"{a:1}", {1, 2}, "in double quotes"},
      {"{\"a\" 1}", {1, 6}, "':' expected behind 'a'"},
      {"{\"a\":1,\n \"b\":2,\n \"a\":3}", {3, 2}, "'a' stands twice"},
      {"{\"a\":1,\"\\u0061\":2}", {1, 8}, "'a' stands twice"},
      {"'a'", {1, 1}, "double quotes"},
      {"tru", {1, 1}, "double quotes"},
      {"True", {1, 1}, "double quotes"},
      {"NaN", {1, 1}, "double quotes"},
      {"01", {1, 1}, "leading zeros"},
      {"1.", {1, 1}, "no JSON number"},
      {".5", {1, 1}, "double quotes"},
      {"-", {1, 1}, "double quotes"},
      {"1e", {1, 1}, "no JSON number"},
      {"+1", {1, 1}, "double quotes"},
      {"// x\n1", {1, 1}, "double quotes"},
      {"\"a", {1, 1}, "not closed"},
      {"\"a\\\"", {1, 1}, "not closed"},
      {"\"a\nb\"", {1, 3}, "U+000A"},
      {"\"\t\"", {1, 2}, "U+0009"},
      {std::string("\"\0\"", 3), {1, 2}, "U+0000"},
      {"\"\\u0000\"", {1, 2}, "U+0000"},
      {"\"\\b\"", {1, 2}, "U+0008"},
      {"\"\\x41\"", {1, 2}, "a backslash is written"},
      {"\"\\u12g4\"", {1, 2}, "four hexadecimal"},
      {"\"\\u12", {1, 2}, "four hexadecimal"},
      {"\"\\ud800\"", {1, 2}, "surrogate"},
      {"\"\\ud800\\u0041\"", {1, 2}, "surrogate"},
      {"\"\\udc00\"", {1, 2}, "surrogate"},
      {"\"\\", {1, 2}, "cut off"},
      {"\"\xff\"", {1, 2}, "no UTF-8"},
      {"\"\xc0\x80\"", {1, 2}, "no UTF-8"},
      {"\"\xed\xa0\x80\"", {1, 2}, "no UTF-8"},
      {"\"\xf4\x90\x80\x80\"", {1, 2}, "no UTF-8"},
      {"\"\xc3", {1, 2}, "no UTF-8"},
      {"\x01", {1, 1}, "double quotes"},
      {"[[[[[1]]]]]", {1, 5}, "more than 4 levels"},
      {"{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}", {1, 21}, "more than 4 levels"},
  };
  for (const BadText& row : rows) {
    const auto read = read_json(row.text, Alphabet::unicode, 4);
    ASSERT_FALSE(read.has_value()) << row.text;
    EXPECT_EQ(read.error().place.line, row.place.line) << row.text;
    EXPECT_EQ(read.error().place.column, row.place.column) << row.text;
    EXPECT_TRUE(read.error().what.contains(row.part_of_message)) << row.text << ": " << read.error().what;
  }
}

TEST(JsonTree, ReadsValuesWithTheirPlaces) {
  const std::string text = "{\r\n \"a\" : [ 1.5e3 , true,\n null ], \"b\":\"\\u00e9\\ud83d\\ude00\\\\\\/\\n\"}  ";
  const auto read = read_json(text, Alphabet::unicode, 2);
  ASSERT_TRUE(read.has_value()) << read.error().what;
  ASSERT_EQ(read->members.size(), 2u);
  const JsonValue& list = *read->find("a");
  EXPECT_EQ(list.place, (Place{2, 8}));
  EXPECT_EQ(list.items[0].text, "1.5e3");
  EXPECT_TRUE(list.items[1].is(JsonValue::Kind::boolean));
  EXPECT_EQ(list.items[2].place, (Place{3, 2}));
  EXPECT_EQ(text.substr(list.begin, list.end - list.begin), "[ 1.5e3 , true,\n null ]");
  EXPECT_EQ(read->find("b")->text, "\xc3\xa9\xf0\x9f\x98\x80\\/\n");
  EXPECT_EQ(read->find("c"), nullptr);
  EXPECT_EQ(read->begin, 0u);
  EXPECT_EQ(read->end, text.size() - 2);
}

TEST(JsonTree, KeepsToTheCharactersOfAPolicyWhenAsked) {
  EXPECT_TRUE(read_json("\"\xc3\xbf\xc2\x80\"", Alphabet::policy, 1).has_value());
  EXPECT_TRUE(read_json("\"\\u0100\"", Alphabet::policy, 1).has_value());
  EXPECT_TRUE(read_json("\"\xc4\x80\"", Alphabet::unicode, 1).has_value());
  const auto read = read_json("\"a\xc4\x80\"", Alphabet::policy, 1);
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().place, (Place{1, 3}));
  EXPECT_TRUE(read.error().what.contains("U+0100"));
}

TEST(JsonTree, BoundsTheMembersOfOneObject) {
  std::string text = "{";
  for (int i = 0; i < 1000; ++i) text += "\"" + std::to_string(i) + "\":0,";
  EXPECT_TRUE(read_json(text.substr(0, text.size() - 1) + "}", Alphabet::unicode, 1).has_value());
  EXPECT_FALSE(read_json(text + "\"x\":0}", Alphabet::unicode, 1).has_value());
}

}  // namespace
}  // namespace portolan::iam
