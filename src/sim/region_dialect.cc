// SPDX-License-Identifier: Apache-2.0
#include "sim/region_dialect.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "sim/region_frames.h"

namespace portolan::sim {
namespace {

using Json = nlohmann::json;

std::unexpected<Refusal> invalid(std::string message) {
  return std::unexpected(Refusal{400, "ValidationException", std::move(message)});
}

bool anthropic(RegionOperation operation) {
  return operation == RegionOperation::invoke || operation == RegionOperation::invoke_stream;
}

const Json* member(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto at = object.find(name);
  return at == object.end() ? nullptr : &*at;
}

// The texts of a content value: a string (Anthropic), or a list of blocks with a "text". `last` keeps the last one.
std::size_t text_bytes(const Json& content, std::string* last) {
  if (content.is_string()) {
    const auto& text = content.get_ref<const std::string&>();
    if (last != nullptr) *last = text;
    return text.size();
  }
  std::size_t bytes = 0;
  if (!content.is_array()) return 0;
  for (const Json& block : content) {
    const Json* text = member(block, "text");
    if (text == nullptr || !text->is_string()) continue;
    bytes += text->get_ref<const std::string&>().size();
    if (last != nullptr) *last = text->get_ref<const std::string&>();
  }
  return bytes;
}

std::expected<std::uint32_t, Refusal> read_limit(const Json* limit, const char* field) {
  if (limit == nullptr) return 0;
  if (!limit->is_number_integer() || limit->get<std::int64_t>() < 1 || limit->get<std::int64_t>() > 1'000'000'000)
    return invalid(fmt::format("{}: must be an integer of at least 1", field));
  return limit->get<std::uint32_t>();
}

std::string_view stop_reason(const AnswerFacts& facts) {
  return facts.truncated ? "max_tokens" : "end_turn";
}

// "claude-sonnet-4-5-20250929" of "anthropic.claude-sonnet-4-5-20250929-v1:0".
std::string_view native_model(std::string_view model) {
  model.remove_prefix(model.find('.') == std::string_view::npos ? 0 : model.find('.') + 1);
  return model.substr(0, model.find("-v1:"));
}

// The random padding that real events carry, so that their length does not give the token away.
std::string_view padding(std::size_t of) {
  constexpr std::string_view alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  return alphabet.substr(0, 1 + of * 7 % 30);
}

void append_chunk(const std::string& native, std::string& out) {
  append_event(
      "chunk",
      fmt::format(R"({{"bytes":"{}","p":"{}"}})", base::to_base64(base::as_bytes(native)), padding(native.size())),
      out);
}

std::string converse_usage(const AnswerFacts& facts) {
  return fmt::format(R"({{"inputTokens":{},"outputTokens":{},"totalTokens":{},"cacheReadInputTokens":0,)"
                     R"("cacheWriteInputTokens":0}})",
                     facts.input_tokens, facts.output_tokens, facts.input_tokens + facts.output_tokens);
}

}  // namespace

std::string_view name(RegionOperation operation) {
  switch (operation) {
    case RegionOperation::invoke:
      return "InvokeModel";
    case RegionOperation::invoke_stream:
      return "InvokeModelWithResponseStream";
    case RegionOperation::converse:
      return "Converse";
    case RegionOperation::converse_stream:
      return "ConverseStream";
  }
  return "?";
}

bool streams(RegionOperation operation) {
  return operation == RegionOperation::invoke_stream || operation == RegionOperation::converse_stream;
}

std::optional<RegionTarget> parse_region_target(std::string_view target) {
  constexpr std::string_view root = "/model/";
  target = target.substr(0, target.find('?'));
  if (!target.starts_with(root)) return std::nullopt;
  target.remove_prefix(root.size());
  const std::size_t slash = target.rfind('/');
  if (slash == std::string_view::npos || slash == 0 || slash > 2048 * 3) return std::nullopt;
  const std::string_view verb = target.substr(slash + 1);
  RegionTarget found;
  if (verb == "invoke")
    found.operation = RegionOperation::invoke;
  else if (verb == "invoke-with-response-stream")
    found.operation = RegionOperation::invoke_stream;
  else if (verb == "converse")
    found.operation = RegionOperation::converse;
  else if (verb == "converse-stream")
    found.operation = RegionOperation::converse_stream;
  else
    return std::nullopt;
  if (!base::percent_decode(target.substr(0, slash), found.model)) return std::nullopt;
  return found;
}

std::expected<Question, Refusal> read_question(RegionOperation operation, std::string_view body) {
  const Json request = Json::parse(body, nullptr, false);
  if (!request.is_object()) return invalid("The request body is not a JSON object.");
  Question question;
  std::size_t bytes = 0;
  if (const Json* system = member(request, "system")) bytes += text_bytes(*system, nullptr);
  const Json* messages = member(request, "messages");
  if (messages == nullptr || !messages->is_array() || messages->empty())
    return invalid("messages: at least one message is required");
  for (const Json& message : *messages) {
    const Json* role = member(message, "role");
    const Json* content = member(message, "content");
    if (role == nullptr || !role->is_string() || content == nullptr)
      return invalid("messages: each message needs a role and a content");
    if (!content->is_array() && !(anthropic(operation) && content->is_string()))
      return invalid("messages: content is not a list of blocks");
    bytes += text_bytes(*content, *role == "user" ? &question.prompt : nullptr);
  }
  question.input_tokens = count_tokens(bytes);

  const Json* limit = nullptr;
  if (anthropic(operation)) {
    if (member(request, "anthropic_version") == nullptr) return invalid("anthropic_version: Field required");
    limit = member(request, "max_tokens");
    if (limit == nullptr) return invalid("max_tokens: Field required");
  } else if (const Json* config = member(request, "inferenceConfig")) {
    limit = member(*config, "maxTokens");
  }
  auto read = read_limit(limit, anthropic(operation) ? "max_tokens" : "inferenceConfig.maxTokens");
  if (!read) return std::unexpected(std::move(read).error());
  question.output_tokens_max = *read;
  return question;
}

std::string answer_body(RegionOperation operation, const AnswerFacts& facts, std::string_view text) {
  if (!anthropic(operation))
    return fmt::format(
        R"({{"output":{{"message":{{"role":"assistant","content":[{{"text":"{}"}}]}}}},"stopReason":"{}","usage":{},)"
        R"("metrics":{{"latencyMs":{}}}}})",
        text, stop_reason(facts), converse_usage(facts), facts.latency_ms);
  return fmt::format(
      R"({{"model":"{}","id":"msg_bdrk_{}","type":"message","role":"assistant","content":[{{"type":"text","text":"{}"}}],)"
      R"("stop_reason":"{}","stop_sequence":null,"usage":{{"input_tokens":{},"cache_creation_input_tokens":0,)"
      R"("cache_read_input_tokens":0,"output_tokens":{}}}}})",
      native_model(facts.model), facts.request_id, text, stop_reason(facts), facts.input_tokens,
      facts.output_tokens);
}

void append_stream_start(RegionOperation operation, const AnswerFacts& facts, std::string& out) {
  if (!anthropic(operation)) {
    append_event("messageStart", R"({"p":"abcdefgh","role":"assistant"})", out);
    return;
  }
  append_chunk(
      fmt::format(
          R"({{"type":"message_start","message":{{"model":"{}","id":"msg_bdrk_{}","type":"message",)"
          R"("role":"assistant","content":[],"stop_reason":null,"stop_sequence":null,"usage":)"
          R"({{"input_tokens":{},"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":1}}}}}})",
          native_model(facts.model), facts.request_id, facts.input_tokens),
      out);
  append_chunk(R"({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}})", out);
}

void append_stream_delta(RegionOperation operation, std::string_view token, std::string& out) {
  if (!anthropic(operation))
    append_event(
        "contentBlockDelta",
        fmt::format(R"({{"contentBlockIndex":0,"delta":{{"text":"{}"}},"p":"{}"}})", token, padding(token.size())),
        out);
  else
    append_chunk(
        fmt::format(R"({{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"{}"}}}})",
                    token),
        out);
}

void append_stream_end(RegionOperation operation, const AnswerFacts& facts, std::string& out) {
  if (!anthropic(operation)) {
    append_event("contentBlockStop", R"({"contentBlockIndex":0,"p":"abcd"})", out);
    append_event("messageStop", fmt::format(R"({{"p":"abcdef","stopReason":"{}"}})", stop_reason(facts)), out);
    append_event("metadata",
                 fmt::format(R"({{"metrics":{{"latencyMs":{}}},"p":"abc","usage":{}}})", facts.latency_ms,
                             converse_usage(facts)),
                 out);
    return;
  }
  append_chunk(R"({"type":"content_block_stop","index":0})", out);
  append_chunk(
      fmt::format(
          R"({{"type":"message_delta","delta":{{"stop_reason":"{}","stop_sequence":null}},"usage":{{"output_tokens":{}}}}})",
          stop_reason(facts), facts.output_tokens),
      out);
  append_chunk(fmt::format(R"({{"type":"message_stop","amazon-bedrock-invocationMetrics":{{"inputTokenCount":{},)"
                           R"("outputTokenCount":{},"invocationLatency":{},"firstByteLatency":{}}}}})",
                           facts.input_tokens, facts.output_tokens, facts.latency_ms, facts.first_token_ms),
               out);
}

std::string error_body(std::string_view message) {
  return Json{{"message", message}}.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace portolan::sim
