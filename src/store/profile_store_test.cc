// SPDX-License-Identifier: Apache-2.0
#include "store/profile_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include "store/test_directory.h"

namespace portolan::store {
namespace {

using base::Code;
using domain::ApplicationProfile;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using namespace std::chrono_literals;

constexpr base::WallTime made_at{std::chrono::sys_days{std::chrono::year{2026} / 11 / 22} + 12h};

ApplicationProfile profile_of(std::string id, std::string name, domain::Tags tags = {}) {
  return {.id = std::move(id),
          .account_id = "111122223333",
          .region = "us-east-1",
          .arn = "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/x",
          .name = std::move(name),
          .description = "for research",
          .copy_from = "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0",
          .tags = std::move(tags),
          .client_token = "token",
          .created = made_at,
          .updated = made_at};
}

class KeptProfiles : public TestDirectory {
 protected:
  void open() {
    store.reset();
    auto opened = ProfileStore::open(file("profiles.db"));
    ASSERT_TRUE(opened) << opened.error().message;
    store = *std::move(opened);
  }
  void SetUp() override { open(); }
  std::vector<ApplicationProfile> profiles() {
    auto found = store->profiles();
    EXPECT_TRUE(found) << found.error().message;
    return found.value_or(std::vector<ApplicationProfile>{});
  }
  void run(const char* sql) {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(file("profiles.db").c_str(), &database), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(database, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(database);
    sqlite3_close(database);
  }

  std::unique_ptr<ProfileStore> store;
};

TEST_F(KeptProfiles, AreThereAfterARestartWithEveryMember) {
  ASSERT_TRUE(store->add(profile_of("bbb", "two")));
  ASSERT_TRUE(store->add(profile_of("aaa", "one", {{"CostCenter", "7"}, {"Team", ""}})));
  open();
  const auto kept = profiles();
  ASSERT_THAT(kept, SizeIs(2));
  EXPECT_EQ(kept[0].id, "aaa");
  EXPECT_EQ(kept[0].account_id, "111122223333");
  EXPECT_EQ(kept[0].region, "us-east-1");
  EXPECT_THAT(kept[0].arn, HasSubstr("application-inference-profile/x"));
  EXPECT_EQ(kept[0].name, "one");
  EXPECT_EQ(kept[0].description, "for research");
  EXPECT_THAT(kept[0].copy_from, HasSubstr("nova-lite"));
  EXPECT_EQ(kept[0].tags, (domain::Tags{{"CostCenter", "7"}, {"Team", ""}}));
  EXPECT_EQ(kept[0].client_token, "token");
  EXPECT_EQ(kept[0].created, made_at);
  EXPECT_EQ(kept[0].updated, made_at);
  EXPECT_THAT(kept[1].tags, IsEmpty());
}

TEST_F(KeptProfiles, TakeNoNameTwiceInAnAccountAndRegion) {
  ASSERT_TRUE(store->add(profile_of("aaa", "one")));
  EXPECT_FALSE(store->add(profile_of("bbb", "one", {{"Team", "x"}})));
  EXPECT_FALSE(store->add(profile_of("aaa", "two")));
  ApplicationProfile elsewhere = profile_of("ccc", "one");
  elsewhere.region = "us-west-2";
  EXPECT_TRUE(store->add(elsewhere));
  EXPECT_THAT(profiles(), SizeIs(2)) << "and what was refused left no tags behind";
}

TEST_F(KeptProfiles, AreRemovedWithTheirTags) {
  ASSERT_TRUE(store->add(profile_of("aaa", "one", {{"Team", "x"}})));
  ASSERT_TRUE(store->remove("aaa"));
  EXPECT_THAT(profiles(), IsEmpty());
  ASSERT_TRUE(store->add(profile_of("aaa", "one")));
  EXPECT_THAT(profiles()[0].tags, IsEmpty());
}

TEST_F(KeptProfiles, HaveTheirTagsReplacedAsAWhole) {
  ASSERT_TRUE(store->add(profile_of("aaa", "one", {{"A", "1"}, {"B", "2"}})));
  ASSERT_TRUE(store->set_tags("aaa", {{"B", "3"}}, made_at + 1h));
  open();
  EXPECT_EQ(profiles()[0].tags, (domain::Tags{{"B", "3"}}));
  EXPECT_EQ(profiles()[0].updated, made_at + 1h);
  EXPECT_EQ(profiles()[0].created, made_at);
  EXPECT_FALSE(store->set_tags("zzz", {{"B", "3"}}, made_at));
}

TEST_F(KeptProfiles, AreRefusedInANewerFormat) {
  run("PRAGMA user_version = 99");
  const auto newer = ProfileStore::open(file("profiles.db"));
  ASSERT_FALSE(newer);
  EXPECT_EQ(newer.error().code, Code::config_invalid);
}

TEST_F(KeptProfiles, AreCorruptWhenATagHasNoProfile) {
  ASSERT_TRUE(store->add(profile_of("bbb", "one")));
  for (const char* stranger : {"INSERT INTO tags VALUES ('aaa', 'k', 'v')", "UPDATE tags SET profile_id = 'zzz'"}) {
    run(stranger);
    const auto read = store->profiles();
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, Code::corrupt);
  }
}

TEST_F(KeptProfiles, TellOfChangesByAnotherProcess) {
  const auto before = store->changes_elsewhere();
  ASSERT_TRUE(store->add(profile_of("aaa", "one")));
  EXPECT_EQ(store->changes_elsewhere().value(), before.value()) << "its own change is none elsewhere";
  auto other = ProfileStore::open(file("profiles.db"));
  ASSERT_TRUE(other);
  ASSERT_TRUE((*other)->remove("aaa"));
  EXPECT_NE(store->changes_elsewhere().value(), before.value());
}

}  // namespace
}  // namespace portolan::store
