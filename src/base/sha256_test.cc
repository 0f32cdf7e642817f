// SPDX-License-Identifier: Apache-2.0
// Vectors: FIPS 180-2 appendix B, and RFC 4231 for HMAC-SHA-256.
#include "base/sha256.h"

#include <gtest/gtest.h>

#include "base/bytes.h"

namespace portolan::base {
namespace {

TEST(Sha256, GivesThePublishedDigests) {
  EXPECT_EQ(to_hex(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(to_hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(to_hex(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(to_hex(sha256(std::string(1'000'000, 'a'))),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, IsTheSameInPieces) {
  const std::string text(300, 'x');
  for (std::size_t cut = 0; cut <= text.size(); cut += 7) {
    Sha256 hash;
    hash.update(std::string_view{text}.substr(0, cut));
    hash.update("");
    hash.update(std::string_view{text}.substr(cut));
    EXPECT_EQ(hash.finish(), sha256(text)) << cut;
  }
}

TEST(Sha256, ContinuesFromACopy) {
  Sha256 shared;
  shared.update("common");
  Sha256 first = shared;
  Sha256 second = shared;
  first.update(" one");
  second.update(" two");
  EXPECT_EQ(first.finish(), sha256("common one"));
  EXPECT_EQ(second.finish(), sha256("common two"));
}

TEST(HmacKey, GivesThePublishedCodes) {
  EXPECT_EQ(to_hex(HmacKey{std::string(20, '\x0b')}.mac("Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(to_hex(HmacKey{"Jefe"}.mac("what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(to_hex(HmacKey{std::string(20, '\xaa')}.mac(std::string(50, '\xdd'))),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
  EXPECT_EQ(to_hex(HmacKey{std::string(131, '\xaa')}.mac("Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(HmacKey, CanBeUsedManyTimesAndCopied) {
  const HmacKey key{"Jefe"};
  const HmacKey copy = key;
  const Digest first = key.mac("text");
  EXPECT_EQ(key.mac("text"), first);
  EXPECT_EQ(copy.mac("text"), first);
  EXPECT_NE(key.mac("other text"), first);
}

TEST(HmacKey, MayBeEmptyOrExactlyABlock) {
  EXPECT_EQ(to_hex(HmacKey{""}.mac("")), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
  EXPECT_EQ(HmacKey{std::string(65, 'k')}.mac("m"), HmacKey{as_text(sha256(std::string(65, 'k')))}.mac("m"));
  EXPECT_NE(HmacKey{std::string(64, 'k')}.mac("m"), HmacKey{as_text(sha256(std::string(64, 'k')))}.mac("m"));
}

}  // namespace
}  // namespace portolan::base
