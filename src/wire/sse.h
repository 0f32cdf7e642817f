// SPDX-License-Identifier: Apache-2.0
// Server-sent events (WHATWG HTML, section 9.2), as the OpenAI dialect streams them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace portolan::wire {

/// Appends "data: …\n\n" (one line per line of `data`).
void append_sse(std::string& out, std::string_view data);

/// Reads events as bytes come. Bounded: a line or an event beyond `event_bytes_max` is Code::upstream_malformed.
class SseReader {
 public:
  explicit SseReader(std::size_t event_bytes_max = 1'000'000) : event_bytes_max_(event_bytes_max) {}
  /// Consumes from the front of `input`; true when an event is complete: read it with event() and data() before the
  /// next call.
  base::Result<bool> next(std::string_view& input);
  std::string_view event() const { return ready_event_; }
  std::string_view data() const { return ready_data_; }

 private:
  void end_of_line();
  std::size_t event_bytes_max_;
  std::string line_, event_, data_, ready_event_, ready_data_;
  bool had_data_ = false;
  bool last_was_cr_ = false;
  bool first_line_ = true;
  bool complete_ = false;
};

}  // namespace portolan::wire
