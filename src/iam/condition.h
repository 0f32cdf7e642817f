// SPDX-License-Identifier: Apache-2.0
// One line of a Condition block: an operator, a key, and the values to hold it against.
//
// Source of every rule here: IAM User Guide, "IAM JSON policy elements: Condition operators" and "Conditions with
// multiple context keys or values".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

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
std::string_view name(Operator op);
/// True for StringNotEquals and its kin: all values must fail to match, and a missing key matches.
bool negated(Operator op);

enum class Quantifier : std::uint8_t { none, for_all_values, for_any_value };

struct Condition {
  Operator op = Operator::string_equals;
  Quantifier quantifier = Quantifier::none;
  bool if_exists = false;
  std::string key;        // as written
  std::string key_lower;  // what the context is asked for: key names ignore case
  std::vector<Text> values;
  Place place;

  bool holds(const Context& context) const;
};

}  // namespace portolan::iam
