// SPDX-License-Identifier: Apache-2.0
#include "iam/json_tree.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "base/bytes.h"
#include "base/json_text.h"

namespace portolan::iam {
namespace {

using Kind = JsonValue::Kind;

constexpr std::size_t members_max = 1000;  // each is compared with those before it

/// Bytes of the well-formed UTF-8 character at the front of `text` (RFC 3629), or 0; `point` is its code point.
std::size_t read_utf8(std::string_view text, char32_t& point) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) {
    point = first;
    return 1;
  }
  const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < size) return 0;
  point = first & (0x7fu >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    point = point << 6 | (byte(i) & 0x3fu);
  }
  const bool overlong = (size == 3 && point < 0x800) || (size == 4 && point < 0x10000);
  const bool surrogate = point >= 0xd800 && point <= 0xdfff;
  return overlong || surrogate || point > 0x10ffff ? 0 : size;
}

class JsonReader {
 public:
  JsonReader(std::string_view text, Alphabet alphabet, int depth_max)
      : text_(text), alphabet_(alphabet), depth_max_(depth_max) {}

  std::expected<JsonValue, Fault> read() {
    if (text_.starts_with("\xef\xbb\xbf"))
      return std::unexpected(Fault{{}, "a byte order mark; save the text as UTF-8 without one"});
    JsonValue value;
    skip_space();
    if (!read_value(value, 0)) return std::unexpected(std::move(fault_));
    skip_space();
    if (at_ != text_.size()) {
      set_fault("something follows the JSON value; keep one value, or put commas and brackets around several");
      return std::unexpected(std::move(fault_));
    }
    return value;
  }

 private:
  Place place() const { return place_of(at_); }
  Place place_of(std::size_t offset) const { return {line_, static_cast<std::uint32_t>(offset - line_begin_ + 1)}; }
  bool set_fault(std::string what) { return set_fault_at(place(), std::move(what)); }
  bool set_fault_at(Place at, std::string what) {
    fault_ = {at, std::move(what)};
    return false;
  }
  bool at_end() const { return at_ == text_.size(); }

  void skip_space() {
    for (; !at_end(); ++at_) {
      const char c = text_[at_];
      if (c == '\n') {
        ++line_;
        line_begin_ = at_ + 1;
      } else if (c != ' ' && c != '\t' && c != '\r') {
        return;
      }
    }
  }

  bool read_value(JsonValue& value, int depth) {
    if (at_end()) return set_fault("the text ends where a value should begin; is a bracket left open?");
    value.place = place();
    value.begin = at_;
    if (!read_inside(value, depth)) return false;
    value.end = at_;
    return true;
  }

  bool read_inside(JsonValue& value, int depth) {
    switch (text_[at_]) {
      case '{':
        value.kind = Kind::object;
        return enter(depth) && read_members(value, depth + 1);
      case '[':
        value.kind = Kind::array;
        return enter(depth) && read_items(value, depth + 1);
      case '"':
        value.kind = Kind::string;
        return read_string(value.text);
      case 't':
        value.kind = Kind::boolean;
        return read_word("true", value.text);
      case 'f':
        value.kind = Kind::boolean;
        return read_word("false", value.text);
      case 'n':
        value.kind = Kind::null;
        return read_word("null", value.text);
      default:
        value.kind = Kind::number;
        return read_number(value.text);
    }
  }

  bool enter(int depth) {
    if (depth >= depth_max_) return set_fault(fmt::format("more than {} levels of brackets", depth_max_));
    ++at_;
    skip_space();
    return true;
  }

  // Behind an item: a comma and then another one, or `close`. False on a fault; `more` says which.
  bool read_separator(char close, std::string_view what, bool& more) {
    skip_space();
    if (at_end()) return set_fault(fmt::format("the text ends inside an {}; close it with '{}'", what, close));
    more = text_[at_] == ',';
    if (!more && text_[at_] != close)
      return set_fault(fmt::format("'{}' expected here, or a comma and more of the {}", close, what));
    ++at_;
    if (!more) return true;
    skip_space();
    if (!at_end() && text_[at_] == close)
      return set_fault(fmt::format("a comma before '{}'; take the comma away", close));
    return true;
  }

  bool read_items(JsonValue& value, int depth) {
    if (!at_end() && text_[at_] == ']') {
      ++at_;
      return true;
    }
    for (bool more = true; more;) {
      if (!read_value(value.items.emplace_back(), depth)) return false;
      if (!read_separator(']', "array", more)) return false;
    }
    return true;
  }

  bool read_members(JsonValue& value, int depth) {
    if (!at_end() && text_[at_] == '}') {
      ++at_;
      return true;
    }
    for (bool more = true; more;) {
      JsonMember member;
      member.place = place();
      if (at_end() || text_[at_] != '"')
        return set_fault("the name of a member should begin here, in double quotes");
      if (!read_string(member.name)) return false;
      if (value.members.size() == members_max)
        return set_fault_at(member.place, fmt::format("more than {} members in one object", members_max));
      if (value.find(member.name) != nullptr)
        return set_fault_at(member.place,
                            fmt::format("'{}' stands twice in the same object; keep one", member.name));
      skip_space();
      if (at_end() || text_[at_] != ':') return set_fault(fmt::format("':' expected behind '{}'", member.name));
      ++at_;
      skip_space();
      if (!read_value(member.value, depth)) return false;
      value.members.push_back(std::move(member));
      if (!read_separator('}', "object", more)) return false;
    }
    return true;
  }

  bool read_word(std::string_view word, std::string& out) {
    if (!text_.substr(at_).starts_with(word)) return set_fault("no JSON value; text stands in double quotes");
    at_ += word.size();
    out = word;
    return true;
  }

  std::size_t skip_digits() {
    const std::size_t begin = at_;
    while (!at_end() && base::is_digit(text_[at_])) ++at_;
    return at_ - begin;
  }

  bool read_number(std::string& out) {
    const Place begin_place = place();
    const std::size_t begin = at_;
    if (text_[at_] == '-') ++at_;
    const std::size_t first = at_;
    const std::size_t whole_digits = skip_digits();
    if (whole_digits == 0) return set_fault_at(begin_place, "no JSON value; text stands in double quotes");
    bool good = whole_digits == 1 || text_[first] != '0';
    if (!at_end() && text_[at_] == '.') {
      ++at_;
      good = skip_digits() > 0 && good;
    }
    if (!at_end() && (text_[at_] == 'e' || text_[at_] == 'E')) {
      ++at_;
      if (!at_end() && (text_[at_] == '+' || text_[at_] == '-')) ++at_;
      good = skip_digits() > 0 && good;
    }
    if (!good) return set_fault_at(begin_place, "no JSON number; digits, without leading zeros, as 12 or 0.5");
    out = text_.substr(begin, at_ - begin);
    return true;
  }

  bool read_string(std::string& out) {
    const Place begin = place();
    ++at_;
    for (;;) {
      if (at_end()) return set_fault_at(begin, "a string that is not closed; add '\"'");
      const char c = text_[at_];
      if (c == '"') {
        ++at_;
        return true;
      }
      if (c == '\\') {
        if (!read_escape(out)) return false;
        continue;
      }
      char32_t point = 0;
      const std::size_t size = read_utf8(text_.substr(at_), point);
      if (size == 0) return set_fault("bytes that are no UTF-8; save the text as UTF-8");
      if (point < 0x20)
        return set_fault(fmt::format("control character U+{:04X} in a string; write \\u{:04x} or leave it out",
                                     static_cast<unsigned>(point), static_cast<unsigned>(point)));
      if (alphabet_ == Alphabet::policy && point > 0xff)
        return set_fault(fmt::format("character U+{:04X}; AWS takes U+0020 to U+00FF in a policy",
                                     static_cast<unsigned>(point)));
      out.append(text_, at_, size);
      at_ += size;
    }
  }

  bool read_code_unit(char32_t& unit) {
    if (text_.size() - at_ < 4) return false;
    unit = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const char c = text_[at_];
      if (base::is_digit(c))
        unit = unit << 4 | static_cast<char32_t>(c - '0');
      else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
        unit = unit << 4 | static_cast<char32_t>((c | 0x20) - 'a' + 10);
      else
        return false;
    }
    return true;
  }

  bool read_escape(std::string& out) {
    const Place begin = place();
    constexpr std::string_view letters = "\"\\/bfnrt";
    constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
    ++at_;
    if (at_end()) return set_fault_at(begin, "an escape that is cut off");
    const char letter = text_[at_++];
    if (letter != 'u') {
      const std::size_t which = letters.find(letter);
      if (which == std::string_view::npos)
        return set_fault_at(begin, "no JSON escape; a backslash is written \\\\");
      return append_checked(begin, static_cast<unsigned char>(meanings[which]), out);
    }
    char32_t point = 0;
    if (!read_code_unit(point)) return set_fault_at(begin, "\\u takes four hexadecimal digits");
    if (point >= 0xd800 && point <= 0xdbff) {
      char32_t low = 0;
      if (!text_.substr(at_).starts_with("\\u") || (at_ += 2, !read_code_unit(low)) || low < 0xdc00 || low > 0xdfff)
        return set_fault_at(begin, "half of a surrogate pair; write both \\u escapes");
      point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
    } else if (point >= 0xdc00 && point <= 0xdfff) {
      return set_fault_at(begin, "half of a surrogate pair; write both \\u escapes");
    }
    return append_checked(begin, point, out);
  }

  // An escape must not bring in what the text itself may not hold.
  bool append_checked(Place begin, char32_t point, std::string& out) {
    if (point < 0x20 && point != '\t' && point != '\n' && point != '\r')
      return set_fault_at(begin, fmt::format("an escape for control character U+{:04X}; leave it out",
                                             static_cast<unsigned>(point)));
    base::append_utf8(out, point);
    return true;
  }

  std::string_view text_;
  Alphabet alphabet_;
  int depth_max_;
  std::size_t at_ = 0;
  std::uint32_t line_ = 1;
  std::size_t line_begin_ = 0;
  Fault fault_;
};

}  // namespace

const JsonValue* JsonValue::find(std::string_view name) const {
  const auto found = std::ranges::find(members, name, &JsonMember::name);
  return found == members.end() ? nullptr : &found->value;
}

std::string_view name(JsonValue::Kind kind) {
  switch (kind) {
    case Kind::null:
      return "null";
    case Kind::boolean:
      return "boolean";
    case Kind::number:
      return "number";
    case Kind::string:
      return "string";
    case Kind::array:
      return "array";
    case Kind::object:
      return "object";
  }
  return "";
}

std::expected<JsonValue, Fault> read_json(std::string_view text, Alphabet alphabet, int depth_max) {
  return JsonReader(text, alphabet, depth_max).read();
}

}  // namespace portolan::iam
