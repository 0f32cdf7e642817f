// SPDX-License-Identifier: Apache-2.0
#include "gateway/local_answers.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/bytes.h"

namespace portolan::gateway {
namespace {

using base::Code;
using base::Result;
using domain::Operation;
using domain::Profile;
using Json = nlohmann::ordered_json;

std::string profile_arn(const Call& call, const Profile& profile) {
  return "arn:aws:bedrock:" + call.catalog().region(call.source()).name + ":" +
         call.identity.principal->account_id + ":inference-profile/" + profile.id;
}

std::string model_arn(std::string_view region, const domain::Model& model) {
  return "arn:aws:bedrock:" + std::string(region) + "::foundation-model/" + model.id;
}

// With the region-less ARN of a Global profile: Bedrock API reference, GetInferenceProfile.
Json models_json(const Call& call, const Profile& profile) {
  const domain::Catalog& catalog = call.catalog();
  Json models = Json::array();
  if (profile.is_global()) {
    models.push_back({{"modelArn", model_arn("", *profile.model)}});
    models.push_back({{"modelArn", model_arn(catalog.region(call.source()).name, *profile.model)}});
  } else {
    for (const domain::RegionIndex region : profile.destinations_from(call.source()))
      models.push_back({{"modelArn", model_arn(catalog.region(region).name, *profile.model)}});
  }
  return models;
}

Json profile_json(const Call& call, const Profile& profile) {
  const domain::Catalog& catalog = call.catalog();
  const bool global = profile.kind == domain::ProfileKind::global;
  const std::string where = global ? "commercial Regions" : catalog.names(profile.destinations_from(call.source()));
  const std::string date = std::string(catalog.date()) + "T00:00:00Z";
  return {{"inferenceProfileName", profile.name},
          {"description", "Routes requests to " + profile.model->name + " in " + where + "."},
          {"createdAt", date},
          {"updatedAt", date},
          {"inferenceProfileArn", profile_arn(call, profile)},
          {"models", models_json(call, profile)},
          {"inferenceProfileId", profile.id},
          {"status", "ACTIVE"},
          {"type", "SYSTEM_DEFINED"}};
}

/// What it copies may be gone: then it has no models.
Json application_json(const Call& call, const ApplicationProfiles::Entry& entry) {
  const domain::ApplicationProfile& made = *entry.made;
  Json json{{"inferenceProfileName", made.name},
            {"createdAt", base::iso8601(made.created)},
            {"updatedAt", base::iso8601(made.updated)},
            {"inferenceProfileArn", made.arn},
            {"models", entry.profile != nullptr ? models_json(call, *entry.profile) : Json::array()},
            {"inferenceProfileId", made.id},
            {"status", "ACTIVE"},
            {"type", "APPLICATION"}};
  if (!made.description.empty()) json["description"] = made.description;
  return json;
}

bool visible(const Call& call, const Profile& profile) {
  return !profile.destinations_from(call.source()).empty() &&
         call.snapshot->permissions.may_use(*call.identity.principal, profile);
}

/// An account sees all of its own, those too whose rules have been narrowed since: how else could it delete them?
bool visible(const Call& call, const ApplicationProfiles::Entry& entry) {
  return entry.made->account_id == call.identity.principal->account_id &&
         entry.made->region == call.catalog().region(call.source()).name;
}

/// One of a list: either a profile of the catalog or an application profile.
struct Listed {
  std::string_view id;
  const Profile* profile = nullptr;
  const ApplicationProfiles::Entry* application = nullptr;
};

/// The page token is the id of the first profile of the next page.
Result<void> list_profiles(Call& call) {
  const std::string wanted_type = wire::query_value(call.target.query, "type");
  const std::string from = wire::query_value(call.target.query, "nextToken");
  const std::string limit_text = wire::query_value(call.target.query, "maxResults");
  unsigned limit = 1000;
  if (!limit_text.empty()) {
    const auto [end, failure] = std::from_chars(limit_text.data(), limit_text.data() + limit_text.size(), limit);
    if (failure != std::errc{} || end != limit_text.data() + limit_text.size() || limit < 1 || limit > 1000)
      return base::fail(Code::invalid_field, "maxResults: an integer from 1 to 1000 is expected");
  }
  if (!wanted_type.empty() && wanted_type != "SYSTEM_DEFINED" && wanted_type != "APPLICATION")
    return base::fail(Code::invalid_field, "type: SYSTEM_DEFINED or APPLICATION is expected");

  std::vector<Listed> listed;
  if (wanted_type != "APPLICATION")
    for (const auto& profile : call.catalog().profiles())
      if (visible(call, *profile)) listed.push_back({.id = profile->id, .profile = profile.get()});
  if (wanted_type != "SYSTEM_DEFINED")
    for (const ApplicationProfiles::Entry& entry : call.snapshot->applications->all())
      if (visible(call, entry)) listed.push_back({.id = entry.made->id, .application = &entry});
  std::ranges::sort(listed, {}, &Listed::id);

  Json summaries = Json::array();
  Json reply = Json::object();
  for (const Listed& each : listed) {
    if (each.id < from) continue;
    if (summaries.size() == limit) {
      reply["nextToken"] = each.id;
      break;
    }
    summaries.push_back(each.application != nullptr ? application_json(call, *each.application)
                                                    : profile_json(call, *each.profile));
  }
  reply["inferenceProfileSummaries"] = std::move(summaries);
  call.reply.body = reply.dump();
  return {};
}

Result<void> get_profile(Call& call) {
  if (call.control->subject != nullptr) {
    call.reply.body = application_json(call, *call.control->subject).dump();
    return {};
  }
  TRY(const wire::ModelName name, wire::read_model_name(call.target.id));
  const Profile* profile = call.catalog().find_profile(name.id);
  if (profile == nullptr || name.kind == wire::ModelName::Kind::application_inference_profile ||
      !visible(call, *profile))
    return base::fail(no_such_profile(call, call.target.id));
  call.reply.body = profile_json(call, *profile).dump();
  return {};
}

Result<void> list_tags(Call& call) {
  Json tags = Json::array();
  for (const auto& [key, value] : call.control->subject->made->tags)
    tags.push_back({{"key", key}, {"value", value}});
  call.reply.body = Json{{"tags", std::move(tags)}}.dump();
  return {};
}

Result<void> list_foundation_models(Call& call) {
  const std::string provider = wire::query_value(call.target.query, "byProvider");
  Json summaries = Json::array();
  for (const auto& model : call.catalog().models()) {
    if (!provider.empty() && !base::iequals(provider, model->provider)) continue;
    const bool in_region = model->in_region.contains(call.source());
    bool by_profile = false;
    for (const auto& profile : call.catalog().profiles())
      by_profile = by_profile || (profile->model == model.get() && visible(call, *profile));
    if (!in_region && !by_profile) continue;
    Json inference_types = Json::array();
    if (in_region) inference_types.push_back("ON_DEMAND");
    if (by_profile) inference_types.push_back("INFERENCE_PROFILE");
    summaries.push_back({{"modelArn", model_arn(call.catalog().region(call.source()).name, *model)},
                         {"modelId", model->id},
                         {"modelName", model->name},
                         {"providerName", model->provider},
                         {"inputModalities", {"TEXT"}},
                         {"outputModalities", {"TEXT"}},
                         {"responseStreamingSupported", true},
                         {"customizationsSupported", Json::array()},
                         {"inferenceTypesSupported", std::move(inference_types)},
                         {"modelLifecycle", {{"status", "ACTIVE"}}}});
  }
  call.reply.body = Json{{"modelSummaries", std::move(summaries)}}.dump();
  return {};
}

Result<void> list_openai_models(Call& call) {
  Json data = Json::array();
  for (const auto& profile : call.catalog().profiles()) {
    if (!visible(call, *profile)) continue;
    base::WallTime created{};
    base::parse_time(std::string(call.catalog().date()) + "T00:00:00Z", created);
    data.push_back({{"id", profile->id},
                    {"object", "model"},
                    {"created", std::chrono::floor<base::seconds>(created).time_since_epoch().count()},
                    {"owned_by", profile->model->provider}});
  }
  call.reply.body = Json{{"object", "list"}, {"data", std::move(data)}}.dump();
  return {};
}

}  // namespace

Result<void> answer_locally(Call& call) {
  call.stage = domain::Stage::understand;  // what is asked is looked up only here
  switch (call.target.operation) {
    case Operation::list_inference_profiles:
      return list_profiles(call);
    case Operation::get_inference_profile:
      return get_profile(call);
    case Operation::list_tags_for_resource:
      return list_tags(call);
    case Operation::list_foundation_models:
      return list_foundation_models(call);
    case Operation::list_openai_models:
      return list_openai_models(call);
    default:
      return base::fail(Code::internal, "no local answer for this operation");
  }
}

}  // namespace portolan::gateway
