// SPDX-License-Identifier: Apache-2.0
#include "wire/event_stream.h"

#include "base/bytes.h"
#include "base/check.h"

namespace portolan::wire {
namespace {

// A frame: total length, headers length, CRC of these eight bytes, headers, payload, CRC of all before it.
constexpr std::size_t prelude_bytes = 12;
constexpr std::size_t crc_bytes = 4;
constexpr std::size_t overhead_bytes = prelude_bytes + crc_bytes;
constexpr std::size_t written_bytes_max = 24 * 1024 * 1024;  // what AWS's own decoders take

constexpr std::uint8_t type_byte_array = 6;
constexpr std::uint8_t type_string = 7;

const std::uint8_t* at(std::string_view bytes, std::size_t offset) {
  return reinterpret_cast<const std::uint8_t*>(bytes.data()) + offset;
}

std::unexpected<base::Error> malformed(const char* problem) {
  return base::fail(base::Code::upstream_malformed, std::string("event stream frame: ") + problem);
}

/// The size of a header value whose length is fixed by its type; -1 for a type that does not exist.
int fixed_value_bytes(std::uint8_t type) {
  switch (type) {
    case 0:
      return 0;  // true
    case 1:
      return 0;  // false
    case 2:
      return 1;  // int8
    case 3:
      return 2;  // int16
    case 4:
      return 4;  // int32
    case 5:
      return 8;  // int64
    case 8:
      return 8;  // timestamp, milliseconds
    case 9:
      return 16;  // uuid
    default:
      return -1;
  }
}

struct FrameHeader {
  std::string_view name;
  std::uint8_t type = 0;
  std::string_view value;
};

/// Takes one header off the front of `headers`.
base::Result<FrameHeader> take_header(std::string_view& headers) {
  FrameHeader header;
  const std::size_t name_bytes = *at(headers, 0);
  if (name_bytes == 0) return malformed("a header has no name");
  if (headers.size() < 1 + name_bytes + 1) return malformed("a header runs beyond the headers");
  header.name = headers.substr(1, name_bytes);
  header.type = *at(headers, 1 + name_bytes);
  headers.remove_prefix(1 + name_bytes + 1);

  std::size_t value_bytes = 0;
  if (header.type == type_byte_array || header.type == type_string) {
    if (headers.size() < 2) return malformed("a header runs beyond the headers");
    value_bytes = base::get_be16(at(headers, 0));
    headers.remove_prefix(2);
  } else {
    const int fixed = fixed_value_bytes(header.type);
    if (fixed < 0) return malformed("a header has a type that does not exist");
    value_bytes = static_cast<std::size_t>(fixed);
  }
  if (headers.size() < value_bytes) return malformed("a header runs beyond the headers");
  header.value = headers.substr(0, value_bytes);
  headers.remove_prefix(value_bytes);
  return header;
}

/// The headers that say what a frame is. A null data() means that the header is absent.
struct FrameKind {
  std::string_view message_type, event_type, exception_type, error_code;

  std::string_view* slot(std::string_view name) {
    if (name == ":message-type") return &message_type;
    if (name == ":event-type") return &event_type;
    if (name == ":exception-type") return &exception_type;
    if (name == ":error-code") return &error_code;
    return nullptr;
  }

  std::string_view type() const {
    if (message_type == "event") return event_type;
    if (message_type == "exception") return exception_type;
    if (message_type == "error") return error_code;
    return {};
  }
};

base::Result<FrameKind> read_kind(std::string_view headers) {
  FrameKind kind;
  while (!headers.empty()) {
    TRY(const FrameHeader header, take_header(headers));
    std::string_view* slot = kind.slot(header.name);
    if (slot == nullptr) continue;
    if (slot->data() != nullptr) return malformed("a header that says what the frame is comes twice");
    if (header.type != type_string) return malformed("a header that says what the frame is must be a string");
    *slot = header.value;
  }
  return kind;
}

void append_string_header(std::string& out, std::string_view name, std::string_view value) {
  CHECK(name.size() <= 0xff && value.size() <= 0xffff);
  std::uint8_t length[2];
  base::put_be16(length, static_cast<std::uint16_t>(value.size()));
  out += static_cast<char>(name.size());
  out += name;
  out += static_cast<char>(type_string);
  out += base::as_text(length);
  out += value;
}

/// Writes in place: the prelude is filled in once the headers are there.
void append_frame(std::string& out, std::string_view message_type, std::string_view type_name,
                  std::string_view type, std::string_view payload) {
  const std::size_t start = out.size();
  out.append(prelude_bytes, '\0');
  append_string_header(out, ":message-type", message_type);
  append_string_header(out, type_name, type);
  append_string_header(out, ":content-type", "application/json");
  const std::size_t headers_bytes = out.size() - start - prelude_bytes;
  const std::size_t total_bytes = overhead_bytes + headers_bytes + payload.size();
  CHECK(total_bytes <= written_bytes_max);
  out += payload;

  auto* prelude = reinterpret_cast<std::uint8_t*>(out.data() + start);
  base::put_be32(prelude, static_cast<std::uint32_t>(total_bytes));
  base::put_be32(prelude + 4, static_cast<std::uint32_t>(headers_bytes));
  const std::uint32_t prelude_crc = base::crc32({prelude, 8});
  base::put_be32(prelude + 8, prelude_crc);
  base::append_be32(out, base::crc32({prelude + 8, total_bytes - 8 - crc_bytes}, prelude_crc));
}

}  // namespace

base::Result<std::optional<Frame>> read_frame(std::string_view bytes) {
  if (bytes.size() < prelude_bytes) return std::nullopt;
  // The prelude is checked on its own first, so that nobody waits for a length that a broken byte invented.
  const std::uint32_t prelude_crc = base::crc32({at(bytes, 0), 8});
  if (prelude_crc != base::get_be32(at(bytes, 8))) return malformed("the checksum of the prelude is wrong");
  const std::size_t total_bytes = base::get_be32(at(bytes, 0));
  const std::size_t headers_bytes = base::get_be32(at(bytes, 4));
  if (total_bytes > frame_bytes_max) return malformed("it is larger than 1,500,000 bytes");
  if (total_bytes < overhead_bytes || headers_bytes > total_bytes - overhead_bytes) {
    return malformed("its lengths contradict each other");
  }
  if (bytes.size() < total_bytes) return std::nullopt;

  const std::uint32_t crc = base::crc32({at(bytes, 8), total_bytes - 8 - crc_bytes}, prelude_crc);
  if (crc != base::get_be32(at(bytes, total_bytes - crc_bytes))) return malformed("the checksum is wrong");
  TRY(const FrameKind kind, read_kind(bytes.substr(prelude_bytes, headers_bytes)));
  const std::size_t payload_offset = prelude_bytes + headers_bytes;
  return Frame{.bytes = bytes.substr(0, total_bytes),
               .message_type = kind.message_type,
               .type = kind.type(),
               .payload = bytes.substr(payload_offset, total_bytes - crc_bytes - payload_offset)};
}

void append_event_frame(std::string& out, std::string_view event_type, std::string_view payload) {
  append_frame(out, "event", ":event-type", event_type, payload);
}

void append_exception_frame(std::string& out, std::string_view exception_type, std::string_view payload) {
  append_frame(out, "exception", ":exception-type", exception_type, payload);
}

}  // namespace portolan::wire
