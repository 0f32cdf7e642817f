// SPDX-License-Identifier: Apache-2.0
// Stops 1 to 6, 8 and 9. Stop 7, the attempts, is in journey_attempt.cc.
#include "gateway/journey.h"

#include "gateway/local_answers.h"
#include "quota/quota_tokens.h"
#include "trail/record.h"
#include "wire/errors.h"

namespace portolan::gateway {

using base::Result;
using domain::Stage;
using world::Task;

namespace {

/// The caller left while the Region was at its request, which the provider charges: not free for the tenant either.
bool left_a_region_at_work(const domain::Attempt& last) {
  return !last.served && last.failure == base::Code::caller_gone && last.bytes_sent > 0;
}

/// What the policies took away, with the statement that did. Allocates nothing when they took nothing.
std::vector<trail::PolicyCause> causes_of(const Call& call) {
  std::vector<trail::PolicyCause> causes;
  const policy::Judgement* judgement = call.verdict.judgement;
  if (judgement == nullptr) return causes;
  const auto add = [&](const policy::Ruling& ruling, std::string_view region) {
    causes.push_back(
        {.region = region,
         .kind = iam::name(ruling.decision.by.kind),
         .level = ruling.level,
         .policy = ruling.policy != nullptr ? std::string_view{ruling.policy->name} : std::string_view{},
         .statement = ruling.statement != nullptr ? std::string_view{ruling.statement->sid} : std::string_view{}});
  };
  if (judgement->denied_by >= 0) {
    const policy::Ruling& ruling = judgement->rulings[static_cast<std::size_t>(judgement->denied_by)];
    add(ruling, ruling.check.requested_region);
    return causes;
  }
  for (const domain::RegionIndex region : judgement->pruned)
    if (const policy::Ruling* ruling = judgement->ruling_for(region))
      add(*ruling, call.catalog().region(region).name);
  return causes;
}

}  // namespace

Journey::Journey(Parts parts, std::shared_ptr<const Snapshot> snapshot)
    : parts_(std::move(parts)),
      random_(parts_.seed),
      probe_(parts_.reactor,
             [this](base::Duration waited, base::Instant real_now) { shedder_.observe(waited, real_now); }) {
  use(std::move(snapshot));
}

void Journey::use(std::shared_ptr<const Snapshot> snapshot) {
  snapshot_ = std::move(snapshot);
  cells_.forget();
  const config::Account& account = snapshot_->config.account;
  signer_ = std::make_unique<identity::Signer>(account.access_key_id, account.secret_access_key);
  parts_.retry_budget.set_percent(snapshot_->config.retry.budget_percent);
}

Task<void> Journey::serve(const Request& request, ReplySink& sink) {
  Call call(snapshot_, request);
  call.id = base::uuid(random_);
  call.began = parts_.reactor.clock.now();
  call.began_wall = parts_.reactor.clock.wall();
  call.give_up_at = call.began + snapshot_->config.deadlines.total;
  parts_.counters.calls_in_flight.fetch_add(1, std::memory_order_relaxed);
  parts_.retry_budget.call_begun(call.began);

  Bench for_this_call = bench();
  for_this_call.real_now = probe_.ask();
  for_this_call.shedder = &shedder_;
  for_this_call.random = &random_;
  Result<void> outcome = admit(call);
  if (outcome) outcome = judge(call, for_this_call);
  if (outcome) outcome = still_wanted(call, sink);
  if (outcome && domain::runs_model(call.target.operation))
    outcome = co_await attempt(call, sink);
  else if (outcome && domain::changes_profiles(call.target.operation))
    outcome = co_await change_profile(call);
  else if (outcome)
    outcome = answer_locally(call);
  // A whole answer that nobody waits for any more is not recorded as served; a change was made all the same.
  if (outcome && !call.reply.begun && !domain::changes_profiles(call.target.operation) && sink.gone())
    outcome = base::fail(base::Code::caller_gone, "The caller closed the connection.");
  if (!outcome) refuse(call, std::move(outcome).error());
  settle(call);
  co_await record_and_answer(call, sink);

  parts_.retry_budget.call_ended();
  parts_.counters.calls_in_flight.fetch_sub(1, std::memory_order_relaxed);
}

/// The disk is not waited for here: the reactor goes on with other calls until the change is durable and in force.
Task<Result<void>> Journey::change_profile(Call& call) {
  call.stage = Stage::attempt;
  if (!parts_.change_profiles)
    co_return base::fail(base::Code::internal, "Application profiles cannot be changed here.");
  base::Result<domain::ApplicationProfile> changed = domain::ApplicationProfile{};
  co_await world::asio::async_initiate<const world::Resume, void()>(
      [this, &call, &changed](auto handler) {
        parts_.change_profiles(call.control->order, [&io = parts_.reactor.io, &changed,
                                                     resume = std::move(handler)](auto outcome) mutable {
          world::asio::post(io, [&changed, outcome = std::move(outcome), resume = std::move(resume)]() mutable {
            changed = std::move(outcome);
            std::move(resume)();
          });
        });
      },
      world::Resume{});
  if (!changed) co_return base::fail(std::move(changed).error());
  answer_changed(call, *changed);
  co_return Result<void>{};
}

/// Each call in flight holds memory and may hold connections: better to refuse one early than to fail all late.
Result<void> Journey::admit(Call& call) const {
  const std::int64_t calls_max = snapshot_->config.limits.calls_max;
  if (parts_.retry_budget.calls_in_flight() <= calls_max) return {};
  call.dialect = wire::dialect_of_target(call.request.target);
  return base::fail(base::Code::overloaded,
                    "The gateway has as many calls in flight as limits.calls_max allows (" +
                        std::to_string(calls_max) + "). Try again in a moment.",
                    base::seconds{1});
}

/// Nothing is sent to a Region for a caller that has left, nor for a call whose record could not be kept.
Result<void> Journey::still_wanted(Call& call, const ReplySink& sink) const {
  if (sink.gone()) return base::fail(base::Code::caller_gone, "The caller closed the connection.");
  if (!parts_.recorder.trail().broken()) return {};
  call.stage = Stage::record;
  return base::fail(base::Code::unrecordable, "Calls cannot be recorded, so none is answered. Try again later.");
}

/// Makes `error` the answer. After the first byte it becomes the typed end of the stream.
void Journey::refuse(Call& call, base::Error error) {
  Reply& reply = call.reply;
  if (reply.begun) {
    reply.held.clear();
    wire::append_stream_error(reply.held, error, call.dialect);
  } else {
    // In place of whatever was ready to be sent, its fields included.
    wire::ErrorReply refusal = wire::error_reply(error, call.dialect);
    reply = Reply{.status = refusal.status,
                  .error_type = refusal.error_type,
                  .retry_after = refusal.retry_after_s > 0 ? std::to_string(refusal.retry_after_s) : std::string{},
                  .allow = error.code == base::Code::method_not_allowed ? wire::methods_of(call.request.target)
                                                                        : std::string{},
                  .body = std::move(refusal.body)};
  }
  call.error = std::move(error);
}

// Stop 8: what did it cost? Counted, never blocks.
void Journey::settle(Call& call) {
  if (!call.reservation.held()) return;
  const Stage refused_at = call.stage;
  call.stage = Stage::settle;
  const domain::TokenRule& rule = call.inference.model->token_rule(call.began_wall);
  std::uint64_t tokens = 0;
  if (call.usage.known) {
    tokens = quota::tokens_to_charge(call.usage, rule);
  } else if (call.reply.begun) {
    // A stream that was cut before it told its usage: what was asked and what was passed on is the least it cost.
    const domain::Usage least{.input_tokens = call.inference.input_tokens, .output_tokens = call.pieces_forwarded};
    tokens = quota::tokens_to_charge(least, rule);
  } else if (call.attempt_count > 0 && left_a_region_at_work(call.attempts[call.attempt_count - 1u])) {
    const domain::Usage least{.input_tokens = call.inference.input_tokens};
    tokens = quota::tokens_to_charge(least, rule);
  }
  call.reservation.settle(tokens);
  if (call.error) call.stage = refused_at;
}

std::string Journey::write_record(const Call& call) const {
  const domain::Catalog& catalog = call.catalog();
  const wire::Headers& headers = *call.request.headers;
  const domain::Profile* profile = call.inference.profile;
  std::string_view presented;
  if (call.identity.principal == nullptr) {
    if (const auto authorization = identity::read_authorization(headers.value("authorization")))
      if (identity::looks_like_access_key_id(authorization->access_key_id))
        presented = authorization->access_key_id;
  }
  const base::Instant now = parts_.reactor.clock.now();
  std::string event_id = call.id;
  // One record to a call: its event is named after it, with the version nibble changed so that the two ids differ.
  event_id[14] = '5';
  const std::vector<trail::PolicyCause> causes = causes_of(call);
  const trail::CallFacts facts{
      .call_id = call.id,
      .event_id = event_id,
      .began = call.began_wall,
      .duration = now - call.began,
      .operation = call.target.operation,
      .principal = call.identity.principal,
      .presented_key_id = presented,
      .source_region = catalog.region(call.source()).name,
      .inference_region = call.served_by != domain::region_none
                              ? std::string_view{catalog.region(call.served_by).name}
                              : std::string_view{},
      .source_ip = call.request.peer_address,
      .user_agent = headers.value("user-agent"),
      .host_header = call.request.host,
      .tls_version = call.request.tls_version,
      .tls_cipher = call.request.tls_cipher,
      .http_version = call.request.http_version,
      .requested_model =
          call.inference.requested.empty() ? std::string_view{call.target.id} : call.inference.requested,
      .profile_id = profile != nullptr ? std::string_view{profile->id} : std::string_view{},
      .profile_kind = profile != nullptr ? name(profile->kind) : std::string_view{},
      .profile = profile,
      .request_parameters =
          call.control != nullptr ? std::string_view{call.control->parameters} : std::string_view{},
      .response_elements = call.control != nullptr && !call.error
                               ? std::string_view{call.control->response_elements}
                               : std::string_view{},
      .model_id = call.inference.model != nullptr ? std::string_view{call.inference.model->id} : std::string_view{},
      .sdk_invocation_id = headers.value("amz-sdk-invocation-id"),
      .stream = call.inference.stream,
      .usage = call.usage.known ? &call.usage : nullptr,
      .input_tokens_estimated = call.inference.input_tokens,
      .output_tokens_max = call.inference.output_tokens_max,
      .error = call.error ? &*call.error : nullptr,
      .stage = call.stage,
      .status = call.reply.status,
      .allowed = call.grant.allowed,
      .attempts = {call.attempts.data(), call.attempt_count},
      .policy_version = call.snapshot->config.version_hash,
      .policies_number = call.verdict.version != nullptr ? call.verdict.version->number : 0,
      .policies_hash = call.verdict.version != nullptr ? call.verdict.version->hash() : std::string_view{},
      .denied_by = call.denied_by ? name(*call.denied_by) : std::string_view{},
      .causes = causes,
      .policy_mode = call.inference.model != nullptr && call.identity.principal != nullptr
                         ? policy::name(mode_for(call))
                         : std::string_view{},
      .service_tier = call.asked.service_tier,
      .catalog = &catalog,
      .first_byte = call.first_byte_at == base::Instant{} ? base::Duration{} : call.first_byte_at - call.began};
  std::string json;
  json.reserve(record_bytes_);
  trail::write_record(facts, json);
  return json;
}

// Stop 9: what happened? The record is on stable storage before the last byte of the answer leaves.
Task<void> Journey::record_and_answer(Call& call, ReplySink& sink) {
  if (!call.error) call.stage = Stage::record;
  std::string json = write_record(call);
  record_bytes_ = json.size() + 64;
  const Result<void> recorded = co_await parts_.recorder.durable(std::move(json), parts_.reactor.index);
  if (!recorded) {
    call.stage = Stage::record;
    refuse(call, recorded.error());
  }
  count(call);
  if (call.reply.begun) {
    co_await sink.end(call.reply.held);
  } else {
    const ReplyHead head = reply_head(call);
    co_await sink.send(head, call.reply.body);
  }
}

void Journey::count(const Call& call) {
  observe::Counters& counters = parts_.counters;
  constexpr auto relaxed = std::memory_order_relaxed;
  const auto operation = static_cast<std::size_t>(call.target.operation);
  counters.calls[operation].fetch_add(1, relaxed);
  if (call.attempt_count > 1) counters.failovers.fetch_add(call.attempt_count - 1u, relaxed);
  for (const domain::Attempt& attempt : std::span{call.attempts.data(), call.attempt_count}) {
    counters.attempts[attempt.region].fetch_add(1, relaxed);
    if (!attempt.served) counters.attempts_failed[attempt.region].fetch_add(1, relaxed);
  }
  if (call.verdict.shadow) counters.shadow[static_cast<std::size_t>(*call.verdict.shadow)].fetch_add(1, relaxed);
  if (call.error) {
    counters.refused[static_cast<std::size_t>(call.stage)][static_cast<std::size_t>(call.error->code)].fetch_add(
        1, relaxed);
    if (call.denied_by) counters.denied[static_cast<std::size_t>(*call.denied_by)].fetch_add(1, relaxed);
    if (call.reply.begun) counters.streams_cut.fetch_add(1, relaxed);
    return;
  }
  counters.served[operation].fetch_add(1, relaxed);
  if (call.served_by == domain::region_none) return;
  const base::Instant now = parts_.reactor.clock.now();
  counters.served_by[call.served_by].fetch_add(1, relaxed);
  counters.input_tokens[call.served_by].fetch_add(call.usage.input_tokens, relaxed);
  counters.output_tokens[call.served_by].fetch_add(call.usage.output_tokens, relaxed);
  counters.duration.record(now - call.began);
  if (call.first_byte_at != base::Instant{}) counters.first_byte.record(call.first_byte_at - call.began);
}

ReplyHead Journey::reply_head(const Call& call) const {
  constexpr std::array<std::string_view, domain::attempts_max + 1> digits{"0", "1", "2", "3", "4",
                                                                          "5", "6", "7", "8"};
  const Reply& reply = call.reply;
  ReplyHead head;
  head.status = reply.status;
  head.close = call.request.refused.has_value();
  head.add("content-type", reply.content_type);
  head.add("x-amzn-requestid", call.id);
  if (!reply.error_type.empty()) head.add("x-amzn-errortype", reply.error_type);
  if (!reply.retry_after.empty()) head.add("retry-after", reply.retry_after);
  if (!reply.allow.empty()) head.add("allow", reply.allow);
  head.add("x-portolan-call-id", call.id);
  head.add("x-portolan-source-region", call.catalog().region(call.source()).name);
  if (call.served_by != domain::region_none)
    head.add("x-portolan-inference-region", call.catalog().region(call.served_by).name);
  if (call.attempt_count > 0) head.add("x-portolan-attempts", digits[call.attempt_count]);
  if (!reply.invocation_latency.empty()) head.add("x-amzn-bedrock-invocation-latency", reply.invocation_latency);
  if (!reply.input_token_count.empty()) head.add("x-amzn-bedrock-input-token-count", reply.input_token_count);
  if (!reply.output_token_count.empty()) head.add("x-amzn-bedrock-output-token-count", reply.output_token_count);
  return head;
}

}  // namespace portolan::gateway
