// SPDX-License-Identifier: Apache-2.0
// Errors in the caller's dialect, and a provider's errors as ours.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/json_text.h"
#include "base/result.h"
#include "domain/call.h"
#include "wire/event_stream.h"
#include "wire/http.h"

namespace portolan::wire {

/// What a caller is sent for an Error, before the gateway's own headers.
struct ErrorReply {
  int status = 500;
  std::string_view error_type;  // goes into x-amzn-errortype for Bedrock; empty for OpenAI
  std::string body;             // JSON
  /// Whole seconds for the retry-after header; 0: none. Only on purpose, since it overrides every SDK's own
  /// backoff.
  std::uint32_t retry_after_s = 0;
};
ErrorReply error_reply(const base::Error& error, domain::Dialect dialect);

/// The end of a stream that was cut after its first byte: a Bedrock exception frame (Code::stream_cut is
/// modelStreamErrorException; an exception ConverseStream does not declare becomes internalServerException), or an
/// SSE event {"error":…} without [DONE].
void append_stream_error(std::string& out, const base::Error& error, domain::Dialect dialect);

/// What a Region's HTTP error means. Type from x-amzn-errortype (cut at ":" and after "#") or body __type/code; the
/// status decides when there is no type, or none we know. retry-after (seconds) and x-amz-retry-after (ms) are
/// read, up to a day. The message is the Region's own, bounded to 1 KiB. A status that is no error gives
/// Code::upstream_malformed.
base::Error upstream_error(int status, const Headers& headers, std::string_view body);

/// What a frame that is no event means: an exception or an error in a Region's event stream. The message as above.
base::Error stream_exception(const Frame& frame);

/// Bedrock's camelCase exception name in an event stream, as a Code.
base::Code exception_code(std::string_view exception_type);

/// Every body of this room that is written by hand is written with it.
using base::append_json_string;

}  // namespace portolan::wire
