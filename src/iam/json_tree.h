// SPDX-License-Identifier: Apache-2.0
// Strict JSON (RFC 8259) as a tree that remembers where each piece stood, so that a mistake in a policy has a line
// and a column.
//
// Stricter than the RFC where a policy that two readers take differently would be a hole: a name may stand once in
// an object, text is well-formed UTF-8 without a byte order mark, depth is bounded, nothing follows the value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "iam/place.h"

namespace portolan::iam {

struct JsonMember;

struct JsonValue {
  enum class Kind : std::uint8_t { null, boolean, number, string, array, object };
  Kind kind = Kind::null;
  Place place;
  std::size_t begin = 0;  // where it stands in the text, in bytes; `end` is behind it
  std::size_t end = 0;
  std::string text;                 // string: decoded; number and boolean: as written
  std::vector<JsonValue> items;     // of an array
  std::vector<JsonMember> members;  // of an object, in the order of the text

  bool is(Kind wanted) const { return kind == wanted; }
  /// The member of that name, or null.
  const JsonValue* find(std::string_view name) const;
};

struct JsonMember {
  std::string name;
  Place place;  // of the name
  JsonValue value;
};

enum class Alphabet : std::uint8_t {
  unicode,
  /// What IAM's APIs take as the text of a policy: U+0009, U+000A, U+000D and U+0020 to U+00FF, for the text as
  /// written (CreatePolicy, parameter PolicyDocument). A "\u" escape may stand for more.
  policy,
};

/// The whole of `text` as one value. `depth_max` counts arrays and objects within one another.
std::expected<JsonValue, Fault> read_json(std::string_view text, Alphabet alphabet, int depth_max);

/// "string", "array" …, for messages.
std::string_view name(JsonValue::Kind kind);

}  // namespace portolan::iam
