// SPDX-License-Identifier: Apache-2.0
// IAM's three ways to match with wildcards: actions, resources, and ARNs in conditions. They differ on purpose.
//
// Actions ("bedrock:Invoke*") ignore case. Resources are compared with case, segment by segment between colons, and
// a `*` that ends a segment may run on over colons (IAM User Guide, "IAM JSON policy elements: Resource"). ArnLike
// compares the six parts each for itself (IAM User Guide, "Amazon Resource Name (ARN) condition operators").
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace portolan::iam {

class Context;

/// A text with wildcards and, in documents of 2012-10-17, policy variables: "${aws:PrincipalTag/team, 'none'}".
/// Compiled once. Any thread.
class Text {
 public:
  /// `with_variables`: whether "${" begins a variable. Never fails: what does not parse as a variable is plain.
  static Text compile(std::string_view written, bool with_variables);

  const std::string& written() const { return written_; }
  bool has_variables() const { return !variables_.empty(); }
  /// The keys that its variables read, lower-case.
  const std::vector<std::string>& variables() const { return variables_; }
  /// The pattern to match with, variables replaced from the context and their values escaped so that a `*` in a value
  /// is no wildcard. False when a variable has no value and no default, or more than one: then nothing matches.
  bool resolve(const Context& context, std::string& pattern) const;

 private:
  std::string written_;
  std::vector<std::string> variables_;
};

/// `*` any run, `?` one character, both with case; backslash-escaped by Text::resolve only.
bool like(std::string_view pattern, std::string_view text);
bool like_ignoring_case(std::string_view pattern, std::string_view text);
/// Six parts, each compared for itself. False when either is no ARN.
bool arn_like(std::string_view pattern, std::string_view arn);
bool resource_like(std::string_view pattern, std::string_view resource);

struct ActionPattern {
  std::string written;  // "bedrock:Invoke*", or "*"
  bool matches(std::string_view action) const;
};

struct ResourcePattern {
  Text text;
  bool matches(std::string_view resource, const Context& context) const;
};

}  // namespace portolan::iam
