// SPDX-License-Identifier: Apache-2.0
#include "base/aes_gcm.h"

#include <gtest/gtest.h>

#include "base/bytes.h"

namespace portolan::base {
namespace {

std::string hex(std::string_view digits) {
  std::string bytes;
  EXPECT_TRUE(from_hex(digits, bytes));
  return bytes;
}

/// Test case 16 of McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B.
struct TestCase16 {
  std::string key = hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
  std::string nonce = hex("cafebabefacedbaddecaf888");
  std::string owner = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
  std::string text =
      hex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525"
          "b16aedf5aa0de657ba637b39");
  std::string sealed =
      hex("522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e63"
          "93ba7a0a"
          "bcc9f662"
          "76fc6ece0f4e1768cddf8853bb2d551b");
};

TEST(AesGcm, SealsAsThePublishedTestCase) {
  const TestCase16 known;
  const AesGcm cipher{Secret{known.key}};
  EXPECT_EQ(cipher.seal(known.nonce, known.text, known.owner), known.sealed);
  EXPECT_EQ(cipher.open(known.nonce, known.sealed, known.owner), known.text);
}

TEST(AesGcm, OpensNothingThatWasChangedAnywhere) {
  const TestCase16 known;
  const AesGcm cipher{Secret{known.key}};
  for (std::size_t at = 0; at < known.sealed.size(); ++at) {
    std::string changed = known.sealed;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    EXPECT_EQ(cipher.open(known.nonce, changed, known.owner), std::nullopt) << at;
  }
  EXPECT_EQ(cipher.open(known.nonce, known.sealed, known.owner + "x"), std::nullopt);
  EXPECT_EQ(cipher.open(std::string(AesGcm::nonce_bytes, 'n'), known.sealed, known.owner), std::nullopt);
  EXPECT_EQ(AesGcm{Secret{std::string(AesGcm::key_bytes, 'k')}}.open(known.nonce, known.sealed, known.owner),
            std::nullopt);
}

TEST(AesGcm, SealsAnEmptyTextAndOpensNothingShorterThanATag) {
  const TestCase16 known;
  const AesGcm cipher{Secret{known.key}};
  const auto sealed = cipher.seal(known.nonce, "", "");
  ASSERT_TRUE(sealed);
  EXPECT_EQ(sealed->size(), AesGcm::tag_bytes);
  EXPECT_EQ(cipher.open(known.nonce, *sealed, ""), "");
  EXPECT_EQ(cipher.open(known.nonce, std::string_view{*sealed}.substr(1), ""), std::nullopt);
}

}  // namespace
}  // namespace portolan::base
