// SPDX-License-Identifier: Apache-2.0
#include "store/master_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>

#include "base/bytes.h"

namespace portolan::store {
namespace {

using base::Code;
using base::Secret;

MasterKey key_of(char byte) {
  return *MasterKey::read(Secret{base::to_base64(base::as_bytes(std::string(32, byte)))});
}

TEST(MasterKey, OpensWhatItSealed) {
  const MasterKey key = key_of('k');
  for (const std::string& text : {std::string{"wJalrXUtnFEMI/K7MDENG"}, std::string{}, std::string(4096, 's')}) {
    const auto sealed = key.seal(Secret{text}, "alice");
    ASSERT_TRUE(sealed);
    EXPECT_EQ(sealed->size(), text.size() + 28);
    EXPECT_EQ(key.open(*sealed, "alice")->reveal(), text);
  }
}

TEST(MasterKey, HidesTheSecretAndNeverSealsAlike) {
  const MasterKey key = key_of('k');
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const std::string sealed = *key.seal(Secret{"wJalrXUtnFEMI"}, "alice");
    EXPECT_EQ(sealed.find("wJal"), std::string::npos);
    EXPECT_TRUE(seen.insert(sealed.substr(0, 12)).second) << "a nonce came twice";
  }
}

TEST(MasterKey, RefusesWhatWasChangedAnywhere) {
  const MasterKey key = key_of('k');
  const std::string sealed = *key.seal(Secret{"wJalrXUtnFEMI"}, "alice");
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    std::string changed = sealed;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    const auto opened = key.open(changed, "alice");
    ASSERT_FALSE(opened) << i;
    EXPECT_EQ(opened.error().code, Code::corrupt);
  }
  for (std::size_t size = 0; size < sealed.size(); ++size) EXPECT_FALSE(key.open(sealed.substr(0, size), "alice"));
}

TEST(MasterKey, RefusesAnotherOwnerAndAnotherKey) {
  const std::string sealed = *key_of('k').seal(Secret{"wJalrXUtnFEMI"}, "alice");
  EXPECT_FALSE(key_of('k').open(sealed, "bob"));
  EXPECT_FALSE(key_of('k').open(sealed, ""));
  EXPECT_FALSE(key_of('l').open(sealed, "alice"));
}

// The published vector of AES-256-GCM: NIST GCM test case 14 (McGrew and Viega, "The Galois/Counter Mode of
// Operation", appendix B): key and nonce of zeros, sixteen zero bytes.
TEST(MasterKey, IsAes256Gcm) {
  std::string sealed;
  ASSERT_TRUE(
      base::from_hex("000000000000000000000000"
                     "cea7403d4d606b6e074ec5d3baf39d18"
                     "d0d1c8a799996bf0265b98b5d48ab919",
                     sealed));
  const auto opened = key_of('\0').open(sealed, "");
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->reveal(), std::string(16, '\0'));
}

TEST(MasterKey, HasAnIdThatTellsKeysApart) {
  EXPECT_EQ(key_of('k').id(), key_of('k').id());
  EXPECT_NE(key_of('k').id(), key_of('l').id());
  EXPECT_THAT(key_of('k').id(), testing::MatchesRegex("mk-[0-9a-f]{12}"));
}

TEST(MasterKey, IsMadeAnewEachTime) {
  const Secret one = *MasterKey::make();
  EXPECT_EQ(one.size(), 44u);
  EXPECT_TRUE(MasterKey::read(one));
  EXPECT_NE(one, *MasterKey::make());
}

TEST(MasterKey, RefusesWhatIsNotThirtyTwoBytesInBase64WithoutRepeatingIt) {
  const auto base64 = [](std::size_t size) { return base::to_base64(base::as_bytes(std::string(size, 'x'))); };
  for (const std::string& text : {std::string{"hunter2"}, base64(31), base64(33), base64(0), base64(32) + "\n"}) {
    const auto refused = MasterKey::read(Secret{text});
    ASSERT_FALSE(refused) << text;
    EXPECT_EQ(refused.error().message,
              "a master key is 32 random bytes in base64 (44 characters); `portolan key init` makes one");
  }
}

}  // namespace
}  // namespace portolan::store
