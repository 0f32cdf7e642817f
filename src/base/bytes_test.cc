// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.h"

#include <array>
#include <gtest/gtest.h>

#include "base/random.h"

namespace portolan::base {
namespace {

std::string random_bytes(Random& random, std::size_t size) {
  std::string bytes;
  while (bytes.size() < size) bytes.push_back(static_cast<char>(random.below(256)));
  return bytes;
}

TEST(Hex, IsLowerCaseAndReadInBothCases) {
  EXPECT_EQ(to_hex(as_bytes(std::string_view{"\x00\x7f\xff", 3})), "007fff");
  std::string bytes = "left over";
  EXPECT_TRUE(from_hex("00fFAb", bytes));
  EXPECT_EQ(bytes, (std::string_view{"\x00\xff\xab", 3}));
  EXPECT_TRUE(from_hex("", bytes));
  EXPECT_EQ(bytes, "");
}

TEST(Hex, RefusesOddLengthsAndOtherCharacters) {
  std::string bytes;
  for (const std::string_view odd : {"a", "abc", "0g", "g0", " 0", "0x", "-1"})
    EXPECT_FALSE(from_hex(odd, bytes)) << odd;
}

TEST(Base64, IsThatOfRfc4648) {
  const std::array<std::pair<std::string_view, std::string_view>, 7> vectors{{{"", ""},
                                                                              {"f", "Zg=="},
                                                                              {"fo", "Zm8="},
                                                                              {"foo", "Zm9v"},
                                                                              {"foob", "Zm9vYg=="},
                                                                              {"fooba", "Zm9vYmE="},
                                                                              {"foobar", "Zm9vYmFy"}}};
  for (const auto& [plain, coded] : vectors) {
    EXPECT_EQ(to_base64(as_bytes(plain)), coded);
    std::string back;
    EXPECT_TRUE(from_base64(coded, back));
    EXPECT_EQ(back, plain);
  }
}

TEST(Base64, ReadsBackWhatItWrote) {
  Random random(1);
  for (std::size_t size = 0; size < 100; ++size) {
    const std::string bytes = random_bytes(random, size);
    std::string back;
    ASSERT_TRUE(from_base64(to_base64(as_bytes(bytes)), back));
    EXPECT_EQ(back, bytes);
  }
}

TEST(Base64, RefusesWhatIsNotCanonical) {
  std::string bytes;
  for (const std::string_view odd : {"Z", "Zg", "Zg=", "Zm9", "Zg==Zg==", "=Zg=", "Z===", "====", "Zh==", "Zm9=",
                                     "Zm-_", "Zm 9", "Zm9v\n", "Zg=a"})
    EXPECT_FALSE(from_base64(odd, bytes)) << odd;
}

TEST(PercentEncoding, LeavesOnlyUnreservedCharacters) {
  for (int value = 0; value < 256; ++value) {
    const char c = static_cast<char>(value);
    std::string encoded = "kept:";
    percent_encode({&c, 1}, encoded);
    EXPECT_EQ(encoded.size(), is_unreserved(c) ? 6U : 8U) << value;
    std::string back;
    EXPECT_TRUE(percent_decode(encoded.substr(5), back));
    EXPECT_EQ(back, std::string(1, c));
  }
  std::string out;
  percent_encode("a b/~\xe1\x88\xb4", out);
  EXPECT_EQ(out, "a%20b%2F~%E1%88%B4");
}

TEST(PercentEncoding, IsDecodedInBothCasesAndPlusStaysPlus) {
  std::string out;
  EXPECT_TRUE(percent_decode("a%2fb%2Fc+d", out));
  EXPECT_EQ(out, "a/b/c+d");
}

TEST(PercentEncoding, RefusesBrokenEscapes) {
  for (const std::string_view odd : {"%", "%4", "a%", "a%4", "%g0", "%0g", "%%41"}) {
    std::string out;
    EXPECT_FALSE(percent_decode(odd, out)) << odd;
  }
}

TEST(BigEndian, ReadsBackWhatItWrote) {
  std::array<std::uint8_t, 4> at{};
  put_be16(at.data(), 0x1234);
  EXPECT_EQ(at[0], 0x12);
  EXPECT_EQ(at[1], 0x34);
  EXPECT_EQ(get_be16(at.data()), 0x1234);
  put_be32(at.data(), 0xfedcba98);
  EXPECT_EQ(at[0], 0xfe);
  EXPECT_EQ(get_be32(at.data()), 0xfedcba98);
}

TEST(Crc32, IsThatOfZlibAndCanBeContinued) {
  EXPECT_EQ(crc32(as_bytes("123456789")), 0xcbf43926U);
  EXPECT_EQ(crc32(as_bytes("6789"), crc32(as_bytes("12345"))), 0xcbf43926U);
  EXPECT_EQ(crc32({}), 0U);
}

TEST(ConstantTimeEquality, ComparesAllBytes) {
  EXPECT_TRUE(equal_constant_time("", ""));
  EXPECT_TRUE(equal_constant_time("secret", "secret"));
  EXPECT_FALSE(equal_constant_time("secret", "secreT"));
  EXPECT_FALSE(equal_constant_time("secret", "Secret"));
  EXPECT_FALSE(equal_constant_time("secret", "secret "));
  EXPECT_FALSE(equal_constant_time("", "s"));
}

TEST(CaseInsensitiveEquality, FoldsAsciiLettersOnly) {
  EXPECT_TRUE(iequals("X-Amz-Date", "x-aMZ-dATE"));
  EXPECT_TRUE(iequals("", ""));
  EXPECT_FALSE(iequals("x-amz-date", "x-amz-dat"));
  EXPECT_FALSE(iequals("x-amz-date", "x-amz-datf"));
  EXPECT_FALSE(iequals("@", "`")) << "next to A and a, but no letters";
  EXPECT_FALSE(iequals("[", "{"));
  EXPECT_FALSE(iequals("\xc4", "\xe4"));
}

}  // namespace
}  // namespace portolan::base
