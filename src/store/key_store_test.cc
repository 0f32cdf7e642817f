// SPDX-License-Identifier: Apache-2.0
// Issued keys on disk: what comes back, what stands in the file, which master key opens it.
#include "store/key_store.h"

#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iterator>

#include "base/bytes.h"
#include "store/test_directory.h"

namespace portolan::store {
namespace {

using base::Code;
using base::Secret;
using domain::CredentialKind;
using domain::IssuedKey;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

constexpr base::WallTime noon{std::chrono::sys_days{std::chrono::year{2026} / 11 / 22} + 12h};
constexpr std::string_view secret_text = "wJalrXUtnFEMI/K7MDENG/bPxRfiCY";

MasterKey key_of(char byte) {
  return *MasterKey::read(Secret{base::to_base64(base::as_bytes(std::string(32, byte)))});
}

IssuedKey access_key(const std::string& id) {
  return {.id = id,
          .kind = CredentialKind::sigv4,
          .tenant = "research",
          .user_name = "alice",
          .profiles = {"us.*", "eu.anthropic.claude-3-haiku-20240307-v1:0"},
          .secret_access_key = Secret{secret_text},
          .created = noon,
          .expires = noon + 90 * 24h};
}

IssuedKey api_key(const std::string& id) {
  return {.id = id,
          .kind = CredentialKind::api_key,
          .tenant = "research",
          .user_name = "bot",
          .api_key_sha256 = base::sha256(id),
          .created = noon};
}

class Store : public TestDirectory {
 protected:
  base::Result<std::unique_ptr<KeyStore>> open(MasterKeys keys = {key_of('k'), std::nullopt}) {
    return KeyStore::open(path, std::move(keys));
  }
  std::unique_ptr<KeyStore> opened(MasterKeys keys = {key_of('k'), std::nullopt}) {
    auto store = open(std::move(keys));
    EXPECT_TRUE(store) << store.error().message;
    return store ? *std::move(store) : nullptr;
  }
  std::string bytes() const {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  std::string sealed_secret() const {
    auto database = Database::open(path, "a key store", std::vector<const char*>{""});
    auto row = database->prepare("SELECT sealed_secret FROM keys");
    return row->step().value_or(false) ? std::string{row->text_at(0)} : "";
  }
  /// Runs SQL on the file behind the store's back.
  void tamper(const std::string& sql) {
    auto database = Database::open(path, "a key store", std::vector<const char*>{""});
    ASSERT_TRUE(database) << database.error().message;
    ASSERT_TRUE(database->run(sql.c_str()));
  }
  const std::string path = file("keys.db");
};

TEST_F(Store, GivesBackWhatWasAddedAfterItWasOpenedAgain) {
  ASSERT_TRUE(opened()->add(access_key("PTLNALICE")));
  ASSERT_TRUE(opened()->add(api_key("api:01234567")));
  const auto keys = opened()->keys();
  ASSERT_TRUE(keys) << keys.error().message;
  ASSERT_EQ(keys->size(), 2u);
  const IssuedKey& alice = (*keys)[0];
  EXPECT_EQ(alice.id, "PTLNALICE");
  EXPECT_EQ(alice.kind, CredentialKind::sigv4);
  EXPECT_EQ(alice.tenant, "research");
  EXPECT_EQ(alice.user_name, "alice");
  EXPECT_THAT(alice.profiles, ElementsAre("us.*", "eu.anthropic.claude-3-haiku-20240307-v1:0"));
  EXPECT_EQ(alice.secret_access_key.reveal(), secret_text);
  EXPECT_EQ(alice.created, noon);
  EXPECT_EQ(alice.expires, noon + 90 * 24h);
  EXPECT_FALSE(alice.revoked);
  EXPECT_FALSE(alice.last_use->at());
  const IssuedKey& bot = (*keys)[1];
  EXPECT_EQ(bot.kind, CredentialKind::api_key);
  EXPECT_EQ(bot.api_key_sha256, base::sha256("api:01234567"));
  EXPECT_TRUE(bot.secret_access_key.empty());
  EXPECT_TRUE(bot.profiles.empty());
  EXPECT_FALSE(bot.expires);
}

TEST_F(Store, HoldsNoSecretInTheClear) {
  ASSERT_TRUE(opened()->add(access_key("PTLNALICE")));
  EXPECT_THAT(bytes(), HasSubstr("PTLNALICE"));
  EXPECT_THAT(bytes(), Not(HasSubstr(std::string{secret_text.substr(0, 8)})));
}

TEST_F(Store, RefusesAnIdThatIsTaken) {
  const auto store = opened();
  ASSERT_TRUE(store->add(access_key("PTLNALICE")));
  const auto again = store->add(access_key("PTLNALICE"));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::usage);
  EXPECT_EQ(store->keys()->size(), 1u);
}

TEST_F(Store, AReplacedKeyExpiresAtTheEndOfTheOverlapAndIsReplacedOnce) {
  const auto store = opened();
  ASSERT_TRUE(store->add(access_key("PTLNONE")));
  ASSERT_TRUE(store->replace("PTLNONE", noon + 24h, access_key("PTLNTWO")));
  const auto keys = *store->keys();
  EXPECT_EQ(keys[0].expires, noon + 24h);
  EXPECT_EQ(keys[0].replaced_by, "PTLNTWO");
  EXPECT_EQ(keys[1].expires, noon + 90 * 24h);
  const auto again = store->replace("PTLNONE", noon + 24h, access_key("PTLNTHREE"));
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().message, HasSubstr("was rotated before"));
  EXPECT_EQ(store->keys()->size(), 2u) << "the successor of a refused rotation must not stay";
}

TEST_F(Store, AReplacedKeyNeverLivesLongerThanItWouldHave) {
  const auto store = opened();
  ASSERT_TRUE(store->add(access_key("PTLNONE")));
  ASSERT_TRUE(store->replace("PTLNONE", noon + 400 * 24h, access_key("PTLNTWO")));
  EXPECT_EQ(store->keys()->front().expires, noon + 90 * 24h);
}

TEST_F(Store, ARevokedKeyLosesItsSecretAndKeepsItsRow) {
  const auto store = opened();
  ASSERT_TRUE(store->add(access_key("PTLNALICE")));
  const std::string sealed = sealed_secret();
  ASSERT_EQ(sealed.size(), secret_text.size() + 28);
  ASSERT_THAT(bytes(), HasSubstr(sealed));
  ASSERT_TRUE(store->revoke("PTLNALICE", noon + 1h));
  EXPECT_THAT(bytes(), Not(HasSubstr(sealed))) << "what was deleted must be overwritten";
  const IssuedKey key = store->keys()->front();
  EXPECT_EQ(key.revoked, noon + 1h);
  EXPECT_TRUE(key.secret_access_key.empty());
  EXPECT_FALSE(store->revoke("PTLNALICE", noon + 2h));
  EXPECT_FALSE(store->revoke("PTLNNOBODY", noon + 2h));
  EXPECT_FALSE(store->replace("PTLNALICE", noon + 24h, access_key("PTLNTWO")));
}

TEST_F(Store, KeepsTheHistoryOfEveryChangeWithoutSecrets) {
  const auto store = opened();
  ASSERT_TRUE(store->add(access_key("PTLNONE")));
  ASSERT_TRUE(store->replace("PTLNONE", noon + 24h, access_key("PTLNTWO")));
  ASSERT_TRUE(store->revoke("PTLNONE", noon + 1h));
  const auto events = *store->history(10);
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[2].action, "create");
  EXPECT_EQ(events[2].detail,
            "access-key of user alice of tenant research, expires 2027-02-20T12:00:00Z, only profiles us.* "
            "eu.anthropic.claude-3-haiku-20240307-v1:0");
  EXPECT_EQ(events[1].action, "rotate");
  EXPECT_THAT(events[1].detail, HasSubstr("valid until 2026-11-23T12:00:00Z; its successor is PTLNTWO"));
  EXPECT_EQ(events[0].action, "revoke");
  EXPECT_EQ(events[0].at, noon + 1h);
  for (const KeyEvent& event : events) EXPECT_THAT(event.detail, Not(HasSubstr(std::string{secret_text})));
  EXPECT_EQ(store->history(2)->size(), 2u);
}

TEST_F(Store, KeepsLastUses) {
  ASSERT_TRUE(opened()->add(access_key("PTLNALICE")));
  ASSERT_TRUE(opened()->note_uses({{"PTLNALICE", noon + 5min}, {"PTLNNOBODY", noon}}));
  EXPECT_EQ(opened()->keys()->front().last_use->at(), noon + 5min);
}

TEST_F(Store, IsRefusedUnderAnotherMasterKeyEvenWhenItIsEmpty) {
  const std::string right = key_of('k').id();
  {
    opened();
  }
  const auto refused = open({key_of('w'), std::nullopt});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::config_invalid);
  EXPECT_THAT(refused.error().message, HasSubstr("was sealed under master key " + right));
  EXPECT_THAT(refused.error().message, HasSubstr("keys.master_key is " + key_of('w').id()));
  EXPECT_TRUE(open());
}

TEST_F(Store, IsSealedAnewWhenThePreviousMasterKeyIsNamed) {
  {
    ASSERT_TRUE(opened()->add(access_key("PTLNALICE")));
  }
  {
    const auto store = opened({key_of('n'), key_of('k')});
    EXPECT_EQ(store->keys()->front().secret_access_key.reveal(), secret_text);
    EXPECT_EQ(store->history(1)->front().action, "create") << "opening changes nothing: another may have it open";
    EXPECT_EQ(store->use({key_of('n'), key_of('k')}, noon).value_or(99), 1u);
    EXPECT_EQ(store->keys()->front().secret_access_key.reveal(), secret_text);
    EXPECT_EQ(store->history(1)->front().detail, "1 secrets sealed anew, before under " + key_of('k').id());
  }
  EXPECT_FALSE(open());
  const auto store = opened({key_of('n'), std::nullopt});
  EXPECT_EQ(store->keys()->front().secret_access_key.reveal(), secret_text);
}

TEST_F(Store, ChangesItsMasterKeyWhileItIsOpen) {
  const auto store = opened();
  ASSERT_TRUE(store->add(access_key("PTLNALICE")));
  ASSERT_TRUE(store->add(access_key("PTLNGONE")));
  ASSERT_TRUE(store->revoke("PTLNGONE", noon));
  EXPECT_FALSE(store->use({key_of('n'), std::nullopt}, noon)) << "the old one must be named to open what it sealed";
  EXPECT_EQ(store->master_key_id(), key_of('k').id());
  EXPECT_EQ(store->use({key_of('n'), key_of('k')}, noon).value_or(99), 1u);
  EXPECT_EQ(store->use({key_of('n'), std::nullopt}, noon).value_or(99), 0u);
  ASSERT_TRUE(store->add(access_key("PTLNNEW")));
  const auto keys = store->keys();
  ASSERT_TRUE(keys) << keys.error().message;
  EXPECT_EQ(keys->back().secret_access_key.reveal(), secret_text);
}

TEST_F(Store, AnInterruptedChangeOfMasterKeyChangesNothing) {
  const auto store = opened();
  ASSERT_TRUE(store->add(access_key("PTLNALICE")));
  ASSERT_TRUE(store->add(access_key("PTLNBOB")));
  tamper("UPDATE keys SET sealed_secret = zeroblob(60) WHERE id = 'PTLNBOB'");
  const auto failed = store->use({key_of('n'), key_of('k')}, noon);
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().message, HasSubstr("key PTLNBOB: a sealed secret does not open"));
  EXPECT_EQ(store->master_key_id(), key_of('k').id());
  ASSERT_TRUE(store->revoke("PTLNBOB", noon));
  EXPECT_EQ(store->keys()->front().secret_access_key.reveal(), secret_text);
}

TEST_F(Store, ASealedSecretOpensForNoOtherKeyOrTenant) {
  const auto store = opened();
  ASSERT_TRUE(store->add(access_key("PTLNALICE")));
  tamper("UPDATE keys SET tenant = 'billing'");
  const auto keys = store->keys();
  ASSERT_FALSE(keys);
  EXPECT_EQ(keys.error().code, Code::corrupt);
  tamper("UPDATE keys SET tenant = 'research', id = 'PTLNEVE'");
  EXPECT_FALSE(store->keys());
  tamper("UPDATE keys SET id = 'PTLNALICE'");
  EXPECT_TRUE(store->keys());
}

TEST_F(Store, ItsContentOpensElsewhereUnderTheSameMasterKey) {
  const auto store = opened();
  ASSERT_TRUE(store->add(access_key("PTLNALICE")));
  const auto content = content_of(file("keys.db"));
  ASSERT_TRUE(content) << content.error().message;
  std::ofstream(file("copy.db"), std::ios::binary) << *content;
  auto copy = KeyStore::open(file("copy.db"), {key_of('k'), std::nullopt});
  ASSERT_TRUE(copy) << copy.error().message;
  EXPECT_EQ((*copy)->keys()->front().secret_access_key.reveal(), secret_text);
}

}  // namespace
}  // namespace portolan::store
