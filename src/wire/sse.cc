// SPDX-License-Identifier: Apache-2.0
#include "wire/sse.h"

namespace portolan::wire {
namespace {

constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
constexpr std::string_view line_ends = "\r\n";

}  // namespace

void append_sse(std::string& out, std::string_view data) {
  for (;;) {
    const std::size_t end = data.find_first_of(line_ends);
    out += "data: ";
    out += data.substr(0, end);
    out += '\n';
    if (end == std::string_view::npos) break;
    data.remove_prefix(end + (data.substr(end).starts_with("\r\n") ? 2 : 1));
  }
  out += '\n';
}

base::Result<bool> SseReader::next(std::string_view& input) {
  while (!input.empty()) {
    if (last_was_cr_) {
      last_was_cr_ = false;
      if (input.front() == '\n') {  // the second half of CRLF
        input.remove_prefix(1);
        continue;
      }
    }
    const std::size_t end = input.find_first_of(line_ends);
    const std::string_view part = input.substr(0, end);
    if (part.size() > event_bytes_max_ - line_.size()) {
      return base::fail(base::Code::upstream_malformed,
                        "server-sent events: a line is larger than " + std::to_string(event_bytes_max_) + " bytes");
    }
    line_ += part;
    input.remove_prefix(part.size());
    if (end == std::string_view::npos) break;
    last_was_cr_ = input.front() == '\r';
    input.remove_prefix(1);

    const bool complete = end_of_line();
    if (data_.size() > event_bytes_max_) {
      return base::fail(base::Code::upstream_malformed, "server-sent events: an event is larger than " +
                                                            std::to_string(event_bytes_max_) + " bytes");
    }
    if (complete) return true;
  }
  return false;
}

bool SseReader::end_of_line() {
  std::string_view line = line_;
  if (first_line_ && line.starts_with(byte_order_mark)) line.remove_prefix(byte_order_mark.size());
  first_line_ = false;
  bool complete = false;
  if (line.empty()) {
    complete = end_of_event();
  } else {
    take_field(line);
  }
  line_.clear();
  return complete;
}

void SseReader::take_field(std::string_view line) {
  const std::size_t colon = line.find(':');
  const std::string_view name = line.substr(0, colon);  // empty for a comment
  std::string_view value = colon == std::string_view::npos ? std::string_view{} : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (name == "event") {
    event_ = value;
  } else if (name == "data") {
    if (had_data_) data_ += '\n';
    data_ += value;
    had_data_ = true;
  }
  // `id` and `retry` concern a client that reconnects, which nobody does in the middle of an inference.
}

bool SseReader::end_of_event() {
  const bool complete = had_data_;
  if (complete) {
    ready_event_ = event_.empty() ? "message" : event_;
    ready_data_.swap(data_);
  }
  event_.clear();
  data_.clear();
  had_data_ = false;
  return complete;
}

}  // namespace portolan::wire
