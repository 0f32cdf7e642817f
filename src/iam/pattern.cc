// SPDX-License-Identifier: Apache-2.0
#include "iam/pattern.h"

#include <array>

#include "iam/context.h"

namespace portolan::iam {
namespace {

constexpr std::size_t nowhere = std::string_view::npos;
constexpr int arn_parts = 6;

bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

/// Where the character at `at` ends.
std::size_t next_character(std::string_view text, std::size_t at) {
  ++at;
  while (at < text.size() && is_continuation(text[at])) ++at;
  return at;
}

/// `c` in lower case, when it follows `before`: ASCII, and U+00C0 to U+00DE but the multiplication sign, whose
/// UTF-8 is 0xC3 and one more byte.
char lowered(char before, char c) {
  if (c >= 'A' && c <= 'Z') return static_cast<char>(c + ('a' - 'A'));
  const auto byte = static_cast<unsigned char>(c);
  if (before == '\xc3' && byte >= 0x80 && byte <= 0x9e && byte != 0x97) return static_cast<char>(byte + 0x20);
  return c;
}

char lowered_at(std::string_view text, std::size_t at) {
  return lowered(at == 0 ? '\0' : text[at - 1], text[at]);
}

/// One element of a pattern: a wildcard or a plain byte, and where the next one begins.
struct Element {
  enum class Kind : unsigned char { plain, one, run };
  Kind kind;
  std::size_t at;  // of the plain byte
  std::size_t next;
};

Element element_at(std::string_view pattern, std::size_t at) {
  switch (pattern[at]) {
    case '*':
      return {Element::Kind::run, at, at + 1};
    case '?':
      return {Element::Kind::one, at, at + 1};
    case '\\':
      if (at + 1 < pattern.size()) return {Element::Kind::plain, at + 1, at + 2};
      [[fallthrough]];
    default:
      return {Element::Kind::plain, at, at + 1};
  }
}

// On a mismatch only the last star can give way: what an earlier one took is already matched as early as possible.
template <bool ignoring_case>
bool like_any(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = nowhere;
  std::size_t star_end = 0;
  while (t < text.size()) {
    if (p < pattern.size()) {
      const Element element = element_at(pattern, p);
      if (element.kind == Element::Kind::run) {
        p = star = element.next;
        star_end = t;
        continue;
      }
      if (element.kind == Element::Kind::one) {
        p = element.next;
        t = next_character(text, t);
        continue;
      }
      const bool same =
          ignoring_case ? lowered_at(pattern, element.at) == lowered_at(text, t) : pattern[element.at] == text[t];
      if (same) {
        p = element.next;
        ++t;
        continue;
      }
    }
    if (star == nowhere) return false;
    p = star;
    t = star_end = next_character(text, star_end);
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool is_all_stars(std::string_view pattern) {
  return !pattern.empty() && pattern.find_first_not_of('*') == nowhere;
}

/// The six parts of an ARN; in a pattern an escaped colon is no boundary. False with fewer.
bool split_for_like(std::string_view arn, bool is_pattern, std::array<std::string_view, arn_parts>& parts) {
  std::size_t begin = 0;
  std::size_t part = 0;
  for (std::size_t at = 0; at < arn.size() && part < arn_parts - 1; ++at) {
    if (is_pattern && arn[at] == '\\') {
      ++at;
    } else if (arn[at] == ':') {
      parts[part++] = arn.substr(begin, at - begin);
      begin = at + 1;
    }
  }
  parts[arn_parts - 1] = arn.substr(begin);
  return part == arn_parts - 1;
}

/// A star of a resource pattern that can still take more.
struct Star {
  std::size_t pattern_next = nowhere;  // the element behind it; nowhere: there is none
  std::size_t text_end = 0;
  int colons = 0;  // of the pattern, before it
};

}  // namespace

std::string lower_case(std::string_view text) {
  std::string out(text);
  char before = '\0';
  for (char& c : out) {
    const char written = c;
    c = lowered(before, c);
    before = written;
  }
  return out;
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (lowered_at(a, i) != lowered_at(b, i)) return false;
  return true;
}

bool like(std::string_view pattern, std::string_view text) {
  return like_any<false>(pattern, text);
}

bool like_ignoring_case(std::string_view pattern, std::string_view text) {
  return like_any<true>(pattern, text);
}

bool arn_like(std::string_view pattern, std::string_view arn) {
  std::array<std::string_view, arn_parts> pattern_parts;
  std::array<std::string_view, arn_parts> parts;
  if (!split_for_like(pattern, true, pattern_parts) || !split_for_like(arn, false, parts)) return false;
  for (std::size_t i = 0; i < arn_parts; ++i)
    if (!like(pattern_parts[i], parts[i])) return false;
  return true;
}

// Two kinds of stars: `wide` ones take colons, `narrow` ones do not. On a mismatch the last narrow star gives way;
// where a colon stops it, the last wide one does. Earlier ones need not: behind a wide star every place was tried,
// and two narrow ones in the same part are stopped by the same colon.
bool resource_like(std::string_view pattern, std::string_view resource) {
  if (is_all_stars(pattern)) return true;
  std::size_t p = 0;
  std::size_t t = 0;
  int colons = 0;  // of the pattern, before p
  Star wide;
  Star narrow;
  while (t < resource.size()) {
    if (p < pattern.size()) {
      const Element element = element_at(pattern, p);
      const bool in_last_part = colons >= arn_parts - 1;
      if (element.kind == Element::Kind::run) {
        p = element.next;
        const bool takes_colons = in_last_part || p == pattern.size() || pattern[p] == ':';
        if (takes_colons) narrow = {};
        (takes_colons ? wide : narrow) = {p, t, colons};
        continue;
      }
      if (element.kind == Element::Kind::one && (in_last_part || resource[t] != ':')) {
        p = element.next;
        t = next_character(resource, t);
        continue;
      }
      if (element.kind == Element::Kind::plain && pattern[element.at] == resource[t]) {
        if (pattern[p] == ':') ++colons;
        p = element.next;
        ++t;
        continue;
      }
    }
    const bool narrow_gives = narrow.pattern_next != nowhere && resource[narrow.text_end] != ':';
    if (!narrow_gives) narrow = {};
    Star& star = narrow_gives ? narrow : wide;
    if (star.pattern_next == nowhere) return false;
    p = star.pattern_next;
    colons = star.colons;
    t = star.text_end = next_character(resource, star.text_end);
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool ActionPattern::matches(std::string_view action) const {
  return like_ignoring_case(written, action);
}

bool ResourcePattern::matches(std::string_view resource, const Context& context) const {
  std::string scratch;
  const auto pattern = text.pattern(context, scratch);
  return pattern.has_value() && resource_like(*pattern, resource);
}

}  // namespace portolan::iam
