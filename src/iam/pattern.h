// SPDX-License-Identifier: Apache-2.0
// IAM's ways to match with wildcards: actions, resources, strings and ARNs in conditions. They differ on purpose.
//
// Actions ("bedrock:Invoke*") ignore case. Resources are compared with case; an ARN has six parts, and in the first
// five `*` and `?` stay inside their part, except that a `*` that ends its part may run on over colons (IAM User
// Guide, "IAM JSON policy elements: Resource"). ArnLike compares the six parts each for itself (IAM User Guide,
// "Amazon Resource Name (ARN) condition operators"). StringLike knows no parts.
//
// Where AWS's pages leave something open, the choice is in docs/adr/0010-own-policy-evaluator.md.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace portolan::iam {

class Context;

/// A text with wildcards and, in documents of 2012-10-17, policy variables: "${aws:PrincipalTag/team, 'none'}",
/// and the three fixed ones ${*}, ${?} and ${$}. Compiled once. Any thread.
class Text {
 public:
  /// `with_variables`: whether "${" begins a variable. Never fails: what does not parse as a variable is plain.
  static Text compile(std::string_view written, bool with_variables);

  const std::string& written() const { return written_; }
  bool has_variables() const { return !variables_.empty(); }
  /// The keys that its variables read, lower-case.
  const std::vector<std::string>& variables() const { return variables_; }

  /// The pattern for like() and its kin, variables replaced from the context and their values escaped so that a `*`
  /// in a value is no wildcard and a `:` begins no part of an ARN. False when a variable has no value and no
  /// default, or more than one value: then nothing matches.
  bool resolve(const Context& context, std::string& pattern) const;
  /// The same as plain text, for operators without wildcards: "a*" is an a and an asterisk.
  bool resolve_literal(const Context& context, std::string& literal) const;

  /// What resolve() and resolve_literal() give, without a copy where there are no variables. `scratch` holds the
  /// result otherwise. nullopt where they are false.
  std::optional<std::string_view> pattern(const Context& context, std::string& scratch) const;
  std::optional<std::string_view> literal(const Context& context, std::string& scratch) const;

 private:
  struct Piece {
    std::string pattern;  // before the variable
    std::string literal;
    std::string key_lower;  // empty behind the last variable
    std::optional<std::string> default_value;
  };
  template <class Append>
  bool substitute(const Context& context, std::string& out, std::string Piece::* part, Append append) const;

  std::string written_;
  std::string pattern_;  // of a text without variables
  std::string literal_;
  std::vector<Piece> pieces_;  // of a text with variables
  std::vector<std::string> variables_;
};

/// `*` any run, `?` one character, both with case. A backslash makes the character behind it plain: resolve()
/// writes them so. Text is UTF-8; what is not counts a byte as a character.
bool like(std::string_view pattern, std::string_view text);
bool like_ignoring_case(std::string_view pattern, std::string_view text);
/// Six parts, each compared for itself; colons behind the fifth belong to the sixth. False when either has fewer.
bool arn_like(std::string_view pattern, std::string_view arn);
/// `*` alone matches everything.
bool resource_like(std::string_view pattern, std::string_view resource);

/// Case is ignored as far as a policy's characters reach: U+0000 to U+00FF.
std::string lower_case(std::string_view text);
bool equals_ignoring_case(std::string_view a, std::string_view b);

struct ActionPattern {
  std::string written;  // "bedrock:Invoke*", or "*"
  bool matches(std::string_view action) const;
};

struct ResourcePattern {
  Text text;
  bool matches(std::string_view resource, const Context& context) const;
};

}  // namespace portolan::iam
