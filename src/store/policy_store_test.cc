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

}  // namespace
}  // namespace portolan::store
