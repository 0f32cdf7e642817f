// SPDX-License-Identifier: Apache-2.0
#include "config/document.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace portolan::config {
namespace {

std::string refusal(std::string_view text) {
  const auto document = read_document(text);
  if (document) return "read";
  return fmt::format("{}:{}: {}", document.error().line, document.error().column, document.error().what);
}

TEST(Document, RemembersWhereEachValueStood) {
  const Node root = read_document("a: 1\nbc:\n  - x\n  - {k: \"v\"}\n").value();
  ASSERT_EQ(root.kind, Node::Kind::mapping);
  const Node& list = *root.find("bc");
  ASSERT_EQ(list.kind, Node::Kind::sequence);
  EXPECT_EQ(list.items[0].line, 3);
  EXPECT_EQ(list.items[0].column, 5);
  const Node& value = *list.items[1].find("k");
  EXPECT_EQ(value.text, "v");
  EXPECT_EQ(value.line, 4);
  EXPECT_EQ(value.column, 9);
  EXPECT_EQ(root.find("absent"), nullptr);
}

TEST(Document, AMissingValueStandsWhereItsKeyDoes) {
  const Node root = read_document("a:\nb: 1\n").value();
  EXPECT_EQ(root.find("a")->kind, Node::Kind::null);
  EXPECT_EQ(root.find("a")->line, 1);
  EXPECT_EQ(root.find("a")->column, 1);
}

TEST(Document, KeepsRepeatedKeys) {
  const Node root = read_document("a: 1\na: 2\n").value();
  ASSERT_EQ(root.keys.size(), 2u);
  EXPECT_EQ(root.keys[1].line, 2);
  EXPECT_EQ(root.find("a")->text, "1");
}

TEST(Document, OfNothingIsNull) {
  for (const std::string_view text : {"", "\n", "# only a comment\n", "---\n", "\xef\xbb\xbf"})
    EXPECT_EQ(read_document(text).value().kind, Node::Kind::null) << text;
}

TEST(Document, RefusesAnchorsAliasesAndTags) {
  EXPECT_EQ(refusal("a: &x 1\n"), "1:4: anchors and aliases are not read; write the value out");
  EXPECT_EQ(refusal("a: &x 1\nb: *x\n").substr(0, 4), "1:4:");
  EXPECT_NE(refusal("a: 1\nb: *x\n"), "read");
  EXPECT_EQ(refusal("a: !!binary x\n"), "1:4: tags are not read; remove the tag");
  EXPECT_EQ(refusal("a: !mine {}\n"), "1:4: tags are not read; remove the tag");
}

TEST(Document, RefusesASecondDocument) {
  EXPECT_EQ(refusal("a: 1\n---\nb: 1\n"), "3:1: a second document begins here; keep one");
}

TEST(Document, RefusesAKeyThatIsNotPlainText) {
  EXPECT_EQ(refusal("? [a]\n: b\n"), "1:3: a key must be plain text");
}

TEST(Document, RefusesDeepNesting) {
  const auto nested = [](std::size_t depth) { return "a: " + std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_EQ(refusal(nested(document_depth_max - 1)), "read");
  EXPECT_EQ(refusal(nested(document_depth_max)), "1:19: is nested deeper than 16");
  EXPECT_NE(refusal(nested(100'000)), "read");
}

TEST(Document, RefusesTooManyValuesAndTooManyBytes) {
  std::string many = "[";
  for (std::size_t i = 0; i < document_nodes_max; ++i) many += "1,";
  EXPECT_EQ(refusal(many + "]"), "1:400000: has more than 200000 values");
  EXPECT_EQ(refusal(std::string(document_bytes_max + 1, ' ')), "1:1: is larger than 4194304 bytes");
}

TEST(Document, RefusesControlCharactersAndBrokenUtf8WhereTheyStand) {
  constexpr std::string_view what =
      "this byte is not UTF-8 text; save the file as UTF-8 without control characters";
  for (const std::string_view bad :
       {"\x04", "\x01", "\x7f", "\xff", "\xc0\x80", "\xc3", "\xe2\x82", "\xf5\x80\x80\x80"})
    EXPECT_EQ(refusal("a: 1\nb: " + std::string{bad}), fmt::format("2:4: {}", what));
  EXPECT_EQ(refusal(std::string_view{"\0", 1}), fmt::format("1:1: {}", what));
}

TEST(Document, ReadsTextInAnyScript) {
  EXPECT_EQ(read_document("a: Zürich 東京 🚢\r\n").value().find("a")->text, "Zürich 東京 🚢");
}

TEST(Document, SaysWhereTheSyntaxBreaks) {
  EXPECT_EQ(refusal("a: [1, 2\nb: 3\n").substr(0, 3), "2:2");
  EXPECT_NE(refusal("a: 'open").find("is not YAML: "), std::string::npos);
  EXPECT_NE(refusal("\ta: 1").find("is not YAML: "), std::string::npos);
}

}  // namespace
}  // namespace portolan::config
