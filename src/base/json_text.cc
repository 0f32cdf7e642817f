// SPDX-License-Identifier: Apache-2.0
#include "base/json_text.h"

#include <cstdint>
#include <cstring>

namespace portolan::base {
namespace {

constexpr bool plain(unsigned char c) {
  return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

// True when all eight bytes pass plain(). Marks, per byte, the top bit of: the byte itself (not ASCII), byte - 0x20
// (control), and (byte ^ c) - 1 (equal to c). A borrow can only spread from a byte that is itself marked, so zero
// is exact; that is all that is asked.
bool plain8(const char* at) {
  constexpr std::uint64_t ones = 0x0101010101010101;
  std::uint64_t word;
  std::memcpy(&word, at, sizeof word);
  const std::uint64_t quote = word ^ ones * '"';
  const std::uint64_t backslash = word ^ ones * '\\';
  return ((word | (word - ones * 0x20) | (quote - ones) | (backslash - ones)) & ones * 0x80) == 0;
}

std::size_t plain_run(std::string_view text, std::size_t from) {
  std::size_t at = from;
  while (at + 8 <= text.size() && plain8(text.data() + at)) at += 8;
  while (at < text.size() && plain(static_cast<unsigned char>(text[at]))) ++at;
  return at - from;
}

// Length of the well-formed multi-byte character that begins at `at`, or 0 (RFC 3629 section 4).
std::size_t character_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) -> unsigned {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0u;
  };
  const auto continues = [&](std::size_t i) { return (byte(i) & 0xc0) == 0x80; };
  const unsigned lead = byte(0);
  const unsigned second = byte(1);
  if (lead >= 0xc2 && lead <= 0xdf) return continues(1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    const bool overlong = lead == 0xe0 && second < 0xa0;
    const bool surrogate = lead == 0xed && second > 0x9f;
    return continues(1) && continues(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    const bool overlong = lead == 0xf0 && second < 0x90;
    const bool beyond = lead == 0xf4 && second > 0x8f;
    return continues(1) && continues(2) && continues(3) && !overlong && !beyond ? 4 : 0;
  }
  return 0;
}

void append_escape(std::string& out, char c) {
  constexpr char hex[] = "0123456789abcdef";
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      out += "\\u00";
      out += hex[static_cast<unsigned char>(c) >> 4];
      out += hex[static_cast<unsigned char>(c) & 15];
  }
}

}  // namespace

void append_utf8(std::string& out, char32_t point) {
  const auto tail = [&](unsigned shift) { out.push_back(static_cast<char>(0x80 | (point >> shift & 0x3f))); };
  if (point < 0x80) {
    out.push_back(static_cast<char>(point));
  } else if (point < 0x800) {
    out.push_back(static_cast<char>(0xc0 | point >> 6));
    tail(0);
  } else if (point < 0x10000) {
    out.push_back(static_cast<char>(0xe0 | point >> 12));
    tail(6);
    tail(0);
  } else {
    out.push_back(static_cast<char>(0xf0 | point >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

void append_json_escaped(std::string& out, std::string_view text) {
  std::size_t at = 0;
  while (true) {
    const std::size_t run = plain_run(text, at);
    out.append(text.data() + at, run);
    at += run;
    if (at == text.size()) break;
    if (static_cast<unsigned char>(text[at]) < 0x80) {
      append_escape(out, text[at++]);
    } else if (const std::size_t length = character_length(text, at); length != 0) {
      out.append(text.data() + at, length);
      at += length;
    } else {
      out += "\xef\xbf\xbd";
      ++at;
    }
  }
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  append_json_escaped(out, text);
  out += '"';
}

std::string_view cut_text(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  // Step back to the lead byte of the character that the cut would fall into, if it is one.
  for (std::size_t back = 1; back <= 3 && back <= bytes_max; ++back) {
    const std::size_t lead = bytes_max - back;
    if ((static_cast<unsigned char>(text[lead]) & 0xc0) == 0x80) continue;
    return text.substr(0, character_length(text, lead) > back ? lead : bytes_max);
  }
  return text.substr(0, bytes_max);
}

}  // namespace portolan::base
