// SPDX-License-Identifier: Apache-2.0
#include "gateway/control_plane.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "gateway/call.h"
#include "policy/sentence.h"

namespace portolan::gateway {

using base::Code;
using base::Result;
using domain::Operation;
using domain::ProfileOrder;

namespace {

using Json = nlohmann::ordered_json;

constexpr base::Duration order_within = base::seconds{10};

Json json_of_tags(const domain::Tags& tags) {
  Json list = Json::array();
  for (const auto& [key, value] : tags) list.push_back({{"key", key}, {"value", value}});
  return list;
}

/// As CloudTrail writes them: the members that were there.
Json parameters_of(Operation operation, const wire::ProfileRequest& asked) {
  if (operation != Operation::create_inference_profile) {
    Json parameters{{"resourceARN", asked.resource_arn}};
    if (operation == Operation::tag_resource) parameters["tags"] = json_of_tags(asked.tags);
    if (operation == Operation::untag_resource) parameters["tagKeys"] = asked.tag_keys;
    return parameters;
  }
  Json parameters{{"inferenceProfileName", asked.name}, {"modelSource", {{"copyFrom", asked.copy_from}}}};
  if (!asked.description.empty()) parameters["description"] = asked.description;
  if (!asked.client_token.empty()) parameters["clientRequestToken"] = asked.client_token;
  if (!asked.tags.empty()) parameters["tags"] = json_of_tags(asked.tags);
  return parameters;
}

std::string arn_in_source(const Call& call, std::string_view type, std::string_view id) {
  const domain::Region& source = call.catalog().region(call.source());
  return fmt::format("arn:{}:bedrock:{}:{}:{}/{}", source.partition, source.name,
                     call.identity.principal->account_id, type, id);
}

/// What `text`, an id or an ARN, names. An ARN of another account is refused as AWS does, where a resource policy
/// that nobody can write would have to allow it.
Result<void> find_subject(Call& call, std::string_view text) {
  using Kind = wire::ModelName::Kind;
  ControlRequest& control = *call.control;
  const std::string& source = call.catalog().region(call.source()).name;
  TRY(const wire::ModelName name, wire::read_model_name(text));
  if (!name.region.empty() && name.region != source)
    return base::fail(Code::invalid_field, fmt::format("The ARN names Region {}, but the call was made in {}. Call "
                                                       "the endpoint of the ARN's Region.",
                                                       name.region, source));
  const std::string& account = call.identity.principal->account_id;
  if (!name.account.empty() && name.account != account) {
    const std::string action = fmt::format("bedrock:{}", event_name(call.target.operation));
    return base::fail(Code::access_denied,
                      fmt::format("{} because no resource-based policy allows the {} action",
                                  policy::not_authorized(call.identity.principal->arn, action, text), action));
  }
  const bool by_name = name.kind == Kind::bare || name.kind == Kind::application_inference_profile;
  if (by_name) control.subject = call.snapshot->applications->find(account, source, name.id);
  if (control.subject != nullptr)
    control.resource = control.subject->made->arn;
  else if (name.kind == Kind::bare)
    control.resource = arn_in_source(
        call,
        call.catalog().find_profile(name.id) != nullptr ? "inference-profile" : "application-inference-profile",
        name.id);
  else
    control.resource = text;
  return {};
}

/// The order for the subject; without one it is refused at stop 4, once it is known that the caller may ask.
void order_about_subject(ControlRequest& control, ProfileOrder::Kind kind) {
  control.order.kind = kind;
  if (control.subject != nullptr) control.order.profile = *control.subject->made;
}

Result<void> understand_body(Call& call, base::Random& random) {
  ControlRequest& control = *call.control;
  const Operation operation = call.target.operation;
  TRY(wire::ProfileRequest asked, wire::read_profile_request(operation, call.request.body));
  control.parameters = parameters_of(operation, asked).dump();
  if (operation == Operation::create_inference_profile) {
    TRY(control.order.profile,
        draft_profile(asked, call.identity.principal->account_id, call.source(), call.catalog(), random));
    control.order.kind = ProfileOrder::Kind::create;
    control.order.tags = std::move(asked.tags);
    control.resource = control.order.profile.arn;
    control.copied = std::move(asked.copy_from);
    return {};
  }
  TRY_VOID(find_subject(call, asked.resource_arn));
  order_about_subject(control,
                      operation == Operation::tag_resource ? ProfileOrder::Kind::tag : ProfileOrder::Kind::untag);
  control.order.tags = std::move(asked.tags);
  control.order.tag_keys = std::move(asked.tag_keys);
  return {};
}

std::vector<policy::ControlResource> resources_of(const ControlRequest& control) {
  std::vector<policy::ControlResource> resources;
  if (!control.copied.empty())
    resources.push_back({.arn = control.copied, .is_of_account = control.copied.contains(":inference-profile/")});
  resources.push_back({.arn = control.resource,
                       .is_of_account = control.resource != "*",
                       .tags = control.subject != nullptr ? &control.subject->made->tags : nullptr});
  return resources;
}

std::vector<std::string> tag_keys_of(const ProfileOrder& order) {
  std::vector<std::string> keys = order.tag_keys;
  for (const auto& [key, value] : order.tags) keys.push_back(key);
  return keys;
}

/// A copy is a way to call what it copies: whoever may not call that may not copy it.
Result<void> permit_copy(Call& call) {
  const ControlRequest& control = *call.control;
  const domain::Principal& principal = *call.identity.principal;
  TRY(const Copied copied, read_copied(control.copied, principal.account_id, call.source(), call.catalog()));
  domain::Profile copy{.kind = domain::ProfileKind::application, .model = copied.model, .policy_mode = {}};
  copy.sources = domain::RegionMask::of(call.source());
  copy.destinations[call.source()] =
      copied.profile != nullptr ? copied.profile->destinations_from(call.source()) : copy.sources;
  copy.application = &control.order.profile;
  copy.copy_of = copied.profile;
  if (call.snapshot->permissions.may_use(principal, copy)) return {};
  call.denied_by = domain::Denial::tenant;
  return base::fail(
      Code::access_denied,
      fmt::format("{} because tenant \"{}\" may not call it",
                  policy::not_authorized(principal.arn, "bedrock:CreateInferenceProfile", control.copied),
                  principal.tenant));
}

}  // namespace

policy::RequestFacts request_facts(const Call& call) {
  const auto field = [&](std::string_view name) {  // a hypothetical call has no headers
    return call.request.headers != nullptr ? call.request.headers->value(name) : std::string_view{};
  };
  return {.source_ip = call.request.peer_address,
          .now = call.began_wall,
          .secure_transport = !call.request.tls_version.empty(),
          .service_tier = call.asked.service_tier,
          .user_agent = field("user-agent"),
          .further = {}};
}

base::Error no_such_profile(const Call& call, std::string_view name) {
  return base::error(Code::unknown_model, fmt::format("There is no inference profile {} for this caller in {}.",
                                                      name, call.catalog().region(call.source()).name));
}

Result<void> understand_control(Call& call, base::Random& random) {
  call.control = std::make_unique<ControlRequest>();
  ControlRequest& control = *call.control;
  control.order.give_up_at = std::min(call.began + order_within, call.give_up_at);
  switch (call.target.operation) {
    case Operation::get_inference_profile:
      return find_subject(call, call.target.id);
    case Operation::delete_inference_profile:
      TRY_VOID(find_subject(call, call.target.id));
      order_about_subject(control, ProfileOrder::Kind::remove);
      return {};
    case Operation::create_inference_profile:
    case Operation::tag_resource:
    case Operation::untag_resource:
    case Operation::list_tags_for_resource:
      return understand_body(call, random);
    default:
      control.resource = "*";
      return {};
  }
}

Result<void> permit_control(Call& call) {
  const Operation operation = call.target.operation;
  if (domain::dialect(operation) != domain::Dialect::bedrock) return {};  // OpenAI's list has no action of AWS's
  call.stage = domain::Stage::permit;
  ControlRequest& control = *call.control;
  const policy::Rules& rules = *call.snapshot->rules;
  call.rules_epoch = rules.epoch();
  const policy::RequestFacts facts = request_facts(call);
  const std::string action = fmt::format("bedrock:{}", event_name(operation));
  rules.judge(policy::ControlCall{.principal = *call.identity.principal,
                                  .action = action,
                                  .source = call.source(),
                                  .facts = facts,
                                  .resources = resources_of(control),
                                  .tags = control.order.tags,
                                  .tag_keys = tag_keys_of(control.order)},
              call.id, call.catalog(), call.verdict);
  if (call.verdict.refusal) {
    call.denied_by = call.verdict.refusal->by;
    return base::fail(call.verdict.refusal->error);
  }
  if (operation == Operation::create_inference_profile) return permit_copy(call);
  const bool needs_subject = domain::changes_profiles(operation) || operation == Operation::list_tags_for_resource;
  if (needs_subject && control.subject == nullptr) return base::fail(no_such_profile(call, control.resource));
  return {};
}

void answer_changed(Call& call, const domain::ApplicationProfile& profile) {
  call.reply.body = "{}";
  if (call.target.operation != Operation::create_inference_profile) return;
  call.reply.status = 201;
  call.reply.body = Json{{"inferenceProfileArn", profile.arn}, {"status", "ACTIVE"}}.dump();
  call.control->response_elements = call.reply.body;
}

}  // namespace portolan::gateway
