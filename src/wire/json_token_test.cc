// SPDX-License-Identifier: Apache-2.0
#include "wire/json_token.h"

#include <gtest/gtest.h>

namespace portolan::wire {
namespace {

TEST(JsonToken, CountsWhatAStringStandsFor) {
  EXPECT_EQ(decoded_bytes(R"("")"), 0U);
  EXPECT_EQ(decoded_bytes(R"("abc")"), 3U);
  EXPECT_EQ(decoded_bytes(R"("a\nb")"), 3U);
  EXPECT_EQ(decoded_bytes(R"("\"\\\/\b\f\n\r\t")"), 8U);
  EXPECT_EQ(decoded_bytes(R"("\u0041")"), 1U);
  EXPECT_EQ(decoded_bytes(R"("\u00e9")"), 2U);
  EXPECT_EQ(decoded_bytes(R"("\u65e5\u672c")"), 6U);
  EXPECT_EQ(decoded_bytes(R"("\ud83d\ude00")"), 4U);
  EXPECT_EQ(decoded_bytes("\"日本\""), 6U);
}

TEST(JsonToken, CountsALoneSurrogateAsTheReplacementThatItBecomes) {
  EXPECT_EQ(decoded_bytes(R"("\ud83d")"), 3U);
  EXPECT_EQ(decoded_bytes(R"("\ude00\ud83d")"), 6U);
  EXPECT_EQ(decoded_bytes(R"("\ud83dx\ude00")"), 7U);
  EXPECT_EQ(decoded_bytes(R"("\ud83d\ud83d\ude00")"), 7U);
}

TEST(JsonToken, RefusesBrokenEscapesAndWhatIsNoString) {
  for (const char* token :
       {R"("\x41")", R"("\u12")", R"("\u12g4")", R"("\")", R"("\U0041")", R"(")", "abc", "", "\"a", "a\""})
    EXPECT_EQ(decoded_bytes(token), std::nullopt) << token;
}

TEST(JsonToken, DecodesExactlyAsManyBytesAsItCounts) {
  for (const char* token : {R"("")", R"("a\nb\\\"\/")", R"("\u0041\u00e9\u65e5\ud83d\ude00")", R"("\ud83d")",
                            R"("\ude00\ud83dx")", R"("\ud83d\u0041")"})
    EXPECT_EQ(decode(token).size(), decoded_bytes(token)) << token;
  EXPECT_EQ(decode(R"("max\u005ftokens")"), "max_tokens");
  EXPECT_EQ(decode(R"("\ud83d\ude00\t\ud83d")"), "😀\t\xef\xbf\xbd");
}

TEST(JsonToken, KnowsTheGrammarOfNumbers) {
  for (const char* token :
       {"0", "-0", "7", "10", "1.5", "-1.5e10", "1E+2", "1e-2", "123456789012345678901234567890"})
    EXPECT_TRUE(is_number(token)) << token;
  for (const char* token : {"", "-", "01", "1.", ".5", "+1", "1e", "1e+", "0x10", "1 ", "1a", "NaN", "--1"})
    EXPECT_FALSE(is_number(token)) << token;
}

TEST(JsonToken, DropsOnlyTheSpaceBehindAToken) {
  EXPECT_EQ(without_trailing_space("true \r\n\t"), "true");
  EXPECT_EQ(without_trailing_space(" \" \""), " \" \"");
  EXPECT_EQ(without_trailing_space(" \n"), "");
}

}  // namespace
}  // namespace portolan::wire
