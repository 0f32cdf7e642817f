// SPDX-License-Identifier: Apache-2.0
// Stop 3: what do they want? Reads the parts of a request body that decide: model, size, output limit, streaming.
//
// The body is read once, whole, and is never changed here: when caller and provider speak the same dialect the same
// bytes go on. Unknown members are left alone. Errors name the member. A member that decides may be given only
// once.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "domain/call.h"

namespace portolan::wire {

/// Bytes that must be allocated (not initialised) behind every body that is given to a reader.
inline constexpr std::size_t body_padding = 64;

struct Asked {
  /// An estimate: bytes of text / 4, rounded up, plus 4 a message, plus 1,500 for each picture, document, sound or
  /// film.
  std::uint32_t input_tokens = 0;
  /// inferenceConfig.maxTokens, max_tokens, max_completion_tokens, or what a model family calls it in InvokeModel;
  /// the largest when several are given.
  std::optional<std::uint32_t> output_tokens_max;
  bool stream = false;  // chat_completions only; the others say it by their path
  std::string model;    // chat_completions only
  /// Converse's serviceTier.type; empty when the body names none. InvokeModel names it in a header.
  std::string service_tier;
};

/// Keeps simdjson's buffers from call to call. One per reactor; not shared between threads.
class BodyReader {
 public:
  BodyReader();
  ~BodyReader();
  BodyReader(const BodyReader&) = delete;
  BodyReader& operator=(const BodyReader&) = delete;

  /// `body` is followed by body_padding allocated bytes. Code::malformed_request for what is not JSON (RFC 8259,
  /// valid UTF-8, at most 256 levels deep) with the place; Code::invalid_field naming the member ("messages: at
  /// least one message is required"). InvokeModel bodies of families other than Anthropic's pass without messages.
  base::Result<Asked> understand(domain::Operation operation, std::string_view body);

  /// Usage from a whole (not streamed) reply body of `operation`; Usage::known is false when it holds none. Never
  /// fails.
  domain::Usage usage(domain::Operation operation, std::string_view body);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace portolan::wire
