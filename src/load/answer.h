// SPDX-License-Identifier: Apache-2.0
// Follows one answer as its bytes come: where the head ends, when payload comes, and whether the end is a real end.
//
// Complete is judged by the format, not by the connection: an event stream must have brought its `metadata` event,
// a stream of server-sent events its [DONE], and in either case the HTTP body must have ended as its framing says.
// No I/O.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "domain/call.h"
#include "wire/http.h"
#include "wire/sse.h"
#include "wire/stream_watch.h"

namespace portolan::load {

class Answer {
 public:
  /// `stream` matters for chat_completions; the others say it by their name.
  Answer(domain::Operation operation, bool stream);

  /// Takes the next bytes. Code::upstream_malformed when they are not what an answer may hold.
  base::Result<void> take(std::string_view bytes);
  /// The connection ended. It may be what ends the body (RFC 9112 section 6.3).
  void end_of_input();

  bool has_head() const { return has_head_; }
  int status() const { return status_; }
  /// x-portolan-inference-region; empty when the answer has none.
  std::string_view region() const { return region_; }
  /// x-amzn-errortype, cut at ":" or ","; empty when there is none.
  std::string_view error_type() const { return error_type_; }

  /// Bytes of the body so far, framing not counted.
  std::uint64_t payload_bytes() const { return payload_bytes_; }
  /// The HTTP body is at its end.
  bool ended() const { return ended_; }
  /// The body is at its end and says itself that nothing is missing.
  bool complete() const { return ended_ && (format_ == Format::whole || saw_last_event_) && exception_.empty(); }
  /// A typed exception within a stream: "throttlingException"; for server-sent events "error".
  std::string_view exception() const { return exception_; }
  bool keep_alive() const { return keep_alive_; }

 private:
  enum class Format : std::uint8_t { whole, event_stream, sse };
  base::Result<void> take_body(std::string_view bytes);
  base::Result<void> take_payload(std::string_view bytes);
  base::Result<void> take_frames(std::string_view bytes);
  base::Result<void> take_events(std::string_view bytes);

  Format format_;
  std::string held_;  // an incomplete head, then an incomplete frame
  std::size_t searched_ = 0;
  bool has_head_ = false;
  int status_ = 0;
  std::string region_, error_type_, exception_;
  wire::BodyFraming framing_ = wire::BodyFraming::none;
  std::uint64_t body_left_ = 0;
  wire::ChunkedReader chunks_;
  wire::StreamWatch watch_;
  wire::SseReader events_;
  std::uint64_t payload_bytes_ = 0;
  bool ended_ = false;
  bool saw_last_event_ = false;
  bool keep_alive_ = true;
};

}  // namespace portolan::load
