// SPDX-License-Identifier: Apache-2.0
#include "wire/stream_watch.h"

#include <algorithm>
#include <fmt/format.h>
#include <limits>
#include <simdjson.h>

#include "base/bytes.h"
#include "wire/errors.h"
#include "wire/usage.h"

namespace portolan::wire {
namespace {

namespace dom = simdjson::dom;
using base::Code;
using base::fail;
using base::Result;
using domain::Operation;

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

void read_text(simdjson::simdjson_result<dom::element> element, std::string& text) {
  std::string_view value;
  if (!element.get(value)) text = value;
}

}  // namespace

Result<void> StreamWatch::see(const Frame& frame) {
  if (frame.message_type != "event") return fail(stream_exception(frame));
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
  if (dom::object usage; !event["usage"].get(usage)) {
    if (!read_usage(usage, converse_usage, usage_)) return unreadable(frame.type);
    usage_.known = true;
  }
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
  if (dom::object usage; !event["message"]["usage"].get(usage))
    is_sound = read_usage(usage, anthropic_usage, usage_);
  if (dom::object usage; is_sound && !event["usage"].get(usage)) {
    is_sound = read_usage(usage, anthropic_usage, usage_);
    usage_.known = true;
  }
  read_text(event["delta"]["stop_reason"], stop_reason_);
  if (dom::object metrics; is_sound && !event[metrics_member].get(metrics)) {
    is_sound = read_usage(metrics, invocation_metrics, usage_);
    usage_.known = true;
    complete_ = true;
  }
  if (!is_sound) return unreadable(frame.type);
  return {};
}

}  // namespace portolan::wire
