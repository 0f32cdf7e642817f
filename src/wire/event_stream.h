// SPDX-License-Identifier: Apache-2.0
// application/vnd.amazon.eventstream: frames of headers and payload with two CRC-32s.
// https://smithy.io/2.0/aws/amazon-eventstream.html
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace portolan::wire {

/// A frame whose checksums were right. Views point into the bytes it was read from.
struct Frame {
  std::string_view bytes;         // the whole frame, as it may be passed on
  std::string_view message_type;  // ":message-type": "event", "exception", "error"; empty when there is none
  std::string_view type;          // by message_type: ":event-type", ":exception-type" or ":error-code"
  std::string_view payload;
};

inline constexpr std::size_t frame_bytes_max = 1'500'000;  // Bedrock documents parts of at most 1,000,000 bytes

/// Reads the frame at the start of `bytes`. nullopt: more bytes are needed. Code::upstream_malformed on a wrong
/// checksum, an impossible length, a header type that does not exist, or one of the four headers above given twice
/// or not as a string. Headers of other names are skipped. Nothing is consumed; advance by frame.bytes.size().
base::Result<std::optional<Frame>> read_frame(std::string_view bytes);

/// Appends a frame: {":message-type": message_type, ":event-type" | ":exception-type": type,
/// ":content-type": "application/json"} and the payload, which must keep the frame within frame_bytes_max for
/// read_frame to take it back (the process stops beyond 24 MiB).
void append_event_frame(std::string& out, std::string_view event_type, std::string_view payload);
void append_exception_frame(std::string& out, std::string_view exception_type, std::string_view payload);

}  // namespace portolan::wire
