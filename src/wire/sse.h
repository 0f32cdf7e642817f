// SPDX-License-Identifier: Apache-2.0
// Server-sent events (WHATWG HTML, section 9.2), as the OpenAI dialect streams them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace portolan::wire {

/// Appends "data: …\n\n" (one line per line of `data`; a reader joins them with LF, whatever separated them here).
void append_sse(std::string& out, std::string_view data);

/// Reads events as bytes come, however they are cut. Bounded: a line or an event beyond `event_bytes_max` is
/// Code::upstream_malformed, after which the reader is not used again. An event that the stream ends within is
/// dropped, as the standard says. `id` and `retry` are not kept.
class SseReader {
 public:
  explicit SseReader(std::size_t event_bytes_max = 1'000'000) : event_bytes_max_(event_bytes_max) {}
  /// Consumes from the front of `input`; true when an event is complete: read it with event() and data() before the
  /// next call.
  base::Result<bool> next(std::string_view& input);
  /// The event's type; "message" when the stream named none.
  std::string_view event() const { return ready_event_; }
  std::string_view data() const { return ready_data_; }

 private:
  // True when the line was the empty one that completes an event with data.
  bool end_of_line();
  bool end_of_event();
  void take_field(std::string_view line);

  std::size_t event_bytes_max_;
  std::string line_, event_, data_, ready_event_, ready_data_;
  bool had_data_ = false;
  bool last_was_cr_ = false;
  bool first_line_ = true;
};

}  // namespace portolan::wire
