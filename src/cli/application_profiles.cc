// SPDX-License-Identifier: Apache-2.0
#include "cli/application_profiles.h"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/running_gateway.h"
#include "wire/profile_request.h"

namespace portolan::cli {

using base::Code;
using base::Result;
using control::AdminReply;
using control::AdminRequest;
using domain::ApplicationProfile;
using domain::ProfileOrder;
using Json = nlohmann::ordered_json;

namespace {

constexpr std::size_t order_line_bytes_max = 1024;

AdminReply profile_refusal(const base::Error& error) {
  if (error.code == Code::overloaded) return control::admin_error(503, error.message);
  if (error.code == Code::unknown_model) return control::admin_error(404, error.message);
  const bool asked_wrongly = error.facts().blame == base::Blame::caller || error.code == Code::usage;
  return control::admin_error(asked_wrongly ? 400 : 500, error.message);
}

Json destinations_of(const domain::Profile* profile, const domain::Catalog& catalog) {
  Json by_source = Json::object();
  if (profile == nullptr) return by_source;
  for (const domain::RegionIndex source : profile->sources) {
    Json names = Json::array();
    for (const domain::RegionIndex region : profile->destinations_from(source))
      names.push_back(catalog.region(region).name);
    by_source[catalog.region(source).name] = std::move(names);
  }
  return by_source;
}

Json json_of(const domain::Profile& profile, const domain::Catalog& catalog) {
  const bool is_shipped = domain::Catalog::builtin()->find_profile(profile.id) != nullptr;
  return {{"id", profile.id},           {"type", is_shipped ? "system" : "configured"},
          {"kind", name(profile.kind)}, {"name", profile.name},
          {"model", profile.model->id}, {"destinations", destinations_of(&profile, catalog)}};
}

Json json_of(const gateway::ApplicationProfiles::Entry& entry, const config::Config& config) {
  const ApplicationProfile& made = *entry.made;
  Json tenants = Json::array();
  for (const config::Tenant& tenant : config.tenants)
    if (tenant.account_id == made.account_id) tenants.push_back(tenant.name);
  Json tags = Json::object();
  for (const auto& [key, value] : made.tags) tags[key] = value;
  return {{"id", made.id},
          {"type", "application"},
          {"kind", "application"},
          {"name", made.name},
          {"model", entry.profile != nullptr ? Json(entry.profile->model->id) : Json(nullptr)},
          {"destinations", destinations_of(entry.profile.get(), *config.catalog)},
          {"arn", made.arn},
          {"account", made.account_id},
          {"tenants", std::move(tenants)},
          {"source_region", made.region},
          {"description", made.description.empty() ? Json(nullptr) : Json(made.description)},
          {"copy_from", made.copy_from},
          {"tags", std::move(tags)},
          {"created", base::iso8601(std::chrono::floor<base::seconds>(made.created))},
          {"updated", base::iso8601(std::chrono::floor<base::seconds>(made.updated))}};
}

AdminReply list_all(const gateway::Snapshot& snapshot) {
  Json profiles = Json::array();
  for (const auto& profile : snapshot.catalog.profiles()) profiles.push_back(json_of(*profile, snapshot.catalog));
  for (const auto& entry : snapshot.applications->all()) profiles.push_back(json_of(entry, snapshot.config));
  return {
      .status = 200, .content_type = "application/json", .body = Json{{"profiles", std::move(profiles)}}.dump()};
}

/// Who says so, and why; both stand in the trail.
struct SaidBy {
  std::string by, why;
};

Result<std::string> line_of(const Json& order, const char* member, bool is_needed) {
  const auto found = order.find(member);
  std::string text = found != order.end() && found->is_string() ? found->get<std::string>() : std::string{};
  const bool is_line =
      std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; });
  if (is_line && text.size() <= order_line_bytes_max && (!is_needed || !text.empty())) return text;
  return base::fail(Code::usage, fmt::format("{}: one line of text is expected", member));
}

Result<SaidBy> said_by(const Json& order) {
  SaidBy said;
  TRY(said.by, line_of(order, "by", true));
  TRY(said.why, line_of(order, "why", false));
  return said;
}

/// The same texts as callers may send, in the shape that they send them.
Result<wire::ProfileRequest> request_of(domain::Operation operation, Json shape, const Json& order) {
  if (const auto tags = order.find("tags"); tags != order.end()) {
    if (!tags->is_object()) return base::fail(Code::usage, "tags: an object of keys and values is expected");
    shape["tags"] = Json::array();
    for (const auto& [key, value] : tags->items()) shape["tags"].push_back({{"key", key}, {"value", value}});
  }
  if (const auto keys = order.find("tag_keys"); keys != order.end()) shape["tagKeys"] = *keys;
  return wire::read_profile_request(operation, shape.dump(-1, ' ', false, Json::error_handler_t::replace));
}

/// An id becomes the ARN that it has in the account and Region.
std::string copied_arn(const std::string& text, const std::string& account, domain::RegionIndex source,
                       const domain::Catalog& catalog) {
  if (text.starts_with("arn:")) return text;
  const domain::Region& region = catalog.region(source);
  if (catalog.find_model(text) != nullptr)
    return fmt::format("arn:{}:bedrock:{}::foundation-model/{}", region.partition, region.name, text);
  return fmt::format("arn:{}:bedrock:{}:{}:inference-profile/{}", region.partition, region.name, account, text);
}

Result<ProfileOrder> creation_of(const Json& order, const gateway::Snapshot& snapshot) {
  const config::Config& config = snapshot.config;
  const domain::Catalog& catalog = snapshot.catalog;
  TRY(const std::string tenant_name, line_of(order, "tenant", true));
  const auto tenant = std::ranges::find(config.tenants, tenant_name, &config::Tenant::name);
  if (tenant == config.tenants.end())
    return base::fail(Code::usage, fmt::format("tenant: there is no tenant {} in the configuration", tenant_name));
  TRY(const std::string region, line_of(order, "source_region", false));
  const domain::RegionIndex source = region.empty() ? config.source_region : catalog.find_region(region);
  if (source == domain::region_none)
    return base::fail(Code::usage, fmt::format("source_region: there is no Region {}", region));
  TRY(const std::string copy_from, line_of(order, "copy_from", true));
  Json shape{{"inferenceProfileName", order.value("name", Json(nullptr))},
             {"description", order.value("description", Json(nullptr))}};
  shape["modelSource"]["copyFrom"] = copied_arn(copy_from, tenant->account_id, source, catalog);
  TRY(const wire::ProfileRequest request,
      request_of(domain::Operation::create_inference_profile, std::move(shape), order));
  base::Random random(fresh_seed());
  ProfileOrder creation{.kind = ProfileOrder::Kind::create, .tags = {}, .tag_keys = {}};
  TRY(creation.profile, gateway::draft_profile(request, tenant->account_id, source, catalog, random));
  return creation;
}

/// By its id, its ARN, or a name that only one has.
Result<ApplicationProfile> find_profile(const std::string& text, const domain::ApplicationProfileList& profiles) {
  const ApplicationProfile* found = nullptr;
  for (const auto& profile : profiles) {
    if (profile->id == text || profile->arn == text) return *profile;
    if (profile->name != text) continue;
    if (found != nullptr)
      return base::fail(Code::usage, fmt::format("several profiles are called {}: name one by its id", text));
    found = profile.get();
  }
  if (found != nullptr) return *found;
  return base::fail(Code::usage, fmt::format("there is no application profile {}; `portolan profile list --type "
                                             "application` lists them",
                                             text));
}

Result<ProfileOrder> order_about(const std::string& verb, const Json& order, ApplicationProfile meant) {
  using Kind = ProfileOrder::Kind;
  ProfileOrder change{.kind = Kind::remove, .profile = std::move(meant), .tags = {}, .tag_keys = {}};
  if (verb == "delete") return change;
  change.kind = verb == "tag" ? Kind::tag : Kind::untag;
  const auto operation =
      change.kind == Kind::tag ? domain::Operation::tag_resource : domain::Operation::untag_resource;
  TRY(wire::ProfileRequest request, request_of(operation, {{"resourceARN", change.profile.arn}}, order));
  change.tags = std::move(request.tags);
  change.tag_keys = std::move(request.tag_keys);
  return change;
}

std::string_view event_name_of(ProfileOrder::Kind kind) {
  switch (kind) {
    case ProfileOrder::Kind::create:
      return "CreateInferenceProfile";
    case ProfileOrder::Kind::remove:
      return "DeleteInferenceProfile";
    case ProfileOrder::Kind::tag:
      return "TagResource";
    case ProfileOrder::Kind::untag:
      return "UntagResource";
  }
  return "CreateInferenceProfile";
}

struct ProfileSurroundings {
  control::ProfileDesk& desk;
  gateway::Gateway& gateway;
  const world::Clock& clock;
};

/// Carries the order out, and writes it to the trail and the log.
AdminReply change_profiles(const ProfileOrder& order, const SaidBy& said, const std::string& from,
                           const ProfileSurroundings& around) {
  control::ProfileDesk& desk = around.desk;
  gateway::Gateway& gateway = around.gateway;
  const Result<ApplicationProfile> became = desk.carry_out(order);
  if (!became) return profile_refusal(became.error());
  domain::Act act{.event_name = event_name_of(order.kind),
                  .at = around.clock.wall(),
                  .by = said.by,
                  .why = said.why,
                  .source_address = from,
                  .asked = {{"inferenceProfileArn", became->arn}},
                  .became = {}};
  if (order.kind == ProfileOrder::Kind::create) {
    act.asked = {{"inferenceProfileName", became->name}, {"copyFrom", became->copy_from}};
    act.became = {{"inferenceProfileArn", became->arn}};
  }
  std::string tags, keys;
  for (const auto& [key, value] : order.tags) tags += fmt::format("{}{}={}", tags.empty() ? "" : ", ", key, value);
  for (const std::string& key : order.tag_keys) keys += (keys.empty() ? "" : ", ") + key;
  if (order.kind == ProfileOrder::Kind::create)
    for (const auto& [key, value] : became->tags)
      tags += fmt::format("{}{}={}", tags.empty() ? "" : ", ", key, value);
  if (!tags.empty()) act.asked.emplace_back("tags", tags);
  if (!keys.empty()) act.asked.emplace_back("tagKeys", keys);
  const Result<void> recorded = gateway.record(act);
  log(fmt::format("profile: {} {} ({}), by {}", act.event_name, became->arn, became->name, said.by));

  const auto snapshot = gateway.snapshot();
  const auto* entry = snapshot->applications->find(became->account_id, became->region, became->id);
  Json json = entry != nullptr ? json_of(*entry, snapshot->config) : Json{{"id", became->id}, {"arn", became->arn}};
  if (!recorded) json["warnings"] = {recorded.error().message};
  return {.status = 200, .content_type = "application/json", .body = json.dump()};
}

AdminReply take_order(const AdminRequest& request, const ProfileSurroundings& around) {
  constexpr std::string_view prefix = "/api/profiles/";
  const Json order = Json::parse(request.body, nullptr, false);
  if (!order.is_object()) return control::admin_error(400, "a JSON object is expected");
  const Result<SaidBy> said = said_by(order);
  if (!said) return profile_refusal(said.error());
  Result<ProfileOrder> asked = base::fail(Code::usage, "");
  if (request.path == "/api/profiles") {
    asked = creation_of(order, *around.gateway.snapshot());
  } else {
    // An ARN has slashes of its own.
    const std::string rest = request.path.substr(prefix.size());
    const std::size_t slash = rest.rfind('/');
    const std::string verb = slash == std::string::npos ? "" : rest.substr(slash + 1);
    if (verb != "delete" && verb != "tag" && verb != "untag")
      return control::admin_error(404, "POST /api/profiles/ID/delete, /tag or /untag is meant");
    auto meant = find_profile(rest.substr(0, slash), around.desk.profiles());
    if (!meant) return profile_refusal(meant.error());
    asked = order_about(verb, order, *std::move(meant));
  }
  if (!asked) return profile_refusal(asked.error());
  return change_profiles(*asked, *said, request.peer_address, around);
}

}  // namespace

Result<std::unique_ptr<control::ProfileDesk>> open_profile_desk(const std::string& data_dir,
                                                                const world::Clock& clock,
                                                                const std::function<gateway::Gateway&()>& gateway) {
  TRY(auto store, store::ProfileStore::open(data_dir + "/profiles.db"));
  control::ProfileDesk::Doors doors{
      .publish =
          [gateway](const domain::ApplicationProfileList& profiles) { return gateway().use_profiles(profiles); },
      .log = log};
  TRY(auto desk, control::ProfileDesk::open(std::move(store), clock, std::move(doors)));
  desk->hold();
  return desk;
}

void mount_profiles(control::AdminServer& admin, control::ProfileDesk& desk, gateway::Gateway& gateway,
                    const world::Clock& clock) {
  const ProfileSurroundings around{.desk = desk, .gateway = gateway, .clock = clock};
  admin.route("GET", "/api/profiles", [&gateway](const AdminRequest&) { return list_all(*gateway.snapshot()); });
  for (const char* path : {"/api/profiles", "/api/profiles/"})
    admin.route("POST", path, [around](const AdminRequest& request) { return take_order(request, around); });
}

}  // namespace portolan::cli
