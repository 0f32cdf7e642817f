// SPDX-License-Identifier: Apache-2.0
// OpenAI chat completions ⇄ Bedrock Converse (text). The gateway serves /v1/chat/completions from Converse
// upstream.
//
// Members that have no counterpart are refused with their name rather than dropped, except those that only annotate
// (user, metadata, store, service_tier …): never ignore what changes the answer.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "domain/call.h"
#include "wire/event_stream.h"

namespace portolan::wire {

/// The Converse request body for a chat completions body (system and developer messages become `system`; max_tokens
/// or max_completion_tokens, temperature, top_p, stop are carried over). Consecutive messages of one role become
/// one, since some models want the roles to alternate. Code::invalid_field naming the member,
/// Code::malformed_request.
base::Result<std::string> converse_request(std::string_view chat_body);

/// Whether stream_options.include_usage was asked.
bool asks_for_usage(std::string_view chat_body);

struct Completion {
  std::string id;     // "chatcmpl-…"
  std::string model;  // as the caller wrote it
  std::int64_t created_s = 0;
};

/// The chat.completion object for a Converse reply body. Code::upstream_malformed when it is not one.
base::Result<std::string> chat_completion(std::string_view converse_body, const Completion& completion);

/// Converse event frames → chat.completion.chunk events: one with the role, one for each piece of text, one with
/// the finish reason. For one stream; not shared between threads.
class ChatStream {
 public:
  ChatStream(const Completion& completion, bool include_usage);
  ~ChatStream();
  ChatStream(ChatStream&&) noexcept;
  ChatStream& operator=(ChatStream&&) noexcept;

  /// Appends the SSE events that `frame` gives (none for some frames). An exception frame gives the Error it means,
  /// a payload that cannot be read Code::upstream_malformed.
  base::Result<void> on_frame(const Frame& frame, std::string& out);
  /// Appends the usage event when asked for (and known), then "data: [DONE]". Only for a stream that was complete.
  void finish(const domain::Usage& usage, std::string& out);

 private:
  void begin_chunk(std::string& out) const;
  void end_chunk(std::string& out, std::string_view finish_reason_json) const;
  void append_role(std::string& out);

  struct Parser;
  std::unique_ptr<Parser> parser_;  // keeps its buffers from frame to frame
  std::string prefix_;              // what all chunks begin with, built once
  bool include_usage_;
  bool role_sent_ = false;
};

/// "end_turn" → "stop", "max_tokens" → "length" …
std::string_view finish_reason(std::string_view stop_reason);

}  // namespace portolan::wire
