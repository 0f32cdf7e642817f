// SPDX-License-Identifier: Apache-2.0
#include "iam/condition.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"
#include "iam/context.h"

namespace portolan::iam {
namespace {

constexpr std::array<std::string_view, operator_count> operator_names = {
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
    "NumericEquals",
    "NumericNotEquals",
    "NumericLessThan",
    "NumericLessThanEquals",
    "NumericGreaterThan",
    "NumericGreaterThanEquals",
    "DateEquals",
    "DateNotEquals",
    "DateLessThan",
    "DateLessThanEquals",
    "DateGreaterThan",
    "DateGreaterThanEquals",
    "Bool",
    "BinaryEquals",
    "IpAddress",
    "NotIpAddress",
    "ArnEquals",
    "ArnLike",
    "ArnNotEquals",
    "ArnNotLike",
    "Null",
};

constexpr std::string_view for_all_prefix = "ForAllValues:";
constexpr std::string_view for_any_prefix = "ForAnyValue:";
constexpr std::string_view if_exists_suffix = "IfExists";

/// What an operator without its negation compares.
enum class Comparison : std::uint8_t {
  text,
  text_ignoring_case,
  text_like,
  numeric,
  date,
  boolean,
  binary,
  ip,
  arn
};

Comparison comparison_of(Operator op) {
  switch (op) {
    case Operator::string_equals:
    case Operator::string_not_equals:
      return Comparison::text;
    case Operator::string_equals_ignore_case:
    case Operator::string_not_equals_ignore_case:
      return Comparison::text_ignoring_case;
    case Operator::string_like:
    case Operator::string_not_like:
      return Comparison::text_like;
    case Operator::numeric_equals:
    case Operator::numeric_not_equals:
    case Operator::numeric_less_than:
    case Operator::numeric_less_than_equals:
    case Operator::numeric_greater_than:
    case Operator::numeric_greater_than_equals:
      return Comparison::numeric;
    case Operator::date_equals:
    case Operator::date_not_equals:
    case Operator::date_less_than:
    case Operator::date_less_than_equals:
    case Operator::date_greater_than:
    case Operator::date_greater_than_equals:
      return Comparison::date;
    case Operator::boolean:
    case Operator::null:
      return Comparison::boolean;
    case Operator::binary_equals:
      return Comparison::binary;
    case Operator::ip_address:
    case Operator::not_ip_address:
      return Comparison::ip;
    case Operator::arn_equals:
    case Operator::arn_like:
    case Operator::arn_not_equals:
    case Operator::arn_not_like:
      return Comparison::arn;
  }
  return Comparison::text;
}

/// Whether a request's value that compares so with the policy's satisfies `op`, its negation aside.
bool ordered_as(Operator op, std::strong_ordering order) {
  switch (op) {
    case Operator::numeric_less_than:
    case Operator::date_less_than:
      return order < 0;
    case Operator::numeric_less_than_equals:
    case Operator::date_less_than_equals:
      return order <= 0;
    case Operator::numeric_greater_than:
    case Operator::date_greater_than:
      return order > 0;
    case Operator::numeric_greater_than_equals:
    case Operator::date_greater_than_equals:
      return order >= 0;
    default:
      return order == 0;
  }
}

std::expected<Operand, std::string_view> read_operand(Comparison comparison, std::string_view written,
                                                      bool is_variable) {
  switch (comparison) {
    case Comparison::text:
    case Comparison::text_ignoring_case:
    case Comparison::text_like:
    case Comparison::arn:
      return std::monostate{};
    case Comparison::numeric:
      if (auto number = Decimal::parse(written)) return *std::move(number);
      return std::unexpected("a number, as 10 or 0.5");
    case Comparison::date:
      if (const auto moment = Moment::parse(written)) return *moment;
      return std::unexpected("a date, as 2026-11-21T10:30:00Z, or seconds since 1970");
    case Comparison::boolean:
      if (is_variable) return std::monostate{};
      if (const auto truth = parse_bool(written)) return *truth;
      return std::unexpected("true or false");
    case Comparison::binary: {
      std::string bytes;
      if (base::from_base64(written, bytes)) return bytes;
      return std::unexpected("base64 with its padding");
    }
    case Comparison::ip:
      if (const auto range = IpRange::parse(written)) return *range;
      return std::unexpected("an IP address or a CIDR range, as 203.0.113.0/24 or 2001:db8::/32");
  }
  return std::monostate{};
}

bool matches_text(Comparison comparison, const Text& wanted, std::string_view value, const Context& context) {
  std::string scratch;
  const bool with_wildcards = comparison == Comparison::text_like || comparison == Comparison::arn;
  const auto text = with_wildcards ? wanted.pattern(context, scratch) : wanted.literal(context, scratch);
  if (!text) return false;
  switch (comparison) {
    case Comparison::text_ignoring_case:
      return equals_ignoring_case(*text, value);
    case Comparison::text_like:
      return like(*text, value);
    case Comparison::arn:
      return arn_like(*text, value);
    default:
      return *text == value;
  }
}

bool matches_bool(const Operand& operand, const Text& wanted, std::string_view value, const Context& context) {
  const auto truth = parse_bool(value);
  if (!truth) return false;
  if (const bool* fixed = std::get_if<bool>(&operand)) return *fixed == *truth;
  std::string scratch;
  const auto text = wanted.literal(context, scratch);
  return text.has_value() && parse_bool(*text) == truth;
}

/// Whether one value of the request matches one of the policy, the operator's negation aside. A value that is not
/// of the operator's type matches nothing.
bool matches_value(const Condition& condition, std::size_t which, std::string_view value, const Context& context) {
  const Operand& operand = condition.operands[which];
  const Comparison comparison = comparison_of(condition.op);
  switch (comparison) {
    case Comparison::text:
    case Comparison::text_ignoring_case:
    case Comparison::text_like:
    case Comparison::arn:
      return matches_text(comparison, condition.values[which], value, context);
    case Comparison::numeric: {
      const auto number = Decimal::parse(value);
      return number.has_value() && ordered_as(condition.op, *number <=> std::get<Decimal>(operand));
    }
    case Comparison::date: {
      const auto moment = Moment::parse(value);
      return moment.has_value() && ordered_as(condition.op, *moment <=> std::get<Moment>(operand));
    }
    case Comparison::boolean:
      return matches_bool(operand, condition.values[which], value, context);
    case Comparison::binary: {
      std::string bytes;
      return base::from_base64(value, bytes) && bytes == std::get<std::string>(operand);
    }
    case Comparison::ip:
      return std::get<IpRange>(operand).contains(value);
  }
  return false;
}

bool matches_any_value(const Condition& condition, std::string_view value, const Context& context) {
  for (std::size_t i = 0; i < condition.values.size(); ++i)
    if (matches_value(condition, i, value, context)) return true;
  return false;
}

/// For set operators and Null a key whose only values are empty strings is an empty data set.
bool is_empty_set(std::span<const std::string> values) {
  return std::ranges::all_of(values, &std::string::empty);
}

bool holds_null(const Condition& condition, std::span<const std::string> values) {
  const bool absent = is_empty_set(values);
  return std::ranges::any_of(condition.operands,
                             [&](const Operand& operand) { return std::get<bool>(operand) == absent; });
}

}  // namespace

std::string_view name(Operator op) {
  return operator_names[std::to_underlying(op)];
}

bool negated(Operator op) {
  switch (op) {
    case Operator::string_not_equals:
    case Operator::string_not_equals_ignore_case:
    case Operator::string_not_like:
    case Operator::numeric_not_equals:
    case Operator::date_not_equals:
    case Operator::not_ip_address:
    case Operator::arn_not_equals:
    case Operator::arn_not_like:
      return true;
    default:
      return false;
  }
}

bool takes_variables(Operator op) {
  switch (comparison_of(op)) {
    case Comparison::text:
    case Comparison::text_ignoring_case:
    case Comparison::text_like:
    case Comparison::arn:
      return true;
    case Comparison::boolean:
      return op == Operator::boolean;
    default:
      return false;
  }
}

std::optional<OperatorName> OperatorName::parse(std::string_view written) {
  OperatorName out;
  if (written.starts_with(for_all_prefix)) {
    out.quantifier = Quantifier::for_all_values;
    written.remove_prefix(for_all_prefix.size());
  } else if (written.starts_with(for_any_prefix)) {
    out.quantifier = Quantifier::for_any_value;
    written.remove_prefix(for_any_prefix.size());
  }
  if (written.ends_with(if_exists_suffix)) {
    out.if_exists = true;
    written.remove_suffix(if_exists_suffix.size());
  }
  const auto found = std::ranges::find(operator_names, written);
  if (found == operator_names.end()) return std::nullopt;
  out.op = static_cast<Operator>(found - operator_names.begin());
  if (out.op == Operator::null && out.if_exists) return std::nullopt;
  return out;
}

std::string OperatorName::written() const {
  std::string out;
  if (quantifier == Quantifier::for_all_values) out += for_all_prefix;
  if (quantifier == Quantifier::for_any_value) out += for_any_prefix;
  out += name(op);
  if (if_exists) out += if_exists_suffix;
  return out;
}

std::expected<void, std::string_view> Condition::add_value(std::string_view written, bool with_variables) {
  Text text = Text::compile(written, with_variables && takes_variables(op));
  auto operand = read_operand(comparison_of(op), written, text.has_variables());
  if (!operand) return std::unexpected(operand.error());
  values.push_back(std::move(text));
  operands.push_back(*std::move(operand));
  return {};
}

bool Condition::holds(const Context& context) const {
  DCHECK(values.size() == operands.size());
  const std::span<const std::string> request = context.find(key_lower);
  if (op == Operator::null) return holds_null(*this, request);
  if (request.empty() && if_exists) return true;
  const bool is_negated = negated(op);
  const auto satisfies = [&](const std::string& value) {
    return matches_any_value(*this, value, context) != is_negated;
  };
  switch (quantifier) {
    case Quantifier::for_all_values:
      return is_empty_set(request) || std::ranges::all_of(request, satisfies);
    case Quantifier::for_any_value:
      return !is_empty_set(request) && std::ranges::any_of(request, satisfies);
    case Quantifier::none:
      break;
  }
  // Without a set operator a key has one value. Should the request bring more, one that matches decides, for a
  // negated operator too: a missing key thereby fails the one and satisfies the other.
  const bool matched = std::ranges::any_of(
      request, [&](const std::string& value) { return matches_any_value(*this, value, context); });
  return matched != is_negated;
}

}  // namespace portolan::iam
