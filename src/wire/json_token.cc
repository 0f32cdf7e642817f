// SPDX-License-Identifier: Apache-2.0
#include "wire/json_token.h"

#include <cstdint>
#include <cstring>

#include "base/bytes.h"
#include "base/json_text.h"

namespace portolan::wire {
namespace {

bool is_short_escape(char c) {
  switch (c) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
      return true;
    default:
      return false;
  }
}

int hex_digit(char c) {
  if (base::is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The four digits after "\u" at `at`, or -1.
int code_unit(const char* at, const char* end) {
  if (end - at < 4) return -1;
  int unit = 0;
  for (int i = 0; i < 4; ++i) {
    const int digit = hex_digit(at[i]);
    if (digit < 0) return -1;
    unit = unit << 4 | digit;
  }
  return unit;
}

std::size_t utf8_bytes(char32_t unit) {
  return unit < 0x80 ? 1 : unit < 0x800 ? 2 : 3;
}

bool is_high_surrogate(char32_t unit) {
  return unit >= 0xd800 && unit <= 0xdbff;
}
bool is_low_surrogate(char32_t unit) {
  return unit >= 0xdc00 && unit <= 0xdfff;
}

const char* skip_digits(const char* at, const char* end) {
  while (at != end && base::is_digit(*at)) ++at;
  return at;
}

}  // namespace

std::optional<std::size_t> decoded_bytes(std::string_view token) {
  if (token.size() < 2 || token.front() != '"' || token.back() != '"') return std::nullopt;
  const char* at = token.data() + 1;
  const char* const end = token.data() + token.size() - 1;
  std::size_t size = static_cast<std::size_t>(end - at);
  bool after_high_surrogate = false;
  while (at != end) {
    const void* const found = std::memchr(at, '\\', static_cast<std::size_t>(end - at));
    if (found == nullptr) break;
    const char* const escape = static_cast<const char*>(found);
    if (escape != at) after_high_surrogate = false;
    if (end - escape < 2) return std::nullopt;
    if (escape[1] != 'u') {
      if (!is_short_escape(escape[1])) return std::nullopt;
      size -= 1;
      at = escape + 2;
      after_high_surrogate = false;
      continue;
    }
    const int digits = code_unit(escape + 2, end);
    if (digits < 0) return std::nullopt;
    const auto unit = static_cast<char32_t>(digits);
    if (after_high_surrogate && is_low_surrogate(unit)) {
      size -= 5;  // the pair is four bytes: three were counted for its first half
      after_high_surrogate = false;
    } else {
      size -= 6 - utf8_bytes(unit);
      after_high_surrogate = is_high_surrogate(unit);
    }
    at = escape + 6;
  }
  return size;
}

std::string decode(std::string_view token) {
  std::string out;
  const char* at = token.data() + 1;
  const char* const end = token.data() + token.size() - 1;
  while (at != end) {
    if (*at != '\\') {
      out.push_back(*at++);
      continue;
    }
    const char kind = at[1];
    if (kind != 'u') {
      constexpr std::string_view escapes = "bfnrt", meanings = "\b\f\n\r\t";
      const auto i = escapes.find(kind);
      out.push_back(i == std::string_view::npos ? kind : meanings[i]);
      at += 2;
      continue;
    }
    auto point = static_cast<char32_t>(code_unit(at + 2, end));
    at += 6;
    if (is_high_surrogate(point) && end - at >= 6 && at[0] == '\\' && at[1] == 'u') {
      if (const auto low = static_cast<char32_t>(code_unit(at + 2, end)); is_low_surrogate(low)) {
        point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
        at += 6;
      }
    }
    base::append_utf8(out, is_high_surrogate(point) || is_low_surrogate(point) ? 0xfffd : point);
  }
  return out;
}

bool is_number(std::string_view token) {
  const char* at = token.data();
  const char* const end = at + token.size();
  if (at != end && *at == '-') ++at;
  if (at == end || !base::is_digit(*at)) return false;
  at = *at == '0' ? at + 1 : skip_digits(at, end);
  if (at != end && *at == '.') {
    const char* const fraction = at + 1;
    at = skip_digits(fraction, end);
    if (at == fraction) return false;
  }
  if (at != end && (*at == 'e' || *at == 'E')) {
    ++at;
    if (at != end && (*at == '+' || *at == '-')) ++at;
    const char* const exponent = at;
    at = skip_digits(exponent, end);
    if (at == exponent) return false;
  }
  return at == end;
}

std::string_view without_trailing_space(std::string_view token) {
  const auto is_space = [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; };
  while (!token.empty() && is_space(token.back())) token.remove_suffix(1);
  return token;
}

}  // namespace portolan::wire
