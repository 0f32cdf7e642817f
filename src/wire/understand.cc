// SPDX-License-Identifier: Apache-2.0
// One pass over the body. simdjson's first stage checks UTF-8 and finds where every token begins; the walk below
// visits each of them and checks the grammar on the way, since a body that was cut off, or that two parsers might
// read differently, must not reach a Region. Strings are measured and never copied, so that a picture of several
// megabytes costs no more than looking for a backslash.
//
// Only the first stage is used: simdjson's DOM would copy all strings, and its on-demand parser checks just what is
// looked at, with the bytes behind a truncated document among what it looks at (3.0.1).
#include "wire/understand.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <fmt/format.h>
#include <limits>
#include <simdjson.h>
#include <span>
#include <utility>

#include "wire/json_token.h"

namespace portolan::wire {
namespace {

using base::Code;
using base::fail;
using base::Result;
using domain::Operation;

static_assert(body_padding >= simdjson::SIMDJSON_PADDING, "a body must be readable as far as simdjson reads");

/// Deeper than any request that a model understands; bounds the walk's own recursion.
constexpr int depth_max = 256;
constexpr std::size_t capacity_min = std::size_t{64} << 10;
/// An index grown beyond this is not kept: one huge picture must not pin memory on every reactor.
constexpr std::size_t capacity_kept_max = std::size_t{4} << 20;
constexpr std::uint32_t limit_max = std::numeric_limits<std::int32_t>::max();

constexpr std::uint64_t text_bytes_per_token = 4;
constexpr std::uint64_t message_tokens = 4;
/// Flat estimate for a picture, a document, a sound or a film: their base64 says nothing about their tokens.
constexpr std::uint64_t media_tokens = 1500;

using Names = std::span<const std::string_view>;

/// How model families call their output limit, at the top or in inferenceConfig or textGenerationConfig.
constexpr auto limit_names = std::to_array<std::string_view>({
    "max_tokens",             // Anthropic, Mistral, Cohere, DeepSeek, OpenAI
    "maxTokens",              // Converse, AI21
    "max_new_tokens",         // Nova
    "max_gen_len",            // Llama
    "maxTokenCount",          // Titan
    "max_tokens_to_sample",   // Claude's text completions
    "max_completion_tokens",  // OpenAI
});
constexpr auto converse_limit_names = std::to_array<std::string_view>({"maxTokens"});
constexpr auto chat_limit_names = std::to_array<std::string_view>({"max_tokens", "max_completion_tokens"});

/// Members of a content block that mean a picture, a document …: Converse's unions, OpenAI's parts, Titan's
/// embeddings.
constexpr auto media_members = std::to_array<std::string_view>(
    {"image", "document", "video", "audio", "image_url", "input_audio", "file", "inputImage"});
/// Members of messages and blocks that the model does not read as text: payloads, names, signatures.
constexpr auto silent_members = std::to_array<std::string_view>(
    {"bytes", "role", "id", "url", "uri", "format", "media_type", "file_data", "signature", "redactedContent",
     "toolUseId", "tool_use_id", "tool_call_id", "bucketOwner", "status", "detail", "ttl", "cache_control"});
/// Members that hold free JSON, which the model reads as it stands.
constexpr auto free_members = std::to_array<std::string_view>({"input", "json", "arguments"});

bool among(Names names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

/// What of a value counts as text.
enum class Reads : std::uint8_t {
  nothing,
  blocks,  // strings, except for members that are known to be something else
  all      // every string and scalar, and names
};

/// Members that decide, alone or by what they hold. Each may be given once: of two, this gateway and a Region might
/// take different ones.
enum class Deciding : std::uint8_t {
  messages,
  model,
  stream,
  inference_config,
  text_generation_config,
  limits,
  service_tier
};

constexpr std::string_view given_twice = "given twice";
constexpr std::string_view required = "this member is required";

std::unexpected<base::Error> invalid(std::string_view member, std::string_view what) {
  return fail(Code::invalid_field, fmt::format("{}: {}", member, what));
}

/// The tokens of a body, in order. Knows JSON's grammar, nothing of what it means.
class Walk {
 public:
  Walk(std::string_view body, std::span<const std::uint32_t> starts) : body_(body), starts_(starts) {}

  bool at_end() const { return next_ == starts_.size(); }
  /// The first byte of the next token; NUL at the end.
  char peek() const { return at_end() ? '\0' : body_[starts_[next_]]; }

  /// A whole string, number or word. The view holds for as long as the body.
  Result<std::string_view> scalar();

  /// Reads an object and calls `member(key)` for each, which must consume the value. `key` holds until the value is
  /// begun.
  template <class Member>
  Result<void> object(Member member);
  /// The same for an array: `element(index)`.
  template <class Element>
  Result<void> array(Element element);

  /// Consumes any value; adds what it `reads` to text_bytes and flat_tokens.
  Result<void> value(Reads reads);

  std::unexpected<base::Error> malformed(std::string_view expected) const;

  std::uint64_t text_bytes = 0;
  std::uint64_t flat_tokens = 0;

 private:
  bool take(char token) {
    if (peek() != token) return false;
    ++next_;
    return true;
  }
  Result<void> block();
  Result<std::string_view> key();

  std::string_view body_;
  std::span<const std::uint32_t> starts_;
  std::size_t next_ = 0;
  std::size_t scalar_bytes_ = 0;  // what the last scalar stands for, in UTF-8
  int depth_ = 0;
  std::string decoded_key_;
};

std::unexpected<base::Error> Walk::malformed(std::string_view expected) const {
  const std::size_t at = at_end() ? body_.size() : starts_[next_];
  return fail(Code::malformed_request,
              fmt::format("the body is not valid JSON: {} expected at byte {}", expected, at));
}

Result<std::string_view> Walk::scalar() {
  if (at_end()) return malformed("a value");
  const std::size_t start = starts_[next_];
  const std::size_t stop = next_ + 1 < starts_.size() ? starts_[next_ + 1] : body_.size();
  const std::string_view token = without_trailing_space(body_.substr(start, stop - start));
  scalar_bytes_ = token.size();
  if (token.starts_with('"')) {
    const auto bytes = decoded_bytes(token);
    if (!bytes) return malformed("a value");
    scalar_bytes_ = *bytes;
  } else if (token != "true" && token != "false" && token != "null" && !is_number(token)) {
    return malformed("a value");
  }
  ++next_;
  return token;
}

// Names are compared as the Region will read them: "max\u005ftokens" is max_tokens.
Result<std::string_view> Walk::key() {
  if (peek() != '"') return malformed("a member's name");
  TRY(const std::string_view token, scalar());
  if (!take(':')) return malformed("\":\"");
  if (!token.contains('\\')) return token.substr(1, token.size() - 2);
  decoded_key_ = decode(token);
  return decoded_key_;
}

template <class Member>
Result<void> Walk::object(Member member) {
  if (!take('{')) return malformed("an object");
  if (++depth_ > depth_max) return malformed("less nesting");
  if (!take('}')) {
    do {
      TRY(const std::string_view name, key());
      TRY_VOID(member(name));
    } while (take(','));
    if (!take('}')) return malformed("\",\" or \"}\"");
  }
  --depth_;
  return {};
}

template <class Element>
Result<void> Walk::array(Element element) {
  if (!take('[')) return malformed("an array");
  if (++depth_ > depth_max) return malformed("less nesting");
  if (!take(']')) {
    std::size_t index = 0;
    do {
      TRY_VOID(element(index++));
    } while (take(','));
    if (!take(']')) return malformed("\",\" or \"]\"");
  }
  --depth_;
  return {};
}

Result<void> Walk::value(Reads reads) {
  if (peek() == '{') {
    if (reads == Reads::blocks) return block();
    return object([&](std::string_view name) {
      if (reads == Reads::all) text_bytes += name.size();
      return value(reads);
    });
  }
  if (peek() == '[') return array([&](std::size_t) { return value(reads); });
  TRY(const std::string_view token, scalar());
  if (reads == Reads::all || (reads == Reads::blocks && token.front() == '"')) text_bytes += scalar_bytes_;
  return {};
}

Result<void> Walk::block() {
  std::uint64_t data_bytes = 0;
  bool data_is_text = false;  // Anthropic's {"type":"text","media_type":"text/plain","data":"…"}
  TRY_VOID(object([&](std::string_view name) -> Result<void> {
    if (name == "text" || name == "content") return value(Reads::blocks);  // the usual ones first
    if (name == "type" && peek() == '"') {
      TRY(const std::string_view type, scalar());
      if (type == "\"image\"" || type == "\"document\"") flat_tokens += media_tokens;
      data_is_text = type == "\"text\"";
      return {};
    }
    if (name == "data" && peek() == '"') {
      TRY_VOID(scalar());
      data_bytes += scalar_bytes_;
      return {};
    }
    if (among(silent_members, name)) return value(Reads::nothing);
    if (among(free_members, name)) return value(Reads::all);
    if (among(media_members, name)) {
      flat_tokens += media_tokens;
      return value(peek() == '{' ? Reads::blocks : Reads::nothing);
    }
    return value(Reads::blocks);
  }));
  if (data_is_text) text_bytes += data_bytes;
  return {};
}

/// What the members mean, for one operation.
class Understanding {
 public:
  Understanding(Operation operation, Walk& walk) : operation_(operation), walk_(walk) {}
  Result<Asked> read();

 private:
  Result<void> converse_member(std::string_view name);
  Result<void> invoke_member(std::string_view name);
  Result<void> chat_member(std::string_view name);

  Result<void> messages();
  Result<void> settings(std::string_view member, Deciding deciding, Names names);
  Result<void> limit(Names names, std::string_view name, std::string_view parent, Deciding deciding);
  Result<void> stream();
  Result<void> model();
  Result<void> service_tier();
  Result<Asked> conclude();

  /// Refuses the next value, which is of the wrong type or, if it is no value at all, is not JSON.
  Result<void> wrong(std::string_view member, std::string_view what);
  /// Whether it was called before for the same member, or for the same row of the limits that the member holds.
  bool again(Deciding member, std::size_t row = itself);
  bool seen(Deciding member) const { return (seen_ >> (static_cast<unsigned>(member) * 8) & 0xff) != 0; }
  static constexpr std::size_t itself = 7;

  Operation operation_;
  Walk& walk_;
  Asked asked_;
  std::uint64_t seen_ = 0;  // eight bits for each Deciding: a row of limit_names, or itself
  static_assert(limit_names.size() <= itself && static_cast<unsigned>(Deciding::service_tier) < 8);
  std::uint64_t other_text_bytes_ = 0;
  bool is_anthropic_ = false;
};

bool Understanding::again(Deciding member, std::size_t row) {
  const std::uint64_t bit = std::uint64_t{1} << (static_cast<unsigned>(member) * 8 + row);
  return (std::exchange(seen_, seen_ | bit) & bit) != 0;
}

Result<void> Understanding::wrong(std::string_view member, std::string_view what) {
  TRY_VOID(walk_.value(Reads::nothing));
  return invalid(member, what);
}

Result<Asked> Understanding::read() {
  if (walk_.peek() != '{') return walk_.malformed("an object");
  TRY_VOID(walk_.object([&](std::string_view name) {
    if (name == "messages") return messages();
    if (name == "system") return walk_.value(Reads::blocks);
    switch (operation_) {
      case Operation::converse:
      case Operation::converse_stream:
        return converse_member(name);
      case Operation::chat_completions:
        return chat_member(name);
      default:
        return invoke_member(name);
    }
  }));
  if (!walk_.at_end()) return walk_.malformed("the end of the body");
  return conclude();
}

Result<void> Understanding::converse_member(std::string_view name) {
  if (name == "inferenceConfig")
    return settings("inferenceConfig", Deciding::inference_config, converse_limit_names);
  if (name == "toolConfig") return walk_.value(Reads::all);
  if (name == "serviceTier") return service_tier();
  if (name == "promptVariables") return walk_.value(Reads::blocks);
  return walk_.value(Reads::nothing);
}

Result<void> Understanding::invoke_member(std::string_view name) {
  if (name == "anthropic_version") {
    if (walk_.peek() != '"') return wrong("anthropic_version", "must be a string");
    is_anthropic_ = true;
    return walk_.value(Reads::nothing);
  }
  if (among(limit_names, name)) return limit(limit_names, name, {}, Deciding::limits);
  if (name == "inferenceConfig") return settings("inferenceConfig", Deciding::inference_config, limit_names);
  if (name == "textGenerationConfig")
    return settings("textGenerationConfig", Deciding::text_generation_config, limit_names);
  if (name == "tools") return walk_.value(Reads::all);
  if (among(media_members, name) && walk_.peek() == '"') {
    walk_.flat_tokens += media_tokens;
    return walk_.value(Reads::nothing);
  }
  // prompt, inputText, texts … or settings: which of them only shows when all was read.
  const std::uint64_t before = walk_.text_bytes;
  TRY_VOID(walk_.value(Reads::blocks));
  other_text_bytes_ += std::exchange(walk_.text_bytes, before) - before;
  return {};
}

Result<void> Understanding::chat_member(std::string_view name) {
  if (name == "model") return model();
  if (name == "stream") return stream();
  if (among(chat_limit_names, name)) return limit(chat_limit_names, name, {}, Deciding::limits);
  if (name == "tools" || name == "functions") return walk_.value(Reads::all);
  return walk_.value(Reads::nothing);
}

Result<void> Understanding::messages() {
  if (again(Deciding::messages)) return invalid("messages", given_twice);
  if (walk_.peek() != '[') return wrong("messages", "must be an array of messages");
  std::size_t count = 0;
  TRY_VOID(walk_.array([&](std::size_t index) -> Result<void> {
    if (walk_.peek() != '{') return wrong(fmt::format("messages[{}]", index), "must be an object");
    ++count;
    walk_.flat_tokens += message_tokens;
    return walk_.value(Reads::blocks);
  }));
  if (count == 0) return invalid("messages", "at least one message is required");
  return {};
}

Result<void> Understanding::settings(std::string_view member, Deciding deciding, Names names) {
  if (again(deciding)) return invalid(member, given_twice);
  if (walk_.peek() == 'n') return walk_.value(Reads::nothing);  // null: absent
  if (walk_.peek() != '{') return wrong(member, "must be an object");
  return walk_.object([&](std::string_view name) {
    return among(names, name) ? limit(names, name, member, deciding) : walk_.value(Reads::nothing);
  });
}

Result<void> Understanding::limit(Names names, std::string_view name, std::string_view parent, Deciding deciding) {
  const auto row = static_cast<std::size_t>(std::ranges::find(names, name) - names.begin());
  const std::string_view known = names[row];
  const auto path = [&] { return parent.empty() ? std::string(known) : fmt::format("{}.{}", parent, known); };
  if (walk_.peek() == '{' || walk_.peek() == '[') return wrong(path(), "must be a whole number");
  if (again(deciding, row)) return invalid(path(), given_twice);
  TRY(const std::string_view token, walk_.scalar());
  if (token == "null") return {};
  std::uint32_t limit = 0;
  const char* const end = token.data() + token.size();
  const auto [stop, error] = std::from_chars(token.data(), end, limit);
  if (error != std::errc{} || stop != end || limit == 0 || limit > limit_max)
    return invalid(path(), fmt::format("must be a whole number from 1 to {}", limit_max));
  asked_.output_tokens_max = std::max(asked_.output_tokens_max.value_or(0), limit);
  return {};
}

Result<void> Understanding::stream() {
  if (again(Deciding::stream)) return invalid("stream", given_twice);
  if (walk_.peek() == '{' || walk_.peek() == '[') return wrong("stream", "must be true or false");
  TRY(const std::string_view token, walk_.scalar());
  if (token != "true" && token != "false" && token != "null") return invalid("stream", "must be true or false");
  asked_.stream = token == "true";
  return {};
}

Result<void> Understanding::model() {
  if (again(Deciding::model)) return invalid("model", given_twice);
  if (walk_.peek() != '"') return wrong("model", "must be a string");
  TRY(const std::string_view token, walk_.scalar());
  asked_.model = decode(token);
  return {};
}

// Policies may deny a tier (bedrock:ServiceTier), so what the Region will read is read here too.
Result<void> Understanding::service_tier() {
  if (again(Deciding::service_tier)) return invalid("serviceTier", given_twice);
  if (walk_.peek() == 'n') return walk_.value(Reads::nothing);  // null: absent
  if (walk_.peek() != '{') return wrong("serviceTier", "must be an object");
  return walk_.object([&](std::string_view name) -> Result<void> {
    if (name != "type") return walk_.value(Reads::nothing);
    if (again(Deciding::service_tier, 0)) return invalid("serviceTier.type", given_twice);
    if (walk_.peek() != '"') return wrong("serviceTier.type", "must be a string");
    TRY(const std::string_view token, walk_.scalar());
    asked_.service_tier = decode(token);
    if (asked_.service_tier.empty()) return invalid("serviceTier.type", "must not be empty");
    return {};
  });
}

Result<Asked> Understanding::conclude() {
  const bool is_chat = operation_ == Operation::chat_completions;
  const bool is_invoke = operation_ == Operation::invoke_model || operation_ == Operation::invoke_model_stream;
  if (is_chat && asked_.model.empty()) return invalid("model", required);
  if (!seen(Deciding::messages) && (!is_invoke || is_anthropic_)) return invalid("messages", required);
  if (is_anthropic_ && !asked_.output_tokens_max) return invalid("max_tokens", required);
  if (!seen(Deciding::messages)) walk_.text_bytes += other_text_bytes_;
  const std::uint64_t tokens =
      walk_.flat_tokens + (walk_.text_bytes + text_bytes_per_token - 1) / text_bytes_per_token;
  asked_.input_tokens = static_cast<std::uint32_t>(std::min<std::uint64_t>(tokens, UINT32_MAX));
  return std::move(asked_);
}

/// Token counts of a reply under any of the names that model families give them.
class UsageReading {
 public:
  explicit UsageReading(Walk& walk) : walk_(walk) {}
  Result<void> read();
  domain::Usage usage() const {
    domain::Usage usage = usage_;
    usage.known = has_input_ && has_output_;
    return usage;
  }

 private:
  Result<void> member(std::string_view name);
  Result<void> count(std::uint32_t& tokens, bool* found = nullptr);

  Walk& walk_;
  domain::Usage usage_;
  bool has_input_ = false;
  bool has_output_ = false;
};

Result<void> UsageReading::read() {
  return walk_.object([&](std::string_view name) {
    if (name == "usage" && walk_.peek() == '{')
      return walk_.object([&](std::string_view inner) { return member(inner); });
    return member(name);  // Llama says it at the top
  });
}

Result<void> UsageReading::member(std::string_view name) {
  if (name == "inputTokens" || name == "input_tokens" || name == "prompt_token_count" || name == "prompt_tokens") {
    return count(usage_.input_tokens, &has_input_);
  }
  if (name == "outputTokens" || name == "output_tokens" || name == "generation_token_count" ||
      name == "completion_tokens") {
    return count(usage_.output_tokens, &has_output_);
  }
  if (name == "cacheReadInputTokens" || name == "cache_read_input_tokens") return count(usage_.cache_read_tokens);
  if (name == "cacheWriteInputTokens" || name == "cache_creation_input_tokens")
    return count(usage_.cache_write_tokens);
  return walk_.value(Reads::nothing);
}

Result<void> UsageReading::count(std::uint32_t& tokens, bool* found) {
  if (walk_.peek() == '{' || walk_.peek() == '[') return walk_.value(Reads::nothing);
  TRY(const std::string_view token, walk_.scalar());
  if (token == "null") return {};
  const char* const end = token.data() + token.size();
  const auto [stop, error] = std::from_chars(token.data(), end, tokens);
  if (error != std::errc{} || stop != end) return walk_.malformed("a token count");
  if (found != nullptr) *found = true;
  return {};
}

}  // namespace

struct BodyReader::State {
  std::unique_ptr<simdjson::internal::dom_parser_implementation> parser;

  /// Where the tokens of `body` begin; holds until the next call.
  Result<std::span<const std::uint32_t>> token_starts(std::string_view body);
  void shrink() {
    if (parser && parser->capacity() > capacity_kept_max) parser.reset();
  }
};

Result<std::span<const std::uint32_t>> BodyReader::State::token_starts(std::string_view body) {
  if (body.empty()) return fail(Code::malformed_request, "the body is empty: a JSON object is expected");
  if (!parser || parser->capacity() < body.size()) {
    parser.reset();
    const std::size_t capacity =
        body.size() > capacity_kept_max ? body.size() : std::max(capacity_min, std::bit_ceil(body.size()));
    if (simdjson::get_active_implementation()->create_dom_parser_implementation(capacity, 1, parser) !=
        simdjson::SUCCESS) {
      parser.reset();
      return fail(Code::body_too_large, fmt::format("no room to read a body of {} bytes", body.size()));
    }
  }
  const auto error = parser->stage1(reinterpret_cast<const std::uint8_t*>(body.data()), body.size(),
                                    simdjson::stage1_mode::regular);
  if (error != simdjson::SUCCESS)
    return fail(Code::malformed_request,
                fmt::format("the body is not valid JSON: {}", simdjson::error_message(error)));
  return std::span<const std::uint32_t>(parser->structural_indexes.get(), parser->n_structural_indexes);
}

BodyReader::BodyReader() : state_(std::make_unique<State>()) {}
BodyReader::~BodyReader() = default;

base::Result<Asked> BodyReader::understand(domain::Operation operation, std::string_view body) {
  TRY(const auto starts, state_->token_starts(body));
  Walk walk(body, starts);
  auto asked = Understanding(operation, walk).read();
  state_->shrink();
  return asked;
}

domain::Usage BodyReader::usage(domain::Operation, std::string_view body) {
  const auto starts = state_->token_starts(body);
  if (!starts) return {};
  Walk walk(body, *starts);
  UsageReading reading(walk);
  const bool is_whole = reading.read().has_value() && walk.at_end();
  state_->shrink();
  return is_whole ? reading.usage() : domain::Usage{};
}

}  // namespace portolan::wire
