// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 heads and bodies as bytes ⇄ values, without I/O.
//
// Parsing is strict (RFC 9112): what two parsers might read differently is refused, since a gateway that reads a
// request one way and forwards it another can be made to smuggle. Views point into the bytes that were given.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace portolan::wire {

struct Header {
  std::string_view name;
  std::string_view value;
};

inline constexpr std::size_t headers_max = 96;

/// A fixed block of header fields; lives on the stack or in a connection, never allocates.
class Headers {
 public:
  bool add(std::string_view name, std::string_view value) {
    if (size_ == headers_max) return false;
    slots_.fields[size_++] = {name, value};
    return true;
  }
  void clear() { size_ = 0; }
  std::size_t size() const { return size_; }
  const Header* begin() const { return slots_.fields; }
  const Header* end() const { return slots_.fields + size_; }
  /// The first field of that name, case-insensitively; null when there is none.
  const Header* find(std::string_view name) const;
  std::string_view value(std::string_view name) const;
  std::size_t count(std::string_view name) const;

 private:
  // Not initialised: clearing 3 KB for each head cost more than reading a small one.
  union Slots {
    Slots() {}
    Header fields[headers_max];
  } slots_;
  std::size_t size_ = 0;
};

enum class BodyFraming : std::uint8_t { none, length, chunked, until_close };

struct RequestHead {
  std::string_view method;
  std::string_view target;  // in origin-form, else as received: signed and routed on separately
  int minor_version = 1;
  Headers headers;
  BodyFraming framing = BodyFraming::none;
  std::uint64_t content_length = 0;
  bool keep_alive = true;
  bool expects_continue = false;
  std::size_t head_bytes = 0;  // length of the head, blank line included

  /// As new, without touching the storage of the fields.
  void clear() {
    method = target = {};
    minor_version = 1;
    headers.clear();
    framing = BodyFraming::none;
    content_length = 0;
    keep_alive = true;
    expects_continue = false;
    head_bytes = 0;
  }
};

struct ResponseHead {
  int status = 0;
  int minor_version = 1;
  Headers headers;
  BodyFraming framing = BodyFraming::none;
  std::uint64_t content_length = 0;
  bool keep_alive = true;
  std::size_t head_bytes = 0;
};

/// Reads a head from the start of `bytes`. true: `head` is set, its views point into `bytes`. false: more is
/// needed. `searched` remembers across calls how far the blank line was already looked for; start it at 0 for each
/// head. Code::malformed_request, Code::head_too_large (for more than `head_bytes_max` or more than headers_max
/// fields).
base::Result<bool> read_request_head(std::string_view bytes, std::size_t head_bytes_max, std::size_t& searched,
                                     RequestHead& head);
/// The same for a response. Code::upstream_malformed.
base::Result<bool> read_response_head(std::string_view bytes, std::size_t head_bytes_max, std::size_t& searched,
                                      ResponseHead& head);

/// Takes chunked framing apart, piece by piece; no buffering. Strict: sizes of at most 16 hexadecimal digits, CRLF;
/// extensions and trailers are checked and dropped, together at most 8 KiB.
class ChunkedReader {
 public:
  /// `malformed` is the error's code: malformed_request for a caller's body, upstream_malformed for a Region's.
  explicit ChunkedReader(base::Code malformed = base::Code::malformed_request) : malformed_(malformed) {}

  /// Consumes from the front of `input` and returns the next piece of payload (a view into `input`), empty when all
  /// of `input` was framing or when done(). Call until `input` is empty or done(); what is left then is the next
  /// message.
  base::Result<std::string_view> next(std::string_view& input);
  bool done() const { return state_ == State::done; }

 private:
  enum class State : std::uint8_t {
    size,
    extension_space,
    extension,
    size_lf,
    data,
    data_cr,
    data_lf,
    trailer,
    trailer_name,
    trailer_value,
    trailer_lf,
    last_lf,
    done
  };
  // Each takes one byte of framing and returns null, or what is wrong with it.
  const char* take_framing(char c);
  const char* take_size(char c);
  const char* expect(char c, char wanted, State next_state, const char* problem);
  const char* count_extra();

  State state_ = State::size;
  base::Code malformed_;
  std::uint8_t size_digits_ = 0;
  std::uint32_t extra_bytes_ = 0;
  std::uint64_t left_ = 0;
};

/// Appends "HTTP/1.1 200 OK\r\n". Fields follow with append_field, then append_blank_line.
void append_status_line(std::string& out, int status);
void append_request_line(std::string& out, std::string_view method, std::string_view target);
/// The value must hold no CR, LF or NUL: that is the caller's duty for what it wrote itself; what came from outside
/// goes through the parsers above, which refuse those bytes.
void append_field(std::string& out, std::string_view name, std::string_view value);
void append_field(std::string& out, std::string_view name, std::uint64_t value);
inline void append_blank_line(std::string& out) {
  out += "\r\n";
}
/// "1a\r\n"
void append_chunk_size(std::string& out, std::size_t size);

std::string_view reason_phrase(int status);
/// "Sat, 21 Nov 2026 23:40:50 GMT" (RFC 9110 section 5.6.7).
std::string http_date(base::WallTime at);

}  // namespace portolan::wire
