// SPDX-License-Identifier: Apache-2.0
// Keys over the counter: what is asked, what is answered, what is put in force and what the log hears.
#include "control/key_desk.h"

#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "control/key_text.h"

namespace portolan::control {
namespace {

using base::Code;
using domain::CredentialKind;
using domain::IssuedKey;
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::Not;
using testing::SizeIs;
using namespace std::chrono_literals;

constexpr base::WallTime noon{std::chrono::sys_days{std::chrono::year{2026} / 11 / 22} + 12h};

store::MasterKeys sealed_with(char byte, std::optional<char> previous = std::nullopt) {
  const auto key = [](char each) {
    return *store::MasterKey::read(base::Secret{base::to_base64(base::as_bytes(std::string(32, each)))});
  };
  return {key(byte), previous ? std::optional{key(*previous)} : std::nullopt};
}

class Desk : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "portolan-desk-XXXXXX";
    directory = ::mkdtemp(name.data());
    open();
  }
  ~Desk() override {
    desk.reset();
    std::filesystem::remove_all(directory);
  }

  void open() {
    desk.reset();
    auto store = store::KeyStore::open(directory + "/keys.db", sealed_with('k'));
    ASSERT_TRUE(store) << store.error().message;
    auto opened =
        KeyDesk::open(*std::move(store), {.now = [this] { return now; },
                                          .admit = [](const IssuedKey& key) -> base::Result<void> {
                                            if (key.tenant == "research") return {};
                                            return base::fail(Code::usage, "tenant: it must be research");
                                          },
                                          .publish = [this](std::vector<IssuedKey> keys) -> base::Result<void> {
                                            in_force = std::move(keys);
                                            if (slow) return base::fail(Code::internal, "a reactor is slow");
                                            return {};
                                          },
                                          .log = [this](std::string_view line) { lines.emplace_back(line); }});
    ASSERT_TRUE(opened) << opened.error().message;
    desk = *std::move(opened);
  }

  static json read(const AdminReply& reply, int status = 200) {
    EXPECT_EQ(reply.status, status) << reply.body;
    return json::parse(reply.body);
  }
  json create(const json& order) { return read(desk->create(order.dump())); }
  json create_alice() { return create({{"kind", "access-key"}, {"tenant", "research"}, {"name", "alice"}}); }
  std::string refused(const json& order) { return read(desk->create(order.dump()), 400)["error"]; }

  std::string directory;
  base::WallTime now = noon;
  bool slow = false;
  std::vector<IssuedKey> in_force;
  std::vector<std::string> lines;
  std::unique_ptr<KeyDesk> desk;
};

TEST_F(Desk, MakesAnAccessKeyAndTellsItsSecretOnce) {
  const json key = create({{"kind", "access-key"},
                           {"tenant", "research"},
                           {"name", "alice"},
                           {"expires", "90d"},
                           {"profiles", {"us.*"}}});
  const std::string id = key["access_key_id"];
  const std::string secret = key["secret_access_key"];
  EXPECT_THAT(id, MatchesRegex("PTLN[A-Z2-7]{16}"));
  EXPECT_THAT(secret, SizeIs(40));
  EXPECT_EQ(key["id"], id);
  EXPECT_EQ(key["state"], "active");
  EXPECT_EQ(key["created"], "2026-11-22T12:00:00Z");
  EXPECT_EQ(key["expires"], "2027-02-20T12:00:00Z");
  ASSERT_EQ(in_force.size(), 1u);
  EXPECT_EQ(in_force[0].id, id);
  EXPECT_EQ(in_force[0].secret_access_key.reveal(), secret);
  EXPECT_THAT(in_force[0].profiles, ElementsAre("us.*"));
  EXPECT_THAT(
      lines, ElementsAre("key create: " + id + " for user alice of tenant research, expires 2027-02-20T12:00:00Z"));
  EXPECT_THAT(desk->list().body, AllOf(HasSubstr(id), Not(HasSubstr(secret))));
  EXPECT_THAT(desk->history().body, AllOf(HasSubstr(id), Not(HasSubstr(secret))));
}

TEST_F(Desk, MakesAnApiKeyOfWhichOnlyTheHashStays) {
  const json key = create({{"kind", "api-key"}, {"tenant", "research"}, {"name", "bot"}});
  const std::string text = key["api_key"];
  EXPECT_THAT(text, MatchesRegex("ptk-[A-Za-z0-9_-]{43}"));
  EXPECT_EQ(key["id"], "api:" + base::to_hex(base::sha256(text)).substr(0, 8));
  EXPECT_TRUE(key["expires"].is_null());
  EXPECT_EQ(in_force.at(0).api_key_sha256, base::sha256(text));
  EXPECT_TRUE(in_force.at(0).secret_access_key.empty());
  EXPECT_THAT(lines, Not(testing::Contains(HasSubstr(text))));
}

TEST_F(Desk, RefusesAnOrderThatItDoesNotUnderstand) {
  EXPECT_EQ(read(desk->create("{"), 400)["error"], "a JSON object is expected");
  EXPECT_THAT(refused({{"kind", "password"}}), HasSubstr("kind: access-key"));
  EXPECT_THAT(refused({{"kind", 7}}), HasSubstr("kind: text is expected"));
  EXPECT_THAT(refused({{"kind", "api-key"}, {"tennant", "research"}}),
              HasSubstr("unknown member; allowed: kind, tenant"));
  EXPECT_EQ(refused({{"kind", "api-key"}, {"tenant", "billing"}, {"name", "x"}}), "tenant: it must be research");
  for (const char* expires : {"yesterday", "-1d", "0s", "2026-11-22", "2026-11-22T12:00:00Z", "2026-13-01"})
    EXPECT_THAT(refused({{"kind", "api-key"}, {"tenant", "research"}, {"name", "x"}, {"expires", expires}}),
                HasSubstr("expires: "))
        << expires;
  for (const json& profiles : {json("us.*"), json::array(), json{""}, json{"us.\n*"}, json{7},
                               json(std::vector<std::string>(101, "us.*"))})
    EXPECT_THAT(refused({{"kind", "api-key"}, {"tenant", "research"}, {"name", "x"}, {"profiles", profiles}}),
                HasSubstr("profiles: a list of 1 to 100"));
  EXPECT_THAT(in_force, IsEmpty());
  EXPECT_THAT(lines, IsEmpty());
}

TEST_F(Desk, RotatesWithAnOverlapInWhichBothAreValid) {
  const std::string old = create_alice()["id"];
  const json successor = read(desk->rotate(old, R"({"overlap":"2h"})"));
  ASSERT_EQ(in_force.size(), 2u);
  EXPECT_EQ(in_force[0].id, old);
  EXPECT_EQ(in_force[0].expires, noon + 2h);
  EXPECT_EQ(in_force[1].id, successor["access_key_id"].get<std::string>());
  EXPECT_FALSE(in_force[1].expires);
  EXPECT_NE(in_force[0].secret_access_key, in_force[1].secret_access_key);
  EXPECT_EQ(in_force[1].user_name, "alice");
  EXPECT_EQ(read(desk->list())["keys"][0]["state"], "retiring");
  now += 2h;
  EXPECT_EQ(read(desk->list())["keys"][0]["state"], "expired");
  EXPECT_EQ(read(desk->list())["keys"][1]["state"], "active");
}

TEST_F(Desk, GivesASuccessorTheLifeThatTheOldKeyHad) {
  const std::string old = create({{"kind", "api-key"},
                                  {"tenant", "research"},
                                  {"name", "bot"},
                                  {"expires", "30d"},
                                  {"profiles", {"us.*"}}})["id"];
  now += 10 * 24h;
  read(desk->rotate(old, ""));
  EXPECT_EQ(in_force.at(0).expires, now + 24h) << "24h when no overlap is asked for";
  EXPECT_EQ(in_force.at(1).expires, now + 30 * 24h);
  EXPECT_THAT(in_force.at(1).profiles, ElementsAre("us.*"));
}

TEST_F(Desk, RotatesNeitherTwiceNorWhatIsOver) {
  const std::string old = create_alice()["id"];
  EXPECT_THAT(read(desk->rotate(old, R"({"overlap":"soon"})"), 400)["error"].get<std::string>(),
              HasSubstr("overlap: "));
  EXPECT_THAT(read(desk->rotate(old, R"({"overlap":"91d"})"), 400)["error"].get<std::string>(),
              HasSubstr("overlap: "));
  const std::string next = read(desk->rotate(old, R"({"overlap":"0s"})"))["id"];
  EXPECT_THAT(read(desk->rotate(old, ""), 400)["error"].get<std::string>(), HasSubstr("expired at"));
  read(desk->revoke(next));
  EXPECT_THAT(read(desk->rotate(next, ""), 400)["error"].get<std::string>(), HasSubstr("it is revoked"));
  EXPECT_THAT(read(desk->rotate("PTLNNOBODY", ""), 404)["error"].get<std::string>(),
              HasSubstr("there is no key PTLNNOBODY"));
  EXPECT_EQ(in_force.size(), 2u);
}

TEST_F(Desk, RevokesAtOnceAndAsOftenAsItIsAsked) {
  const std::string id = create_alice()["id"];
  EXPECT_EQ(read(desk->revoke(id))["state"], "revoked");
  EXPECT_EQ(in_force.at(0).revoked, noon);
  EXPECT_TRUE(in_force.at(0).secret_access_key.empty());
  EXPECT_EQ(lines.back(), "key revoke: " + id);
  in_force.clear();
  EXPECT_EQ(read(desk->revoke(id))["state"], "revoked") << "once more does no harm";
  EXPECT_EQ(in_force.at(0).revoked, noon);
  EXPECT_EQ(desk->revoke("PTLNNOBODY").status, 404);
}

TEST_F(Desk, SaysThatARevocationIsNotYetInForce) {
  const std::string id = create_alice()["id"];
  slow = true;
  EXPECT_EQ(read(desk->revoke(id), 500)["error"], "a reactor is slow");
  EXPECT_EQ(read(desk->list())["keys"][0]["state"], "revoked");
  slow = false;
  in_force.clear();
  EXPECT_EQ(read(desk->revoke(id))["state"], "revoked");
  EXPECT_TRUE(in_force.at(0).revoked);
}

TEST_F(Desk, RevokesAKeyBesideOneThatDoesNotOpen) {
  const std::string id = create_alice()["id"];
  const std::string other = create_alice()["id"];
  {
    constexpr std::array<const char*, 1> as_it_is{""};
    auto store = store::Database::open(directory + "/keys.db", "a key store", as_it_is);
    ASSERT_TRUE(store) << store.error().message;
    ASSERT_TRUE(store->run(("UPDATE keys SET sealed_secret = x'00' WHERE id = '" + other + "'").c_str()));
  }
  EXPECT_EQ(read(desk->revoke(id))["state"], "revoked");
  EXPECT_TRUE(in_force.at(0).revoked);
}

TEST_F(Desk, KnowsWithoutReadingWhatIsInTheStore) {
  const std::string first = create_alice()["id"];
  const std::string second = read(desk->rotate(first, R"({"overlap": "1h"})"))["id"];
  create({{"kind", "api-key"}, {"tenant", "research"}, {"name", "bot"}, {"expires", "30d"}});
  read(desk->revoke(second));
  const json known = read(desk->list());
  open();
  EXPECT_EQ(read(desk->list()), known);
}

TEST_F(Desk, HandsAKeyOverThoughAReactorIsSlow) {
  slow = true;
  const json made = create_alice();
  EXPECT_TRUE(made.contains("secret_access_key")) << "it can never be told again";
  EXPECT_EQ(made["warning"], "a reactor is slow");
  EXPECT_THAT(lines.back(), testing::EndsWith(": a reactor is slow"));
}

TEST_F(Desk, KeepsKeysAndTheirUsesOverARestart) {
  const std::string id = create_alice()["id"];
  in_force.at(0).last_use->note(noon + 5min);
  EXPECT_EQ(read(desk->list())["keys"][0]["last_used"], "2026-11-22T12:05:00Z");
  read(desk->rotate(id, ""));
  EXPECT_EQ(read(desk->list())["keys"][0]["last_used"], "2026-11-22T12:05:00Z") << "a change must not forget uses";
  open();
  ASSERT_EQ(desk->keys().size(), 2u);
  EXPECT_EQ(desk->keys()[0].last_use->at(), noon + 5min);
  EXPECT_FALSE(desk->keys()[1].last_use->at());
}

TEST_F(Desk, ChangesNothingWhileASuccessorReadsTheStore) {
  const std::string id = create_alice()["id"];
  desk->hold();
  EXPECT_EQ(desk->create(R"({"kind":"api-key","tenant":"research","name":"bob"})").status, 503);
  EXPECT_EQ(desk->rotate(id, "{}").status, 503);
  EXPECT_EQ(desk->revoke(id).status, 503);
  EXPECT_EQ(read(desk->list())["keys"].size(), 1u);
  EXPECT_EQ(read(desk->list())["keys"][0]["state"], "active");
  desk->go_on();
  EXPECT_EQ(read(desk->revoke(id))["state"], "revoked");
}

TEST_F(Desk, ALaterUseIsNotForgottenForAnEarlierOneThatIsWrittenLast) {
  create_alice();
  auto store = store::KeyStore::open(directory + "/keys.db", sealed_with('k'));
  ASSERT_TRUE(store) << store.error().message;
  ASSERT_TRUE((*store)->note_uses({{desk->keys()[0].id, noon + std::chrono::hours{2}}}));
  ASSERT_TRUE((*store)->note_uses({{desk->keys()[0].id, noon + std::chrono::hours{1}}}));
  EXPECT_EQ((*store)->keys().value()[0].last_use->at(), noon + std::chrono::hours{2});
}

TEST_F(Desk, SealsAnewUnderAnotherMasterKeyAndSaysSo) {
  create_alice();
  EXPECT_FALSE(desk->use(sealed_with('n')));
  ASSERT_TRUE(desk->use(sealed_with('n', 'k')));
  EXPECT_EQ(lines.back(), "key rotate-master: 1 secrets are sealed under " + sealed_with('n').current.id() +
                              " now; keys.previous_master_key may go");
  const std::size_t told = lines.size();
  ASSERT_TRUE(desk->use(sealed_with('n')));
  EXPECT_EQ(lines.size(), told);
}

TEST(Expiry, IsASpanADayOrAMoment) {
  EXPECT_EQ(read_expiry("90d", noon).value(), noon + 90 * 24h);
  EXPECT_EQ(read_expiry("1.5h", noon).value(), noon + 90min);
  EXPECT_EQ(read_expiry("2026-11-23", noon).value(), noon + 12h);
  EXPECT_EQ(read_expiry("2026-11-23T12:00:00Z", noon).value(), noon + 24h);
}

TEST(DrawnSecrets, AreNeverTheSame) {
  IssuedKey one{.kind = CredentialKind::sigv4};
  IssuedKey two{.kind = CredentialKind::sigv4};
  ASSERT_EQ(draw_secret(one).value(), "");
  ASSERT_EQ(draw_secret(two).value(), "");
  EXPECT_NE(one.id, two.id);
  EXPECT_NE(one.secret_access_key, two.secret_access_key);
}

}  // namespace
}  // namespace portolan::control
