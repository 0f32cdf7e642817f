// SPDX-License-Identifier: Apache-2.0
#include "store/policy_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/test_directory.h"

namespace portolan::store {
namespace {

using base::Code;
using domain::Freeze;
using domain::FreezeScope;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using namespace std::chrono_literals;

constexpr base::WallTime at_noon{std::chrono::sys_days{std::chrono::year{2026} / 11 / 22} + 12h};

class KeptPolicy : public TestDirectory {
 protected:
  void open() {
    store.reset();
    auto opened = PolicyStore::open(file("policy.db"));
    ASSERT_TRUE(opened) << opened.error().message;
    store = *std::move(opened);
  }
  void SetUp() override { open(); }

  static Freeze freeze_of(FreezeScope scope, std::string profile = "", std::string why = "incident 7") {
    return {.scope = scope, .profile = std::move(profile), .since = at_noon, .by = "olga", .why = std::move(why)};
  }
  std::vector<Freeze> freezes() {
    auto found = store->freezes();
    EXPECT_TRUE(found) << found.error().message;
    return found.value_or(std::vector<Freeze>{});
  }

  std::unique_ptr<PolicyStore> store;
};

TEST_F(KeptPolicy, KeepsFreezesAcrossARestart) {
  ASSERT_TRUE(store->freeze(freeze_of(FreezeScope::cross_region)));
  ASSERT_TRUE(store->freeze(freeze_of(FreezeScope::profile, "us.x")));
  open();
  const std::vector<Freeze> kept = freezes();
  ASSERT_THAT(kept, SizeIs(2));
  EXPECT_EQ(kept[0].scope, FreezeScope::cross_region);
  EXPECT_EQ(kept[0].since, at_noon);
  EXPECT_EQ(kept[0].by, "olga");
  EXPECT_EQ(kept[0].why, "incident 7");
  EXPECT_EQ(kept[1].scope, FreezeScope::profile);
  EXPECT_EQ(kept[1].profile, "us.x");
}

TEST_F(KeptPolicy, FreezesATargetOnceHoweverOftenItIsSaid) {
  ASSERT_TRUE(store->freeze(freeze_of(FreezeScope::all)));
  ASSERT_TRUE(store->freeze(freeze_of(FreezeScope::all, "", "incident 8")));
  ASSERT_THAT(freezes(), SizeIs(1));
  EXPECT_EQ(freezes()[0].why, "incident 8");
}

TEST_F(KeptPolicy, LiftsOnlyWhatIsFrozen) {
  ASSERT_TRUE(store->freeze(freeze_of(FreezeScope::profile, "us.x")));
  for (const Freeze& other : {freeze_of(FreezeScope::all), freeze_of(FreezeScope::profile, "us.y")}) {
    const auto lifted = store->unfreeze(other);
    ASSERT_FALSE(lifted);
    EXPECT_EQ(lifted.error().code, Code::usage);
    EXPECT_THAT(lifted.error().message, HasSubstr("is not frozen"));
  }
  ASSERT_TRUE(store->unfreeze(freeze_of(FreezeScope::profile, "us.x")));
  EXPECT_THAT(freezes(), IsEmpty());
}

TEST_F(KeptPolicy, RemembersEveryChangeWithWhoAndWhy) {
  ASSERT_TRUE(store->freeze(freeze_of(FreezeScope::global)));
  ASSERT_TRUE(store->unfreeze(freeze_of(FreezeScope::global, "", "over")));
  EXPECT_FALSE(store->unfreeze(freeze_of(FreezeScope::global)));
  const auto history = store->history(10);
  ASSERT_TRUE(history) << history.error().message;
  ASSERT_THAT(*history, SizeIs(2)) << "what was refused changed nothing";
  EXPECT_EQ((*history)[0].action, "unfreeze");
  EXPECT_EQ((*history)[0].why, "over");
  EXPECT_EQ((*history)[1].action, "freeze");
  EXPECT_EQ((*history)[1].by, "olga");
  EXPECT_EQ((*history)[1].detail, "Global inference");
}

VersionRow row_of(std::string hash, std::string why = "change 812") {
  return {.hash = std::move(hash), .since = at_noon, .by = "olga", .why = std::move(why)};
}

TEST_F(KeptPolicy, NumbersVersionsByTheirContentFromOneOn) {
  EXPECT_EQ(store->add(row_of("aa"), {{"organization.yaml", "version: 1"}}).value(), 1u);
  EXPECT_EQ(store->add(row_of("bb"), {{"organization.yaml", "version: 1"}, {"scps/x.json", "{}"}}).value(), 2u);
  EXPECT_EQ(store->add(row_of("aa", "once more"), {{"organization.yaml", "version: 1"}}).value(), 1u);
  open();
  const auto versions = store->versions();
  ASSERT_TRUE(versions) << versions.error().message;
  ASSERT_THAT(*versions, SizeIs(2));
  EXPECT_EQ((*versions)[0].number, 2u);
  EXPECT_EQ((*versions)[1].why, "change 812") << "a version keeps whom it is from";
  const auto bundle = store->bundle(2);
  ASSERT_TRUE(bundle) << bundle.error().message;
  EXPECT_EQ(bundle->hash, "bb");
  EXPECT_EQ(*bundle->files, (domain::PolicyFiles{{"organization.yaml", "version: 1"}, {"scps/x.json", "{}"}}));
  EXPECT_EQ(store->bundle(3).error().code, Code::usage);
}

TEST_F(KeptPolicy, RemembersWhichVersionsCount) {
  EXPECT_EQ(store->numbers().value().in_force, 0u);
  const VersionNumbers numbers{
      .in_force = 3, .previous = 2, .candidate = 4, .share_percent = 10, .directory_hash = "aa"};
  ASSERT_TRUE(store->put(numbers, {.at = at_noon, .action = "apply", .by = "olga", .why = "w", .detail = "d"}));
  open();
  const auto kept = store->numbers();
  ASSERT_TRUE(kept) << kept.error().message;
  EXPECT_EQ(kept->in_force, 3u);
  EXPECT_EQ(kept->previous, 2u);
  EXPECT_EQ(kept->candidate, 4u);
  EXPECT_EQ(kept->share_percent, 10u);
  EXPECT_EQ(kept->directory_hash, "aa");
  EXPECT_EQ(store->history(1)->at(0).action, "apply");
}

}  // namespace
}  // namespace portolan::store
