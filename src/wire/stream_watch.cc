// SPDX-License-Identifier: Apache-2.0
#include "wire/stream_watch.h"

#include <algorithm>
#include <fmt/format.h>
#include <limits>
#include <simdjson.h>

#include "base/bytes.h"
#include "base/json_text.h"
#include "wire/errors.h"

namespace portolan::wire {
namespace {

namespace dom = simdjson::dom;
using base::Code;
using base::fail;
using base::Result;
using domain::Operation;

constexpr std::size_t message_bytes_max = 1024;

/// How a chunk with a piece of a content block begins, when written without spaces: {"bytes":" and the base64 of
/// {"type":"content_block_. Nearly every chunk does, and none of them matters here: 24 bytes tell, nothing is
/// decoded.
constexpr std::string_view content_chunk_prefix = R"({"bytes":"eyJ0eXBlIjoiY29udGVudF9ibG9j)";

/// Native events hold something of interest only if one of these names appears in them.
constexpr std::string_view metrics_member = "amazon-bedrock-invocationMetrics";
constexpr std::string_view usage_member = "\"usage\"";

std::unexpected<base::Error> unreadable(std::string_view what) {
  return fail(Code::upstream_malformed,
              fmt::format("the Region's stream holds a {} event that cannot be read", what));
}

// False when the member is there but is no count.
bool read_count(dom::object object, std::string_view name, std::uint32_t& count) {
  dom::element element;
  if (object[name].get(element) || element.is_null()) return true;
  std::uint64_t value = 0;
  if (element.get(value)) return false;
  count = static_cast<std::uint32_t>(std::min<std::uint64_t>(value, std::numeric_limits<std::uint32_t>::max()));
  return true;
}

bool read_converse_usage(dom::object usage, domain::Usage& read) {
  read.known = true;
  return read_count(usage, "inputTokens", read.input_tokens) &&
         read_count(usage, "outputTokens", read.output_tokens) &&
         read_count(usage, "cacheReadInputTokens", read.cache_read_tokens) &&
         read_count(usage, "cacheWriteInputTokens", read.cache_write_tokens);
}

bool read_anthropic_usage(dom::object usage, domain::Usage& read) {
  return read_count(usage, "input_tokens", read.input_tokens) &&
         read_count(usage, "output_tokens", read.output_tokens) &&
         read_count(usage, "cache_read_input_tokens", read.cache_read_tokens) &&
         read_count(usage, "cache_creation_input_tokens", read.cache_write_tokens);
}

bool read_metrics(dom::object metrics, domain::Usage& read) {
  read.known = true;
  return read_count(metrics, "inputTokenCount", read.input_tokens) &&
         read_count(metrics, "outputTokenCount", read.output_tokens) &&
         read_count(metrics, "cacheReadInputTokenCount", read.cache_read_tokens) &&
         read_count(metrics, "cacheWriteInputTokenCount", read.cache_write_tokens);
}

void read_text(simdjson::simdjson_result<dom::element> element, std::string& text) {
  std::string_view value;
  if (!element.get(value)) text = value;
}

base::Error exception(const Frame& frame) {
  dom::parser parser;
  dom::element payload;
  std::string message;
  if (!parser.parse(frame.payload.data(), frame.payload.size()).get(payload))
    read_text(payload["message"], message);
  message.resize(base::cut_text(message, message_bytes_max).size());
  if (message.empty()) message = fmt::format("the Region ended the stream with {} and no message", frame.type);
  return base::error(exception_code(frame.type), std::move(message));
}

}  // namespace

Result<void> StreamWatch::see(const Frame& frame) {
  if (frame.message_type != "event") return fail(exception(frame));
  const bool is_invoke = operation_ == Operation::invoke_model || operation_ == Operation::invoke_model_stream;
  return is_invoke ? see_chunk(frame) : see_converse_event(frame);
}

Result<void> StreamWatch::see_converse_event(const Frame& frame) {
  const bool is_end = frame.type == "metadata";
  if (!is_end && frame.type != "messageStop") return {};
  dom::parser parser;
  dom::object event;
  if (parser.parse(frame.payload.data(), frame.payload.size()).get(event)) return unreadable(frame.type);
  if (!is_end) {
    read_text(event["stopReason"], stop_reason_);
    return {};
  }
  if (dom::object usage; !event["usage"].get(usage) && !read_converse_usage(usage, usage_))
    return unreadable(frame.type);
  complete_ = true;
  return {};
}

Result<void> StreamWatch::see_chunk(const Frame& frame) {
  if (frame.type != "chunk" || frame.payload.starts_with(content_chunk_prefix)) return {};
  dom::parser parser;
  dom::object event;
  std::string_view base64;
  std::string native;
  if (parser.parse(frame.payload.data(), frame.payload.size()).get(event) || event["bytes"].get(base64) ||
      !base::from_base64(base64, native))
    return unreadable(frame.type);
  if (!native.contains(metrics_member) && !native.contains(usage_member)) return {};

  if (parser.parse(native).get(event)) return unreadable(frame.type);
  // Only members at their own place count: the same words inside generated text are just words.
  bool is_sound = true;
  if (dom::object usage; !event["message"]["usage"].get(usage)) is_sound = read_anthropic_usage(usage, usage_);
  if (dom::object usage; is_sound && !event["usage"].get(usage)) {
    is_sound = read_anthropic_usage(usage, usage_);
    usage_.known = true;
  }
  read_text(event["delta"]["stop_reason"], stop_reason_);
  if (dom::object metrics; is_sound && !event[metrics_member].get(metrics)) {
    is_sound = read_metrics(metrics, usage_);
    complete_ = true;
  }
  if (!is_sound) return unreadable(frame.type);
  return {};
}

}  // namespace portolan::wire
