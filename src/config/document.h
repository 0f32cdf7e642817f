// SPDX-License-Identifier: Apache-2.0
// A YAML text as a tree that remembers where each piece stood, so that every mistake has a line and a column.
//
// Built from yaml-cpp's events, not its nodes: events carry marks and duplicate keys, and let us bound depth and
// size while the text is read. Refused: anchors, aliases and tags (each thing is said once, and cannot be
// multiplied), control characters (yaml-cpp takes one of them for the end of the text), a second document.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace portolan::config {

inline constexpr std::size_t document_bytes_max = 4 * 1024 * 1024;
inline constexpr std::size_t document_nodes_max = 200'000;
inline constexpr std::size_t document_depth_max = 16;

struct Node {
  enum class Kind { null, scalar, sequence, mapping };
  Kind kind = Kind::null;
  int line = 1;  // both from 1; the column counts bytes
  int column = 1;
  std::string text;         // of a scalar
  std::vector<Node> keys;   // of a mapping: scalars, in the order of the file, duplicates included
  std::vector<Node> items;  // of a sequence; of a mapping: the values, one for each key

  /// The value of the first such key, or null.
  const Node* find(std::string_view key) const;
};

struct SyntaxError {
  int line = 1;
  int column = 1;
  std::string what;
};

/// An empty text is a null node. Never throws.
std::expected<Node, SyntaxError> read_document(std::string_view text);

}  // namespace portolan::config
