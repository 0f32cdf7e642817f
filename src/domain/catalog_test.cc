// SPDX-License-Identifier: Apache-2.0
// Spot checks of the shipped data against what its sources say, and definitions that an operator may get wrong.
#include "domain/catalog.h"

#include <gtest/gtest.h>
#include <set>

#include "domain/catalog_data.h"

namespace portolan::domain {
namespace {

const Catalog& shipped() {
  return *Catalog::builtin();
}

/// The names of the destinations of `profile` from `source`; "" where it cannot be called.
std::string destinations(std::string_view profile, std::string_view source) {
  const Profile* found = shipped().find_profile(profile);
  if (!found) return "no such profile";
  return shipped().names(found->destinations_from(shipped().find_region(source)));
}

const RoundTrip& round_trip(std::string_view from, std::string_view to) {
  return shipped().round_trip(shipped().find_region(from), shipped().find_region(to));
}

TEST(Catalog, ShipsWithADateAndEveryRegionInOneWord) {
  EXPECT_EQ(shipped().date(), "2026-11-21");
  EXPECT_EQ(shipped().regions().size(), 36u);
  EXPECT_LE(shipped().regions().size(), regions_max);
}

TEST(Catalog, KnowsTheFactsOfARegion) {
  const Region& zurich = shipped().region(shipped().find_region("eu-central-2"));
  EXPECT_EQ(zurich.geography, "CH");
  EXPECT_EQ(zurich.partition, "aws");
  EXPECT_TRUE(zurich.opt_in);
  EXPECT_EQ(shipped().region(shipped().find_region("us-gov-west-1")).partition, "aws-us-gov");
  EXPECT_EQ(shipped().find_region("us-east-9"), region_none);
  EXPECT_EQ(shipped().find_region(""), region_none);
}

TEST(Catalog, NamesAMaskInCatalogOrder) {
  RegionMask mask = RegionMask::of(shipped().find_region("eu-west-1"));
  mask.add(shipped().find_region("us-east-2"));
  EXPECT_EQ(shipped().names(mask), "us-east-2, eu-west-1");
  EXPECT_EQ(shipped().names({}), "");
  EXPECT_EQ(shipped().names(RegionMask::from_bits(std::uint64_t{1} << 63)), "");
}

TEST(Catalog, EverySourceOfEveryProfileHasDestinationsInItsPartition) {
  for (const auto& profile : shipped().profiles()) {
    SCOPED_TRACE(profile->id);
    EXPECT_FALSE(profile->sources.empty());
    EXPECT_EQ(shipped().find_profile(profile->id), profile.get());
    for (RegionIndex source = 0; source < regions_max; ++source) {
      EXPECT_EQ(profile->sources.contains(source), !profile->destinations[source].empty());
      for (const RegionIndex destination : profile->destinations[source])
        EXPECT_EQ(shipped().region(destination).partition, shipped().region(source).partition);
    }
  }
}

TEST(Catalog, ASourceNeedNotBeOneOfItsOwnDestinations) {
  EXPECT_EQ(destinations("us.anthropic.claude-3-5-sonnet-20240620-v1:0", "us-east-2"), "us-east-1, us-west-2");
  EXPECT_EQ(destinations("us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0", "us-gov-east-1"), "us-gov-west-1");
}

TEST(Catalog, DestinationsDependOnTheSource) {
  constexpr std::string_view sonnet = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
  EXPECT_EQ(destinations(sonnet, "us-east-1"), "us-east-1, us-east-2, us-west-2");
  EXPECT_EQ(destinations(sonnet, "us-west-1"), "us-east-1, us-east-2, us-west-1, us-west-2");
  EXPECT_EQ(destinations(sonnet, "ca-central-1"), "us-east-1, us-east-2, us-west-2, ca-central-1");
  EXPECT_EQ(destinations(sonnet, "ca-west-1"), "");
  EXPECT_EQ(destinations("us.anthropic.claude-opus-4-8", "ca-west-1"),
            "us-east-1, us-east-2, us-west-2, ca-west-1");
  EXPECT_EQ(destinations("us.anthropic.claude-3-haiku-20240307-v1:0", "us-west-2"), "us-east-1, us-west-2");
  EXPECT_EQ(destinations("us.anthropic.claude-3-haiku-20240307-v1:0", "us-east-2"),
            "us-east-1, us-east-2, us-west-2");
  EXPECT_EQ(destinations("us.meta.llama3-1-405b-instruct-v1:0", "us-east-1"), "");
}

TEST(Catalog, LondonZurichAndTelAvivAreSourcesOfEuropeanProfiles) {
  EXPECT_EQ(destinations("eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "eu-west-2"),
            "eu-central-1, eu-north-1, eu-south-1, eu-south-2, eu-west-1, eu-west-2, eu-west-3");
  EXPECT_EQ(destinations("eu.anthropic.claude-haiku-4-5-20251001-v1:0", "eu-central-2"),
            "eu-central-1, eu-central-2, eu-north-1, eu-south-1, eu-south-2, eu-west-1, eu-west-3");
  EXPECT_EQ(destinations("eu.anthropic.claude-sonnet-4-20250514-v1:0", "il-central-1"),
            "eu-central-1, eu-north-1, eu-south-1, eu-south-2, eu-west-1, eu-west-3, il-central-1");
  EXPECT_EQ(destinations("eu.amazon.nova-lite-v1:0", "il-central-1"),
            "eu-central-1, eu-north-1, eu-south-1, eu-west-1, eu-west-3, il-central-1");
}

TEST(Catalog, AsiaPacificSetsGrowWithTheSource) {
  const Profile& sonnet = *shipped().find_profile("apac.anthropic.claude-sonnet-4-20250514-v1:0");
  EXPECT_EQ(sonnet.destinations_from(shipped().find_region("ap-south-2")).size(), 8);
  EXPECT_EQ(sonnet.destinations_from(shipped().find_region("ap-southeast-3")).size(), 9);
  EXPECT_EQ(sonnet.destinations_from(shipped().find_region("me-central-1")).size(), 10);
  EXPECT_EQ(destinations("apac.amazon.nova-pro-v1:0", "ap-south-1"),
            "ap-northeast-1, ap-northeast-2, ap-northeast-3, ap-south-1, ap-southeast-1, ap-southeast-2");
  EXPECT_EQ(destinations("jp.amazon.nova-2-lite-v1:0", "ap-northeast-1"), "ap-northeast-1, ap-northeast-3");
  EXPECT_EQ(destinations("jp.amazon.nova-2-lite-v1:0", "ap-northeast-3"), "");
  EXPECT_EQ(destinations("au.anthropic.claude-sonnet-4-5-20250929-v1:0", "ap-southeast-6"),
            "ap-southeast-2, ap-southeast-4, ap-southeast-6");
}

TEST(Catalog, AGlobalProfileIncludesItsSourceAndNeverAnotherPartition) {
  int seen = 0;
  for (const auto& profile : shipped().profiles()) {
    if (profile->kind != ProfileKind::global) continue;
    ++seen;
    SCOPED_TRACE(profile->id);
    EXPECT_TRUE(profile->id.starts_with("global."));
    for (const RegionIndex source : profile->sources) {
      EXPECT_TRUE(profile->destinations[source].contains(source));
      for (const RegionIndex destination : profile->destinations[source])
        EXPECT_EQ(shipped().region(destination).partition, "aws");
    }
  }
  EXPECT_EQ(seen, 12);
  EXPECT_EQ(shipped().find_profile("global.anthropic.claude-sonnet-4-5-20250929-v1:0")->sources.size(), 33);
  EXPECT_EQ(shipped().find_profile("global.anthropic.claude-sonnet-4-20250514-v1:0")->sources.size(), 5);
}

TEST(Catalog, AProfileIsNamedAsAwsNamesIt) {
  const Profile& profile = *shipped().find_profile("us.anthropic.claude-sonnet-4-5-20250929-v1:0");
  EXPECT_EQ(profile.name, "US Anthropic Claude Sonnet 4.5");
  EXPECT_EQ(profile.kind, ProfileKind::geographic);
  EXPECT_EQ(profile.model, shipped().find_model("anthropic.claude-sonnet-4-5-20250929-v1:0"));
  EXPECT_EQ(name(profile.kind), "geographic");
}

TEST(Catalog, OutputBurnsDownAsTheQuotaPagesSay) {
  EXPECT_EQ(shipped().find_model("anthropic.claude-opus-4-8")->token_rules.back().output, 15u);
  EXPECT_EQ(shipped().find_model("anthropic.claude-sonnet-5")->token_rules.back().output, 10u);
  EXPECT_EQ(shipped().find_model("anthropic.claude-sonnet-4-5-20250929-v1:0")->token_rules.back().output, 5u);
  EXPECT_EQ(shipped().find_model("openai.gpt-5.6-terra")->token_rules.back().output, 10u);
  EXPECT_EQ(shipped().find_model("amazon.nova-pro-v1:0")->token_rules.back().output, 1u);
}

TEST(Catalog, NewModelsCanBeCalledThroughAProfileOnly) {
  EXPECT_TRUE(shipped().find_model("anthropic.claude-sonnet-4-5-20250929-v1:0")->profile_only);
  const Model& haiku = *shipped().find_model("anthropic.claude-3-haiku-20240307-v1:0");
  EXPECT_FALSE(haiku.profile_only);
  EXPECT_TRUE(haiku.in_region.contains(shipped().find_region("us-east-1")));
  for (const auto& model : shipped().models())
    EXPECT_EQ(model->profile_only, model->in_region.empty()) << model->id;
}

TEST(Catalog, ModelsAreFoundByTheirExactId) {
  for (const auto& model : shipped().models()) EXPECT_EQ(shipped().find_model(model->id), model.get());
  EXPECT_EQ(shipped().find_model("anthropic.claude"), nullptr);
  EXPECT_EQ(shipped().find_model(""), nullptr);
  EXPECT_EQ(shipped().find_model("zzz"), nullptr);
}

TEST(RoundTrips, AreAsMeasuredBetweenMeasuredRegions) {
  EXPECT_NEAR(round_trip("us-east-1", "us-west-2").p50_ms, 64.8, 0.5);
  EXPECT_NEAR(round_trip("us-east-1", "eu-central-1").p50_ms, 93.0, 0.5);
  EXPECT_DOUBLE_EQ(round_trip("af-south-1", "ap-east-1").p50_ms, 247.41);
  EXPECT_DOUBLE_EQ(round_trip("af-south-1", "ap-east-1").p90_ms, 250.97);
  EXPECT_DOUBLE_EQ(round_trip("af-south-1", "ap-east-1").p99_ms, 306.1);
  EXPECT_EQ(round_trip("us-east-1", "us-west-2").estimated_from, "");
}

TEST(RoundTrips, ElsewhereAreEstimatedFromANamedNeighbour) {
  const RoundTrip& one = round_trip("us-gov-west-1", "us-east-1");
  EXPECT_DOUBLE_EQ(one.p50_ms, round_trip("us-west-2", "us-east-1").p50_ms + 1);
  EXPECT_EQ(one.estimated_from, "us-gov-west-1 ~ us-west-2");
  const RoundTrip& both = round_trip("eu-central-2", "ca-west-1");
  EXPECT_DOUBLE_EQ(both.p90_ms, round_trip("eu-central-1", "us-west-2").p90_ms + 5 + 11);
  EXPECT_EQ(both.estimated_from, "eu-central-2 ~ eu-central-1, ca-west-1 ~ us-west-2");
}

TEST(RoundTrips, InsideAnEstimatedRegionAreThoseInsideItsNeighbour) {
  EXPECT_DOUBLE_EQ(round_trip("ap-southeast-7", "ap-southeast-7").p50_ms,
                   round_trip("ap-southeast-1", "ap-southeast-1").p50_ms);
  EXPECT_EQ(round_trip("ap-southeast-7", "ap-southeast-7").estimated_from, "ap-southeast-7 ~ ap-southeast-1");
}

TEST(RoundTrips, AreKnownForEveryPair) {
  int measured_regions = 0;
  for (RegionIndex from = 0; from < shipped().regions().size(); ++from) {
    measured_regions += shipped().round_trip(from, from).estimated_from.empty();
    for (RegionIndex to = 0; to < shipped().regions().size(); ++to) {
      const RoundTrip& trip = shipped().round_trip(from, to);
      EXPECT_GT(trip.p50_ms, 0);
      EXPECT_GE(trip.p90_ms, trip.p50_ms);
      EXPECT_GE(trip.p99_ms, trip.p90_ms);
    }
  }
  EXPECT_EQ(measured_regions, 21);
}

TEST(Nearest, FindsWhatWasMeant) {
  EXPECT_EQ(shipped().nearest_region("eu-cental-1"), "eu-central-1");
  EXPECT_EQ(shipped().nearest_region("virginia"), "");
  EXPECT_EQ(shipped().nearest_model("anthropic.claude-sonnet-4-5"), "anthropic.claude-sonnet-4-5-20250929-v1:0");
  EXPECT_EQ(shipped().nearest_profile("us.anthropic.claude-sonet-4-5-20250929-v1:0"),
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0");
}

// Operator-defined profiles.

ProfileDefinition team_private() {
  return {.id = "team.private-eu",
          .name = "Private EU",
          .model_id = "anthropic.claude-sonnet-4-5-20250929-v1:0",
          .sources = {"eu-west-1"},
          .destinations = {"eu-central-1", "eu-west-1"}};
}

std::string refusal(const ProfileDefinition& definition) {
  const auto checked = shipped().check(definition);
  const auto built = Catalog::with_profiles(shipped(), std::span{&definition, 1});
  if (checked || built) return "accepted";
  EXPECT_EQ(checked.error().code, base::Code::config_invalid);
  EXPECT_EQ(checked.error().message, built.error().message);
  return checked.error().message;
}

TEST(WithProfiles, AddsOneBesideTheShippedOnes) {
  const ProfileDefinition definition = team_private();
  const auto catalog = Catalog::with_profiles(shipped(), std::span{&definition, 1});
  ASSERT_TRUE(catalog);
  const Profile* added = (*catalog)->find_profile("team.private-eu");
  ASSERT_NE(added, nullptr);
  EXPECT_EQ(added->name, "Private EU");
  EXPECT_EQ(added->kind, ProfileKind::geographic);
  EXPECT_EQ(added->model, (*catalog)->find_model("anthropic.claude-sonnet-4-5-20250929-v1:0"));
  EXPECT_EQ((*catalog)->names(added->sources), "eu-west-1");
  EXPECT_EQ((*catalog)->names(added->destinations_from((*catalog)->find_region("eu-west-1"))),
            "eu-central-1, eu-west-1");
  EXPECT_TRUE(added->destinations_from((*catalog)->find_region("eu-central-1")).empty());
  EXPECT_EQ((*catalog)->profiles().size(), shipped().profiles().size() + 1);
}

TEST(WithProfiles, PointsEveryProfileAtTheModelsOfTheNewCatalog) {
  const auto catalog = Catalog::with_profiles(shipped(), {});
  ASSERT_TRUE(catalog);
  for (const auto& profile : (*catalog)->profiles())
    EXPECT_EQ(profile->model, (*catalog)->find_model(profile->model->id)) << profile->id;
}

TEST(WithProfiles, TakesEveryDestinationForASourceWhenNoneIsNamed) {
  ProfileDefinition definition = team_private();
  definition.sources.clear();
  definition.name.clear();
  const auto catalog = Catalog::with_profiles(shipped(), std::span{&definition, 1});
  ASSERT_TRUE(catalog);
  const Profile& added = *(*catalog)->find_profile("team.private-eu");
  EXPECT_EQ((*catalog)->names(added.sources), "eu-central-1, eu-west-1");
  EXPECT_EQ(added.name, "team.private-eu");
}

TEST(WithProfiles, RefusesAnUnknownModelAndNamesTheNearest) {
  ProfileDefinition definition = team_private();
  definition.model_id = "anthropic.claude-sonnet-4-5";
  EXPECT_EQ(refusal(definition),
            "profile team.private-eu: unknown model \"anthropic.claude-sonnet-4-5\"; did you mean "
            "anthropic.claude-sonnet-4-5-20250929-v1:0?");
}

TEST(WithProfiles, RefusesAnUnknownRegionAmongSourcesOrDestinations) {
  ProfileDefinition definition = team_private();
  definition.destinations[0] = "eu-central-11";
  EXPECT_EQ(refusal(definition),
            "profile team.private-eu: unknown Region \"eu-central-11\"; did you mean eu-central-1?");
  definition = team_private();
  definition.sources[0] = "mars";
  EXPECT_EQ(refusal(definition), "profile team.private-eu: unknown Region \"mars\"");
}

TEST(WithProfiles, RefusesAnIdThatAShippedProfileAModelOrAnotherDefinitionHas) {
  ProfileDefinition definition = team_private();
  definition.id = "us.amazon.nova-lite-v1:0";
  EXPECT_EQ(refusal(definition), "profile us.amazon.nova-lite-v1:0: this id exists already; choose another");
  definition.id = "amazon.nova-lite-v1:0";
  EXPECT_EQ(refusal(definition), "profile amazon.nova-lite-v1:0: a model has this id; choose another");
  const std::vector<ProfileDefinition> twice{team_private(), team_private()};
  const auto catalog = Catalog::with_profiles(shipped(), twice);
  ASSERT_FALSE(catalog);
  EXPECT_EQ(catalog.error().message, "profile team.private-eu: defined twice; ids must be unique");
}

TEST(WithProfiles, RefusesAnIdThatWouldBreakPathsOrGlobs) {
  for (const std::string id : {"", "a/b", "eu.*", "with space", "arn:aws:x/y", "\n"}) {
    ProfileDefinition definition = team_private();
    definition.id = id;
    EXPECT_EQ(refusal(definition), "profile id \"" + id + "\": must be 1 to 128 letters, digits or . _ : -");
  }
  ProfileDefinition definition = team_private();
  definition.id = std::string(129, 'a');
  EXPECT_NE(refusal(definition), "accepted");
  definition.id.pop_back();
  EXPECT_EQ(refusal(definition), "accepted");
}

TEST(WithProfiles, RefusesToMixPartitionsAmongDestinationsAndBetweenSourceAndDestination) {
  ProfileDefinition definition = team_private();
  definition.destinations = {"us-west-2", "us-gov-west-1"};
  definition.sources = {"us-west-2"};
  EXPECT_EQ(refusal(definition),
            "profile team.private-eu: mixes Regions of different partitions (us-west-2, us-gov-west-1); define one "
            "profile for each");
  definition.destinations = {"us-gov-west-1"};
  EXPECT_NE(refusal(definition), "accepted");
}

TEST(WithProfiles, RefusesAProfileWithoutDestinations) {
  ProfileDefinition definition = team_private();
  definition.destinations.clear();
  EXPECT_EQ(refusal(definition), "profile team.private-eu: has no destinations; name at least one Region");
}

// The shipped files are data; what is wrong with them must be found when they are loaded.

struct SmallData {
  std::string regions =
      "# date: 2026-01-02\nname,geography,partition,opt_in\na-1,A,aws,no\nb-1,B,aws,yes\ng-1,G,gov,no\n";
  std::string rtt =
      "# date: 2026-01-01\nsrc,dst,p10_ms,p25_ms,p50_ms,p75_ms,p90_ms,p99_ms,avg_ms\na-1,a-1,1,1,1,1,2,3,1\n";
  std::string neighbours =
      "# date: 2026-01-01\nregion,neighbour,distance_km,extra_ms\nb-1,a-1,100,2\ng-1,a-1,100,3\n";
  std::string models =
      R"({"date":"2026-01-01",
          "token_rules":{"1x":[{"from":"2023-01-01T00:00:00Z","output":1,"cache_write":1,"cache_read":0,
                                "held_output":1,"holds_cache_reads":true}]},
          "models":[{"id":"p.m","name":"M","provider":"P","body_dialect":"d",
          "token_rules":"1x","output_tokens_default":1,"output_tokens_max":2}]})";
  std::string profiles =
      R"({"date":"2026-01-01","prefixes":{"x":"X"},"groups":{"ALL":"a-1 b-1"},
          "profiles":[{"ids":["x.p.m"],"routes":[{"from":"ALL","to":"ALL"}]}]})";

  base::Result<std::shared_ptr<const Catalog>> parse() const {
    return parse_catalog({regions, rtt, neighbours, models, profiles});
  }
  std::string refusal() const {
    const auto parsed = parse();
    return parsed ? "accepted" : parsed.error().message;
  }
};

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(CatalogData, IsAsOldAsItsNewestFile) {
  const auto catalog = SmallData{}.parse();
  ASSERT_TRUE(catalog) << catalog.error().message;
  EXPECT_EQ((*catalog)->date(), "2026-01-02");
  EXPECT_EQ((*catalog)->find_profile("x.p.m")->name, "X P M");
}

TEST(CatalogData, RefusesARegionListedTwice) {
  SmallData data;
  data.regions += "a-1,A,aws,no\n";
  EXPECT_EQ(data.refusal(), "regions.csv: a-1 is listed twice");
}

TEST(CatalogData, RefusesMoreRegionsThanAMaskHolds) {
  SmallData data;
  for (int i = 0; i < 62; ++i) data.regions += "z-" + std::to_string(i) + ",Z,aws,no\n";
  EXPECT_EQ(data.refusal(), "regions.csv: more than 64 Regions");
}

TEST(CatalogData, RefusesARegionWithNeitherMeasurementNorNeighbour) {
  SmallData data;
  data.neighbours = replaced(data.neighbours, "g-1,a-1,100,3\n", "");
  EXPECT_EQ(data.refusal(), "region_rtt.csv: nothing from a-1 to g-1, nor a neighbour for it");
}

TEST(CatalogData, RefusesARouteThatLeavesThePartition) {
  SmallData data;
  data.profiles = replaced(data.profiles, R"("to":"ALL")", R"("to":"ALL g-1")");
  EXPECT_EQ(data.refusal(), "profiles.json: x.p.m: a-1 to g-1 leaves the partition");
}

TEST(CatalogData, RefusesTwoRoutesFromOneSource) {
  SmallData data;
  data.profiles = replaced(data.profiles, R"({"from":"ALL")", R"({"from":"a-1","to":"itself"},{"from":"ALL")");
  EXPECT_EQ(data.refusal(), "profiles.json: x.p.m: two routes from a-1");
}

TEST(CatalogData, RefusesUnknownNamesAndBrokenFiles) {
  SmallData data;
  data.profiles = replaced(data.profiles, "x.p.m", "x.p.other");
  EXPECT_EQ(data.refusal(), "profiles.json: x.p.other: no such model");
  data = {};
  data.profiles = replaced(data.profiles, "a-1 b-1", "a-1 c-1");
  EXPECT_EQ(data.refusal(), "ALL: unknown Region c-1");
  data = {};
  data.models = replaced(data.models, R"("name":"M",)", "");
  EXPECT_NE(data.refusal().find("key 'name' not found"), std::string::npos) << data.refusal();
  data = {};
  data.rtt = replaced(data.rtt, ",2,3,1", ",2,x,1");
  EXPECT_EQ(data.refusal(), "\"x\" is not a number");
  data = {};
  data.regions = replaced(data.regions, "opt_in", "optin");
  EXPECT_EQ(data.refusal(), "expected the header name,geography,partition,opt_in");
}

}  // namespace
}  // namespace portolan::domain
