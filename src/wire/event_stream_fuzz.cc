// SPDX-License-Identifier: Apache-2.0
// Frames: what parses stays inside its bytes, and what is written is read back. Random bytes never hold a right
// CRC, so the input is also read as the inside of a frame whose checksums are made right.
#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/check.h"
#include "wire/event_stream.h"

namespace {

using namespace portolan;

bool is_inside(std::string_view part, std::string_view whole) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void check_stream(std::string_view bytes) {
  for (;;) {
    const auto read = wire::read_frame(bytes);
    if (!read.has_value() || !read->has_value()) return;
    const wire::Frame& frame = **read;
    CHECK(frame.bytes.data() == bytes.data() && frame.bytes.size() >= 16 && frame.bytes.size() <= bytes.size());
    CHECK(is_inside(frame.payload, frame.bytes));
    CHECK(is_inside(frame.type, frame.bytes) && is_inside(frame.message_type, frame.bytes));
    for (const std::size_t cut : {std::size_t{1}, frame.bytes.size() / 2}) {
      const auto part = wire::read_frame(bytes.substr(0, frame.bytes.size() - cut));
      CHECK(part.has_value() && !part->has_value());
    }
    bytes.remove_prefix(frame.bytes.size());
  }
}

void append_be32(std::string& out, std::uint32_t value) {
  std::uint8_t bytes[4];
  base::put_be32(bytes, value);
  out += base::as_text(bytes);
}

/// A frame around `inside`, of which the first `headers_bytes` are its headers.
std::string framed(std::string_view inside, std::size_t headers_bytes) {
  std::string out;
  append_be32(out, static_cast<std::uint32_t>(inside.size() + 16));
  append_be32(out, static_cast<std::uint32_t>(headers_bytes));
  append_be32(out, base::crc32(base::as_bytes(out)));
  out += inside;
  append_be32(out, base::crc32(base::as_bytes(out)));
  return out;
}

void check_round_trip(std::string_view type, std::string_view payload) {
  std::string out;
  wire::append_event_frame(out, type, payload);
  const std::size_t first_bytes = out.size();
  wire::append_exception_frame(out, type, payload);
  const auto event = wire::read_frame(out);
  CHECK(event.has_value() && event->has_value());
  CHECK((*event)->message_type == "event" && (*event)->type == type && (*event)->payload == payload);
  CHECK((*event)->bytes.size() == first_bytes);
  const auto exception = wire::read_frame(std::string_view(out).substr(first_bytes));
  CHECK(exception.has_value() && exception->has_value());
  CHECK((*exception)->message_type == "exception" && (*exception)->type == type &&
        (*exception)->payload == payload);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = base::as_text({data, size});
  check_stream(bytes);
  if (size < 2) return 0;
  const std::string_view inside = bytes.substr(2);
  const std::size_t split = base::get_be16(data);
  check_stream(framed(inside, split));
  check_round_trip(inside.substr(0, split), split < inside.size() ? inside.substr(split) : std::string_view{});
  return 0;
}
