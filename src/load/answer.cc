// SPDX-License-Identifier: Apache-2.0
#include "load/answer.h"

#include <optional>

#include "wire/event_stream.h"

namespace portolan::load {
namespace {
constexpr std::size_t head_bytes_max = 32 * 1024;
constexpr std::size_t name_bytes_max = 64;  // of what becomes a row of the report

base::Result<void> malformed(std::string message) {
  return base::fail(base::Code::upstream_malformed, std::move(message));
}
}  // namespace

Answer::Answer(domain::Operation operation, bool stream) : format_(Format::whole), watch_(operation) {
  if (operation == domain::Operation::converse_stream || operation == domain::Operation::invoke_model_stream)
    format_ = Format::event_stream;
  else if (operation == domain::Operation::chat_completions && stream)
    format_ = Format::sse;
}

base::Result<void> Answer::take(std::string_view bytes) {
  if (ended_) return bytes.empty() ? base::Result<void>{} : malformed("bytes after the end of the answer");
  if (has_head_) return take_body(bytes);

  held_ += bytes;
  wire::ResponseHead head;
  do {
    held_.erase(0, head.head_bytes);  // 100 Continue and its like announce the real answer
    head = {};
    TRY(const bool whole, wire::read_response_head(held_, head_bytes_max, searched_, head));
    if (!whole) return {};
    searched_ = 0;
  } while (head.status < 200);
  has_head_ = true;
  status_ = head.status;
  region_ = head.headers.value("x-portolan-inference-region").substr(0, name_bytes_max);
  const std::string_view type = head.headers.value("x-amzn-errortype");
  error_type_ = type.substr(0, type.find_first_of(":,")).substr(0, name_bytes_max);
  framing_ = head.framing;
  body_left_ = head.content_length;
  keep_alive_ = head.keep_alive && framing_ != wire::BodyFraming::until_close;
  // An error is a whole JSON body, also where a stream was asked for.
  if (status_ != 200) format_ = Format::whole;
  ended_ = framing_ == wire::BodyFraming::none || (framing_ == wire::BodyFraming::length && body_left_ == 0);
  const std::string rest = held_.substr(head.head_bytes);
  held_.clear();
  if (ended_) return take(rest);
  return take_body(rest);
}

void Answer::end_of_input() {
  if (has_head_ && framing_ == wire::BodyFraming::until_close) ended_ = true;
}

base::Result<void> Answer::take_body(std::string_view bytes) {
  if (framing_ == wire::BodyFraming::until_close) return take_payload(bytes);
  if (framing_ == wire::BodyFraming::length) {
    if (bytes.size() > body_left_) return malformed("more bytes than content-length says");
    body_left_ -= bytes.size();
    ended_ = body_left_ == 0;
    return take_payload(bytes);
  }
  while (!bytes.empty() && !chunks_.done()) {
    TRY(const std::string_view piece, chunks_.next(bytes));
    TRY_VOID(take_payload(piece));
  }
  ended_ = chunks_.done();
  return bytes.empty() ? base::Result<void>{} : malformed("bytes after the last chunk");
}

base::Result<void> Answer::take_payload(std::string_view bytes) {
  payload_bytes_ += bytes.size();
  switch (format_) {
    case Format::whole:
      return {};
    case Format::event_stream:
      return take_frames(bytes);
    case Format::sse:
      return take_events(bytes);
  }
  return {};
}

base::Result<void> Answer::take_frames(std::string_view bytes) {
  // Frames usually come whole; only the rest of one that does not is copied.
  if (!held_.empty()) {
    held_ += bytes;
    bytes = held_;
  }
  while (!bytes.empty()) {
    TRY(const std::optional<wire::Frame> frame, wire::read_frame(bytes));
    if (!frame) break;
    if (saw_last_event_) return malformed("an event after the last one");
    if (frame->message_type == "event") {
      TRY_VOID(watch_.see(*frame));
      saw_last_event_ = watch_.complete();
    } else {
      exception_ = frame->type.substr(0, name_bytes_max);
    }
    bytes.remove_prefix(frame->bytes.size());
  }
  held_ = std::string{bytes};
  return {};
}

base::Result<void> Answer::take_events(std::string_view bytes) {
  while (!bytes.empty()) {
    TRY(const bool event, events_.next(bytes));
    if (!event) continue;
    if (saw_last_event_) return malformed("an event after [DONE]");
    if (events_.data() == "[DONE]")
      saw_last_event_ = true;
    else if (events_.data().starts_with(R"({"error")"))
      exception_ = "error";
  }
  return {};
}

}  // namespace portolan::load
