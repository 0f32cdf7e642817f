// SPDX-License-Identifier: Apache-2.0
// Converse replies and event streams as chat completions.
#include <fmt/format.h>
#include <simdjson.h>
#include <utility>

#include "base/bytes.h"
#include "base/json_text.h"
#include "wire/errors.h"
#include "wire/openai.h"
#include "wire/usage.h"

namespace portolan::wire {
namespace {

namespace dom = simdjson::dom;
using base::append_json_string;
using base::Code;
using base::fail;
using base::Result;

std::unexpected<base::Error> unreadable(std::string_view what) {
  return fail(Code::upstream_malformed, fmt::format("the Region's {} cannot be read as Converse", what));
}

// {"id":…,"object":…,"created":…,"model":…,"choices":[ — as every completion and every chunk begins.
void append_opening(std::string& out, const Completion& completion, std::string_view object) {
  out += R"({"id":)";
  append_json_string(out, completion.id);
  out += R"(,"object":)";
  append_json_string(out, object);
  out += R"(,"created":)";
  fmt::format_to(std::back_inserter(out), "{}", completion.created_s);
  out += R"(,"model":)";
  append_json_string(out, completion.model);
  out += R"(,"choices":[)";
}

// Converse counts what was read from and written to a cache apart from inputTokens; OpenAI's prompt_tokens holds
// all.
void append_usage(std::string& out, const domain::Usage& usage) {
  const std::uint64_t prompt =
      std::uint64_t{usage.input_tokens} + usage.cache_read_tokens + usage.cache_write_tokens;
  out += R"("usage":{"prompt_tokens":)";
  base::append_number(out, prompt);
  out += R"(,"completion_tokens":)";
  base::append_number(out, usage.output_tokens);
  out += R"(,"total_tokens":)";
  base::append_number(out, prompt + usage.output_tokens);
  out += R"(,"prompt_tokens_details":{"cached_tokens":)";
  base::append_number(out, usage.cache_read_tokens);
  out += "}}";
}

// What is no text (reasoning, above all) has no place in a text completion.
std::string text_of(dom::array blocks) {
  std::string text;
  for (const dom::element block : blocks)
    if (std::string_view piece; !block["text"].get(piece)) text += piece;
  return text;
}

}  // namespace

std::string_view finish_reason(std::string_view stop_reason) {
  if (stop_reason == "max_tokens" || stop_reason == "model_context_window_exceeded") return "length";
  if (stop_reason == "guardrail_intervened" || stop_reason == "content_filtered") return "content_filter";
  if (stop_reason == "tool_use") return "tool_calls";
  return "stop";
}

Result<std::string> chat_completion(std::string_view converse_body, const Completion& completion) {
  dom::parser parser;
  dom::element reply;
  dom::array blocks;
  std::string_view stop_reason;
  if (parser.parse(converse_body.data(), converse_body.size()).get(reply) ||
      reply["output"]["message"]["content"].get(blocks) || reply["stopReason"].get(stop_reason))
    return unreadable("reply");
  std::string out;
  out.reserve(converse_body.size() + 512);
  append_opening(out, completion, "chat.completion");
  out += R"({"index":0,"message":{"role":"assistant","content":)";
  append_json_string(out, text_of(blocks));
  out += R"(,"refusal":null},"logprobs":null,"finish_reason":)";
  append_json_string(out, finish_reason(stop_reason));
  out += "}]";
  if (dom::object counts; !reply["usage"].get(counts)) {
    domain::Usage usage;
    if (!read_usage(counts, converse_usage, usage)) return unreadable("usage");
    out += ',';
    append_usage(out, usage);
  }
  out += '}';
  return out;
}

struct ChatStream::Parser {
  dom::parser json;
};

ChatStream::ChatStream(const Completion& completion, bool include_usage)
    : parser_(std::make_unique<Parser>()), prefix_("data: "), include_usage_(include_usage) {
  append_opening(prefix_, completion, "chat.completion.chunk");
}
ChatStream::~ChatStream() = default;
ChatStream::ChatStream(ChatStream&&) noexcept = default;
ChatStream& ChatStream::operator=(ChatStream&&) noexcept = default;

void ChatStream::begin_chunk(std::string& out) const {
  out += prefix_;
  out += R"({"index":0,"delta":)";
}

void ChatStream::end_chunk(std::string& out, std::string_view finish_reason_json) const {
  out += R"(,"logprobs":null,"finish_reason":)";
  out += finish_reason_json;
  out += include_usage_ ? "}],\"usage\":null}\n\n" : "}]}\n\n";
}

void ChatStream::append_role(std::string& out) {
  if (std::exchange(role_sent_, true)) return;
  begin_chunk(out);
  out += R"({"role":"assistant","content":""})";
  end_chunk(out, "null");
}

Result<void> ChatStream::on_frame(const Frame& frame, std::string& out) {
  if (frame.message_type != "event") return fail(stream_exception(frame));
  if (frame.type == "messageStart") {
    append_role(out);
    return {};
  }
  const bool is_stop = frame.type == "messageStop";
  if (!is_stop && frame.type != "contentBlockDelta") return {};

  dom::element event;
  if (parser_->json.parse(frame.payload.data(), frame.payload.size()).get(event) || !event.is_object())
    return unreadable("stream");
  std::string_view text;
  if (is_stop) {
    if (event["stopReason"].get(text)) return unreadable("stream");
    append_role(out);
    begin_chunk(out);
    out += "{}";
    end_chunk(out, fmt::format("\"{}\"", finish_reason(text)));
  } else if (!event["delta"]["text"].get(text)) {
    append_role(out);
    begin_chunk(out);
    out += R"({"content":)";
    append_json_string(out, text);
    out += '}';
    end_chunk(out, "null");
  }
  return {};
}

void ChatStream::finish(const domain::Usage& usage, std::string& out) {
  if (include_usage_ && usage.known) {
    out += prefix_;
    out += "],";
    append_usage(out, usage);
    out += "}\n\n";
  }
  out += "data: [DONE]\n\n";
}

}  // namespace portolan::wire
