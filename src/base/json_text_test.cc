// SPDX-License-Identifier: Apache-2.0
#include "base/json_text.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace portolan::base {
namespace {

std::string as_json(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

std::size_t marks(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = text.find("\xef\xbf\xbd"); at != text.npos; at = text.find("\xef\xbf\xbd", at + 3)) ++count;
  return count;
}

TEST(JsonText, LeavesPlainTextAndWellFormedCharactersAlone) {
  EXPECT_EQ(as_json(""), "\"\"");
  EXPECT_EQ(as_json("aws-sdk-js/3.1 (linux; node 20)"), "\"aws-sdk-js/3.1 (linux; node 20)\"");
  EXPECT_EQ(as_json("Zürich 東京 🚢"), "\"Zürich 東京 🚢\"");
}

TEST(JsonText, EscapesQuotesBackslashesAndControlCharactersAnywhereInAWord) {
  for (std::size_t at = 0; at < 20; ++at) {
    for (int c = 0; c < 0x80; ++c) {
      std::string text(20, 'x');
      text[at] = static_cast<char>(c);
      const std::string before(at, 'x');
      const std::string after(19 - at, 'x');
      std::string middle(1, static_cast<char>(c));
      if (c == '"')
        middle = "\\\"";
      else if (c == '\\')
        middle = "\\\\";
      else if (c == '\n')
        middle = "\\n";
      else if (c == '\r')
        middle = "\\r";
      else if (c == '\t')
        middle = "\\t";
      else if (c < 0x20)
        middle = std::string("\\u00") + "01"[c >> 4] + "0123456789abcdef"[c & 15];
      ASSERT_EQ(as_json(text), "\"" + before + middle + after + "\"") << c << " at " << at;
    }
  }
}

TEST(JsonText, ReplacesEachByteThatIsNotUtf8) {
  const std::string mark = "\xef\xbf\xbd";
  EXPECT_EQ(as_json("a\xff\xfe b"), "\"a" + mark + mark + " b\"");
  EXPECT_EQ(as_json("\xc0\x80"), "\"" + mark + mark + "\"");                        // overlong NUL
  EXPECT_EQ(as_json("\xe0\x80\xaf"), "\"" + mark + mark + mark + "\"");             // overlong slash
  EXPECT_EQ(as_json("\xed\xa0\x80"), "\"" + mark + mark + mark + "\"");             // surrogate
  EXPECT_EQ(as_json("\xf4\x90\x80\x80"), "\"" + mark + mark + mark + mark + "\"");  // beyond U+10FFFF
  EXPECT_EQ(as_json("\xf0\x9f\x9a"), "\"" + mark + mark + mark + "\"");             // ends early
  EXPECT_EQ(as_json("\xe6\x9d\""), "\"" + mark + mark + "\\\"\"");                  // a quote is never swallowed
}

TEST(JsonText, CutsAtACharacterBoundary) {
  EXPECT_EQ(cut_text("abc", 3), "abc");
  EXPECT_EQ(cut_text("abcd", 3), "abc");
  EXPECT_EQ(cut_text("abü", 3), "ab");
  EXPECT_EQ(cut_text("ab🚢", 5), "ab");
  EXPECT_EQ(cut_text("🚢x", 4), "🚢");
  EXPECT_EQ(cut_text("🚢", 3), "");
  EXPECT_EQ(cut_text("anything", 0), "");
  EXPECT_EQ(cut_text(std::string(10, '\x80'), 5).size(), 5u);  // not UTF-8 at all: nothing to keep whole
}

TEST(JsonText, NeverLetsAStrayByteThrough) {
  Random random{7};
  for (int round = 0; round < 20'000; ++round) {
    std::string text(random.below(24), '\0');
    for (char& c : text) c = static_cast<char>(random.below(4) == 0 ? random.below(0x60) + 0x20 : random.next());
    const std::string out = as_json(text);
    ASSERT_EQ(out.front(), '"');
    ASSERT_EQ(out.back(), '"');
    for (std::size_t i = 1; i + 1 < out.size(); ++i) {
      ASSERT_GE(static_cast<unsigned char>(out[i]), 0x20);
      ASSERT_NE(out[i], '"');
      if (out[i] == '\\') ++i;
    }
    // What was written is well formed, so writing it again replaces nothing.
    ASSERT_EQ(marks(as_json(out)), marks(out));
  }
}

}  // namespace
}  // namespace portolan::base
