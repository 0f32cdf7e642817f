// SPDX-License-Identifier: Apache-2.0
#include "sim/region_exchange.h"

#include <algorithm>

#include "sim/region_frames.h"

namespace portolan::sim {
namespace {

constexpr std::size_t backlog_max = 256 * 1024;
constexpr auto backlog_wait = std::chrono::milliseconds{5};

std::string_view outcome_of(const Refusal& refusal) {
  if (refusal.type == "ThrottlingException") return "throttled";
  if (refusal.type == "ServiceUnavailableException") return "unavailable";
  if (refusal.type == "ResourceNotFoundException") return "absent";
  if (refusal.type == "InvalidSignatureException" || refusal.type == "UnrecognizedClientException" ||
      refusal.type == "IncompleteSignatureException" || refusal.type == "MissingAuthenticationTokenException")
    return "bad_signature";
  if (refusal.type == "ValidationException" || refusal.type == "UnknownOperationException") return "invalid";
  return "error";
}

}  // namespace

Exchange::Exchange(const boost::asio::any_io_executor& executor, RegionParts parts, ReplyChannel& channel,
                   std::string operation, std::string request_id)
    : timer_(executor),
      parts_(parts),
      channel_(&channel),
      operation_name_(std::move(operation)),
      request_id_(std::move(request_id)) {}

Exchange::~Exchange() {
  if (generation_) parts_.model.finish(*generation_, tokens_sent_, parts_.clock.now());
}

void Exchange::wait_until(RealTime at, void (Exchange::*then)()) {
  timer_.expires_at(at);
  timer_.async_wait([self = shared_from_this(), then](boost::system::error_code failure) {
    if (!failure && self->channel_ != nullptr) ((*self).*then)();
  });
}

void Exchange::begin_after(base::Duration real, void (Exchange::*then)()) {
  // Without modelled latency a reply costs no turn of the event loop.
  if (real <= base::Duration::zero()) return (this->*then)();
  wait_until(due_, then);
}

base::Duration Exchange::slowed(base::Duration duration) const {
  return plan_.slow == 1
             ? duration
             : base::Duration{static_cast<std::int64_t>(static_cast<double>(duration.count()) * plan_.slow)};
}

void Exchange::refuse(Refusal refusal, base::Duration delay) {
  refusal_ = std::move(refusal);
  const base::Duration real = parts_.clock.to_real(delay);
  due_ = std::chrono::steady_clock::now() + real;
  begin_after(real, &Exchange::send_refusal);
}

void Exchange::send_refusal() {
  const std::string_view outcome = outcome_of(refusal_);
  if (outcome == "bad_signature") ++parts_.counts.bad_signatures;
  parts_.counts.count(operation_name_, outcome);
  const std::string body = error_body(refusal_.message);
  ReplyChannel& channel = *std::exchange(channel_, nullptr);
  channel.send_head(
      {.status = refusal_.status,
       .headers = {{"content-type", "application/json"},
                   {"x-amzn-requestid", request_id_},
                   {"x-amzn-errortype", refusal_.type + ":http://internal.amazon.com/coral/com.amazon.bedrock/"}},
       .content_length = body.size()});
  channel.send_body(body);
  channel.finish();
}

void Exchange::answer(RegionOperation operation, Generation generation, FaultPlan plan) {
  operation_ = operation;
  plan_ = std::move(plan);
  model_ = generation.model;
  generation_ = std::move(generation);
  first_token_ = plan_.first_token ? *plan_.first_token : slowed(generation_->first_token);
  latency_ = first_token_;
  base::Duration until_first_byte = slowed(generation_->round_trip) + first_token_;
  if (!streams(operation)) {
    for (std::uint32_t i = 1; i < generation_->output_tokens; ++i) {
      const base::Duration gap = slowed(parts_.model.next_gap(*generation_));
      if (gap == base::Duration::zero()) break;
      latency_ += gap;
    }
    until_first_byte += latency_ - first_token_;
  }
  const base::Duration real = parts_.clock.to_real(until_first_byte);
  due_ = std::chrono::steady_clock::now() + real;
  begin_after(real, streams(operation) ? &Exchange::begin_stream : &Exchange::send_whole);
}

AnswerFacts Exchange::facts() const {
  return {.model = model_,
          .request_id = request_id_,
          .input_tokens = generation_->input_tokens,
          .output_tokens = generation_->output_tokens,
          .truncated = generation_->truncated,
          .latency_ms = latency_ / base::milliseconds{1},
          .first_token_ms = first_token_ / base::milliseconds{1}};
}

ReplyHead Exchange::success_head(std::string_view content_type) const {
  return {.status = 200,
          .headers = {{"content-type", std::string(content_type)}, {"x-amzn-requestid", request_id_}}};
}

void Exchange::begin_stream() {
  ReplyHead head = success_head("application/vnd.amazon.eventstream");
  if (operation_ == RegionOperation::invoke_stream)
    head.headers.emplace_back("x-amzn-bedrock-content-type", "application/json");
  channel_->send_head(head);
  std::string start;
  append_stream_start(operation_, facts(), start);
  channel_->send_body(start);
  continue_stream();
}

void Exchange::continue_stream() {
  const RealTime now = std::chrono::steady_clock::now();
  while (tokens_sent_ < generation_->output_tokens && due_ <= now && channel_->backlog() < backlog_max) {
    if (plan_.cut_after == tokens_sent_) {
      ReplyChannel& channel = *std::exchange(channel_, nullptr);
      end_generation("cut");
      channel.flush();
      return channel.close_when_sent();
    }
    if (plan_.stall_after == tokens_sent_) {
      stalled_ = true;
      parts_.counts.count(operation_name_, "stalled");
      return channel_->flush();  // and hold the place until the caller goes
    }
    std::string delta;
    append_stream_delta(operation_, answer_token(generation_->text_key, tokens_sent_), delta);
    if (plan_.malformed) break_last_crc(delta);
    channel_->send_body(delta);
    if (++tokens_sent_ == generation_->output_tokens) break;
    const base::Duration gap = slowed(parts_.model.next_gap(*generation_));
    latency_ += gap;
    due_ += parts_.clock.to_real(gap);
  }
  if (tokens_sent_ < generation_->output_tokens) {
    channel_->flush();
    return wait_until(std::max(due_, now + (due_ <= now ? backlog_wait : base::Duration{})),
                      &Exchange::continue_stream);
  }
  std::string end;
  append_stream_end(operation_, facts(), end);
  ReplyChannel& channel = *std::exchange(channel_, nullptr);
  end_generation(plan_.malformed ? "malformed" : "served");
  channel.send_body(end);
  channel.finish();
}

void Exchange::send_whole() {
  tokens_sent_ = generation_->output_tokens;
  const AnswerFacts answer = facts();
  std::string body = answer_body(operation_, answer, answer_text(generation_->text_key, answer.output_tokens));
  ReplyHead head = success_head("application/json");
  if (operation_ == RegionOperation::invoke) {
    head.headers.emplace_back("x-amzn-bedrock-invocation-latency", std::to_string(answer.latency_ms));
    head.headers.emplace_back("x-amzn-bedrock-input-token-count", std::to_string(answer.input_tokens));
    head.headers.emplace_back("x-amzn-bedrock-output-token-count", std::to_string(answer.output_tokens));
  }
  const bool cut = plan_.cut_after && *plan_.cut_after < answer.output_tokens;
  const bool stall = plan_.stall_after && *plan_.stall_after < answer.output_tokens;
  if (plan_.malformed) body.resize(body.size() / 2);
  head.content_length = body.size();
  channel_->send_head(head);
  // A body that is not streamed has no tokens to count on the wire: half of it stands for "after some tokens".
  channel_->send_body(cut || stall ? std::string_view(body).substr(0, body.size() / 2) : body);
  if (stall && !cut) {
    stalled_ = true;
    parts_.counts.count(operation_name_, "stalled");
    return channel_->flush();
  }
  ReplyChannel& channel = *std::exchange(channel_, nullptr);
  end_generation(cut ? "cut" : plan_.malformed ? "malformed" : "served");
  if (!cut) return channel.finish();
  channel.flush();
  channel.close_when_sent();
}

void Exchange::end_generation(std::string_view outcome) {
  if (!stalled_) parts_.counts.count(operation_name_, outcome);
  if (auto at = parts_.counts.models.find(model_); at != parts_.counts.models.end())
    at->second.output_tokens += tokens_sent_;
  parts_.model.finish(*generation_, tokens_sent_, parts_.clock.now());
  generation_.reset();
}

void Exchange::abandon() {
  if (channel_ == nullptr) return;
  channel_ = nullptr;
  timer_.cancel();
  if (generation_)
    end_generation("abandoned");
  else
    parts_.counts.count(operation_name_, "abandoned");
}

}  // namespace portolan::sim
