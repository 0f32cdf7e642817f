// SPDX-License-Identifier: Apache-2.0
#include "control/profile_desk.h"

#include <filesystem>
#include <future>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

namespace portolan::control {
namespace {

using base::Code;
using base::Result;
using domain::ApplicationProfile;
using domain::ProfileOrder;
using Kind = domain::ProfileOrder::Kind;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class StandingClock final : public world::Clock {
 public:
  base::Instant now() const override { return base::Instant{} + base::seconds{100}; }
  base::WallTime wall() const override {
    return base::WallTime{std::chrono::sys_days{std::chrono::year{2026} / 11 / 22}};
  }
  base::Duration to_real(base::Duration world) const override { return world; }
};

class ProfileOrders : public testing::Test {
 protected:
  ProfileOrders() {
    std::string name = testing::TempDir() + "portolan-profiles-XXXXXX";
    directory_ = ::mkdtemp(name.data());
    open();
  }
  ~ProfileOrders() override {
    desk_.reset();
    std::filesystem::remove_all(directory_);
  }

  void open() {
    desk_.reset();
    desk_ = opened();
  }
  std::unique_ptr<ProfileDesk> opened() {
    auto store = store::ProfileStore::open(directory_ + "/profiles.db");
    EXPECT_TRUE(store) << store.error().message;
    auto desk = ProfileDesk::open(*std::move(store), clock_,
                                  {.publish =
                                       [this](const domain::ApplicationProfileList& profiles) {
                                         published_ = profiles;
                                         ++times_published_;
                                         return publishes_;
                                       },
                                   .log = [this](std::string_view line) { log_ += line; }});
    EXPECT_TRUE(desk) << desk.error().message;
    return *std::move(desk);
  }

  static ProfileOrder creation(std::string id, std::string name, std::string token = "") {
    ProfileOrder order{.kind = Kind::create};
    order.profile = {.id = id,
                     .account_id = "111122223333",
                     .region = "us-east-1",
                     .arn = "arn:…/" + id,
                     .name = std::move(name),
                     .copy_from = "arn:aws:bedrock:us-east-1::foundation-model/m",
                     .tags = {{"Team", "search"}},
                     .client_token = std::move(token)};
    return order;
  }
  static ProfileOrder about(std::string id, Kind kind) {
    ProfileOrder order{.kind = kind};
    order.profile.id = std::move(id);
    order.profile.account_id = "111122223333";
    order.profile.region = "us-east-1";
    return order;
  }
  Code code_of(const ProfileOrder& order) {
    const auto done = desk_->carry_out(order);
    EXPECT_FALSE(done);
    return done ? Code::internal : done.error().code;
  }

  StandingClock clock_;
  Result<void> publishes_;
  domain::ApplicationProfileList published_;
  int times_published_ = 0;
  std::string log_;
  std::string directory_;
  std::unique_ptr<ProfileDesk> desk_;
};

TEST_F(ProfileOrders, PutsACreatedProfileInForceAndKeepsIt) {
  const auto made = desk_->carry_out(creation("bbb", "search"));
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->created, clock_.wall());
  ASSERT_TRUE(desk_->carry_out(creation("aaa", "ads")));
  ASSERT_THAT(published_, SizeIs(2));
  EXPECT_EQ(published_[0]->id, "aaa") << "sorted by id";
  open();
  ASSERT_THAT(desk_->profiles(), SizeIs(2));
  EXPECT_EQ(desk_->profiles()[1]->name, "search");
  EXPECT_EQ(desk_->profiles()[1]->tags, (domain::Tags{{"Team", "search"}}));
}

TEST_F(ProfileOrders, TakesTheSameRequestAgainForTheSameProfile) {
  ASSERT_TRUE(desk_->carry_out(creation("aaa", "search", "token")));
  const auto again = desk_->carry_out(creation("bbb", "search", "token"));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->id, "aaa");
  EXPECT_THAT(desk_->profiles(), SizeIs(1));
  EXPECT_EQ(code_of(creation("ccc", "other", "token")), Code::conflict) << "the token stands for something else";
  ProfileOrder elsewhere = creation("ddd", "search", "token");
  elsewhere.profile.region = "us-west-2";
  EXPECT_TRUE(desk_->carry_out(elsewhere)) << "a token counts in its account and Region";
}

TEST_F(ProfileOrders, RefusesANameThatIsTaken) {
  ASSERT_TRUE(desk_->carry_out(creation("aaa", "search", "one")));
  EXPECT_EQ(code_of(creation("bbb", "search", "two")), Code::conflict);
  ProfileOrder other_account = creation("ccc", "search");
  other_account.profile.account_id = "444455556666";
  EXPECT_TRUE(desk_->carry_out(other_account));
}

TEST_F(ProfileOrders, AddsReplacesAndTakesAwayTags) {
  ASSERT_TRUE(desk_->carry_out(creation("aaa", "search")));
  ProfileOrder tag = about("aaa", Kind::tag);
  tag.tags = {{"Cost", "7"}, {"Team", "ads"}};
  EXPECT_EQ(desk_->carry_out(tag)->tags, (domain::Tags{{"Cost", "7"}, {"Team", "ads"}}));
  ProfileOrder untag = about("aaa", Kind::untag);
  untag.tag_keys = {"Team", "unheard-of"};
  EXPECT_EQ(desk_->carry_out(untag)->tags, (domain::Tags{{"Cost", "7"}}));
  EXPECT_EQ(published_[0]->tags, (domain::Tags{{"Cost", "7"}}));
  open();
  EXPECT_EQ(desk_->profiles()[0]->tags, (domain::Tags{{"Cost", "7"}}));
}

TEST_F(ProfileOrders, RefusesAKeyThatIsThereInAnotherCase) {
  ASSERT_TRUE(desk_->carry_out(creation("aaa", "search")));
  ProfileOrder tag = about("aaa", Kind::tag);
  tag.tags = {{"tEAM", "ads"}};
  EXPECT_EQ(code_of(tag), Code::invalid_field) << "policies would read the one or the other";
  EXPECT_EQ(desk_->profiles()[0]->tags, (domain::Tags{{"Team", "search"}}));
  ProfileOrder twice = creation("bbb", "ads");
  twice.profile.tags = {{"Team", "ads"}, {"team", "search"}};
  EXPECT_EQ(code_of(twice), Code::invalid_field);
}

TEST_F(ProfileOrders, LimitsTheTagsOfOneProfile) {
  ASSERT_TRUE(desk_->carry_out(creation("aaa", "search")));
  ProfileOrder tag = about("aaa", Kind::tag);
  for (std::size_t i = 0; i < domain::tags_max; ++i) tag.tags.emplace_back("k" + std::to_string(i), "");
  EXPECT_EQ(code_of(tag), Code::too_many_tags);
  EXPECT_THAT(desk_->profiles()[0]->tags, SizeIs(1)) << "nothing of it was done";
  tag.tags.pop_back();
  EXPECT_TRUE(desk_->carry_out(tag));
}

TEST_F(ProfileOrders, DeletesAndKnowsNothingOfItAfterwards) {
  ASSERT_TRUE(desk_->carry_out(creation("aaa", "search")));
  const auto deleted = desk_->carry_out(about("aaa", Kind::remove));
  ASSERT_TRUE(deleted);
  EXPECT_EQ(deleted->name, "search");
  EXPECT_THAT(published_, IsEmpty());
  for (const Kind kind : {Kind::remove, Kind::tag, Kind::untag})
    EXPECT_EQ(code_of(about("aaa", kind)), Code::unknown_model);
  EXPECT_TRUE(desk_->carry_out(creation("bbb", "search"))) << "the name is free again";
}

TEST_F(ProfileOrders, ChangesNothingOfAnotherAccountOrRegion) {
  ASSERT_TRUE(desk_->carry_out(creation("aaa", "search")));
  ProfileOrder other = about("aaa", Kind::remove);
  other.profile.account_id = "444455556666";
  EXPECT_EQ(code_of(other), Code::unknown_model);
  other = about("aaa", Kind::remove);
  other.profile.region = "us-west-2";
  EXPECT_EQ(code_of(other), Code::unknown_model);
  EXPECT_THAT(desk_->profiles(), SizeIs(1));
}

TEST_F(ProfileOrders, SaysWhenAChangeIsNotInForceEverywhereAndGivesItAgain) {
  publishes_ = base::fail(Code::internal, "a reactor is slow");
  EXPECT_EQ(code_of(creation("aaa", "search", "token")), Code::internal);
  EXPECT_THAT(log_, HasSubstr("a reactor is slow"));
  publishes_ = {};
  const auto again = desk_->carry_out(creation("bbb", "search", "token"));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->id, "aaa") << "the SDK's own retry finds it";
}

TEST_F(ProfileOrders, DoesNotBeginWhatHasWaitedTooLong) {
  ProfileOrder late = creation("aaa", "search");
  late.give_up_at = clock_.now();
  EXPECT_EQ(code_of(late), Code::overloaded);
  EXPECT_THAT(desk_->profiles(), IsEmpty());
  EXPECT_EQ(times_published_, 0);
}

TEST_F(ProfileOrders, ChangesNothingWhileASuccessorReadsTheStore) {
  desk_->hold();
  EXPECT_EQ(code_of(creation("aaa", "search")), Code::overloaded);
  desk_->go_on();
  EXPECT_TRUE(desk_->carry_out(creation("aaa", "search")));
}

TEST_F(ProfileOrders, FollowsItsSuccessor) {
  ASSERT_TRUE(desk_->carry_out(creation("aaa", "search")));
  desk_->follow();
  EXPECT_EQ(times_published_, 1) << "nothing has changed elsewhere";
  const auto successor = opened();
  ASSERT_TRUE(successor->carry_out(about("aaa", Kind::remove)));
  published_ = desk_->profiles();
  desk_->follow();
  EXPECT_THAT(published_, IsEmpty());
  EXPECT_THAT(desk_->profiles(), IsEmpty());
}

TEST_F(ProfileOrders, TakesOrdersOfCallersOnItsOwnThread) {
  std::promise<Result<ApplicationProfile>> promise;
  std::thread::id on;
  desk_->ask(creation("aaa", "search"), [&](Result<ApplicationProfile> done) {
    on = std::this_thread::get_id();
    promise.set_value(std::move(done));
  });
  EXPECT_TRUE(promise.get_future().get());
  EXPECT_NE(on, std::this_thread::get_id());
}

TEST_F(ProfileOrders, AnswersEveryOrderThoughItIsStopped) {
  std::atomic<int> answered{0};
  std::atomic<int> refused{0};
  for (int i = 0; i < 200; ++i)
    desk_->ask(creation("id" + std::to_string(1000 + i), "n" + std::to_string(i)), [&](const auto& done) {
      ++answered;
      if (!done) {
        ++refused;
        EXPECT_EQ(done.error().code, Code::overloaded);
      }
    });
  desk_->stop();
  EXPECT_EQ(answered.load(), 200);
  EXPECT_GT(refused.load(), 0) << "the queue is short";
  desk_->ask(creation("late", "late"), [&](const auto& done) { EXPECT_FALSE(done); });
}

TEST_F(ProfileOrders, LimitsHowManyAnAccountHasInARegion) {
  desk_.reset();
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open((directory_ + "/profiles.db").c_str(), &database), SQLITE_OK);
  const char* fill =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) INSERT INTO profiles SELECT "
      "'x' || i, '111122223333', 'us-east-1', 'arn', 'n' || i, '', 'arn:…', '', 0, 0 FROM n";
  ASSERT_EQ(sqlite3_exec(database, fill, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(database);
  sqlite3_close(database);
  open();
  EXPECT_EQ(code_of(creation("aaa", "search")), Code::too_many_profiles);
  ProfileOrder elsewhere = creation("aaa", "search");
  elsewhere.profile.region = "us-west-2";
  EXPECT_TRUE(desk_->carry_out(elsewhere));
  ASSERT_TRUE(desk_->carry_out(about("x1", Kind::remove)));
  EXPECT_TRUE(desk_->carry_out(creation("bbb", "search")));
}

}  // namespace
}  // namespace portolan::control
