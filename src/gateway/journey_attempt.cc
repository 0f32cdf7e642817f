// SPDX-License-Identifier: Apache-2.0
// Stop 7: did it work? One candidate after another, as long as nothing has been sent to the caller.
//
// Before the first byte there are choices; after it there are none: a stream that is cut then ends with the
// dialect's typed error. Moving on to another Region costs no wait. Only when every candidate of a round has failed
// does the call back off (full jitter), plan afresh and go round again, within its deadline and the retry budget.
#include <algorithm>

#include "base/bytes.h"
#include "gateway/journey.h"
#include "route/plan.h"
#include "wire/errors.h"
#include "wire/openai.h"
#include "wire/stream_watch.h"

namespace portolan::gateway {

using base::Code;
using base::Result;
using domain::Operation;
using upstream::FlowPointer;
using world::Task;

namespace {

constexpr std::size_t refusal_bytes_max = 64 * 1024;
constexpr std::size_t reply_bytes_max = 64u << 20;
constexpr std::size_t held_bytes_max = 2u << 20;

// Silence is judged by what was asked: reading a prompt takes time before the first token (GORGO's default is 0.094
// ms a token; twice that is patience), and a whole reply's first byte comes after its last token (20 tokens a
// second is slow).
constexpr double reading_ms_per_token = 0.2;
constexpr double writing_ms_per_token = 50;

/// How long an attempt may stay silent before it is given up.
base::Duration silence_max(const domain::Inference& inference, const config::Deadlines& deadlines) {
  double ms = reading_ms_per_token * inference.input_tokens;
  if (!inference.stream) ms += writing_ms_per_token * inference.output_tokens_max;
  return deadlines.first_byte + base::from_ms(ms);
}

std::string_view upstream_action(const domain::Inference& inference) {
  switch (inference.operation) {
    case Operation::invoke_model:
      return "/invoke";
    case Operation::invoke_model_stream:
      return "/invoke-with-response-stream";
    case Operation::chat_completions:
      return inference.stream ? "/converse-stream" : "/converse";
    case Operation::converse_stream:
      return "/converse-stream";
    default:
      return "/converse";
  }
}

/// The operation as the Region sees it: chat completions are served from Converse.
Operation upstream_operation(const domain::Inference& inference) {
  if (inference.operation != Operation::chat_completions) return inference.operation;
  return inference.stream ? Operation::converse_stream : Operation::converse;
}

std::string upstream_path(const domain::Inference& inference) {
  std::string path = "/model/";
  base::percent_encode(inference.model->id, path);
  path += upstream_action(inference);
  return path;
}

wire::Completion completion_of(const Call& call) {
  return {.id = "chatcmpl-" + call.id,
          .model = std::string(call.inference.requested),
          .created_s = std::chrono::floor<base::seconds>(call.began_wall).time_since_epoch().count()};
}

/// For the time that a call waits on an exchange, its sink may abandon it.
class Abandonable {
 public:
  Abandonable(ReplySink& sink, upstream::Flow& exchange) : sink_(sink) { sink_.waits_on(&exchange); }
  ~Abandonable() { sink_.waits_on(nullptr); }
  Abandonable(const Abandonable&) = delete;
  Abandonable& operator=(const Abandonable&) = delete;

 private:
  ReplySink& sink_;
};

/// The caller's own fault or wish, or a limit of ours: says nothing about the Region's health.
bool spares_the_region(const base::Error& error) {
  return error.facts().blame == base::Blame::caller || error.facts().blame == base::Blame::gateway;
}

}  // namespace

/// Looks once more when the connection stands: connecting may have taken longer than a change of the rules.
class Journey::Clearance final : public upstream::Clearance {
 public:
  Clearance(Journey& journey, Call& call, domain::RegionIndex region)
      : journey_(journey), call_(call), region_(region) {}
  Result<void> ask() override { return journey_.still_permitted(call_, region_); }

 private:
  Journey& journey_;
  Call& call_;
  domain::RegionIndex region_;
};

/// Rules may have changed since the call was judged. They are put in force on the reactor's own thread, so that no
/// attempt begins outside them once all reactors have them.
Result<void> Journey::still_permitted(Call& call, domain::RegionIndex region) {
  const policy::Rules& newest = *snapshot_->rules;
  if (newest.epoch() != call.rules_epoch) {
    call.judged_anew_by = snapshot_;
    TRY_VOID(permit_again(call, newest, cells_));
  }
  if (call.grant.allowed.contains(region)) return {};
  return base::fail(Code::access_denied, "The policies that were put in force since the call began exclude " +
                                             call.catalog().region(region).name + ".");
}

Task<Result<void>> Journey::attempt(Call& call, ReplySink& sink) {
  call.stage = domain::Stage::attempt;
  const std::string path = upstream_path(call.inference);
  std::string translated;
  std::string_view body = call.request.body;
  base::Digest body_hash = call.body_hash;
  if (call.inference.operation == Operation::chat_completions) {
    CO_TRY(translated, wire::converse_request(body));
    body = translated;
    body_hash = base::sha256(body);
  }
  const config::Retry& retry = call.snapshot->config.retry;
  base::Duration pause_max = retry.backoff_base;
  base::Error last = base::error(Code::no_region, "No Region was tried.");
  for (;;) {
    Result<void> outcome = co_await round_of_attempts(call, sink, path, body, body_hash, last);
    if (outcome || call.reply.begun || outcome.error().facts().remedy != base::Remedy::retry_elsewhere)
      co_return outcome;
    // Every candidate has failed, each in a way that may pass. A throttle does not pass within a backoff: asking
    // again would only be throttled again, so the caller is told how long to wait.
    if (outcome.error().code == Code::upstream_throttled) co_return outcome;
    const unsigned attempts_left = std::min<unsigned>(retry.attempts_max, domain::attempts_max) -
                                   std::min<unsigned>(retry.attempts_max, call.attempt_count);
    const base::Duration pause =
        base::Duration{static_cast<std::int64_t>(random_.uniform() * static_cast<double>(pause_max.count()))};
    last = outcome.error();
    if (attempts_left == 0 || parts_.reactor.clock.now() + pause >= call.give_up_at) co_return outcome;
    co_await world::sleep_for(pause, parts_.reactor.clock);
    pause_max = std::min(pause_max * 2, retry.backoff_cap);
    if (sink.gone()) co_return base::fail(Code::caller_gone, "The caller closed the connection.");
    const Result<void> planned = plan(call, bench());
    call.stage = domain::Stage::attempt;
    if (!planned) co_return outcome;
  }
}

Task<Result<void>> Journey::round_of_attempts(Call& call, ReplySink& sink, std::string_view path,
                                              std::string_view body, const base::Digest& body_hash,
                                              base::Error last) {
  const unsigned attempts_max = std::min<unsigned>(call.snapshot->config.retry.attempts_max, domain::attempts_max);
  Result<void> outcome = base::fail(std::move(last));
  for (std::size_t i = 0; i < call.plan.size && call.attempt_count < attempts_max; ++i) {
    const domain::RegionIndex region = call.plan.candidates[i].region;
    if (const Result<void> permitted = still_permitted(call, region); !permitted) {
      if (call.grant.allowed.empty() || call.attempt_count == 0) outcome = permitted;
      if (call.grant.allowed.empty()) co_return outcome;
      continue;
    }
    // The next best stands ready in case this one fails.
    if (i + 1 < call.plan.size && call.grant.allowed.contains(call.plan.candidates[i + 1].region))
      parts_.transport.warm(call.plan.candidates[i + 1].region);
    if (!parts_.fleet.attempt_begun(region, i + 1 == call.plan.size)) continue;  // another call is its trial
    if (call.attempt_count > 0 && !parts_.retry_budget.take()) {
      parts_.fleet.attempt_abandoned(region);
      if (outcome.error().code == Code::upstream_throttled)
        co_return outcome;  // the caller is to know that it must wait
      co_return base::fail(base::error_after(
          outcome.error(), Code::retry_budget_empty,
          "The Region failed and the retry budget is spent; the last error was: ", base::seconds{1}));
    }
    domain::Attempt& attempt = call.attempts[call.attempt_count++];
    attempt.region = region;
    outcome = co_await try_region(call, sink, attempt, path, body, body_hash);
    if (outcome) co_return outcome;
    const bool excluded_meanwhile = !call.grant.allowed.empty() && !call.grant.allowed.contains(region);
    if (call.reply.begun ||
        (outcome.error().facts().remedy != base::Remedy::retry_elsewhere && !excluded_meanwhile))
      co_return outcome;
    if (sink.gone()) co_return base::fail(Code::caller_gone, "The caller closed the connection.");
    if (parts_.reactor.clock.now() >= call.give_up_at)
      co_return base::fail(base::error_after(outcome.error(), Code::call_deadline,
                                             "The call's deadline of " +
                                                 base::format_duration(call.snapshot->config.deadlines.total) +
                                                 " ran out; the last error was: "));
  }
  co_return outcome;
}

std::string Journey::request_head(const Call& call, domain::RegionIndex region, std::string_view path,
                                  std::size_t body_size, const base::Digest& body_hash) {
  const std::string& host = call.snapshot->hosts[region];
  const bool native = call.inference.operation != Operation::chat_completions;
  std::string_view content_type = native ? call.request.headers->value("content-type") : std::string_view{};
  if (content_type.empty()) content_type = "application/json";
  std::string head;
  head.reserve(768);
  wire::append_request_line(head, "POST", path);
  wire::append_field(head, "host", host);
  wire::append_field(head, "content-type", content_type);
  wire::append_field(head, "content-length", std::uint64_t{body_size});
  if (native) {
    if (const std::string_view accept = call.request.headers->value("accept"); !accept.empty())
      wire::append_field(head, "accept", accept);
    constexpr std::string_view bedrock_prefix = "x-amzn-bedrock-";
    for (const wire::Header& field : *call.request.headers)
      if (field.name.size() > bedrock_prefix.size() &&
          base::iequals(field.name.substr(0, bedrock_prefix.size()), bedrock_prefix))
        wire::append_field(head, field.name, field.value);
  }
  signer_->append_signature(head, "POST", path, host, content_type, body_hash, call.catalog().region(region).name,
                            parts_.reactor.clock.wall());
  wire::append_blank_line(head);
  return head;
}

Task<Result<void>> Journey::try_region(Call& call, ReplySink& sink, domain::Attempt& attempt, std::string_view path,
                                       std::string_view body, const base::Digest& body_hash) {
  const config::Deadlines& deadlines = call.snapshot->config.deadlines;
  const base::Instant sent_at = parts_.reactor.clock.now();
  attempt.started_after = sent_at - call.began;

  FlowPointer flow = parts_.transport.open(attempt.region);
  const Abandonable abandonable(sink, *flow);
  const std::string head = request_head(call, attempt.region, path, body.size(), body_hash);
  Clearance clearance(*this, call, attempt.region);
  const upstream::Outgoing outgoing{.head = head, .body = body, .clearance = &clearance};
  const base::Instant by = std::min(sent_at + silence_max(call.inference, deadlines), call.give_up_at);
  Result<const wire::ResponseHead*> started = co_await flow->start(outgoing, deadlines.connect, by);
  if (flow->sent()) attempt.bytes_sent = head.size() + body.size();

  Result<void> outcome;
  if (!started) {
    outcome = base::fail(std::move(started).error());
  } else if (const int status = (*started)->status; status != 200) {
    attempt.upstream_status = status;
    // The refusal's fields are views into the connection's buffer: read before its body overwrites them.
    base::Error refusal = co_await take_refusal(status, (*started)->headers, flow, by);
    outcome = base::fail(std::move(refusal));
  } else {
    attempt.upstream_status = 200;
    if (call.inference.operation == Operation::invoke_model) {
      const wire::Headers& headers = (*started)->headers;
      call.reply.invocation_latency = headers.value("x-amzn-bedrock-invocation-latency");
      call.reply.input_token_count = headers.value("x-amzn-bedrock-input-token-count");
      call.reply.output_token_count = headers.value("x-amzn-bedrock-output-token-count");
    }
    if (call.inference.stream)
      outcome = co_await take_stream(call, sink, attempt, flow, sent_at, by);
    else
      outcome = co_await take_whole(call, attempt, flow, sent_at, std::min(by, call.give_up_at));
  }

  const base::Instant now = parts_.reactor.clock.now();
  attempt.duration = now - sent_at;
  if (!outcome) {
    note_failure(call, attempt, outcome.error());
    co_return outcome;
  }
  attempt.served = true;
  call.served_by = attempt.region;
  if (!call.inference.stream)
    parts_.fleet.whole_reply(attempt.region, attempt.duration, call.inference.input_tokens,
                             call.usage.output_tokens, now);
  parts_.fleet.attempt_served(attempt.region, now, attempt.duration);
  co_return outcome;
}

void Journey::note_failure(Call& call, domain::Attempt& attempt, const base::Error& error) {
  attempt.failure = error.code;
  // The words of a Region may quote the prompt, which the trail never holds.
  if (!error.quotes_upstream) attempt.failure_detail = error.message;
  if (call.reply.begun) {
    // A stream that was cut after its first byte was still served, as far as it went, by this Region.
    call.served_by = attempt.region;
  } else {
    // Nothing of it is left: not in the next attempt's answer, not in what the call is charged.
    call.reply = {};
    call.usage = {};
    call.pieces_forwarded = 0;
  }
  if (spares_the_region(error))
    parts_.fleet.attempt_abandoned(attempt.region);
  else
    parts_.fleet.attempt_failed(attempt.region, error.code, error.retry_after, parts_.reactor.clock.now());
}

void Journey::note_first_byte(Call& call, domain::Attempt& attempt, base::Instant sent_at) {
  const base::Instant now = parts_.reactor.clock.now();
  attempt.first_byte = now - sent_at;
  // Only streams tell when the first token came; a whole reply's first byte is its last token's.
  if (call.inference.stream)
    parts_.fleet.first_byte(attempt.region, attempt.first_byte, call.inference.input_tokens, now);
}

Task<base::Error> Journey::take_refusal(int status, const wire::Headers& headers, FlowPointer& flow,
                                        base::Instant by) {
  // Copied: the views die with the first next().
  const std::string type{headers.value("x-amzn-errortype")};
  const std::string retry_after{headers.value("retry-after")};
  const std::string retry_after_ms{headers.value("x-amz-retry-after")};
  std::string body;
  for (;;) {
    const Result<std::string_view> piece = co_await flow->next(by);
    if (!piece) break;
    if (piece->empty()) {
      upstream::finish(std::move(flow));
      break;
    }
    body.append(piece->substr(0, refusal_bytes_max - std::min(refusal_bytes_max, body.size())));
    if (body.size() == refusal_bytes_max) break;
  }
  wire::Headers kept;
  if (!type.empty()) kept.add("x-amzn-errortype", type);
  if (!retry_after.empty()) kept.add("retry-after", retry_after);
  if (!retry_after_ms.empty()) kept.add("x-amz-retry-after", retry_after_ms);
  co_return wire::upstream_error(status, kept, body);
}

/// A whole (not streamed) reply: into call.reply.body, checked before anything is sent.
Task<Result<void>> Journey::take_whole(Call& call, domain::Attempt& attempt, FlowPointer& flow,
                                       base::Instant sent_at, base::Instant by) {
  std::string& body = call.reply.body;
  body.clear();
  for (;;) {
    CO_TRY(const std::string_view piece, co_await flow->next(by));
    if (piece.empty()) break;
    if (attempt.first_byte == base::Duration{}) note_first_byte(call, attempt, sent_at);
    if (body.size() + piece.size() > reply_bytes_max)
      co_return base::fail(Code::upstream_malformed, "the reply is longer than 64 MiB");
    if (body.empty()) body.reserve(piece.size() + wire::body_padding);
    body.append(piece);
  }
  body.reserve(body.size() + wire::body_padding);
  call.usage = body_reader_.usage(upstream_operation(call.inference), body);
  const bool tells_usage =
      call.inference.operation != Operation::invoke_model || call.inference.model->body_dialect == "anthropic";
  if (!call.usage.known && tells_usage)
    co_return base::fail(Code::upstream_malformed, "the reply cannot be read or tells no usage");
  if (call.inference.operation == Operation::chat_completions) {
    CO_TRY(body, wire::chat_completion(body, completion_of(call)));
  }
  upstream::finish(std::move(flow));
  co_return Result<void>{};
}

/// A streamed reply: whole frames go on as they come; the frame that completes it is held back for the record.
Task<Result<void>> Journey::take_stream(Call& call, ReplySink& sink, domain::Attempt& attempt, FlowPointer& flow,
                                        base::Instant sent_at, base::Instant by) {
  const bool chat = call.inference.operation == Operation::chat_completions;
  const base::Duration chunk_wait = call.snapshot->config.deadlines.chunk;
  wire::StreamWatch watch(upstream_operation(call.inference));
  std::optional<wire::ChatStream> translator;
  if (chat) translator.emplace(completion_of(call), wire::asks_for_usage(call.request.body));
  std::string carried;     // the beginning of a frame whose end has not come
  std::string translated;  // chat only
  const auto broken = [&call](base::Error error) {
    if (!call.reply.begun || error.code == Code::caller_gone) return base::fail(std::move(error));
    return base::fail(base::error_after(error, Code::stream_cut, "The stream was cut by the Region: "));
  };

  while (!watch.complete()) {
    Result<std::string_view> piece = co_await flow->next(by);
    if (!piece) co_return broken(std::move(piece).error());
    if (piece->empty()) co_return broken(base::error(Code::upstream_cut, "it ended before it was complete"));
    std::string_view bytes = *piece;
    if (!carried.empty()) {
      carried.append(bytes);
      bytes = carried;
    }
    std::size_t whole = 0;  // bytes of whole frames that may go on
    std::size_t consumed = 0;
    translated.clear();
    while (consumed < bytes.size()) {
      Result<std::optional<wire::Frame>> frame = wire::read_frame(bytes.substr(consumed));
      if (!frame) co_return broken(std::move(frame).error());
      if (!frame->has_value()) break;
      if (Result<void> seen = watch.see(**frame); !seen) co_return broken(std::move(seen).error());
      consumed += (*frame)->bytes.size();
      std::string& target = watch.complete() ? call.reply.held : translated;
      if (chat) {
        if (Result<void> done = translator->on_frame(**frame, target); !done)
          co_return broken(std::move(done).error());
      } else if (watch.complete()) {
        call.reply.held.append((*frame)->bytes);
      } else {
        whole = consumed;
      }
      ++call.pieces_forwarded;
      if (call.reply.held.size() > held_bytes_max)
        co_return broken(base::error(Code::upstream_malformed, "too much follows the end of the stream"));
    }
    if (attempt.first_byte == base::Duration{} && consumed > 0) note_first_byte(call, attempt, sent_at);

    const std::string_view outgoing = chat ? std::string_view{translated} : bytes.substr(0, whole);
    if (!outgoing.empty()) {
      bool taken = true;
      if (!call.reply.begun) {
        call.reply.begun = true;
        call.served_by = attempt.region;
        call.first_byte_at = parts_.reactor.clock.now();
        call.reply.content_type = chat ? "text/event-stream; charset=utf-8" : "application/vnd.amazon.eventstream";
        const ReplyHead head = reply_head(call);
        taken = co_await sink.begin(head, outgoing);
      } else {
        taken = co_await sink.piece(outgoing);
      }
      if (!taken)
        co_return base::fail(Code::caller_gone, "The caller closed the connection before the stream ended.");
    }
    if (carried.empty()) {
      carried.assign(bytes.substr(consumed));
    } else {
      carried.erase(0, consumed);
    }
    if (call.reply.begun) by = std::min(parts_.reactor.clock.now() + chunk_wait, call.give_up_at);
  }

  call.usage = watch.usage();
  if (chat) translator->finish(call.usage, call.reply.held);
  if (!call.reply.begun) {
    // So short that it came at once: the head goes out with nothing, the rest after the record.
    call.reply.begun = true;
    call.served_by = attempt.region;
    call.first_byte_at = parts_.reactor.clock.now();
    call.reply.content_type = chat ? "text/event-stream; charset=utf-8" : "application/vnd.amazon.eventstream";
    const ReplyHead head = reply_head(call);
    if (!co_await sink.begin(head, {}))
      co_return base::fail(Code::caller_gone, "The caller closed the connection.");
  }
  // The Region's own end usually came with the last frame; only then is the connection worth keeping.
  const Result<std::string_view> rest = co_await flow->next(parts_.reactor.clock.now() + base::seconds{1});
  if (rest && rest->empty()) upstream::finish(std::move(flow));
  co_return Result<void>{};
}

}  // namespace portolan::gateway
