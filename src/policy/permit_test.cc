// SPDX-License-Identifier: Apache-2.0
#include "policy/permit.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"

namespace portolan::policy {
namespace {

using domain::RegionMask;
using testing::HasSubstr;

domain::Principal of_tenant(std::uint16_t index) {
  domain::Principal principal;
  principal.tenant_index = index;
  return principal;
}

class Permit : public testing::Test {
 protected:
  /// A geographic profile of the shipped catalog that goes to more than one Region from `source`.
  void SetUp() override {
    config_.catalog = catalog_;
    config_.version_hash = "0123456789ab";
    for (const auto& profile : catalog_->profiles()) {
      if (!profile->id.starts_with("us.")) continue;
      for (const domain::RegionIndex source : profile->sources)
        if (profile->destinations_from(source).size() > 1) {
          profile_ = profile.get();
          source_ = source;
        }
    }
    ASSERT_NE(profile_, nullptr);
  }

  void tenant(std::vector<std::string> profiles, std::vector<std::string> regions) {
    config_.tenants = {{.name = "research",
                        .account_id = "111122223333",
                        .profiles = std::move(profiles),
                        .regions = std::move(regions)}};
  }

  domain::Inference call() const {
    return {
        .operation = domain::Operation::converse, .profile = profile_, .model = profile_->model, .source = source_};
  }

  base::Result<domain::Grant> permit(const domain::Inference& inference) {
    permissions_ = std::make_unique<Permissions>(config_);
    return permissions_->permit(alice_, inference);
  }

  std::string denial(const domain::Inference& inference) {
    const auto grant = permit(inference);
    if (grant.has_value()) return "allowed";
    EXPECT_EQ(grant.error().code, base::Code::access_denied);
    return grant.error().message;
  }

  std::shared_ptr<const domain::Catalog> catalog_ = domain::Catalog::builtin();
  config::Config config_;
  const domain::Profile* profile_ = nullptr;
  domain::RegionIndex source_ = domain::region_none;
  domain::Principal alice_{.arn = "arn:aws:iam::111122223333:user/alice",
                           .user_name = "alice",
                           .account_id = "111122223333",
                           .tenant = "research"};
  std::unique_ptr<Permissions> permissions_;
};

TEST_F(Permit, TakesAnApplicationProfileForWhatItCopies) {
  const domain::ApplicationProfile made{.id = "abcdefghijkl"};
  domain::Profile copy = *profile_;
  copy.id = made.id;
  copy.kind = domain::ProfileKind::application;
  copy.application = &made;
  copy.copy_of = profile_;
  domain::Inference by_copy = call();
  by_copy.profile = &copy;
  tenant({"us.*"}, {});
  EXPECT_TRUE(permit(by_copy).has_value());
  EXPECT_TRUE(permissions_->may_use(alice_, copy));
  tenant({"eu.*", "abcdefghijkl"}, {});
  EXPECT_THAT(denial(by_copy), HasSubstr("application-inference-profile/abcdefghijkl"));
  EXPECT_FALSE(permissions_->may_use(alice_, copy));
  tenant({profile_->model->id}, {});
  EXPECT_NE(denial(by_copy), "allowed") << "the model by its bare id is not the profile";
  copy.copy_of = nullptr;
  EXPECT_TRUE(permit(by_copy).has_value()) << "but it is what a copy of the model stands for";
  EXPECT_TRUE(permissions_->may_use(alice_, copy));
  tenant({}, {});
  alice_.profile_globs = {"eu.*"};
  EXPECT_NE(denial(by_copy), "allowed") << "a key's own globs speak of it too";
}

TEST_F(Permit, GrantsAllDestinationsWithoutRules) {
  tenant({}, {});
  const auto grant = permit(call());
  ASSERT_TRUE(grant.has_value()) << grant.error().message;
  EXPECT_EQ(grant->allowed, profile_->destinations_from(source_));
  EXPECT_TRUE(grant->pruned.empty());
  EXPECT_EQ(grant->policy_version, "0123456789ab");
}

TEST_F(Permit, GrantsAProfileThatAGlobMatches) {
  tenant({"eu.*", "us.*"}, {});
  EXPECT_TRUE(permit(call()).has_value());
  EXPECT_TRUE(permissions_->may_use(of_tenant(0), *profile_));
}

TEST_F(Permit, DeniesAProfileThatNoGlobMatchesInTheWordsOfIam) {
  tenant({"eu.*", "global.*"}, {});
  EXPECT_EQ(denial(call()),
            "User: arn:aws:iam::111122223333:user/alice is not authorized to perform: "
            "bedrock:InvokeModel on resource: arn:aws:bedrock:" +
                catalog_->region(source_).name + ":111122223333:inference-profile/" + profile_->id +
                " because tenant \"research\" allows only the profiles eu.*, global.*");
  EXPECT_FALSE(permissions_->may_use(of_tenant(0), *profile_));
}

TEST_F(Permit, NamesTheStreamingActionForStreams) {
  tenant({"none"}, {});
  domain::Inference inference = call();
  EXPECT_THAT(denial(inference), HasSubstr("perform: bedrock:InvokeModel on"));
  for (const auto operation : {domain::Operation::invoke_model_stream, domain::Operation::converse_stream}) {
    inference.operation = operation;
    EXPECT_THAT(denial(inference), HasSubstr("perform: bedrock:InvokeModelWithResponseStream on"));
  }
  inference.operation = domain::Operation::chat_completions;
  EXPECT_THAT(denial(inference), HasSubstr("perform: bedrock:InvokeModel on"));
  inference.stream = true;
  EXPECT_THAT(denial(inference), HasSubstr("perform: bedrock:InvokeModelWithResponseStream on"));
}

TEST_F(Permit, NarrowsDestinationsToTheTenantsRegions) {
  const RegionMask all = profile_->destinations_from(source_);
  const domain::RegionIndex kept = *all.begin();
  tenant({}, {catalog_->region(kept).name});
  const auto grant = permit(call());
  ASSERT_TRUE(grant.has_value()) << grant.error().message;
  EXPECT_EQ(grant->allowed, RegionMask::of(kept));
  EXPECT_EQ(grant->pruned, all - RegionMask::of(kept));
}

TEST_F(Permit, FailsClosedWhenTheTenantsRegionsLeaveNone) {
  tenant({}, {"eu-central-1", "eu-west-1"});
  const std::string message = denial(call());
  EXPECT_THAT(message, HasSubstr("because tenant \"research\" allows only the Regions "));
  EXPECT_THAT(message, HasSubstr("eu-central-1"));
  EXPECT_THAT(message, HasSubstr("from " + catalog_->region(source_).name + " it runs in " +
                                 catalog_->names(profile_->destinations_from(source_))));
  EXPECT_FALSE(permissions_->may_use(of_tenant(0), *profile_));
}

TEST_F(Permit, TakesAnUnknownRegionNameAsNoRegion) {
  tenant({}, {"us-moon-1"});
  EXPECT_THAT(denial(call()), HasSubstr("allows only the Regions"));
}

TEST_F(Permit, DeniesACallFromARegionThatTheProfileDoesNotServe) {
  tenant({}, {});
  domain::Inference inference = call();
  inference.source = catalog_->find_region("eu-central-1");
  EXPECT_THAT(denial(inference), HasSubstr("because it cannot be called from eu-central-1, only from " +
                                           catalog_->names(profile_->sources)));
  inference.source = domain::region_none;
  EXPECT_THAT(denial(inference), HasSubstr("cannot be called from an unknown Region"));
}

TEST_F(Permit, DeniesATenantThatIsNotConfigured) {
  tenant({}, {});
  alice_.tenant_index = 7;
  EXPECT_THAT(denial(call()), HasSubstr("no tenant \"research\" is configured"));
  EXPECT_FALSE(permissions_->may_use(of_tenant(7), *profile_));
}

TEST_F(Permit, GrantsABareModelItsSourceRegionOnly) {
  domain::Model model{.id = "vendor.small-v1:0", .profile_only = false};
  model.in_region.add(source_);
  model.in_region.add(catalog_->find_region("eu-central-1"));
  domain::Inference inference{.operation = domain::Operation::converse, .model = &model, .source = source_};
  tenant({}, {});
  const auto grant = permit(inference);
  ASSERT_TRUE(grant.has_value()) << grant.error().message;
  EXPECT_EQ(grant->allowed, RegionMask::of(source_));
  EXPECT_TRUE(grant->pruned.empty());

  inference.source = catalog_->find_region("ap-northeast-1");
  EXPECT_THAT(
      denial(inference),
      HasSubstr("arn:aws:bedrock:ap-northeast-1::foundation-model/vendor.small-v1:0 because it cannot be called"));
  inference.source = domain::region_none;
  EXPECT_NE(denial(inference), "allowed");
}

TEST_F(Permit, DeniesABareModelToATenantWithProfilesUnlessAGlobNamesIt) {
  const domain::Model* model = nullptr;
  for (const auto& each : catalog_->models())
    if (!each->in_region.empty()) model = each.get();
  if (model == nullptr) FAIL() << "the shipped catalog has no model that can be called by its bare id";
  const domain::Inference inference{
      .operation = domain::Operation::converse, .model = model, .source = *model->in_region.begin()};
  tenant({"us.*"}, {});
  EXPECT_THAT(denial(inference), HasSubstr("allows only the profiles us.*"));
  tenant({"us.*", model->id}, {});
  EXPECT_TRUE(permit(inference).has_value());
  tenant({"*"}, {});
  EXPECT_TRUE(permit(inference).has_value());
}

TEST_F(Permit, NamesAnApplicationProfileAsIamDoes) {
  domain::Profile application = *profile_;
  application.id = "billing-bot";
  application.kind = domain::ProfileKind::application;
  domain::Inference inference = call();
  inference.profile = &application;
  tenant({"us.*"}, {});
  EXPECT_THAT(denial(inference), HasSubstr(":111122223333:application-inference-profile/billing-bot because"));
}

TEST_F(Permit, NarrowsAKeyToItsProfiles) {
  tenant({}, {});
  alice_.key_id = "PTLNALICE";
  alice_.profile_globs = {"eu.*", "global.*"};
  EXPECT_THAT(denial(call()), testing::HasSubstr("because key PTLNALICE allows only the profiles eu.*, global.*"));
  EXPECT_FALSE(permissions_->may_use(alice_, *profile_));
  alice_.profile_globs = {"eu.*", "us.*"};
  EXPECT_EQ(denial(call()), "allowed");
  EXPECT_TRUE(permissions_->may_use(alice_, *profile_));
}

TEST_F(Permit, NeverWidensWhatTheTenantMayCallByAKey) {
  tenant({"eu.*"}, {});
  alice_.profile_globs = {"us.*"};
  EXPECT_THAT(denial(call()), testing::HasSubstr("because tenant \"research\" allows only the profiles eu.*"));
  EXPECT_FALSE(permissions_->may_use(alice_, *profile_));
}

TEST_F(Permit, DeniesABareModelToAKeyWithProfilesUnlessAGlobNamesIt) {
  tenant({}, {});
  const domain::Model* model = nullptr;
  for (const auto& each : catalog_->models())
    if (!each->in_region.empty()) model = each.get();
  ASSERT_NE(model, nullptr);
  const domain::Inference bare{
      .operation = domain::Operation::converse, .model = model, .source = *model->in_region.begin()};
  EXPECT_EQ(denial(bare), "allowed");
  alice_.profile_globs = {"us.*"};
  EXPECT_THAT(denial(bare), testing::HasSubstr("allows only the profiles us.*"));
  alice_.profile_globs = {model->id};
  EXPECT_EQ(denial(bare), "allowed");
}

TEST_F(Permit, NeverGrantsWhatTheProfileOrTheTenantDoesNotHave) {
  base::Random random(5);
  std::vector<std::string> names;
  for (const domain::Region& region : catalog_->regions()) names.push_back(region.name);
  int granted = 0;
  for (int round = 0; round < 300; ++round) {
    std::vector<std::string> regions;
    RegionMask mask;
    for (std::uint64_t i = random.below(6); i > 0; --i) {
      regions.push_back(names[random.below(names.size())]);
      mask.add(catalog_->find_region(regions.back()));
    }
    tenant({}, regions);
    const Permissions permissions(config_);
    for (const auto& profile : catalog_->profiles()) {
      const auto source = static_cast<domain::RegionIndex>(random.below(names.size()));
      const auto grant = permissions.permit(alice_, {.operation = domain::Operation::converse,
                                                     .profile = profile.get(),
                                                     .model = profile->model,
                                                     .source = source});
      if (!grant) continue;
      ++granted;
      EXPECT_FALSE(grant->allowed.empty());
      EXPECT_TRUE((grant->allowed - profile->destinations_from(source)).empty());
      if (!regions.empty()) EXPECT_TRUE((grant->allowed - mask).empty());
      EXPECT_EQ(grant->allowed | grant->pruned, profile->destinations_from(source));
      EXPECT_TRUE(permissions.may_use(of_tenant(0), *profile));
    }
  }
  EXPECT_GT(granted, 300);
}

}  // namespace
}  // namespace portolan::policy
