// SPDX-License-Identifier: Apache-2.0
// One line of a Condition block: an operator, a key, and the values to hold it against.
//
// Source of every rule here: IAM User Guide, "IAM JSON policy elements: Condition operators" and "Set operators for
// multivalued context keys". condition_table_test.cc has a row for each combination.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "iam/operand.h"
#include "iam/pattern.h"
#include "iam/place.h"

namespace portolan::iam {

enum class Operator : std::uint8_t {
  string_equals,
  string_not_equals,
  string_equals_ignore_case,
  string_not_equals_ignore_case,
  string_like,
  string_not_like,
  numeric_equals,
  numeric_not_equals,
  numeric_less_than,
  numeric_less_than_equals,
  numeric_greater_than,
  numeric_greater_than_equals,
  date_equals,
  date_not_equals,
  date_less_than,
  date_less_than_equals,
  date_greater_than,
  date_greater_than_equals,
  boolean,
  binary_equals,
  ip_address,
  not_ip_address,
  arn_equals,
  arn_like,
  arn_not_equals,
  arn_not_like,
  null,
};
inline constexpr std::size_t operator_count = 27;
/// As in a policy: "StringEquals", "Bool", "NotIpAddress" …
std::string_view name(Operator op);
/// True for StringNotEquals and its kin: all values must fail to match, and a missing key matches.
bool negated(Operator op);
/// Whether policy variables in the operator's values are replaced: text, ARNs and Bool.
bool takes_variables(Operator op);

enum class Quantifier : std::uint8_t { none, for_all_values, for_any_value };

/// An operator with what stands around it: "ForAnyValue:StringLikeIfExists".
struct OperatorName {
  Operator op = Operator::string_equals;
  Quantifier quantifier = Quantifier::none;
  bool if_exists = false;

  /// nullopt when it is none of AWS's. Names are compared with case; NullIfExists does not exist.
  static std::optional<OperatorName> parse(std::string_view written);
  std::string written() const;
};

/// A value that is not compared as text, read when the policy was: a number, a moment, a truth value, a network, or
/// the bytes behind base64. monostate for operators on text.
using Operand = std::variant<std::monostate, Decimal, Moment, bool, IpRange, std::string>;

struct Condition {
  Operator op = Operator::string_equals;
  Quantifier quantifier = Quantifier::none;
  bool if_exists = false;
  std::string key;        // as written
  std::string key_lower;  // what the context is asked for: key names ignore case
  std::vector<Text> values;
  std::vector<Operand> operands;  // one for each value
  Place place;

  /// Appends a value as written in a policy. Fails with what such a value must look like ("a number, as 10 or
  /// 0.5"); nothing is appended then. IAM Access Analyzer calls the same an error ("Type mismatch …").
  std::expected<void, std::string_view> add_value(std::string_view written, bool with_variables);

  bool holds(const Context& context) const;
};

}  // namespace portolan::iam
