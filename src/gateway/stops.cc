// SPDX-License-Identifier: Apache-2.0
#include "gateway/stops.h"

#include <algorithm>

#include "base/bytes.h"
#include "policy/sentence.h"
#include "quota/quota_tokens.h"
#include "route/plan.h"

namespace portolan::gateway {

using base::Code;
using base::Result;
using domain::Stage;

namespace {

/// The part of stop 5 that cannot wait for its turn: a gateway that is itself the bottleneck refuses as soon as it
/// knows whose call it is, before it parses the body.
Result<void> shed(Call& call, const Bench& bench) {
  if (bench.shedder == nullptr || bench.shedder->level() <= 0) return {};
  const domain::CallClass call_class = call.snapshot->call_classes[call.identity.principal->tenant_index];
  if (!bench.shedder->sheds(call_class, bench.random->uniform(), bench.real_now)) return {};
  call.stage = Stage::reserve;
  return base::fail(
      Code::overloaded,
      "The gateway is overloaded and refuses " + std::string(domain::name(call_class)) + " calls. Try again later.",
      base::seconds{1});
}

/// The tier that the Region will read, for policies may deny it: in the header, or in the body of Converse, which
/// has no such header. A call that names two is refused: the Region might take the one that was not judged.
Result<void> read_service_tier(Call& call) {
  if (call.request.headers == nullptr || call.dialect != domain::Dialect::bedrock) return {};
  std::string& tier = call.asked.service_tier;
  for (const wire::Header& field : *call.request.headers) {
    if (!base::iequals(field.name, "x-amzn-bedrock-service-tier")) continue;
    if (call.target.operation == domain::Operation::converse ||
        call.target.operation == domain::Operation::converse_stream)
      return base::fail(Code::invalid_field,
                        "X-Amzn-Bedrock-Service-Tier: Converse takes the tier as serviceTier.type in its body.");
    if (!tier.empty() && tier != field.value)
      return base::fail(Code::invalid_field, "serviceTier: the call names two service tiers; name one.");
    tier = field.value;
  }
  return {};
}

}  // namespace

policy::Mode mode_for(const Call& call) {
  const domain::Profile* profile = call.inference.profile;
  if (profile == nullptr) return policy::Mode::strict;
  if (const auto said = policy::mode_named(profile->policy_mode)) return *said;
  const std::optional<policy::Mode> tenants = call.snapshot->modes[call.identity.principal->tenant_index];
  return tenants.value_or(policy::default_mode(*profile));
}

namespace {

const ApplicationProfiles::Entry* find_application(const Call& call, std::string_view id) {
  if (call.identity.principal == nullptr) return nullptr;
  return call.snapshot->applications->find(call.identity.principal->account_id,
                                           call.catalog().region(call.inference.source).name, id);
}

/// An application profile, by its ARN or its id in the caller's account and source Region.
Result<void> resolve_application(Call& call, std::string_view text, const wire::ModelName& name) {
  const domain::Principal* principal = call.identity.principal;
  if (principal != nullptr && !name.account.empty() && name.account != principal->account_id) {
    const std::string_view action = policy::action(call.inference);
    return base::fail(Code::access_denied, policy::not_authorized(principal->arn, action, text) +
                                               " because no resource-based policy allows the " +
                                               std::string(action) + " action");
  }
  const ApplicationProfiles::Entry* found = find_application(call, name.id);
  if (found == nullptr) return base::fail(no_such_profile(call, text));
  if (found->profile == nullptr)
    return base::fail(Code::unknown_model, "The inference profile " + std::string(text) + " copies " +
                                               found->made->copy_from + ", which cannot be called here any more.");
  call.inference.profile = found->profile.get();
  call.inference.model = found->profile->model;
  return {};
}

}  // namespace

Result<void> judge(Call& call, const Bench& bench) {
  TRY_VOID(receive(call));
  TRY_VOID(identify(call, bench));
  TRY_VOID(shed(call, bench));
  TRY_VOID(understand(call, bench));
  if (!domain::runs_model(call.target.operation)) return permit_control(call);
  TRY_VOID(permit(call, bench.cells));
  TRY_VOID(reserve(call, bench, true));
  return plan(call, bench);
}

// Stop 1: what did they send? The listener read the bytes; here the target gets its meaning.
Result<void> receive(Call& call) {
  call.stage = Stage::receive;
  const Request& request = call.request;
  call.dialect = wire::dialect_of_target(request.target);
  if (request.refused) return base::fail(*request.refused);
  TRY(call.target, wire::read_target(request.method, request.target));
  call.dialect = domain::dialect(call.target.operation);
  return {};
}

// Stop 2: who is it? The body is hashed here once; the digest also signs the upstream request.
Result<void> identify(Call& call, const Bench& bench) {
  call.stage = Stage::identify;
  call.body_hash = base::sha256(call.request.body);
  const identity::SignedRequest signed_request{.method = call.request.method,
                                               .path = call.target.path,
                                               .query = call.target.query,
                                               .headers = call.request.headers,
                                               .body_hash = call.body_hash};
  TRY(call.identity, call.snapshot->keyring.identify(signed_request, bench.signing_keys, call.began_wall,
                                                     call.request.certificate_names));
  if (call.identity.last_use != nullptr) call.identity.last_use->note(call.began_wall);
  call.inference.source =
      call.identity.source != domain::region_none ? call.identity.source : call.snapshot->config.source_region;
  return {};
}

// Stop 3: what do they want?
Result<void> understand(Call& call, const Bench& bench) {
  call.stage = Stage::understand;
  domain::Inference& inference = call.inference;
  inference.operation = call.target.operation;
  if (!domain::runs_model(inference.operation)) return understand_control(call, *bench.random);
  TRY(call.asked, bench.body_reader.understand(inference.operation, call.request.body));
  inference.stream = inference.operation == domain::Operation::converse_stream ||
                     inference.operation == domain::Operation::invoke_model_stream || call.asked.stream;
  TRY_VOID(read_service_tier(call));
  inference.input_tokens = call.asked.input_tokens;
  const bool named_in_body = inference.operation == domain::Operation::chat_completions;
  TRY_VOID(resolve_model(call, named_in_body ? call.asked.model : call.target.id));
  return limit_output(call);
}

Result<void> limit_output(Call& call) {
  domain::Inference& inference = call.inference;
  const domain::Model& model = *inference.model;
  inference.output_tokens_defaulted = !call.asked.output_tokens_max.has_value();
  inference.output_tokens_max = call.asked.output_tokens_max.value_or(model.output_tokens_default);
  if (inference.output_tokens_max > model.output_tokens_max)
    return base::fail(Code::invalid_field,
                      "The maximum tokens you requested (" + std::to_string(inference.output_tokens_max) +
                          ") exceeds the model limit of " + std::to_string(model.output_tokens_max) + " for " +
                          model.id + ". Try again with a lower value.");
  return {};
}

Result<void> resolve_model(Call& call, std::string_view text) {
  const domain::Catalog& catalog = call.catalog();
  domain::Inference& inference = call.inference;
  inference.requested = text;
  TRY(const wire::ModelName name, wire::read_model_name(text));
  const std::string& source = catalog.region(inference.source).name;
  if (!name.region.empty() && name.region != source)
    return base::fail(Code::invalid_field,
                      "The ARN names Region " + std::string(name.region) + ", but the call was made in " + source +
                          ". Call the endpoint of the ARN's Region or name the profile by its id.");
  if (name.kind == wire::ModelName::Kind::application_inference_profile)
    return resolve_application(call, text, name);
  if (name.kind == wire::ModelName::Kind::inference_profile && call.identity.principal != nullptr &&
      name.account != call.identity.principal->account_id)
    return base::fail(Code::access_denied,
                      "The inference profile's ARN names account " + std::string(name.account) +
                          ", which is not the caller's. Use the caller's account or the profile's id.");
  if (name.kind == wire::ModelName::Kind::other)
    return base::fail(Code::unknown_model,
                      "There is no " + std::string(text) + " here: an inference profile or a model is meant.");

  if (name.kind != wire::ModelName::Kind::foundation_model) {
    if (const domain::Profile* profile = catalog.find_profile(name.id)) {
      if (profile->destinations_from(inference.source).empty())
        return base::fail(Code::invalid_field,
                          "The inference profile " + profile->id + " cannot be called from " + source +
                              ". It can be called from: " + catalog.names(profile->sources) + ".");
      inference.profile = profile;
      inference.model = profile->model;
      return {};
    }
  }
  const domain::Model* model =
      name.kind == wire::ModelName::Kind::inference_profile ? nullptr : catalog.find_model(name.id);
  if (model == nullptr && name.kind == wire::ModelName::Kind::bare && find_application(call, name.id) != nullptr)
    return resolve_application(call, text, name);
  if (model == nullptr) {
    const std::string near = catalog.nearest_profile(name.id);
    return base::fail(Code::unknown_model, "There is no model or inference profile " + std::string(name.id) + "." +
                                               (near.empty() ? "" : " Did you mean " + near + "?"));
  }
  if (model->profile_only || !model->in_region.contains(inference.source))
    return base::fail(Code::profile_required,
                      "Invocation of model ID " + model->id + " with on-demand throughput isn't supported in " +
                          source +
                          ". Retry your request with the ID or ARN of an inference profile that "
                          "contains this model.");
  inference.model = model;
  return {};
}

// Stop 4: where may it run?
Result<void> permit(Call& call, policy::CellMemory& cells) {
  call.stage = Stage::permit;
  auto granted = call.snapshot->permissions.permit(*call.identity.principal, call.inference);
  if (!granted) {
    call.denied_by = domain::Denial::tenant;
    return base::fail(std::move(granted).error());
  }
  call.grant = *granted;
  return permit_again(call, *call.snapshot->rules, cells);
}

Result<void> permit_again(Call& call, const policy::Rules& newest, policy::CellMemory& cells) {
  call.rules_epoch = newest.epoch();
  if (newest.is_empty()) {
    if (call.verdict.judgement != nullptr) call.verdict = {};  // of rules that were taken away since
    return {};
  }
  const policy::RequestFacts facts = request_facts(call);
  const domain::Principal& principal = *call.identity.principal;
  const policy::Question question{
      .principal = principal, .inference = call.inference, .mode = mode_for(call), .facts = facts};
  policy::Verdict& verdict = call.verdict;
  newest.judge(question, call.id, call.catalog(), cells, verdict);
  const domain::RegionMask before = call.grant.allowed;
  call.grant.allowed = before & verdict.allowed;
  if (!verdict.refusal && !call.grant.allowed.empty()) {
    call.grant.pruned = call.grant.pruned | (before - call.grant.allowed);
    return {};
  }
  call.stage = Stage::permit;
  call.grant.allowed = {};
  call.denied_by = verdict.refusal ? verdict.refusal->by : domain::Denial::tenant;
  if (verdict.refusal) return base::fail(verdict.refusal->error);
  return base::fail(Code::access_denied, policy::not_authorized(principal, call.inference, call.catalog()) +
                                             " because the policies allow only " +
                                             call.catalog().names(verdict.allowed) +
                                             ", and the tenant's rules only " + call.catalog().names(before));
}

std::uint64_t tokens_to_hold(const Call& call) {
  // What the cache will serve is not known before the call, so all of the input is held as fresh.
  return quota::tokens_to_hold({.fresh = call.inference.input_tokens}, call.inference.output_tokens_max,
                               call.inference.model->token_rule(call.began_wall));
}

// Stop 5: may they have that much?
Result<void> reserve(Call& call, const Bench& bench, bool hold) {
  call.stage = Stage::reserve;
  const quota::Owners owners = call.snapshot->quotas.owners_of(*call.identity.principal, call.inference.profile);
  const std::uint64_t tokens = tokens_to_hold(call);
  const base::Instant now = bench.clock.now();
  if (!hold) return quota::Reservation::would_hold(owners, tokens, now);
  TRY(call.reservation, quota::Reservation::hold(owners, tokens, now));
  return {};
}

// Stop 6: where should it run?
Result<void> plan(Call& call, const Bench& bench) {
  call.stage = Stage::plan;
  const route::Question question{.allowed = call.grant.allowed,
                                 .reachable = call.snapshot->reachable,
                                 .home = call.snapshot->config.source_region,
                                 .input_tokens = call.inference.input_tokens};
  TRY(call.plan, route::plan(question, call.catalog(), bench.fleet, bench.clock.now()));
  return {};
}

}  // namespace portolan::gateway
