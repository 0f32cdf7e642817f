// SPDX-License-Identifier: Apache-2.0
#include "sim/region_frames.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace portolan::sim {
namespace {

constexpr auto crc_table = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value & 1) != 0 ? 0xedb88320 ^ (value >> 1) : value >> 1;
    table[i] = value;
  }
  return table;
}();

std::uint32_t crc(std::string_view bytes) {
  std::uint32_t value = 0xffffffff;
  for (const char c : bytes) value = crc_table[(value ^ static_cast<unsigned char>(c)) & 0xff] ^ (value >> 8);
  return ~value;
}

void append_u32(std::uint32_t value, std::string& out) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
}

void append_header(std::string_view name, std::string_view value, std::string& out) {
  constexpr char string_type = 7;
  out += static_cast<char>(name.size());
  out += name;
  out += string_type;
  out += static_cast<char>(value.size() >> 8);
  out += static_cast<char>(value.size() & 0xff);
  out += value;
}

}  // namespace

void append_event(std::string_view event, std::string_view payload, std::string& out) {
  const std::size_t start = out.size();
  out.append(12, '\0');  // the prelude, once the sizes are known
  append_header(":event-type", event, out);
  append_header(":content-type", "application/json", out);
  append_header(":message-type", "event", out);
  const std::size_t headers_size = out.size() - start - 12;
  out += payload;

  std::string prelude;
  append_u32(static_cast<std::uint32_t>(out.size() - start + 4), prelude);
  append_u32(static_cast<std::uint32_t>(headers_size), prelude);
  append_u32(crc(prelude), prelude);
  out.replace(start, 12, prelude);
  append_u32(crc(std::string_view(out).substr(start)), out);
}

void break_last_crc(std::string& out) {
  if (!out.empty()) out.back() = static_cast<char>(out.back() ^ 0x5a);
}

}  // namespace portolan::sim
