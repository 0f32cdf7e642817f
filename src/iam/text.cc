// SPDX-License-Identifier: Apache-2.0
// Texts with policy variables (IAM User Guide, "IAM policy elements: Variables and tags").
#include <algorithm>

#include "iam/context.h"
#include "iam/pattern.h"

namespace portolan::iam {
namespace {

void append_escaped(std::string& pattern, std::string_view text) {
  for (const char c : text) {
    if (c == '*' || c == '?' || c == ':' || c == '\\') pattern += '\\';
    pattern += c;
  }
}

/// What "${…}" at the front of a text says.
struct Variable {
  std::size_t size = 0;  // of the whole, or 0 when it is no variable
  std::string_view key;  // "*", "?" or "$" for the fixed ones
  std::optional<std::string_view> default_value;
};

std::string_view trim_spaces(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

/// "${key}" or "${key, 'default'}"; the default may hold anything but a single quote.
Variable read_variable(std::string_view text) {
  constexpr std::size_t opening = 2;
  if (!text.starts_with("${")) return {};
  const std::size_t stop = text.find_first_of(",}'", opening);
  if (stop == std::string_view::npos || text[stop] == '\'') return {};
  Variable variable{.key = trim_spaces(text.substr(opening, stop - opening))};
  if (variable.key.empty()) return {};
  if (text[stop] == '}') {
    variable.size = stop + 1;
    return variable;
  }
  const std::size_t quote = text.find_first_not_of(' ', stop + 1);
  if (quote == std::string_view::npos || text[quote] != '\'') return {};
  const std::size_t closing_quote = text.find('\'', quote + 1);
  if (closing_quote == std::string_view::npos) return {};
  const std::size_t brace = text.find_first_not_of(' ', closing_quote + 1);
  if (brace == std::string_view::npos || text[brace] != '}') return {};
  variable.default_value = text.substr(quote + 1, closing_quote - quote - 1);
  variable.size = brace + 1;
  return variable;
}

bool is_fixed(std::string_view key) {
  return key == "*" || key == "?" || key == "$";
}

}  // namespace

Text Text::compile(std::string_view written, bool with_variables) {
  Text out;
  out.written_ = written;
  Piece piece;
  for (std::size_t at = 0; at < written.size();) {
    const Variable variable = with_variables ? read_variable(written.substr(at)) : Variable{};
    if (variable.size == 0) {
      if (written[at] == '\\') piece.pattern += '\\';
      piece.pattern += written[at];
      piece.literal += written[at];
      ++at;
      continue;
    }
    at += variable.size;
    if (is_fixed(variable.key)) {
      append_escaped(piece.pattern, variable.key);
      piece.literal += variable.key;
      continue;
    }
    piece.key_lower = lower_case(variable.key);
    if (variable.default_value) piece.default_value = *variable.default_value;
    if (std::ranges::find(out.variables_, piece.key_lower) == out.variables_.end())
      out.variables_.push_back(piece.key_lower);
    out.pieces_.push_back(std::move(piece));
    piece = {};
  }
  if (out.pieces_.empty()) {
    out.pattern_ = std::move(piece.pattern);
    out.literal_ = std::move(piece.literal);
  } else {
    out.pieces_.push_back(std::move(piece));
  }
  return out;
}

template <class Append>
bool Text::substitute(const Context& context, std::string& out, std::string Piece::* part, Append append) const {
  out.clear();
  for (const Piece& piece : pieces_) {
    out += piece.*part;
    if (piece.key_lower.empty()) continue;
    const auto values = context.find(piece.key_lower);
    if (values.size() > 1) return false;  // only single-valued keys may be variables
    if (values.empty() && !piece.default_value) return false;
    append(out, values.empty() ? std::string_view(*piece.default_value) : std::string_view(values.front()));
  }
  return true;
}

bool Text::resolve(const Context& context, std::string& pattern) const {
  if (has_variables()) return substitute(context, pattern, &Piece::pattern, append_escaped);
  pattern = pattern_;
  return true;
}

bool Text::resolve_literal(const Context& context, std::string& literal) const {
  if (has_variables())
    return substitute(context, literal, &Piece::literal,
                      [](std::string& out, std::string_view value) { out += value; });
  literal = literal_;
  return true;
}

std::optional<std::string_view> Text::pattern(const Context& context, std::string& scratch) const {
  if (!has_variables()) return pattern_;
  if (!resolve(context, scratch)) return std::nullopt;
  return scratch;
}

std::optional<std::string_view> Text::literal(const Context& context, std::string& scratch) const {
  if (!has_variables()) return literal_;
  if (!resolve_literal(context, scratch)) return std::nullopt;
  return scratch;
}

}  // namespace portolan::iam
