// SPDX-License-Identifier: Apache-2.0
// Application profiles: what they copy, how they are called, and how the control plane is asked for them.
#include "gateway/application_profiles.h"

#include "gateway/test_conversation.h"

namespace portolan::gateway {
namespace {

using namespace testing;
using base::Code;
using domain::ApplicationProfile;
using domain::ProfileOrder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::string_view open_account = "222233334444";  // alice's
const std::string sonnet_arn = "arn:aws:bedrock:us-east-1:222233334444:inference-profile/" + std::string(sonnet);
const std::string nova_arn = "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0";
const std::string copy_arn = "arn:aws:bedrock:us-east-1:222233334444:application-inference-profile/abcdefghijkl";

ApplicationProfile copy_of(std::string copy_from, std::string id = "abcdefghijkl") {
  return {.id = id,
          .account_id = std::string(open_account),
          .region = "us-east-1",
          .arn = "arn:aws:bedrock:us-east-1:222233334444:application-inference-profile/" + id,
          .name = "search",
          .copy_from = std::move(copy_from),
          .tags = {{"CostCenter", "7"}, {"Team", "se\"arch"}}};
}

class Copies : public ::testing::Test {
 protected:
  base::Result<Copied> read(std::string_view arn) const {
    return read_copied(arn, open_account, catalog->find_region("us-east-1"), *catalog);
  }
  Code refusal(std::string_view arn) const {
    const auto copied = read(arn);
    EXPECT_FALSE(copied) << arn;
    return copied ? Code::internal : copied.error().code;
  }
  ApplicationProfiles set(std::vector<ApplicationProfile> made) const {
    domain::ApplicationProfileList list;
    for (ApplicationProfile& each : made)
      list.push_back(std::make_shared<const ApplicationProfile>(std::move(each)));
    return {std::move(list), catalog};
  }
  std::shared_ptr<const domain::Catalog> catalog = domain::Catalog::builtin();
};

TEST_F(Copies, AreOfAProfileOrOfAModelThatCanBeCalledThere) {
  const auto profile = read(sonnet_arn);
  ASSERT_TRUE(profile) << profile.error().message;
  EXPECT_EQ(profile->profile->id, sonnet);
  EXPECT_EQ(profile->model, profile->profile->model);
  const auto model = read(nova_arn);
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(model->profile, nullptr);
  EXPECT_EQ(model->model->id, "amazon.nova-lite-v1:0");
}

TEST_F(Copies, AreOfNothingElse) {
  EXPECT_EQ(refusal(sonnet), Code::invalid_field) << "an id is no ARN";
  EXPECT_EQ(refusal("arn:aws:bedrock:us-west-2::foundation-model/amazon.nova-lite-v1:0"), Code::invalid_field);
  EXPECT_EQ(refusal("arn:aws:bedrock:::foundation-model/amazon.nova-lite-v1:0"), Code::invalid_field);
  EXPECT_EQ(refusal("arn:aws:bedrock:us-east-1::foundation-model/nobody.nothing"), Code::unknown_model);
  EXPECT_EQ(refusal("arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0"),
            Code::invalid_field)
      << "it can be called through a profile alone";
  EXPECT_EQ(refusal("arn:aws:bedrock:us-east-1:222233334444:inference-profile/us.nothing"), Code::unknown_model);
  EXPECT_EQ(refusal("arn:aws:bedrock:us-east-1:999988887777:inference-profile/" + std::string(sonnet)),
            Code::access_denied);
  EXPECT_EQ(
      refusal("arn:aws:bedrock:us-east-1:222233334444:inference-profile/eu.anthropic.claude-sonnet-4-5-20250929-"
              "v1:0"),
      Code::invalid_field)
      << "it cannot be called from there";
  EXPECT_EQ(refusal(copy_arn), Code::invalid_field) << "a copy of a copy";
  EXPECT_EQ(refusal("arn:aws:bedrock:us-east-1:222233334444:prompt/ABCDEFGHIJ"), Code::invalid_field);
}

TEST_F(Copies, GoWhereTheirOriginalGoes) {
  const ApplicationProfiles profiles =
      set({copy_of(sonnet_arn, "aaaaaaaaaaaa"), copy_of(nova_arn, "bbbbbbbbbbbb")});
  const domain::RegionIndex source = catalog->find_region("us-east-1");
  const auto* of_profile = profiles.find(open_account, "us-east-1", "aaaaaaaaaaaa");
  ASSERT_NE(of_profile, nullptr);
  EXPECT_EQ(of_profile->profile->copy_of, catalog->find_profile(sonnet));
  EXPECT_EQ(of_profile->profile->destinations_from(source),
            catalog->find_profile(sonnet)->destinations_from(source));
  EXPECT_EQ(of_profile->profile->sources, domain::RegionMask::of(source)) << "it belongs to one Region";
  const auto* of_model = profiles.find(open_account, "us-east-1", "bbbbbbbbbbbb");
  ASSERT_NE(of_model, nullptr);
  EXPECT_EQ(of_model->profile->destinations_from(source), domain::RegionMask::of(source));
  EXPECT_FALSE(of_model->profile->is_global());
}

TEST_F(Copies, AreFoundInTheirOwnAccountAndRegionAlone) {
  const ApplicationProfiles profiles = set({copy_of(nova_arn)});
  EXPECT_NE(profiles.find(open_account, "us-east-1", "abcdefghijkl"), nullptr);
  EXPECT_EQ(profiles.find("999988887777", "us-east-1", "abcdefghijkl"), nullptr);
  EXPECT_EQ(profiles.find(open_account, "us-west-2", "abcdefghijkl"), nullptr);
  EXPECT_EQ(profiles.find(open_account, "us-east-1", "abcdefghijkm"), nullptr);
}

TEST_F(Copies, StayWhenWhatTheyCopyIsGoneAndCannotBeCalled) {
  const ApplicationProfiles profiles =
      set({copy_of("arn:aws:bedrock:us-east-1:222233334444:inference-profile/coasts")});
  ASSERT_EQ(profiles.all().size(), 1u);
  EXPECT_EQ(profiles.all()[0].profile, nullptr);
}

TEST_F(Copies, AreDraftedWithAnIdAndAnArnOfTheirOwn) {
  base::Random random(1);
  const wire::ProfileRequest request{
      .name = "search", .description = "d", .client_token = "t", .copy_from = nova_arn, .tags = {{"k", "v"}}};
  const auto source = catalog->find_region("us-east-1");
  const auto one = draft_profile(request, open_account, source, *catalog, random);
  const auto other = draft_profile(request, open_account, source, *catalog, random);
  ASSERT_TRUE(one && other);
  EXPECT_EQ(one->id.size(), 12u);
  EXPECT_NE(one->id, other->id);
  EXPECT_EQ(one->arn, "arn:aws:bedrock:us-east-1:222233334444:application-inference-profile/" + one->id);
  EXPECT_EQ(one->tags, request.tags);
  wire::ProfileRequest many = request;
  for (int i = 0; i < 51; ++i) many.tags.emplace_back("k" + std::to_string(100 + i), "");
  EXPECT_EQ(draft_profile(many, open_account, source, *catalog, random).error().code, Code::too_many_tags);
}

/// A conversation with a gateway that has some application profiles, and a desk that does as it is told.
class Talk : public Conversation {
 public:
  explicit Talk(std::vector<ApplicationProfile> made) {
    domain::ApplicationProfileList list;
    for (ApplicationProfile& each : made)
      list.push_back(std::make_shared<const ApplicationProfile>(std::move(each)));
    snapshot = std::make_shared<const Snapshot>(
        snapshot->config, allowances, std::span<const domain::IssuedKey>{}, std::make_shared<policy::Rules>(),
        std::make_shared<const ApplicationProfiles>(std::move(list), snapshot->config.catalog));
    journey.use(snapshot);
    change_profiles = [this](domain::ProfileOrder order, ProfileDone done) {
      orders.push_back(std::move(order));
      if (refuse_with)
        done(base::fail(*refuse_with));
      else
        done(orders.back().profile);
    };
    every_region(replies(200, converse_reply("Hello.")));
  }
  std::vector<ProfileOrder> orders;
  std::optional<base::Error> refuse_with;
};

std::string remove(std::string_view id) {
  return get("/inference-profiles/" + std::string(id), "DELETE");
}

TEST(ApplicationProfileCall, RunsByItsIdAndByItsArnHoweverItIsEncoded) {
  Talk talk({copy_of(sonnet_arn)});
  for (const std::string& name :
       {std::string("abcdefghijkl"), copy_arn,
        std::string(
            "arn%3Aaws%3Abedrock%3Aus-east-1%3A222233334444%3Aapplication-inference-profile%2Fabcdefghijkl")}) {
    const Answer answer = talk.ask(converse(name));
    EXPECT_EQ(answer.status, 200) << answer.body;
    const Json portolan = talk.record().at("portolan");
    EXPECT_EQ(portolan.at("profile"), "abcdefghijkl");
    EXPECT_EQ(portolan.at("profileKind"), "application");
    EXPECT_EQ(portolan.at("profileArn"), copy_arn);
    EXPECT_EQ(portolan.at("copyFrom"), sonnet_arn);
    EXPECT_EQ(portolan.at("tags"), Json({{"CostCenter", "7"}, {"Team", "se\"arch"}}));
    EXPECT_EQ(portolan.at("allowedRegions"), Json({"us-east-1", "us-east-2", "us-west-2"}));
  }
  EXPECT_THAT(talk.regions.seen().front().head, HasSubstr("anthropic.claude-sonnet"))
      << "a Region hears of the model, not of the copy";
}

TEST(ApplicationProfileCall, OfAnotherAccountIsDeniedAndOfNobodyUnknown) {
  Talk talk({copy_of(sonnet_arn)});
  Answer answer =
      talk.ask(converse("arn:aws:bedrock:us-east-1:999988887777:application-inference-profile/abcdefghijkl"));
  EXPECT_EQ(answer.status, 403);
  EXPECT_THAT(answer.message(),
              HasSubstr("because no resource-based policy allows the bedrock:InvokeModel action"));
  answer = talk.ask(converse("arn:aws:bedrock:us-east-1:222233334444:application-inference-profile/zzzzzzzzzzzz"));
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(answer.field("x-amzn-errortype"), "ResourceNotFoundException");
  answer = talk.ask(converse("arn:aws:bedrock:us-west-2:222233334444:application-inference-profile/abcdefghijkl"));
  EXPECT_EQ(answer.status, 400) << "the endpoint of another Region is meant";
  answer = talk.ask(converse("abcdefghijkl", "otto-key"));
  EXPECT_EQ(answer.status, 404) << "the id in another account";
  EXPECT_THAT(talk.regions.seen(), IsEmpty());
}

TEST(ApplicationProfileCall, IsRefusedWhenWhatItCopiesIsGone) {
  Talk talk({copy_of("arn:aws:bedrock:us-east-1:222233334444:inference-profile/coasts")});
  const Answer answer = talk.ask(converse(copy_arn));
  EXPECT_EQ(answer.status, 404);
  EXPECT_THAT(answer.message(), HasSubstr("inference-profile/coasts, which cannot be called here any more"));
}

TEST(ApplicationProfileCall, DrawsOnTheQuotaOfWhatItCopies) {
  Talk talk({copy_of(sonnet_arn)});
  config::Config config = talk.snapshot->config;
  config::ProfileQuota once;
  once.profiles = "us.anthropic.*";
  once.requests_per_minute = 1;
  config.tenants[0].profile_quotas = {once};
  talk.snapshot =
      std::make_shared<const Snapshot>(std::move(config), talk.allowances, std::span<const domain::IssuedKey>{},
                                       std::make_shared<policy::Rules>(), talk.snapshot->applications);
  talk.journey.use(talk.snapshot);
  EXPECT_EQ(talk.ask(converse()).status, 200);
  const Answer copied = talk.ask(converse("abcdefghijkl"));
  EXPECT_EQ(copied.status, 429) << copied.body;
}

TEST(ControlPlaneCall, GivesTheDeskAnOrderAndTheCallerItsAnswer) {
  Talk talk({});
  const Answer answer =
      talk.ask(post("/inference-profiles", R"({"inferenceProfileName":"search","modelSource":{"copyFrom":")" +
                                               sonnet_arn + R"("},"tags":[{"key":"Team","value":"x"}]})"));
  EXPECT_EQ(answer.status, 201) << answer.body;
  ASSERT_EQ(talk.orders.size(), 1u);
  EXPECT_EQ(talk.orders[0].kind, ProfileOrder::Kind::create);
  EXPECT_EQ(talk.orders[0].profile.name, "search");
  EXPECT_EQ(talk.orders[0].profile.account_id, open_account);
  EXPECT_EQ(answer.json().at("inferenceProfileArn"), talk.orders[0].profile.arn);
  EXPECT_EQ(answer.json().at("status"), "ACTIVE");
  const Json record = talk.record();
  EXPECT_EQ(record.at("eventName"), "CreateInferenceProfile");
  EXPECT_EQ(record.at("readOnly"), false);
  EXPECT_EQ(record.at("requestParameters").at("modelSource").at("copyFrom"), sonnet_arn);
  EXPECT_EQ(record.at("responseElements").at("inferenceProfileArn"), talk.orders[0].profile.arn);
  EXPECT_FALSE(record.contains("additionalEventData"));
}

TEST(ControlPlaneCall, TellsWhatTheDeskRefuses) {
  Talk talk({copy_of(sonnet_arn)});
  talk.refuse_with = base::error(Code::conflict, "taken");
  const Answer answer = talk.ask(remove("abcdefghijkl"));
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.field("x-amzn-errortype"), "ConflictException");
  EXPECT_EQ(answer.message(), "taken");
  EXPECT_EQ(talk.record().at("errorCode"), "ConflictException");
  EXPECT_EQ(talk.record().at("responseElements"), nullptr);
}

TEST(ControlPlaneCall, AsksNothingOfTheDeskThatCannotBe) {
  Talk talk({copy_of(sonnet_arn)});
  EXPECT_EQ(talk.ask(remove("zzzzzzzzzzzz")).status, 404);
  EXPECT_EQ(talk.ask(remove(sonnet)).status, 404) << "AWS's own";
  EXPECT_EQ(
      talk.ask(remove("arn:aws:bedrock:us-east-1:999988887777:application-inference-profile/abcdefghijkl")).status,
      403);
  EXPECT_EQ(talk.ask(post("/tagResource", R"({"resourceARN":")" + copy_arn + R"("})")).status, 400);
  EXPECT_EQ(talk.ask(post("/inference-profiles", "{")).status, 400);
  EXPECT_EQ(talk.ask(post("/inference-profiles", "{}", "wrong-key")).status, 403);
  EXPECT_THAT(talk.orders, IsEmpty());
}

TEST(ControlPlaneCall, LetsATenantCopyOnlyWhatItMayCall) {
  Talk talk({});
  const auto asked = [](std::string_view profile) {
    return R"({"inferenceProfileName":"x","modelSource":{"copyFrom":"arn:aws:bedrock:us-east-1:222233335555:inference-profile/)" +
           std::string(profile) + R"("}})";
  };
  const Answer denied = talk.ask(post("/inference-profiles", asked(sonnet), "nora-key"));
  EXPECT_EQ(denied.status, 403);
  EXPECT_THAT(denied.message(), HasSubstr("tenant \"narrow\" may not call it"));
  EXPECT_EQ(talk.record().at("portolan").at("deniedBy"), "tenant");
  EXPECT_THAT(talk.orders, IsEmpty());
  EXPECT_EQ(talk.ask(post("/inference-profiles", asked("us.amazon.nova-lite-v1:0"), "nora-key")).status, 201);
}

TEST(ControlPlaneCall, TagsAndUntagsAndListsTags) {
  Talk talk({copy_of(sonnet_arn)});
  const std::string resource = R"({"resourceARN":")" + copy_arn + "\"";
  EXPECT_EQ(talk.ask(post("/tagResource", resource + R"(,"tags":[{"key":"A","value":"1"}]})")).status, 200);
  EXPECT_EQ(talk.orders.back().tags, (domain::Tags{{"A", "1"}}));
  EXPECT_EQ(talk.orders.back().profile.id, "abcdefghijkl");
  EXPECT_EQ(talk.ask(post("/untagResource", resource + R"(,"tagKeys":["A","B"]})")).status, 200);
  EXPECT_THAT(talk.orders.back().tag_keys, ElementsAre("A", "B"));
  const Answer list = talk.ask(post("/listTagsForResource", resource + "}"));
  EXPECT_EQ(list.json().at("tags").at(1), Json({{"key", "Team"}, {"value", "se\"arch"}}));
  EXPECT_EQ(talk.record().at("readOnly"), true);
  EXPECT_EQ(talk.orders.size(), 2u) << "a list asks for no change";
}

TEST(ControlPlaneCall, WaitsForTheDeskWhileOtherCallsGoOn) {
  Talk talk({copy_of(sonnet_arn)});
  ProfileDone waiting;
  talk.change_profiles = [&](const ProfileOrder&, ProfileDone done) { waiting = std::move(done); };
  Answer deleted;
  talk.begin(remove("abcdefghijkl"), deleted);
  while (talk.io().poll_one() > 0) {
  }
  ASSERT_TRUE(waiting);
  EXPECT_EQ(deleted.status, 0);
  waiting(copy_of(sonnet_arn));
  while (!talk.done() && talk.io().run_one_for(std::chrono::seconds{20}) > 0) {
  }
  EXPECT_EQ(deleted.status, 200);
}

}  // namespace
}  // namespace portolan::gateway
