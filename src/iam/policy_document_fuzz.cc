// SPDX-License-Identifier: Apache-2.0
// A policy of any kind from any bytes: what is refused names a place inside the text, what is read keeps what its
// parts promise, reads the same twice and one line lower, and is JSON to another reader too.
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/check.h"
#include "iam/document.h"
#include "iam/json_tree.h"

namespace {

using namespace portolan;

/// Whether a place lies in the text, or just behind its end or one of its lines.
bool is_in(iam::Place place, std::string_view text) {
  std::uint32_t line = 1;
  while (line < place.line) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return false;
    text.remove_prefix(end + 1);
    ++line;
  }
  return place.column >= 1 && place.column <= std::min(text.find('\n'), text.size()) + 1;
}

/// To a reader that refuses numbers beyond a double, which JSON has.
bool is_json(std::string_view text) {
  try {
    return !nlohmann::json::parse(text).is_discarded();
  } catch (const nlohmann::json::out_of_range&) {
    return true;
  } catch (const nlohmann::json::parse_error&) {
    return false;
  }
}

void check_condition(const iam::Condition& condition, std::string_view text) {
  CHECK(condition.values.size() == condition.operands.size() && !condition.values.empty());
  CHECK(condition.key.contains(':') && condition.key_lower.size() == condition.key.size());
  CHECK(condition.op != iam::Operator::null || !condition.if_exists);
  CHECK(is_in(condition.place, text));
  for (const iam::Text& value : condition.values)
    CHECK(!value.has_variables() || iam::takes_variables(condition.op));
}

void check_document(const iam::Document& document, std::string_view text, iam::PolicyKind kind) {
  CHECK(document.kind == kind && !document.statements.empty());
  for (const iam::Statement& statement : document.statements) {
    CHECK(!statement.actions.empty());
    CHECK(!statement.resources.empty() || kind == iam::PolicyKind::resource);
    CHECK(statement.has_principal == !statement.principals.empty());
    CHECK(!statement.not_principal || statement.effect == iam::Effect::deny);
    CHECK(is_in(statement.place, text));
    for (const iam::Condition& condition : statement.conditions) check_condition(condition, text);
    for (const iam::ResourcePattern& resource : statement.resources)
      CHECK(!resource.text.has_variables() || document.has_variables);
  }
}

void check_policy(std::string_view text, iam::PolicyKind kind) {
  std::vector<iam::Notice> notices;
  const auto document = iam::read_document(text, kind, notices);
  std::vector<iam::Notice> notices_below;
  const std::string below_text = "\n" + std::string(text);
  const auto below = iam::read_document(below_text, kind, notices_below);
  if (text.starts_with("\xef\xbb\xbf")) return;  // only at the beginning it is a byte order mark
  CHECK(document.has_value() == below.has_value());
  if (!document.has_value()) {
    CHECK(is_in(document.error().place, text) && !document.error().what.empty());
    CHECK(below.error().place.line == document.error().place.line + 1);
    CHECK(below.error().place.column == document.error().place.column);
    CHECK(below.error().what == document.error().what);
    return;
  }
  check_document(*document, text, kind);
  check_document(*below, below_text, kind);
  CHECK(notices.size() == notices_below.size());
  for (std::size_t i = 0; i < notices.size(); ++i) {
    CHECK(is_in(notices[i].place, text) && notices[i].text == notices_below[i].text);
    CHECK(notices[i].place.line + 1 == notices_below[i].place.line);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto kind = static_cast<iam::PolicyKind>(data[0] % iam::policy_kind_count);
  const std::string_view text = base::as_text({data + 1, size - 1});
  const auto tree = iam::read_json(text, iam::Alphabet::unicode, 64);
  CHECK(!tree.has_value() || is_json(text));
  check_policy(text, kind);
  return 0;
}
