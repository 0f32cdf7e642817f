// SPDX-License-Identifier: Apache-2.0
#include "gateway/application_profiles.h"

#include <algorithm>
#include <fmt/format.h>

#include "wire/target.h"

namespace portolan::gateway {

using base::Code;
using base::Result;
using domain::RegionMask;

namespace {

std::unique_ptr<const domain::Profile> callable(const domain::ApplicationProfile& made,
                                                const domain::Catalog& catalog) {
  const domain::RegionIndex source = catalog.find_region(made.region);
  if (source == domain::region_none) return nullptr;
  const Result<Copied> copied = read_copied(made.copy_from, made.account_id, source, catalog);
  if (!copied) return nullptr;
  auto profile = std::make_unique<domain::Profile>();
  profile->id = made.id;
  profile->name = made.name;
  profile->kind = domain::ProfileKind::application;
  profile->model = copied->model;
  profile->sources = RegionMask::of(source);
  profile->destinations[source] =
      copied->profile != nullptr ? copied->profile->destinations_from(source) : RegionMask::of(source);
  if (copied->profile != nullptr) profile->policy_mode = copied->profile->policy_mode;
  profile->application = &made;
  profile->copy_of = copied->profile;
  return profile;
}

std::string draw_profile_id(base::Random& random) {
  constexpr std::string_view alphabet = "abcdefghijklmnopqrstuvwxyz0123456789";
  std::string id(domain::application_profile_id_length, '\0');
  for (char& c : id) c = alphabet[random.below(alphabet.size())];
  return id;
}

std::unexpected<base::Error> bad_copy(std::string_view problem) {
  return base::fail(Code::invalid_field, "modelSource.copyFrom: " + std::string(problem));
}

}  // namespace

ApplicationProfiles::ApplicationProfiles(domain::ApplicationProfileList made,
                                         std::shared_ptr<const domain::Catalog> catalog)
    : catalog_(std::move(catalog)) {
  entries_.reserve(made.size());
  for (std::shared_ptr<const domain::ApplicationProfile>& each : made) {
    auto profile = callable(*each, *catalog_);
    entries_.push_back({.made = std::move(each), .profile = std::move(profile)});
  }
}

const ApplicationProfiles::Entry* ApplicationProfiles::find(std::string_view account, std::string_view region,
                                                            std::string_view id) const {
  const auto id_of = [](const Entry& entry) -> std::string_view { return entry.made->id; };
  const auto found = std::ranges::lower_bound(entries_, id, {}, id_of);
  if (found == entries_.end() || found->made->id != id) return nullptr;
  return found->made->account_id == account && found->made->region == region ? &*found : nullptr;
}

Result<Copied> read_copied(std::string_view arn, std::string_view account, domain::RegionIndex source,
                           const domain::Catalog& catalog) {
  using Kind = wire::ModelName::Kind;
  const std::string& region = catalog.region(source).name;
  const auto name = wire::read_model_name(arn);
  if (!name || (name->kind != Kind::foundation_model && name->kind != Kind::inference_profile))
    return bad_copy("the ARN of a foundation model or of a system-defined inference profile is expected");
  if (name->region != region)
    return bad_copy(
        fmt::format("the ARN names Region {}, but the profile is made in {}; what is copied must be called "
                    "from the same Region",
                    name->region.empty() ? "none" : name->region, region));
  if (name->kind == Kind::foundation_model) {
    const domain::Model* model = catalog.find_model(name->id);
    if (model == nullptr) return base::fail(Code::unknown_model, fmt::format("There is no model {}.", name->id));
    if (model->profile_only || !model->in_region.contains(source))
      return bad_copy(
          fmt::format("on-demand throughput of {} isn't supported in {}; copy an inference profile that "
                      "contains this model",
                      model->id, region));
    return Copied{.profile = nullptr, .model = model};
  }
  if (name->account != account)
    return base::fail(Code::access_denied, fmt::format("The inference profile's ARN names account {}, which is not "
                                                       "the caller's.",
                                                       name->account));
  const domain::Profile* profile = catalog.find_profile(name->id);
  if (profile == nullptr)
    return base::fail(Code::unknown_model, fmt::format("There is no inference profile {}.", name->id));
  if (profile->destinations_from(source).empty())
    return bad_copy(fmt::format("{} cannot be called from {}, only from {}", profile->id, region,
                                catalog.names(profile->sources)));
  return Copied{.profile = profile, .model = profile->model};
}

Result<domain::ApplicationProfile> draft_profile(const wire::ProfileRequest& request, std::string_view account,
                                                 domain::RegionIndex source, const domain::Catalog& catalog,
                                                 base::Random& random) {
  TRY_VOID(read_copied(request.copy_from, account, source, catalog));
  if (request.tags.size() > domain::tags_max)
    return base::fail(Code::too_many_tags, fmt::format("A profile may have {} tags at most.", domain::tags_max));
  const domain::Region& region = catalog.region(source);
  domain::ApplicationProfile draft{.id = draw_profile_id(random),
                                   .account_id = std::string(account),
                                   .region = region.name,
                                   .arn = {},
                                   .name = request.name,
                                   .description = request.description,
                                   .copy_from = request.copy_from,
                                   .tags = request.tags,
                                   .client_token = request.client_token};
  draft.arn = fmt::format("arn:{}:bedrock:{}:{}:application-inference-profile/{}", region.partition, region.name,
                          account, draft.id);
  return draft;
}

}  // namespace portolan::gateway
