// SPDX-License-Identifier: Apache-2.0
// What Amazon Bedrock's pages and AWS's security blog say of cross-Region inference, in both modes.
#include "policy/cross_region.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/test_organization.h"

namespace portolan::policy {
namespace {

using iam::Outcome;
using iam::PolicyKind;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr std::string_view sonnet = "anthropic.claude-sonnet-4-5-20250929-v1:0";
constexpr std::string_view us_sonnet = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
constexpr std::string_view global_sonnet = "global.anthropic.claude-sonnet-4-5-20250929-v1:0";
constexpr std::string_view us_sonnet_arn =
    "arn:aws:bedrock:us-east-1:111122223333:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0";

const std::string everything = document_of({R"("Effect":"Allow","Action":"bedrock:*","Resource":"*")"});

/// An SCP that denies Bedrock in all Regions but these: `"us-east-1","unspecified"`.
std::string only_in(const std::string& regions) {
  return document_of({R"("Sid":"DenyOutside","Effect":"Deny","Action":"*","Resource":"*",)"
                      R"("Condition":{"StringNotEquals":{"aws:RequestedRegion":[)" +
                      regions + "]}}"});
}

const domain::Catalog& shipped() {
  static const std::shared_ptr<const domain::Catalog> catalog = domain::Catalog::builtin();
  return *catalog;
}

Target profile_target(std::string_view id, std::string_view source) {
  const domain::Profile* profile = shipped().find_profile(id);
  EXPECT_NE(profile, nullptr) << id;
  return {.profile = profile, .model = profile->model, .source = shipped().find_region(source)};
}

Target model_target(std::string_view id, std::string_view source) {
  return {.model = shipped().find_model(id), .source = shipped().find_region(source)};
}

/// A judgement with all that it points into.
struct Judged {
  Organization organization;
  InForce in_force;
  InferenceCall call;
  Judgement judgement;

  std::string allowed() const { return shipped().names(judgement.allowed); }
  std::string pruned() const { return shipped().names(judgement.pruned); }
  std::string denial() const { return denial_text(call, judgement, shipped()); }
  const Ruling& denied_by() const { return judgement.rulings.at(static_cast<std::size_t>(judgement.denied_by)); }
  const Ruling& in(std::string_view region) const {
    const Ruling* ruling = judgement.ruling_for(shipped().find_region(region));
    EXPECT_NE(ruling, nullptr) << region;
    return *ruling;
  }
};

struct Asked {
  Target target;
  Mode mode = Mode::strict;
  std::string_view principal = alice;
  std::vector<std::string> sessions = {};
  std::string_view listener = {};
  RequestFacts request = {};
  ProfileArn profile_arn = ProfileArn::application;
  std::string_view action = "bedrock:InvokeModel";
};

Judged judged(const SmallSet& set, const Asked& asked) {
  Organization organization = organization_of(set);
  const InferenceCall call{.principal = asked.principal,
                           .account = {},
                           .action = asked.action,
                           .target = asked.target,
                           .request = asked.request,
                           .profile_arn = asked.profile_arn};
  // The policies are shared, so what points to them outlives the copy of the set.
  base::Result<InForce> in_force = InForce::of(organization, call.principal, asked.sessions, asked.listener);
  EXPECT_TRUE(in_force.has_value());
  Judgement judgement = judge(call, asked.mode, organization, *in_force, shipped());
  return {std::move(organization), *std::move(in_force), call, std::move(judgement)};
}

// ------------------------------------------------------------------------------------------- Geographic

TEST(CrossRegion, DeniesAStrictCallForOneDestinationThatAnScpBlocks) {
  const Judged call = judged({.root_scp = only_in(R"("us-east-1")"), .identity = everything},
                             {.target = profile_target(us_sonnet, "us-east-1")});
  EXPECT_FALSE(call.judgement.is_allowed());
  EXPECT_EQ(call.pruned(), "");
  EXPECT_EQ(
      call.denial(),
      "User: arn:aws:iam::111122223333:user/teams/alice is not authorized to perform: bedrock:InvokeModel on "
      "resource: arn:aws:bedrock:us-east-2::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0 with an "
      "explicit deny in a service control policy (Region us-east-2)");
  EXPECT_EQ(call.in("us-east-1").decision.outcome, Outcome::allowed);
}

TEST(CrossRegion, PrunesTheSameDestinationsInSubsetModeAndSaysByWhichStatement) {
  const Judged call = judged({.root_scp = only_in(R"("us-east-1")"), .identity = everything},
                             {.target = profile_target(us_sonnet, "us-east-1"), .mode = Mode::subset});
  EXPECT_EQ(call.allowed(), "us-east-1");
  EXPECT_EQ(call.pruned(), "us-east-2, us-west-2");
  EXPECT_EQ(call.judgement.denied_by, -1);
  for (const char* region : {"us-east-2", "us-west-2"}) {
    const Ruling& ruling = call.in(region);
    EXPECT_EQ(ruling.decision.outcome, Outcome::explicit_deny);
    EXPECT_EQ(ruling.decision.by.kind, PolicyKind::service_control);
    EXPECT_EQ(ruling.level, "root");
    EXPECT_EQ(ruling.policy->name, "root_scp.json");
    EXPECT_EQ(ruling.statement->sid, "DenyOutside");
    EXPECT_EQ(ruling.statement->place.line, 2u);
  }
}

TEST(CrossRegion, DeniesASubsetCallWhenNoDestinationIsLeft) {
  const std::string no_models =
      document_of({R"("Effect":"Deny","Action":"*","Resource":"arn:aws:bedrock:*::foundation-model/*")"});
  const Judged call = judged({.account_scp = no_models, .identity = everything},
                             {.target = profile_target(us_sonnet, "us-east-1"), .mode = Mode::subset});
  EXPECT_FALSE(call.judgement.is_allowed());
  EXPECT_EQ(call.denied_by().level, "account 111122223333");
  EXPECT_THAT(call.denial(), HasSubstr("us-east-1::foundation-model"));
}

TEST(CrossRegion, DeniesBothModesWhenTheProfileItselfIsDenied) {
  const std::string models_only =
      document_of({R"("Effect":"Allow","Action":"bedrock:*","Resource":"arn:aws:bedrock:*::foundation-model/*")"});
  for (const Mode mode : {Mode::strict, Mode::subset}) {
    const Judged call =
        judged({.identity = models_only}, {.target = profile_target(us_sonnet, "us-east-1"), .mode = mode});
    EXPECT_FALSE(call.judgement.is_allowed());
    EXPECT_EQ(call.denied_by().check.part, Check::Part::profile);
    EXPECT_EQ(&call.in("us-west-2"), &call.denied_by()) << "the profile's check decides for every destination";
    EXPECT_THAT(call.denial(),
                HasSubstr(std::string{us_sonnet_arn} +
                          " because no identity-based policy allows the bedrock:InvokeModel action"));
  }
}

TEST(CrossRegion, DeniesTheModelWhenOnlyTheProfileIsAllowed) {
  const std::string profile_only = document_of(
      {R"("Effect":"Allow","Action":"bedrock:InvokeModel","Resource":")" + std::string{us_sonnet_arn} + "\""});
  for (const Mode mode : {Mode::strict, Mode::subset}) {
    const Judged call =
        judged({.identity = profile_only}, {.target = profile_target(us_sonnet, "us-east-1"), .mode = mode});
    EXPECT_THAT(call.denial(),
                HasSubstr("on resource: arn:aws:bedrock:us-east-1::foundation-model/"
                          "anthropic.claude-sonnet-4-5-20250929-v1:0 because no identity-based policy allows the "
                          "bedrock:InvokeModel action"));
    EXPECT_EQ(call.denied_by().policy, nullptr);
    EXPECT_EQ(call.denied_by().statement, nullptr);
  }
}

/// Bedrock User Guide, "Geographic cross-Region inference", IAM policy requirements.
std::string published_geographic() {
  const std::string models = R"("arn:aws:bedrock:us-east-1::foundation-model/)" + std::string{sonnet} +
                             R"(","arn:aws:bedrock:us-east-2::foundation-model/)" + std::string{sonnet} +
                             R"(","arn:aws:bedrock:us-west-2::foundation-model/)" + std::string{sonnet} + "\"";
  return document_of(
      {R"("Sid":"GrantGeoCrisInferenceProfileAccess","Effect":"Allow","Action":"bedrock:InvokeModel",)"
       R"("Resource":[")" +
           std::string{us_sonnet_arn} + "\"]",
       R"("Sid":"GrantGeoCrisModelAccess","Effect":"Allow","Action":"bedrock:InvokeModel","Resource":[)" + models +
           R"(],"Condition":{"StringEquals":{"bedrock:InferenceProfileArn":")" + std::string{us_sonnet_arn} +
           "\"}}"});
}

TEST(CrossRegion, AllowsWhatThePublishedGeographicPolicyGrantsAndNothingElse) {
  const SmallSet set{.identity = published_geographic()};
  EXPECT_EQ(judged(set, {.target = profile_target(us_sonnet, "us-east-1")}).allowed(),
            "us-east-1, us-east-2, us-west-2");
  EXPECT_FALSE(judged(set, {.target = profile_target(us_sonnet, "us-east-2")}).judgement.is_allowed());
  EXPECT_FALSE(judged(set, {.target = profile_target(global_sonnet, "us-east-1")}).judgement.is_allowed());
  EXPECT_FALSE(judged(set, {.target = profile_target(us_sonnet, "us-east-1"),
                            .action = "bedrock:InvokeModelWithResponseStream"})
                   .judgement.is_allowed());
}

TEST(CrossRegion, NeverServesASourceThatIsNoDestination) {
  const Judged call =
      judged({.identity = everything},
             {.target = profile_target("us.anthropic.claude-3-5-sonnet-20240620-v1:0", "us-east-2")});
  EXPECT_EQ(call.allowed(), "us-east-1, us-west-2");
  EXPECT_EQ(call.judgement.ruling_for(shipped().find_region("us-east-2")), nullptr);
}

TEST(CrossRegion, ChecksTheModelInASourceThatIsNoDestinationInBothModes) {
  const std::string not_in_source = document_of(
      {R"("Effect":"Allow","Action":"bedrock:*","Resource":["arn:aws:bedrock:us-east-2:111122223333:*",)"
       R"("arn:aws:bedrock:us-east-1::foundation-model/*","arn:aws:bedrock:us-west-2::foundation-model/*"])"});
  for (const Mode mode : {Mode::strict, Mode::subset}) {
    const Judged call = judged(
        {.identity = not_in_source},
        {.target = profile_target("us.anthropic.claude-3-5-sonnet-20240620-v1:0", "us-east-2"), .mode = mode});
    EXPECT_FALSE(call.judgement.is_allowed());
    EXPECT_EQ(call.denied_by().check.part, Check::Part::source_model);
    EXPECT_THAT(call.denial(), HasSubstr("arn:aws:bedrock:us-east-2::foundation-model/"));
  }
}

TEST(CrossRegion, NamesThePartitionOfTheSource) {
  const std::string profile = "us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0";
  const Judged call = judged({.identity = everything}, {.target = profile_target(profile, "us-gov-east-1")});
  EXPECT_EQ(call.allowed(), "us-gov-west-1");
  std::vector<std::string> resources;
  for (const Ruling& ruling : call.judgement.rulings) resources.push_back(ruling.check.resource);
  const std::string model = "::foundation-model/" + std::string{sonnet};
  EXPECT_THAT(
      resources,
      ElementsAre("arn:aws-us-gov:bedrock:us-gov-east-1:111122223333:inference-profile/" + profile,
                  "arn:aws-us-gov:bedrock:us-gov-east-1" + model, "arn:aws-us-gov:bedrock:us-gov-west-1" + model));
}

TEST(CrossRegion, SaysFromWhereAProfileCanBeCalledWhenTheSourceIsNone) {
  const Judged call = judged({.identity = everything}, {.target = profile_target(us_sonnet, "eu-west-1")});
  EXPECT_FALSE(call.judgement.is_allowed());
  EXPECT_THAT(call.judgement.rulings, IsEmpty());
  EXPECT_EQ(call.judgement.denied_by, -1);
  EXPECT_THAT(call.denial(), HasSubstr("it cannot be called from eu-west-1, only from us-east-1, us-east-2"));
}

// ----------------------------------------------------------------------------------------------- Global

TEST(CrossRegion, DeniesGlobalWhenTheAllowedRegionsLackUnspecified) {
  for (const Mode mode : {Mode::strict, Mode::subset}) {
    const Judged call = judged({.root_scp = only_in(R"("us-east-1","us-east-2")"), .identity = everything},
                               {.target = profile_target(global_sonnet, "us-east-1"), .mode = mode});
    EXPECT_FALSE(call.judgement.is_allowed());
    EXPECT_THAT(call.denial(),
                HasSubstr("on resource: arn:aws:bedrock:::foundation-model/" + std::string{sonnet} +
                          " with an explicit deny in a service control policy (Region unspecified)"));
  }
}

TEST(CrossRegion, AllowsGlobalWhenTheSameListHasUnspecified) {
  const SmallSet set{.root_scp = only_in(R"("us-east-1","us-east-2","unspecified")"), .identity = everything};
  const Judged strict = judged(set, {.target = profile_target(global_sonnet, "us-east-1")});
  EXPECT_EQ(strict.judgement.allowed, strict.judgement.destinations);
  EXPECT_GT(strict.judgement.allowed.size(), 10);
  // Ours: a destination that the SCP denies by its name is no destination of a subset call.
  const Judged subset = judged(set, {.target = profile_target(global_sonnet, "us-east-1"), .mode = Mode::subset});
  EXPECT_EQ(subset.allowed(), "us-east-1, us-east-2");
  EXPECT_EQ(subset.judgement.pruned, subset.judgement.destinations - subset.judgement.allowed);
  EXPECT_EQ(subset.in("eu-west-1").statement->sid, "DenyOutside");
}

TEST(CrossRegion, IgnoresADenyOfARegionsNameForGlobalUnlessItIsASubset) {
  const SmallSet set{
      .root_scp = document_of({R"("Effect":"Deny","Action":"bedrock:*","Resource":"*",)"
                               R"("Condition":{"StringEquals":{"aws:RequestedRegion":"eu-west-1"}})"}),
      .identity = everything};
  EXPECT_TRUE(judged(set, {.target = profile_target(global_sonnet, "us-east-1")})
                  .judgement.allowed.contains(shipped().find_region("eu-west-1")));
  const Judged subset = judged(set, {.target = profile_target(global_sonnet, "us-east-1"), .mode = Mode::subset});
  EXPECT_EQ(subset.pruned(), "eu-west-1");
}

/// Bedrock User Guide, "Global cross-Region inference": three parts. `in_source`: whether the first two ask for the
/// source Region; AWS's security blog leaves that out.
std::string published_global(bool in_source) {
  const std::string profile =
      "arn:aws:bedrock:us-east-1:111122223333:inference-profile/" + std::string{global_sonnet};
  const std::string source = in_source ? R"("aws:RequestedRegion":"us-east-1")" : "";
  const std::string through = R"("bedrock:InferenceProfileArn":")" + profile + "\"";
  return document_of(
      {R"("Effect":"Allow","Action":"bedrock:InvokeModel","Resource":")" + profile + "\"" +
           (in_source ? R"(,"Condition":{"StringEquals":{)" + source + "}}" : ""),
       R"("Effect":"Allow","Action":"bedrock:InvokeModel","Resource":"arn:aws:bedrock:us-east-1::foundation-model/)" +
           std::string{sonnet} + R"(","Condition":{"StringEquals":{)" + source + (in_source ? "," : "") + through +
           "}}",
       R"("Effect":"Allow","Action":"bedrock:InvokeModel","Resource":"arn:aws:bedrock:::foundation-model/)" +
           std::string{sonnet} + R"(","Condition":{"StringEquals":{"aws:RequestedRegion":"unspecified",)" +
           through + "}}"});
}

TEST(CrossRegion, AllowsTheThreeShapesInWhichAwsPublishesTheGlobalPolicy) {
  // The third: Bedrock User Guide, "Prerequisites for inference profiles".
  const std::string short_form = document_of(
      {R"("Effect":"Allow","Action":"bedrock:InvokeModel*","Resource":"arn:aws:bedrock:us-east-1:111122223333:)"
       R"(inference-profile/)" +
           std::string{global_sonnet} + "\"",
       R"("Effect":"Allow","Action":"bedrock:InvokeModel*","Resource":["arn:aws:bedrock:us-east-1::foundation-model/)" +
           std::string{sonnet} + R"(","arn:aws:bedrock:::foundation-model/)" + std::string{sonnet} +
           R"("],"Condition":{"StringLike":{"bedrock:InferenceProfileArn":"arn:aws:bedrock:us-east-1:*:)"
           R"(inference-profile/)" +
           std::string{global_sonnet} + "\"}}"});
  for (const std::string& identity : {published_global(true), published_global(false), short_form})
    for (const Mode mode : {Mode::strict, Mode::subset}) {
      const Judged call =
          judged({.identity = identity}, {.target = profile_target(global_sonnet, "us-east-1"), .mode = mode});
      EXPECT_EQ(call.judgement.allowed, call.judgement.destinations)
          << "no Allow is asked for at a destination: " << call.denial();
    }
}

TEST(CrossRegion, NeedsEachOfTheThreePartsOfGlobal) {
  for (const auto& [denied, region] :
       {std::pair{"arn:aws:bedrock:us-east-1:111122223333:inference-profile/*", "us-east-1"},
        {"arn:aws:bedrock:us-east-1::foundation-model/*", "us-east-1"},
        {"arn:aws:bedrock:::foundation-model/*", "unspecified"}})
    for (const Mode mode : {Mode::strict, Mode::subset}) {
      const Judged call =
          judged({.account_scp =
                      document_of({R"("Effect":"Deny","Action":"*","Resource":")" + std::string{denied} + "\""}),
                  .identity = everything},
                 {.target = profile_target(global_sonnet, "us-east-1"), .mode = mode});
      EXPECT_FALSE(call.judgement.is_allowed()) << denied;
      EXPECT_EQ(call.denied_by().check.requested_region, region);
    }
}

TEST(CrossRegion, LetsAnScpDisableGlobalAndNothingElse) {
  // AWS's security blog on Geographic and Global cross-Region inference.
  const SmallSet set{
      .root_scp = document_of(
          {R"("Effect":"Deny","Action":"bedrock:*","Resource":"*","Condition":{)"
           R"("StringEquals":{"aws:RequestedRegion":"unspecified"},)"
           R"("ArnLike":{"bedrock:InferenceProfileArn":"arn:aws:bedrock:*:*:inference-profile/global.*"}})"}),
      .identity = everything};
  EXPECT_FALSE(judged(set, {.target = profile_target(global_sonnet, "us-east-1")}).judgement.is_allowed());
  EXPECT_TRUE(judged(set, {.target = profile_target(us_sonnet, "us-east-1")}).judgement.is_allowed());
}

// ---------------------------------------------------------------------------------------- the bare model

/// A model that can be called by its bare id.
const domain::Model& in_region_model() {
  for (const auto& model : shipped().models())
    if (model->in_region.contains(shipped().find_region("us-east-1"))) return *model;
  ADD_FAILURE() << "the catalog has none";
  return *shipped().models().front();
}

TEST(CrossRegion, DeniesTheBareModelWhenItIsAllowedThroughAProfileOnly) {
  const std::string through_profiles = document_of(
      {R"("Effect":"Allow","Action":"bedrock:*","Resource":"*",)"
       R"("Condition":{"ArnLike":{"bedrock:InferenceProfileArn":"arn:aws:bedrock:*:*:inference-profile/*"}})"});
  for (const Mode mode : {Mode::strict, Mode::subset}) {
    const Judged call = judged({.identity = through_profiles},
                               {.target = model_target(in_region_model().id, "us-east-1"), .mode = mode});
    EXPECT_FALSE(call.judgement.is_allowed());
    EXPECT_THAT(call.denial(), HasSubstr("because no identity-based policy allows"));
    EXPECT_EQ(call.judgement.rulings.size(), 1u);
  }
}

TEST(CrossRegion, DeniesTheBareModelByANegatedKeyUnlessNullGuardsIt) {
  const std::string not_us =
      R"("ArnNotLike":{"bedrock:InferenceProfileArn":"arn:aws:bedrock:*:*:inference-profile/us.*"})";
  const std::string deny = R"("Effect":"Deny","Action":"bedrock:*","Resource":"*","Condition":{)";
  const Asked bare{.target = model_target(in_region_model().id, "us-east-1")};
  EXPECT_FALSE(judged({.root_scp = document_of({deny + not_us + "}"}), .identity = everything}, bare)
                   .judgement.is_allowed());
  // The published form, DenyNonUSGeographicCRIS.
  const SmallSet guarded{
      .root_scp = document_of({deny + R"("Null":{"bedrock:InferenceProfileArn":"false"},)" + not_us + "}"}),
      .identity = everything};
  EXPECT_EQ(judged(guarded, bare).allowed(), "us-east-1");
  EXPECT_TRUE(judged(guarded, {.target = profile_target(us_sonnet, "us-east-1")}).judgement.is_allowed());
  EXPECT_FALSE(judged(guarded, {.target = profile_target(global_sonnet, "us-east-1")}).judgement.is_allowed());
}

TEST(CrossRegion, SaysThatAModelIsNotOfferedByItsBareId) {
  const Judged call = judged({.identity = everything}, {.target = model_target(sonnet, "us-east-1")});
  EXPECT_FALSE(call.judgement.is_allowed());
  EXPECT_THAT(call.denial(), HasSubstr("cannot be called from us-east-1, only from nowhere by its bare id"));
}

// ---------------------------------------------------------------------------------- application profiles

/// An application profile over two Regions, as `portolan profile` makes it.
const domain::Profile& coasts() {
  static const domain::Profile profile = [] {
    domain::Profile made{.id = "coasts", .name = "Coasts", .kind = domain::ProfileKind::application};
    made.model = shipped().find_model(sonnet);
    const domain::RegionIndex east = shipped().find_region("us-east-1");
    made.sources.add(east);
    made.destinations[east].add(east);
    made.destinations[east].add(shipped().find_region("us-west-2"));
    return made;
  }();
  return profile;
}

Target coasts_target(const domain::Profile* copy_of = nullptr) {
  return {.profile = &coasts(),
          .model = coasts().model,
          .source = shipped().find_region("us-east-1"),
          .copy_of = copy_of};
}

TEST(CrossRegion, ChecksAnApplicationProfileByItsOwnTypeOfArn) {
  const Judged call = judged({.identity = everything}, {.target = coasts_target()});
  EXPECT_EQ(call.judgement.rulings.front().check.resource,
            "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/coasts");
  EXPECT_EQ(call.allowed(), "us-east-1, us-west-2");
}

TEST(CrossRegion, IsStrictForAwsProfilesAndASubsetForThoseMadeHere) {
  EXPECT_EQ(default_mode(*shipped().find_profile(us_sonnet)), Mode::strict);
  EXPECT_EQ(default_mode(*shipped().find_profile(global_sonnet)), Mode::strict);
  EXPECT_EQ(default_mode(coasts()), Mode::subset);
  domain::Profile configured = coasts();
  configured.kind = domain::ProfileKind::geographic;  // as one under `profiles` in the configuration
  EXPECT_EQ(default_mode(configured), Mode::subset);
  domain::Profile copy = coasts();
  copy.copy_of = shipped().find_profile(us_sonnet);
  EXPECT_EQ(default_mode(copy), Mode::strict) << "a copy is judged as what it copies";
  copy.copy_of = &configured;
  EXPECT_EQ(default_mode(copy), Mode::subset);
}

TEST(CrossRegion, PutsTheApplicationOrTheSystemProfileIntoTheConditionKey) {
  Target target = coasts_target(shipped().find_profile(us_sonnet));
  const auto allowed_through = [&](std::string_view profile, ProfileArn which) {
    const std::string identity = document_of(
        {R"("Effect":"Allow","Action":"bedrock:*","Resource":"arn:aws:bedrock:us-east-1:111122223333:*")",
         R"("Effect":"Allow","Action":"bedrock:*","Resource":"arn:aws:bedrock:*::foundation-model/*",)"
         R"("Condition":{"ArnEquals":{"bedrock:InferenceProfileArn":"arn:aws:bedrock:us-east-1:111122223333:)" +
             std::string{profile} + "\"}}"});
    return judged({.identity = identity}, {.target = target, .profile_arn = which}).judgement.is_allowed();
  };
  const std::string system = "inference-profile/" + std::string{us_sonnet};
  EXPECT_TRUE(allowed_through("application-inference-profile/coasts", ProfileArn::application));
  EXPECT_FALSE(allowed_through("application-inference-profile/coasts", ProfileArn::system));
  EXPECT_TRUE(allowed_through(system, ProfileArn::system));
  EXPECT_FALSE(allowed_through(system, ProfileArn::application));
  target.copy_of = nullptr;  // made from a model: there is no other profile to name
  EXPECT_TRUE(allowed_through("application-inference-profile/coasts", ProfileArn::system));
}

TEST(CrossRegion, ChecksACopyOfAGlobalProfileAsGlobal) {
  const Target target = coasts_target(shipped().find_profile(global_sonnet));
  const Judged call =
      judged({.root_scp = only_in(R"("us-east-1","us-west-2")"), .identity = everything}, {.target = target});
  EXPECT_THAT(call.denial(), HasSubstr("arn:aws:bedrock:::foundation-model/"));
}

TEST(CrossRegion, ReadsAnApplicationProfilesTagsAtTheProfileAlone) {
  const std::string by_team = document_of(
      {R"("Effect":"Allow","Action":"bedrock:*","Resource":"arn:aws:bedrock:*:*:application-inference-profile/*",)"
       R"("Condition":{"StringEquals":{"aws:ResourceTag/team":"${aws:PrincipalTag/team}"}})",
       R"("Effect":"Allow","Action":"bedrock:*","Resource":"arn:aws:bedrock:*::foundation-model/*",)"
       R"("Condition":{"Null":{"aws:ResourceTag/team":"true"}})"});
  Target target = coasts_target();
  target.tags = {{"team", "search"}};
  EXPECT_TRUE(judged({.identity = by_team}, {.target = target}).judgement.is_allowed());
  target.tags = {{"team", "shop"}};
  EXPECT_FALSE(judged({.identity = by_team}, {.target = target}).judgement.is_allowed());
}

// ------------------------------------------------------------------------------- the levels above and below

TEST(CrossRegion, NeedsAnAllowAtEveryLevelOfTheOrganisation) {
  const SmallSet set{.unit_scp = document_of({R"("Effect":"Allow","Action":"s3:*","Resource":"*")"}),
                     .identity = everything};
  const Judged call = judged(set, {.target = profile_target(us_sonnet, "us-east-1")});
  EXPECT_EQ(call.denied_by().decision.outcome, Outcome::implicit_deny);
  EXPECT_EQ(call.denied_by().level, "unit workloads/prod");
  EXPECT_THAT(call.denial(), HasSubstr("because no service control policy allows the bedrock:InvokeModel action"));
}

TEST(CrossRegion, ExemptsTheManagementAccountFromScpsAndRcps) {
  SmallSet set{.root_scp = only_in(R"("eu-west-1")"),
               .root_rcp = document_of({R"("Effect":"Deny","Principal":"*","Action":"bedrock:*","Resource":"*")"}),
               .identity = everything};
  EXPECT_FALSE(judged(set, {.target = profile_target(us_sonnet, "us-east-1")}).judgement.is_allowed());
  set.is_management_account = true;
  EXPECT_TRUE(judged(set, {.target = profile_target(us_sonnet, "us-east-1")}).judgement.is_allowed());
}

TEST(CrossRegion, NamesTheKindThatDenies) {
  const std::string deny = document_of({R"("Effect":"Deny","Action":"bedrock:*","Resource":"*")"});
  const std::string deny_any =
      document_of({R"("Effect":"Deny","Principal":"*","Action":"bedrock:*","Resource":"*")"});
  const std::string nothing = document_of({R"("Effect":"Allow","Action":"s3:*","Resource":"*")"});
  const Target target = profile_target(us_sonnet, "us-east-1");
  const auto denial = [&](const SmallSet& set, std::vector<std::string> sessions = {},
                          std::string_view listener = {}) {
    return judged(set, {.target = target, .sessions = std::move(sessions), .listener = listener}).denial();
  };
  EXPECT_THAT(denial({.root_rcp = deny_any, .identity = everything}),
              HasSubstr("with an explicit deny in a resource control policy"));
  EXPECT_THAT(denial({.identity = deny}), HasSubstr("with an explicit deny in an identity-based policy"));
  EXPECT_THAT(denial({.identity = everything, .boundary = deny}),
              HasSubstr("with an explicit deny in a permissions boundary"));
  EXPECT_THAT(denial({.identity = everything, .boundary = nothing}),
              HasSubstr("because no permissions boundary allows the bedrock:InvokeModel action"));
  EXPECT_THAT(denial({.identity = everything, .session = nothing}, {"narrow"}),
              HasSubstr("because no session policy allows the bedrock:InvokeModel action"));
  EXPECT_THAT(denial({.identity = everything, .listener = deny_any}, {}, "office"),
              HasSubstr("with an explicit deny"));
}

TEST(CrossRegion, AsksSessionAndListenerPoliciesOnlyWhereTheyApply) {
  const std::string nothing = document_of({R"("Effect":"Allow","Action":"s3:*","Resource":"*")"});
  const std::string nothing_any =
      document_of({R"("Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*")"});
  const SmallSet set{.identity = everything, .session = nothing, .listener = nothing_any};
  const Target target = profile_target(us_sonnet, "us-east-1");
  EXPECT_TRUE(judged(set, {.target = target}).judgement.is_allowed());
  EXPECT_FALSE(judged(set, {.target = target, .sessions = {"narrow"}}).judgement.is_allowed());
  EXPECT_FALSE(judged(set, {.target = target, .listener = "office"}).judgement.is_allowed());
}

TEST(CrossRegion, AllowsNothingToAPrincipalInNoEntry) {
  const Judged call = judged({.identity = everything}, {.target = profile_target(us_sonnet, "us-east-1"),
                                                        .principal = "arn:aws:iam::111122223333:user/mallory"});
  EXPECT_THAT(call.denial(), HasSubstr("because no identity-based policy allows"));
}

TEST(CrossRegion, AllowsInSubsetModeWhateverItAllowsInStrict) {
  // Over the whole catalog: strict means every destination; subset never gives more than the destinations.
  const SmallSet set{.root_scp = only_in(R"("us-east-1","us-east-2","us-west-2","eu-west-1","unspecified")"),
                     .identity = everything};
  const Organization organization = organization_of(set);
  const auto in_force = InForce::of(organization, alice);
  int strict_calls = 0;
  int subset_calls = 0;
  for (const auto& profile : shipped().profiles())
    for (const domain::RegionIndex source : profile->sources) {
      const InferenceCall call{.principal = alice,
                               .account = {},
                               .target = {.profile = profile.get(), .model = profile->model, .source = source}};
      const Judgement strict = judge(call, Mode::strict, organization, *in_force, shipped());
      const Judgement subset = judge(call, Mode::subset, organization, *in_force, shipped());
      EXPECT_EQ(subset.destinations, profile->destinations_from(source));
      EXPECT_TRUE((subset.allowed - subset.destinations).empty());
      if (strict.is_allowed()) {
        EXPECT_EQ(strict.allowed, strict.destinations);
        EXPECT_TRUE(subset.is_allowed()) << profile->id;
        ++strict_calls;
      }
      if (subset.is_allowed()) {
        EXPECT_EQ(subset.allowed | subset.pruned, subset.destinations);
        ++subset_calls;
      }
    }
  EXPECT_GT(strict_calls, 10);
  EXPECT_GT(subset_calls, strict_calls) << "some destinations are pruned";
}

// ------------------------------------------------------------------------------------------ the context

/// The values of a key at the first check of `part`; "-" when it is absent.
std::string value_of(const Judged& call, Check::Part part, std::string_view key_lower) {
  for (const Ruling& ruling : call.judgement.rulings) {
    if (ruling.check.part != part) continue;
    const iam::Context context = context_of(call.call, ruling.check, call.organization, call.in_force);
    std::string values;
    for (const std::string& value : context.find(key_lower)) values += (values.empty() ? "" : "|") + value;
    return values.empty() ? "-" : values;
  }
  return "no such check";
}

TEST(CrossRegionContext, HasTheDocumentedKeysOfAUser) {
  base::WallTime now{};
  ASSERT_TRUE(base::parse_time("2026-11-22T09:30:00Z", now));
  const Judged call = judged({.identity = everything}, {.target = profile_target(us_sonnet, "us-east-2"),
                                                        .request = {.source_ip = "192.0.2.7",
                                                                    .now = now,
                                                                    .secure_transport = true,
                                                                    .service_tier = "priority",
                                                                    .user_agent = "Boto3/1.40"}});
  const auto at_profile = [&](std::string_view key) { return value_of(call, Check::Part::profile, key); };
  EXPECT_EQ(at_profile("aws:principalarn"), alice);
  EXPECT_EQ(at_profile("aws:principalaccount"), "111122223333");
  EXPECT_EQ(at_profile("aws:principaltype"), "User");
  EXPECT_EQ(at_profile("aws:username"), "alice");
  EXPECT_EQ(at_profile("aws:principaltag/team"), "search");
  EXPECT_EQ(at_profile("aws:principalorgid"), "o-exampleorgid");
  EXPECT_EQ(at_profile("aws:principalorgpaths"), "o-exampleorgid/r-exam/ou-exam-10000001/ou-exam-10000002/");
  EXPECT_EQ(at_profile("aws:principalisawsservice"), "false");
  EXPECT_EQ(at_profile("aws:viaawsservice"), "false");
  EXPECT_EQ(at_profile("aws:currenttime"), "2026-11-22T09:30:00Z");
  EXPECT_EQ(at_profile("aws:epochtime"), "1795339800");
  EXPECT_EQ(at_profile("aws:sourceip"), "192.0.2.7");
  EXPECT_EQ(at_profile("aws:securetransport"), "true");
  EXPECT_EQ(at_profile("aws:useragent"), "Boto3/1.40");
  EXPECT_EQ(at_profile("bedrock:servicetier"), "priority");
  EXPECT_EQ(at_profile("aws:resourceaccount"), "111122223333");
  EXPECT_EQ(at_profile("aws:resourceorgid"), "o-exampleorgid");
  EXPECT_EQ(at_profile("aws:requestedregion"), "us-east-2");
  EXPECT_EQ(at_profile("bedrock:inferenceprofilearn"), "-");
  EXPECT_EQ(value_of(call, Check::Part::destination, "aws:requestedregion"), "us-east-1");
  EXPECT_EQ(value_of(call, Check::Part::destination, "aws:resourceaccount"), "-");
  EXPECT_EQ(value_of(call, Check::Part::destination, "bedrock:inferenceprofilearn"),
            "arn:aws:bedrock:us-east-2:111122223333:inference-profile/" + std::string{us_sonnet});
}

TEST(CrossRegionContext, LeavesOutWhatIsNotKnown) {
  const Judged call = judged({.identity = everything}, {.target = profile_target(us_sonnet, "us-east-1")});
  for (const std::string_view key : {"aws:sourceip", "aws:currenttime", "aws:epochtime", "aws:securetransport",
                                     "aws:useragent", "bedrock:servicetier", "aws:multifactorauthpresent"})
    EXPECT_EQ(value_of(call, Check::Part::profile, key), "-") << key;
}

TEST(CrossRegionContext, NamesTheRoleOfASession) {
  const Judged call = judged({.identity = everything},
                             {.target = profile_target(us_sonnet, "us-east-1"), .principal = app_session});
  EXPECT_TRUE(call.judgement.is_allowed());
  EXPECT_EQ(value_of(call, Check::Part::profile, "aws:principalarn"), "arn:aws:iam::111122223333:role/service/app");
  EXPECT_EQ(value_of(call, Check::Part::profile, "aws:principaltype"), "AssumedRole");
  EXPECT_EQ(value_of(call, Check::Part::profile, "aws:username"), "-");
  EXPECT_EQ(value_of(call, Check::Part::profile, "aws:principaltag/team"), "search");
}

TEST(CrossRegionContext, IsOverruledByFurtherKeys) {
  const Judged call =
      judged({.identity = everything},
             {.target = profile_target(us_sonnet, "us-east-1"),
              .request = {.source_ip = "192.0.2.7",
                          .further = {{"AWS:SourceIp", {"198.51.100.1"}}, {"aws:TagKeys", {"a", "b"}}}}});
  EXPECT_EQ(value_of(call, Check::Part::profile, "aws:sourceip"), "198.51.100.1");
  EXPECT_EQ(value_of(call, Check::Part::profile, "aws:tagkeys"), "a|b");
}

TEST(CrossRegionContext, HasUnspecifiedForTheRegionOfGlobal) {
  const Judged call = judged({.identity = everything},
                             {.target = profile_target(global_sonnet, "us-east-1"), .mode = Mode::subset});
  EXPECT_EQ(value_of(call, Check::Part::source_model, "aws:requestedregion"), "us-east-1");
  EXPECT_EQ(value_of(call, Check::Part::global_model, "aws:requestedregion"), "unspecified");
  EXPECT_THAT(value_of(call, Check::Part::pruning, "aws:requestedregion"), Not("unspecified"));
}

}  // namespace
}  // namespace portolan::policy
