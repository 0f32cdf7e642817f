// SPDX-License-Identifier: Apache-2.0
// Writes event-stream frames (application/vnd.amazon.eventstream): a Region's own encoder, from the public
// description (Smithy specification, "Amazon Event Stream"), independent of the gateway's codec.
#pragma once

#include <string>
#include <string_view>

namespace portolan::sim {

/// Appends one frame `:message-type: event`, `:event-type: <event>`, JSON payload.
void append_event(std::string_view event, std::string_view payload, std::string& out);
/// Breaks the message CRC of the last frame in `out`, which must end with one.
void break_last_crc(std::string& out);

}  // namespace portolan::sim
