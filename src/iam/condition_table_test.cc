// SPDX-License-Identifier: Apache-2.0
// Every operator against every shape that a request's key can have, with and without IfExists and the set
// operators, and every operator's own comparison. Beside each row the page that says so, or ADR 10 where none does.
#include <array>
#include <gtest/gtest.h>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "iam/condition.h"
#include "iam/context.h"

namespace portolan::iam {
namespace {

using Values = std::vector<std::string>;

// Pages of the IAM User Guide.
constexpr std::string_view operators_page = "reference_policies_elements_condition_operators";
constexpr std::string_view values_page = "reference_policies_condition-logic-multiple-context-keys-or-values";
constexpr std::string_view sets_page = "reference_policies_condition-single-vs-multi-valued-context-keys";
constexpr std::string_view sets_examples_page = "reference_policies_condition_examples-multi-valued-context-keys";
constexpr std::string_view variables_page = "reference_policies_variables";
constexpr std::string_view condition_page = "reference_policies_elements_condition";
constexpr std::string_view our_choice = "docs/adr/0010-own-policy-evaluator.md";

Condition condition_of(std::string_view op, const Values& values) {
  Condition condition;
  const auto name = OperatorName::parse(op);
  EXPECT_TRUE(name.has_value()) << op;
  if (!name) return condition;
  condition.op = name->op;
  condition.quantifier = name->quantifier;
  condition.if_exists = name->if_exists;
  condition.key = "x:Key";
  condition.key_lower = "x:key";
  for (const std::string& value : values) {
    const auto added = condition.add_value(value, true);
    EXPECT_TRUE(added.has_value()) << op << " " << value << ": " << added.error();
  }
  return condition;
}

bool holds(std::string_view op, const Values& values, const std::optional<Values>& request) {
  Context context;
  if (request) context.set("X:KEY", *request);
  return condition_of(op, values).holds(context);
}

// An operator, two values for the policy, two request values that match one of them each, two that match none. For
// a negated operator "match" is what it negates.
struct Subject {
  std::string_view op;
  Values policy;
  std::array<std::string, 2> matching;
  std::array<std::string, 2> other;
};

const Subject subjects[] = {
    {"StringEquals", {"red", "blue"}, {"red", "blue"}, {"Red", "green"}},
    {"StringNotEquals", {"red", "blue"}, {"red", "blue"}, {"Red", "green"}},
    {"StringEqualsIgnoreCase", {"red", "blue"}, {"RED", "Blue"}, {"pink", "green"}},
    {"StringNotEqualsIgnoreCase", {"red", "blue"}, {"RED", "Blue"}, {"pink", "green"}},
    {"StringLike", {"re*", "b?ue"}, {"red", "blue"}, {"Red", "bue"}},
    {"StringNotLike", {"re*", "b?ue"}, {"red", "blue"}, {"Red", "bue"}},
    {"NumericEquals", {"1", "2.50"}, {"1.0", "2.5"}, {"1.5", "25"}},
    {"NumericNotEquals", {"1", "2.50"}, {"1.0", "2.5"}, {"1.5", "25"}},
    {"NumericLessThan", {"10", "20"}, {"5", "15"}, {"20", "21"}},
    {"NumericLessThanEquals", {"10", "20"}, {"10", "20"}, {"20.1", "21"}},
    {"NumericGreaterThan", {"10", "20"}, {"11", "21"}, {"10", "-21"}},
    {"NumericGreaterThanEquals", {"10", "20"}, {"10", "20"}, {"9.9", "-20"}},
    {"DateEquals",
     {"2026-01-01T00:00:00Z", "2027"},
     {"1767225600", "2027-01-01"},
     {"2026-01-01T00:00:01Z", "2028"}},
    {"DateNotEquals",
     {"2026-01-01T00:00:00Z", "2027"},
     {"1767225600", "2027-01-01"},
     {"2026-01-01T00:00:01Z", "2028"}},
    {"DateLessThan", {"2026-01-01", "2027-01-01"}, {"2025-12-31", "2026-06-01"}, {"2027-01-01", "2028-01-01"}},
    {"DateLessThanEquals",
     {"2026-01-01", "2027-01-01"},
     {"2026-01-01", "2027-01-01"},
     {"2027-01-02", "2028-01-01"}},
    {"DateGreaterThan", {"2026-01-01", "2027-01-01"}, {"2026-01-02", "2028-01-01"}, {"2026-01-01", "2020-01-01"}},
    {"DateGreaterThanEquals",
     {"2026-01-01", "2027-01-01"},
     {"2026-01-01", "2027-01-01"},
     {"2025-12-31", "2020-01-01"}},
    {"Bool", {"true", "true"}, {"true", "True"}, {"false", "no"}},
    {"BinaryEquals", {"cmVk", "Ymx1ZQ=="}, {"cmVk", "Ymx1ZQ=="}, {"cmVl", "Ymx1"}},
    {"IpAddress",
     {"192.0.2.0/24", "2001:db8::/32"},
     {"192.0.2.255", "2001:db8:1::1"},
     {"192.0.3.0", "2001:db9::1"}},
    {"NotIpAddress",
     {"192.0.2.0/24", "2001:db8::/32"},
     {"192.0.2.255", "2001:db8:1::1"},
     {"192.0.3.0", "2001:db9::1"}},
    {"ArnEquals",
     {"arn:aws:iam::*:role/a*", "arn:aws:s3:::b"},
     {"arn:aws:iam::1:role/ab", "arn:aws:s3:::b"},
     {"arn:aws:iam::1:user/ab", "arn:aws:s3:::B"}},
    {"ArnLike",
     {"arn:aws:iam::*:role/a*", "arn:aws:s3:::b"},
     {"arn:aws:iam::1:role/ab", "arn:aws:s3:::b"},
     {"arn:aws:iam::1:user/ab", "arn:aws:s3:::B"}},
    {"ArnNotEquals",
     {"arn:aws:iam::*:role/a*", "arn:aws:s3:::b"},
     {"arn:aws:iam::1:role/ab", "arn:aws:s3:::b"},
     {"arn:aws:iam::1:user/ab", "arn:aws:s3:::B"}},
    {"ArnNotLike",
     {"arn:aws:iam::*:role/a*", "arn:aws:s3:::b"},
     {"arn:aws:iam::1:role/ab", "arn:aws:s3:::b"},
     {"arn:aws:iam::1:user/ab", "arn:aws:s3:::B"}},
};

enum class Shape {
  missing,
  empty_list,
  empty_text,
  one_matching,
  one_other,
  two_matching,
  matching_and_other,
  two_other
};

std::optional<Values> request_of(Shape shape, const Subject& subject) {
  switch (shape) {
    case Shape::missing:
      return std::nullopt;
    case Shape::empty_list:
      return Values{};
    case Shape::empty_text:
      return Values{""};
    case Shape::one_matching:
      return Values{subject.matching[1]};
    case Shape::one_other:
      return Values{subject.other[0]};
    case Shape::two_matching:
      return Values{subject.matching[0], subject.matching[1]};
    case Shape::matching_and_other:
      return Values{subject.other[0], subject.matching[0]};
    case Shape::two_other:
      return Values{subject.other[0], subject.other[1]};
  }
  return std::nullopt;
}

// Columns: no set operator, ForAllValues, ForAnyValue, each without and with IfExists. 't' and 'f'.
constexpr std::array<std::string_view, 6> columns = {
    "", "IfExists", "ForAllValues", "ForAllValues IfExists", "ForAnyValue", "ForAnyValue IfExists"};
struct ShapeRow {
  Shape shape;
  std::string_view name;
  std::string_view positive;
  std::string_view negative;
  std::string_view pages;
};

constexpr ShapeRow shape_rows[] = {
    // clang-format off
    {Shape::missing,            "missing key",        "ft tt ft", "tt tt ft", "operators (missing, IfExists), single-vs-multi (sets)"},
    {Shape::empty_list,         "key without values", "ft tt ft", "tt tt ft", "single-vs-multi: as a missing key"},
    {Shape::empty_text,         "empty text",         "ff tt ff", "tt tt ff", "single-vs-multi: an empty data set to set operators"},
    {Shape::one_matching,       "one that matches",   "tt tt tt", "ff ff ff", "operators; multiple-values: OR, negated NOR"},
    {Shape::one_other,          "one other",          "ff ff ff", "tt tt tt", "operators; multiple-values: OR, negated NOR"},
    {Shape::two_matching,       "two that match",     "tt tt tt", "ff ff ff", "single-vs-multi; without set operator ADR 10"},
    {Shape::matching_and_other, "a match and another","tt ff tt", "ff ff tt", "examples-multi-valued; without set operator ADR 10"},
    {Shape::two_other,          "two others",         "ff ff ff", "tt tt tt", "examples-multi-valued; without set operator ADR 10"},
    // clang-format on
};

std::string spelled(std::string_view op, std::size_t column) {
  constexpr std::array<std::string_view, 3> prefixes = {"", "ForAllValues:", "ForAnyValue:"};
  return std::string(prefixes[column / 2]) + std::string(op) + (column % 2 == 1 ? "IfExists" : "");
}

TEST(ConditionTable, EveryOperatorOnEveryShapeOfRequestWithEverySetOperatorAndIfExists) {
  int checks = 0;
  for (const Subject& subject : subjects) {
    const bool is_negated = negated(OperatorName::parse(subject.op)->op);
    for (const ShapeRow& row : shape_rows) {
      std::string expected(is_negated ? row.negative : row.positive);
      std::erase(expected, ' ');
      ASSERT_EQ(expected.size(), columns.size());
      for (std::size_t column = 0; column < columns.size(); ++column, ++checks) {
        const std::string op = spelled(subject.op, column);
        EXPECT_EQ(holds(op, subject.policy, request_of(row.shape, subject)), expected[column] == 't')
            << op << ", " << row.name << ", by " << row.pages;
      }
    }
  }
  EXPECT_EQ(checks, (static_cast<int>(operator_count) - 1) * 8 * 6);
}

struct ValueRow {
  std::string_view op;
  Values policy;
  std::optional<Values> request;
  bool expected;
  std::string_view page;
};

const ValueRow value_rows[] = {
    // text
    {"StringEquals", {"a*"}, Values{"a*"}, true, operators_page},
    {"StringEquals", {"a*"}, Values{"ab"}, false, operators_page},
    {"StringEquals", {""}, Values{""}, true, operators_page},
    {"StringEquals", {""}, std::nullopt, false, operators_page},
    {"StringEquals", {"johndoe"}, Values{"JohnDoe"}, false, condition_page},
    {"StringEqualsIgnoreCase", {"johndoe"}, Values{"JohnDoe"}, true, condition_page},
    {"StringEqualsIgnoreCase", {"\xc3\xa9t\xc3\xa9"}, Values{"\xc3\x89T\xc3\x89"}, true, our_choice},
    {"StringEqualsIgnoreCase", {"a*"}, Values{"A*"}, true, operators_page},
    {"StringEqualsIgnoreCase", {"a*"}, Values{"ab"}, false, operators_page},
    {"StringLike", {"a*"}, Values{"a"}, true, operators_page},
    {"StringLike", {"*"}, Values{""}, true, operators_page},
    {"StringLike", {"a?c"}, Values{"abc"}, true, operators_page},
    {"StringLike", {"a?c"}, Values{"ac"}, false, operators_page},
    {"StringLike",
     {"a?c"},
     Values{"a\xc3\xa9"
            "c"},
     true,
     our_choice},
    {"StringLike", {"a:*:d"}, Values{"a:b:c:d"}, true, operators_page},
    {"StringLike", {"home"}, Values{"home/x"}, false, operators_page},
    {"StringLike", {"A*"}, Values{"ab"}, false, operators_page},
    {"StringNotLike", {"a*", "b*"}, Values{"c"}, true, values_page},
    {"StringNotLike", {"a*", "b*"}, Values{"bc"}, false, values_page},
    // numbers
    {"NumericEquals", {"10"}, Values{"10.00"}, true, operators_page},
    {"NumericEquals", {"9007199254740993"}, Values{"9007199254740992"}, false, our_choice},
    {"NumericEquals", {"0.1"}, Values{"1e-1"}, true, our_choice},
    {"NumericEquals", {"0"}, Values{"-0"}, true, our_choice},
    {"NumericLessThan", {"0"}, Values{"-0.001"}, true, operators_page},
    {"NumericLessThan", {"-10"}, Values{"-9"}, false, operators_page},
    {"NumericGreaterThan", {"99"}, Values{"100"}, true, operators_page},
    {"NumericEquals", {"10"}, Values{"ten"}, false, our_choice},
    {"NumericNotEquals", {"10"}, Values{"ten"}, true, our_choice},
    {"NumericLessThan", {"10"}, Values{""}, false, our_choice},
    // dates
    {"DateEquals", {"2026-11-22T10:00:00Z"}, Values{"2026-11-22T12:00:00+02:00"}, true, operators_page},
    {"DateEquals", {"2026-11-22T10:00Z"}, Values{"2026-11-22T10:00:00.000Z"}, true, operators_page},
    {"DateEquals", {"1795341600"}, Values{"2026-11-22T10:00:00Z"}, true, operators_page},
    {"DateEquals", {"2026"}, Values{"2026-01-01T00:00:00Z"}, true, our_choice},
    {"DateEquals", {"2026-11"}, Values{"2026-11-01"}, true, operators_page},
    {"DateGreaterThan", {"2026-11-22T10:00:00.5Z"}, Values{"2026-11-22T10:00:00.25Z"}, false, operators_page},
    {"DateLessThan", {"2026-11-22T10:00:00Z"}, Values{"2026-11-22T09:59:59Z"}, true, operators_page},
    {"DateLessThan", {"2026-11-22T10:00:00Z"}, Values{"soon"}, false, our_choice},
    {"DateNotEquals", {"2026-11-22T10:00:00Z"}, Values{"soon"}, true, our_choice},
    // Bool
    {"Bool", {"false"}, Values{"false"}, true, operators_page},
    {"Bool", {"false"}, Values{"true"}, false, operators_page},
    {"Bool", {"TRUE"}, Values{"true"}, true, our_choice},
    {"Bool", {"true", "false"}, Values{"false"}, true, values_page},
    {"Bool", {"false"}, Values{"0"}, false, our_choice},
    // Binary
    {"BinaryEquals", {"QmluYXJ5"}, Values{"QmluYXJ5"}, true, operators_page},
    {"BinaryEquals", {"QmluYXJ5"}, Values{"Binary"}, false, our_choice},
    // addresses
    {"IpAddress", {"203.0.113.7"}, Values{"203.0.113.7"}, true, operators_page},
    {"IpAddress", {"203.0.113.7"}, Values{"203.0.113.8"}, false, operators_page},
    {"IpAddress", {"2001:db8::1"}, Values{"2001:0DB8:0:0:0:0:0:1"}, true, operators_page},
    {"IpAddress", {"0.0.0.0/0"}, Values{"198.51.100.1"}, true, operators_page},
    {"IpAddress", {"0.0.0.0/0"}, Values{"2001:db8::1"}, false, our_choice},
    {"IpAddress", {"192.0.2.1/32"}, Values{"::ffff:192.0.2.1"}, false, our_choice},
    {"IpAddress", {"203.0.113.77/24"}, Values{"203.0.113.1"}, true, our_choice},
    {"IpAddress", {"10.0.0.0/9"}, Values{"10.127.255.255"}, true, operators_page},
    {"IpAddress", {"10.0.0.0/9"}, Values{"10.128.0.0"}, false, operators_page},
    {"IpAddress", {"10.0.0.0/8"}, Values{"ten"}, false, our_choice},
    {"NotIpAddress", {"10.0.0.0/8"}, Values{"ten"}, true, our_choice},
    {"NotIpAddress", {"10.0.0.0/8", "192.0.2.0/24"}, Values{"192.0.2.9"}, false, values_page},
    // ARNs
    {"ArnLike",
     {"arn:aws:s3:*:1:finance/*"},
     Values{"arn:aws:s3:us-east-2:9:store/abc:1:finance/d"},
     false,
     operators_page},
    {"StringLike",
     {"arn:aws:s3:*:1:finance/*"},
     Values{"arn:aws:s3:us-east-2:9:store/abc:1:finance/d"},
     true,
     operators_page},
    {"ArnLike", {"arn:aws:sns:*:*:*"}, Values{"arn:aws:sns:us-east-1:1:topic:sub"}, true, our_choice},
    {"ArnLike", {"arn:aws:iam::1:role/?"}, Values{"arn:aws:iam::1:role/a"}, true, operators_page},
    {"ArnLike", {"arn:aws:iam::1:ROLE/a"}, Values{"arn:aws:iam::1:role/a"}, false, operators_page},
    {"ArnLike", {"*"}, Values{"arn:aws:iam::1:role/a"}, false, our_choice},
    {"ArnNotLike", {"*"}, Values{"arn:aws:iam::1:role/a"}, true, our_choice},
    {"ArnLike", {"arn:*:iam::*:role/x"}, Values{"arn:aws:iam::1:role/x"}, true, operators_page},
    {"ArnLike", {"arn:aws:iam::1:role/a"}, Values{"a"}, false, our_choice},
    {"ArnEquals", {"arn:aws:iam::1:role/*"}, Values{"arn:aws:iam::1:role/a"}, true, operators_page},
    // Null
    {"Null", {"true"}, std::nullopt, true, operators_page},
    {"Null", {"true"}, Values{}, true, operators_page},
    {"Null", {"true"}, Values{"x"}, false, operators_page},
    {"Null", {"false"}, std::nullopt, false, operators_page},
    {"Null", {"false"}, Values{"x"}, true, operators_page},
    {"Null", {"false"}, Values{"", "x"}, true, operators_page},
    {"Null", {"false"}, Values{""}, false, sets_examples_page},
    {"Null", {"true"}, Values{""}, true, sets_examples_page},
    {"Null", {"true", "false"}, Values{"x"}, true, values_page},
    {"ForAnyValue:Null", {"false"}, Values{"x"}, true, our_choice},
    // sets
    {"ForAllValues:StringLike", {"PostDateTime", "Message"}, Values{"Message", "PostDateTime"}, true, sets_page},
    {"ForAllValues:StringLike", {"PostDateTime", "Message"}, Values{"Message", "ID"}, false, sets_page},
    {"ForAllValues:StringNotLike", {"key1*", "key2*"}, Values{"key1:a", "key2:b"}, false, sets_examples_page},
    {"ForAllValues:StringNotLike", {"key1*"}, Values{"key2:a", "key3:b"}, true, sets_examples_page},
    {"ForAnyValue:StringNotEquals", {"a", "b"}, Values{"a", "c"}, true, sets_page},
    {"ForAnyValue:StringNotEquals", {"a", "b"}, Values{"a", "b"}, false, sets_page},
    {"ForAllValues:StringEquals", {"a"}, Values{"", "a"}, false, our_choice},
    {"ForAnyValue:StringEquals", {"a"}, Values{"", "a"}, true, our_choice},
};

TEST(ConditionTable, EveryOperatorComparesItsValuesAsItsPageSays) {
  for (const ValueRow& row : value_rows) {
    std::string asked = "missing";
    if (row.request) {
      asked.clear();
      for (const std::string& value : *row.request) asked += "'" + value + "' ";
    }
    EXPECT_EQ(holds(row.op, row.policy, row.request), row.expected)
        << row.op << " " << row.policy[0] << " against " << asked << ", by " << row.page;
  }
}

struct VariableRow {
  std::string_view op;
  std::string_view policy;
  std::optional<Values> variable;  // x:Var
  std::string_view request;        // x:Key
  bool expected;
  std::string_view page;
};

const VariableRow variable_rows[] = {
    {"StringEquals", "a${x:Var}c", Values{"b"}, "abc", true, variables_page},
    {"StringEquals", "a${x:Var}c", Values{"*"}, "a*c", true, variables_page},
    {"StringLike", "a${x:Var}c", Values{"*"}, "axc", false, our_choice},
    {"StringLike", "a${x:Var}*", Values{"*"}, "a*c", true, our_choice},
    {"StringEquals", "${X:VAR}", Values{"b"}, "b", true, variables_page},
    {"StringEquals", "${x:Var}", std::nullopt, "${x:Var}", false, variables_page},
    {"StringNotEquals", "${x:Var}", std::nullopt, "anything", true, variables_page},
    {"StringEquals", "${x:Var}", Values{"b", "c"}, "b", false, sets_page},
    {"StringNotEquals", "${x:Var}", Values{"b", "c"}, "b", true, sets_page},
    {"StringEquals", "${x:Var, 'none'}", std::nullopt, "none", true, variables_page},
    {"StringEquals", "${x:Var, 'none'}", Values{"b"}, "none", false, variables_page},
    {"StringEquals", "${x:Var,'none'}", std::nullopt, "none", true, our_choice},
    {"StringLike", "${x:Var, '*'}", std::nullopt, "anything", false, our_choice},
    {"StringEquals", "${x:Var}", Values{""}, "", true, our_choice},
    {"StringLike", "${*}?", std::nullopt, "*a", true, variables_page},
    {"StringLike", "${*}?", std::nullopt, "aa", false, variables_page},
    {"StringEquals", "${$}{x:Var}", Values{"b"}, "${x:Var}", true, variables_page},
    {"StringLike", "${?}", std::nullopt, "?", true, variables_page},
    {"StringLike", "${?}", std::nullopt, "a", false, variables_page},
    {"StringEquals", "${", std::nullopt, "${", true, our_choice},
    {"StringEquals", "${}", std::nullopt, "${}", true, our_choice},
    {"ArnLike", "arn:aws:iam::${x:Var}:role/*", Values{"1"}, "arn:aws:iam::1:role/a", true, operators_page},
    {"ArnLike", "arn:aws:iam::1:${x:Var}", Values{"role/a:b"}, "arn:aws:iam::1:role/a:b", true, operators_page},
    {"ArnLike", "arn:aws:iam:${x:Var}:role/a", Values{":1"}, "arn:aws:iam::1:role/a", false, our_choice},
    {"ArnNotLike", "arn:aws:iam::${x:Var}:role/*", std::nullopt, "arn:aws:iam::1:role/a", true, variables_page},
    {"StringEqualsIgnoreCase", "${x:Var}", Values{"AbC"}, "aBc", true, variables_page},
    {"Bool", "${x:Var}", Values{"true"}, "true", true, operators_page},
    {"Bool", "${x:Var}", Values{"true"}, "false", false, operators_page},
    {"Bool", "${x:Var}", std::nullopt, "true", false, operators_page},
};

TEST(ConditionTable, VariablesAreReplacedAsTheirPageSays) {
  for (const VariableRow& row : variable_rows) {
    Context context;
    context.set("x:key", std::string(row.request));
    if (row.variable) context.set("x:var", *row.variable);
    EXPECT_EQ(condition_of(row.op, {std::string(row.policy)}).holds(context), row.expected)
        << row.op << " " << row.policy << " against " << row.request << ", by " << row.page;
  }
}

// IAM Access Analyzer, policy check reference: "Type mismatch", "Type mismatch Boolean", "… date", "… IP range",
// "… number" and "Invalid variable for operator" are errors.
TEST(ConditionTable, ValuesThatTheOperatorCannotReadAreRefused) {
  const std::pair<std::string_view, std::string_view> rows[] = {
      {"NumericEquals", "ten"},
      {"NumericEquals", ""},
      {"NumericEquals", "1."},
      {"NumericEquals", "0x10"},
      {"NumericLessThan", "${x:Var}"},
      {"NumericEquals", "1e9999999"},
      {"DateEquals", "2026-02-29"},
      {"DateEquals", "2026-13-01"},
      {"DateEquals", "2026-11-22T10:00:00"},
      {"DateEquals", "22.11.2026"},
      {"DateEquals", "*"},
      {"DateEquals", "2026-11-22T24:00:00Z"},
      {"DateEquals", "${x:Var}"},
      {"Bool", "yes"},
      {"Bool", ""},
      {"Null", "null"},
      {"Null", "${x:Var}"},
      {"BinaryEquals", "no base64!"},
      {"BinaryEquals", "cmV"},
      {"IpAddress", "192.0.2.0/33"},
      {"IpAddress", "192.0.2.*"},
      {"IpAddress", "192.0.2"},
      {"IpAddress", "::1/129"},
      {"IpAddress", "192.0.2.0/-1"},
      {"IpAddress", "010.0.0.1"},
      {"NotIpAddress", "*"},
      {"IpAddress", "192.0.2.0/"},
  };
  for (const auto& [op, value] : rows) {
    Condition condition;
    condition.op = OperatorName::parse(op)->op;
    EXPECT_FALSE(condition.add_value(value, true).has_value()) << op << " " << value;
    EXPECT_TRUE(condition.values.empty() && condition.operands.empty());
  }
}

TEST(ConditionTable, OperatorNamesAreThoseOfTheirPage) {
  for (const std::string_view wrong :
       {"stringEquals", "String", "StringEqualsifexists", "NullIfExists", "ForAllValues",
        "ForAllValues:", "forAnyValue:StringLike", "ForAnyValue:ForAllValues:StringLike",
        "StringEqualsIfExistsIfExists", "NotStringEquals", "DateGreater", "Boolean", ""})
    EXPECT_FALSE(OperatorName::parse(wrong).has_value()) << wrong;
  for (std::size_t i = 0; i < operator_count; ++i)
    for (std::size_t column = 0; column < columns.size(); ++column) {
      const auto op = static_cast<Operator>(i);
      if (op == Operator::null && column % 2 == 1) continue;
      const auto parsed = OperatorName::parse(spelled(name(op), column));
      ASSERT_TRUE(parsed.has_value());
      EXPECT_EQ(parsed->op, op);
      EXPECT_EQ(parsed->written(), spelled(name(op), column));
    }
}

}  // namespace
}  // namespace portolan::iam
