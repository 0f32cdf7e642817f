// SPDX-License-Identifier: Apache-2.0
// Bytes in and out of text: hex, base64, integers, percent-encoding, and the two CRCs.
// All functions are pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace portolan::base {

using Bytes = std::span<const std::uint8_t>;

inline Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Lower-case hexadecimal.
std::string to_hex(Bytes bytes);
/// Writes 2 × bytes.size() characters to `out`.
void to_hex(Bytes bytes, char* out);
/// False unless `hex` is an even number of hexadecimal digits.
bool from_hex(std::string_view hex, std::string& bytes);

/// RFC 4648 base64 with padding.
std::string to_base64(Bytes bytes);
/// Strict: canonical alphabet and padding. False otherwise; `bytes` is then unspecified.
bool from_base64(std::string_view text, std::string& bytes);

/// A-Z a-z 0-9 - . _ ~ (RFC 3986 section 2.3): what percent-encoding leaves alone.
constexpr bool is_unreserved(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}
/// Percent-encodes all but the unreserved characters, appending to `out`.
void percent_encode(std::string_view text, std::string& out);
/// Decodes %XX; anything else passes unchanged. False on a broken escape.
bool percent_decode(std::string_view text, std::string& out);

inline void put_be16(std::uint8_t* at, std::uint16_t v) {
  at[0] = static_cast<std::uint8_t>(v >> 8);
  at[1] = static_cast<std::uint8_t>(v);
}
inline void put_be32(std::uint8_t* at, std::uint32_t v) {
  for (int i = 0; i < 4; ++i) at[i] = static_cast<std::uint8_t>(v >> (24 - 8 * i));
}
inline std::uint16_t get_be16(const std::uint8_t* at) {
  return static_cast<std::uint16_t>(at[0] << 8 | at[1]);
}
inline std::uint32_t get_be32(const std::uint8_t* at) {
  return std::uint32_t{at[0]} << 24 | std::uint32_t{at[1]} << 16 | std::uint32_t{at[2]} << 8 | at[3];
}

inline void append_be32(std::string& out, std::uint32_t v) {
  std::uint8_t bytes[4];
  put_be32(bytes, v);
  out += as_text(bytes);
}
inline void append_be64(std::string& out, std::uint64_t v) {
  append_be32(out, static_cast<std::uint32_t>(v >> 32));
  append_be32(out, static_cast<std::uint32_t>(v));
}

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
/// Appends `value` in base 10, or in another one up to 36 with lower-case letters.
void append_number(std::string& out, std::uint64_t value, int base = 10);

/// CRC-32 (IEEE, the polynomial of zlib and of AWS event-stream frames). `seed` continues an earlier value.
std::uint32_t crc32(Bytes bytes, std::uint32_t seed = 0);

/// True when equal; takes the same time wherever they differ. For credentials.
bool equal_constant_time(std::string_view a, std::string_view b);

/// Same length assumed; the slow part of iequals.
bool iequals_same_size(const char* a, const char* b, std::size_t size);

/// Case-insensitive ASCII comparison (header names). Inline as far as it decides most pairs: by their length.
inline bool iequals(std::string_view a, std::string_view b) {
  return a.size() == b.size() && iequals_same_size(a.data(), b.data(), a.size());
}

}  // namespace portolan::base
