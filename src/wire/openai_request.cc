// SPDX-License-Identifier: Apache-2.0
// A chat completions body as a Converse body.
#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <limits>
#include <optional>
#include <simdjson.h>
#include <utility>

#include "base/json_text.h"
#include "wire/openai.h"

namespace portolan::wire {
namespace {

namespace dom = simdjson::dom;
using base::append_json_string;
using base::Code;
using base::fail;
using base::Result;

constexpr std::size_t stop_sequences_max = 4;  // OpenAI's own limit
constexpr std::size_t quoted_name_bytes_max = 64;

/// Members that Converse has a place for. Each may be given once.
enum class Carried : std::uint8_t { messages, max_tokens, max_completion_tokens, temperature, top_p, stop };
constexpr auto carried_names = std::to_array<std::string_view>(
    {"messages", "max_tokens", "max_completion_tokens", "temperature", "top_p", "stop"});

/// Members that do not change what the model says: read elsewhere, labels, or hints about cost and caches.
/// parallel_tool_calls speaks of tools, which are refused.
constexpr auto inert_names = std::to_array<std::string_view>(
    {"model", "stream", "stream_options", "user", "metadata", "store", "service_tier", "safety_identifier",
     "prompt_cache_key", "prompt_cache_retention", "parallel_tool_calls"});

std::unexpected<base::Error> invalid(std::string_view member, std::string_view what) {
  return fail(Code::invalid_field, fmt::format("{}: {}", member, what));
}

std::unexpected<base::Error> unsupported(std::string_view parent, std::string_view name) {
  return fail(Code::invalid_field,
              fmt::format("{}{}: not supported in chat completions here; POST /model/{{modelId}}/converse "
                          "takes all that the model offers",
                          parent, base::cut_text(name, quoted_name_bytes_max)));
}

bool is_text(dom::element element, std::string_view text) {
  std::string_view value;
  return !element.get(value) && value == text;
}

bool is_zero(dom::element element) {
  double value = 1;
  return !element.get(value) && value == 0;
}

// Nothing, however it is written: null, [] and {} ask for what happens anyway.
bool is_nothing(dom::element element) {
  switch (element.type()) {
    case dom::element_type::NULL_VALUE:
      return true;
    case dom::element_type::ARRAY:
      return dom::array(element).size() == 0;
    case dom::element_type::OBJECT:
      return dom::object(element).size() == 0;
    default:
      return false;
  }
}

// Whether `value` says of a member without a counterpart what holds in Converse anyway.
bool asks_for_the_usual(std::string_view name, dom::element value) {
  if (is_nothing(value)) return true;
  if (name == "n") {
    std::uint64_t n = 0;
    return !value.get(n) && n == 1;
  }
  if (name == "logprobs") {
    bool flag = true;
    return !value.get(flag) && !flag;
  }
  if (name == "top_logprobs" || name == "frequency_penalty" || name == "presence_penalty") return is_zero(value);
  if (name == "tool_choice" || name == "function_call") return is_text(value, "none") || is_text(value, "auto");
  if (name == "response_format") {
    dom::element type;
    return !value["type"].get(type) && is_text(type, "text");
  }
  if (name == "modalities") {
    dom::array modalities;
    return !value.get(modalities) &&
           std::ranges::all_of(modalities, [](dom::element m) { return is_text(m, "text"); });
  }
  return false;
}

class ConverseRequest {
 public:
  Result<std::string> read(dom::object body);

 private:
  enum class Role : std::uint8_t { none, system, user, assistant };

  Result<void> carry(Carried member, dom::element value);
  Result<void> read_messages(dom::element value);
  Result<void> read_message(const std::string& path, dom::object message);
  Result<void> read_content(const std::string& path, Role role, dom::element content);
  Result<void> read_part(const std::string& path, Role role, dom::element part);
  Result<void> read_limit(std::string_view name, dom::element value);
  Result<void> read_fraction(std::string_view name, std::string_view converse_name, dom::element value);
  Result<void> read_stop(dom::element value);

  void add_text(Role role, std::string_view text);
  void add_setting(std::string_view name, std::string_view json);

  std::string messages_;  // the array's inside; the last message stays open for more of its role
  std::string system_;    // the array's inside
  std::string settings_;  // inferenceConfig's inside
  Role open_role_ = Role::none;
  std::uint32_t seen_ = 0;
};

Result<std::string> ConverseRequest::read(dom::object body) {
  for (const auto [name, value] : body) {
    if (const auto* const found = std::ranges::find(carried_names, name); found != carried_names.end()) {
      const auto index = static_cast<unsigned>(found - carried_names.begin());
      if ((std::exchange(seen_, seen_ | 1U << index) >> index & 1) != 0) return invalid(name, "given twice");
      TRY_VOID(carry(static_cast<Carried>(index), value));
    } else if (std::ranges::find(inert_names, name) == inert_names.end() && !asks_for_the_usual(name, value)) {
      return unsupported("", name);
    }
  }
  if (open_role_ == Role::none) return invalid("messages", "at least one user or assistant message is required");
  std::string out = R"({"messages":[)";
  out += messages_;
  out += "]}]";
  if (!system_.empty()) out += R"(,"system":[)" + system_ + "]";
  if (!settings_.empty()) out += R"(,"inferenceConfig":{)" + settings_ + "}";
  out += '}';
  return out;
}

Result<void> ConverseRequest::carry(Carried member, dom::element value) {
  if (value.is_null() && member != Carried::messages) return {};
  switch (member) {
    case Carried::messages:
      return read_messages(value);
    case Carried::max_tokens:
      return read_limit("max_tokens", value);
    case Carried::max_completion_tokens:
      return read_limit("max_completion_tokens", value);
    case Carried::temperature:
      return read_fraction("temperature", "temperature", value);
    case Carried::top_p:
      return read_fraction("top_p", "topP", value);
    case Carried::stop:
      return read_stop(value);
  }
  std::unreachable();
}

Result<void> ConverseRequest::read_messages(dom::element value) {
  dom::array messages;
  if (value.get(messages)) return invalid("messages", "must be an array of messages");
  std::size_t index = 0;
  for (const dom::element element : messages) {
    const std::string path = fmt::format("messages[{}]", index++);
    dom::object message;
    if (element.get(message)) return invalid(path, "must be an object");
    TRY_VOID(read_message(path, message));
  }
  return {};
}

Result<void> ConverseRequest::read_message(const std::string& path, dom::object message) {
  std::optional<dom::element> role_value;
  std::optional<dom::element> content;
  for (const auto [name, value] : message) {
    std::optional<dom::element>* const slot = name == "role" ? &role_value : name == "content" ? &content : nullptr;
    if (slot == nullptr) {
      if (is_nothing(value)) continue;  // what an SDK's own message objects carry: "tool_calls": null
      return unsupported(path + ".", name);
    }
    if (slot->has_value()) return invalid(fmt::format("{}.{}", path, name), "given twice");
    *slot = value;
  }
  std::string_view role_name;
  if (!role_value || role_value->get(role_name)) return invalid(path + ".role", "this member is required");
  Role role = Role::none;
  if (role_name == "system" || role_name == "developer") role = Role::system;
  if (role_name == "user") role = Role::user;
  if (role_name == "assistant") role = Role::assistant;
  if (role == Role::none)
    return invalid(path + ".role", "must be system, developer, user or assistant: tools are not supported here");
  if (!content || content->is_null()) return invalid(path + ".content", "this member is required");
  return read_content(path + ".content", role, *content);
}

Result<void> ConverseRequest::read_content(const std::string& path, Role role, dom::element content) {
  if (std::string_view text; !content.get(text)) {
    add_text(role, text);
    return {};
  }
  dom::array parts;
  if (content.get(parts)) return invalid(path, "must be a string or an array of text parts");
  std::size_t index = 0;
  for (const dom::element part : parts) TRY_VOID(read_part(fmt::format("{}[{}]", path, index++), role, part));
  if (index == 0) return invalid(path, "at least one part is required");
  return {};
}

Result<void> ConverseRequest::read_part(const std::string& path, Role role, dom::element part) {
  std::string_view type;
  if (part["type"].get(type)) return invalid(path + ".type", "this member is required");
  if (type != "text") return invalid(path + ".type", "only text parts are supported in chat completions here");
  std::string_view text;
  if (part["text"].get(text)) return invalid(path + ".text", "must be a string");
  add_text(role, text);
  return {};
}

Result<void> ConverseRequest::read_limit(std::string_view name, dom::element value) {
  constexpr std::uint64_t limit_max = std::numeric_limits<std::int32_t>::max();
  std::uint64_t limit = 0;
  if (value.get(limit) || limit == 0 || limit > limit_max)
    return invalid(name, fmt::format("must be a whole number from 1 to {}", limit_max));
  if (settings_.contains("\"maxTokens\""))
    return invalid(name, "give max_tokens or max_completion_tokens, not both");
  add_setting("maxTokens", fmt::format("{}", limit));
  return {};
}

Result<void> ConverseRequest::read_fraction(std::string_view name, std::string_view converse_name,
                                            dom::element value) {
  double number = 0;
  if (value.get(number) || !(number >= 0 && number <= 1))
    return invalid(name, "must be a number from 0 to 1, the range of the models behind this gateway");
  add_setting(converse_name, fmt::format("{}", number));
  return {};
}

Result<void> ConverseRequest::read_stop(dom::element value) {
  std::string sequences;
  std::size_t count = 0;
  const auto add = [&](dom::element element) {
    std::string_view text;
    if (element.get(text) || text.empty()) return false;
    if (count++ != 0) sequences += ',';
    append_json_string(sequences, text);
    return true;
  };
  if (dom::array array; !value.get(array)) {
    if (array.size() > stop_sequences_max)
      return invalid("stop", fmt::format("at most {} sequences are allowed", stop_sequences_max));
    if (!std::ranges::all_of(array, add))
      return invalid("stop", "each sequence must be a string that is not empty");
  } else if (!add(value)) {
    return invalid("stop", "must be a string that is not empty, or an array of them");
  }
  if (count != 0) add_setting("stopSequences", "[" + sequences + "]");
  return {};
}

void ConverseRequest::add_text(Role role, std::string_view text) {
  std::string& out = role == Role::system ? system_ : messages_;
  if (role == Role::system) {
    if (text.empty()) return;  // Converse wants at least one character
    if (!system_.empty()) out += ',';
  } else if (role == open_role_) {
    out += ',';
  } else {
    if (open_role_ != Role::none) out += "]},";
    out += role == Role::user ? R"({"role":"user","content":[)" : R"({"role":"assistant","content":[)";
    open_role_ = role;
  }
  out += R"({"text":)";
  append_json_string(out, text);
  out += '}';
}

void ConverseRequest::add_setting(std::string_view name, std::string_view json) {
  if (!settings_.empty()) settings_ += ',';
  append_json_string(settings_, name);
  settings_ += ':';
  settings_ += json;
}

}  // namespace

Result<std::string> converse_request(std::string_view chat_body) {
  dom::parser parser;
  dom::element root;
  if (const auto error = parser.parse(chat_body.data(), chat_body.size()).get(root))
    return fail(Code::malformed_request,
                fmt::format("the body is not valid JSON: {}", simdjson::error_message(error)));
  dom::object body;
  if (root.get(body))
    return fail(Code::malformed_request, "the body is not valid JSON: an object expected at byte 0");
  return ConverseRequest().read(body);
}

bool asks_for_usage(std::string_view chat_body) {
  dom::parser parser;
  dom::element root;
  bool asked = false;
  if (parser.parse(chat_body.data(), chat_body.size()).get(root)) return false;
  return !root["stream_options"]["include_usage"].get(asked) && asked;
}

}  // namespace portolan::wire
