// SPDX-License-Identifier: Apache-2.0
// Policies and a request drawn from the bytes. What must hold of any decision: explain() tells the same, more
// denies never allow and more allows never deny, the case of the action does not matter. And the three ways to
// match with wildcards are held against a matcher that tries every possibility.
#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "iam/evaluate.h"
#include "iam/pattern.h"

namespace {

using namespace portolan;

class Draw {
 public:
  Draw(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
  std::size_t below(std::size_t bound) { return at_ < size_ ? data_[at_++] % bound : 0; }
  template <std::size_t count>
  std::string_view one_of(const std::array<std::string_view, count>& words) {
    return words[below(count)];
  }
  std::string text(std::string_view letters, std::size_t length_max) {
    std::string out;
    for (std::size_t left = below(length_max + 1); left > 0; --left) out += letters[below(letters.size())];
    return out;
  }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
  std::size_t at_ = 0;
};

// ------------------------------------------------------------------------------------------- matchers that try all

/// `takes_colon`: whether a wildcard there may take a colon.
bool slowly_matches(std::string_view pattern, std::string_view text, const std::vector<bool>& takes_colon) {
  // matched[p]: whether pattern from p matches text from t, for t from the end
  std::vector<bool> below(pattern.size() + 1);
  std::vector<bool> row(pattern.size() + 1);
  for (std::size_t t = text.size() + 1; t-- > 0;) {
    const bool at_end = t == text.size();
    row[pattern.size()] = at_end;
    for (std::size_t p = pattern.size(); p-- > 0;) {
      const bool may_take = !at_end && (text[t] != ':' || takes_colon[p]);
      if (pattern[p] == '*')
        row[p] = row[p + 1] || (may_take && below[p]);
      else if (pattern[p] == '?')
        row[p] = may_take && below[p + 1];
      else
        row[p] = !at_end && pattern[p] == text[t] && below[p + 1];
    }
    std::swap(row, below);
  }
  return below[0];
}

std::vector<bool> everywhere(std::string_view pattern) {
  return std::vector<bool>(pattern.size(), true);
}

std::vector<bool> as_in_a_resource(std::string_view pattern) {
  std::vector<bool> out;
  for (std::size_t p = 0; p < pattern.size(); ++p) {
    const bool in_last_part = std::ranges::count(pattern.substr(0, p), ':') >= 5;
    const bool ends_part = pattern[p] == '*' && (p + 1 == pattern.size() || pattern[p + 1] == ':');
    out.push_back(in_last_part || ends_part);
  }
  return out;
}

bool slowly_matches_arn(std::string_view pattern, std::string_view arn) {
  for (int part = 0; part < 5; ++part) {
    const std::size_t pattern_end = pattern.find(':');
    const std::size_t end = arn.find(':');
    if (pattern_end == std::string_view::npos || end == std::string_view::npos) return false;
    const std::string_view first = pattern.substr(0, pattern_end);
    if (!slowly_matches(first, arn.substr(0, end), everywhere(first))) return false;
    pattern.remove_prefix(pattern_end + 1);
    arn.remove_prefix(end + 1);
  }
  return slowly_matches(pattern, arn, everywhere(pattern));
}

void check_matchers(Draw& draw) {
  const std::string pattern = draw.text("ab::**?", 24);
  const std::string text = draw.text("aabb::", 32);
  CHECK(iam::like(pattern, text) == slowly_matches(pattern, text, everywhere(pattern)));
  const bool is_all_stars = !pattern.empty() && pattern.find_first_not_of('*') == std::string::npos;
  CHECK(iam::resource_like(pattern, text) ==
        (is_all_stars || slowly_matches(pattern, text, as_in_a_resource(pattern))));
  CHECK(iam::arn_like(pattern, text) == slowly_matches_arn(pattern, text));
  iam::Context context;
  context.set("s3:v", text);
  std::string resolved;
  CHECK(iam::Text::compile("${s3:v}", true).resolve(context, resolved) && iam::like(resolved, text));
  CHECK(iam::resource_like(resolved, text) &&
        iam::Text::compile("${S3:V}", true).resolve_literal(context, resolved));
  CHECK(resolved == text);
}

// ---------------------------------------------------------------------------------------------------------
// policies

constexpr std::array<std::string_view, 6> principals = {
    "arn:aws:iam::111122223333:user/a",           "arn:aws:sts::111122223333:assumed-role/r/s",
    "arn:aws:iam::111122223333:role/r",           "arn:aws:iam::111122223333:root",
    "arn:aws:sts::111122223333:federated-user/f", "lambda.amazonaws.com",
};
constexpr std::array<std::string_view, 5> resources = {
    "*", "arn:aws:bedrock:us-east-1::foundation-model/m", "arn:aws:bedrock:::foundation-model/m",
    "arn:aws:bedrock:us-east-1:111122223333:guardrail/g", "arn:aws:bedrock:us-east-1:444455556666:guardrail/g"};
constexpr std::array<std::string_view, 6> resource_patterns = {
    "*",
    "arn:aws:bedrock:*::foundation-model/*",
    "arn:aws:bedrock:us-*-1::foundation-model/m",
    "arn:aws:bedrock:*:guardrail/g",
    "arn:aws:bedrock:us-east-1:111122223333:guardrail/${s3:v}",
    "arn:aws:bedrock:us-east-1:444455556666:guardrail/?"};
constexpr std::array<std::string_view, 3> actions = {"bedrock:InvokeModel", "bedrock:GetGuardrail", "s3:GetObject"};
constexpr std::array<std::string_view, 4> action_patterns = {"*", "bedrock:*", "BEDROCK:invoke*", "s3:?etObject"};
constexpr std::array<std::string_view, 7> principal_elements = {
    R"("*")",
    R"({"AWS":"111122223333"})",
    R"({"AWS":"arn:aws:iam::111122223333:user/a"})",
    R"({"AWS":"arn:aws:iam::111122223333:role/r"})",
    R"({"AWS":"arn:aws:sts::111122223333:assumed-role/r/s"})",
    R"({"AWS":["arn:aws:iam::111122223333:user/a","arn:aws:iam::111122223333:root"]})",
    R"({"Service":"lambda.amazonaws.com","AWS":"444455556666"})"};
constexpr std::array<std::string_view, 3> sets = {"", "ForAllValues:", "ForAnyValue:"};
constexpr std::array<std::string_view, 9> values = {
    "a",     "7",          "2026-01-01T00:00:00Z", "true", "YQ==", "192.0.2.7", "arn:aws:iam::111122223333:user/a",
    "1e300", "2001:db8::1"};

/// A value that the operator can read.
std::string_view value_for(std::string_view op, Draw& draw) {
  if (op.starts_with("Numeric")) return draw.below(2) == 0 ? "7" : "-0.5";
  if (op.starts_with("Date")) return draw.below(2) == 0 ? "2026-01-01T00:00:00Z" : "1767225600";
  if (op == "Bool" || op == "Null") return draw.below(2) == 0 ? "true" : "false";
  if (op.starts_with("Binary")) return "YQ==";
  if (op.ends_with("IpAddress")) return draw.below(2) == 0 ? "192.0.2.0/29" : "2001:db8::/32";
  return draw.below(3) == 0 ? "${s3:v}" : draw.one_of(values);
}

std::string draw_condition(Draw& draw) {
  const std::string_view op = iam::name(static_cast<iam::Operator>(draw.below(iam::operator_count)));
  std::string out = "{\"";
  out.append(draw.one_of(sets)).append(op);
  if (op != "Null" && draw.below(3) == 0) out += "IfExists";
  out += R"(":{"s3:)";
  out += draw.below(2) == 0 ? "k" : "v";
  out += R"(":[")";
  out += value_for(op, draw);
  if (draw.below(2) == 0) out.append("\",\"").append(value_for(op, draw));
  return out + R"("]}})";
}

std::string draw_document(iam::PolicyKind kind, Draw& draw) {
  using iam::PolicyKind;
  const bool has_principal =
      kind == PolicyKind::resource || kind == PolicyKind::resource_control || kind == PolicyKind::listener;
  std::string out = R"({"Version":"2012-10-17","Statement":[)";
  for (std::size_t left = draw.below(3);; --left) {
    const bool is_deny = draw.below(4) == 0;
    out += is_deny ? R"({"Effect":"Deny")" : R"({"Effect":"Allow")";
    if (has_principal) {
      const bool is_not = is_deny && kind != PolicyKind::resource_control && draw.below(3) == 0;
      out += is_not ? R"(,"NotPrincipal":)" : R"(,"Principal":)";
      out += kind == PolicyKind::resource_control ? principal_elements[0] : draw.one_of(principal_elements);
    }
    out += kind != PolicyKind::resource_control && draw.below(4) == 0 ? R"(,"NotAction":")" : R"(,"Action":")";
    out += draw.one_of(action_patterns);
    out += draw.below(4) == 0 ? R"(","NotResource":")" : R"(","Resource":")";
    out += draw.one_of(resource_patterns);
    out += '"';
    if (draw.below(2) == 0) out += R"(,"Condition":)" + draw_condition(draw);
    out += '}';
    if (left == 0) return out + "]}";
    out += ',';
  }
}

class World {
 public:
  explicit World(Draw& draw) : draw_(draw) {}

  const iam::Document* document(iam::PolicyKind kind) { return parse(kind, draw_document(kind, draw_)); }
  const iam::Document* parse(iam::PolicyKind kind, const std::string& text) {
    std::vector<iam::Notice> notices;
    auto parsed = iam::parse_document(text, kind, notices);
    CHECK(parsed.has_value());
    return &kept_.emplace_back(*std::move(parsed));
  }

 private:
  Draw& draw_;
  std::deque<iam::Document> kept_;
};

/// The list of a kind; for SCPs and RCPs that of the last level, which is made when there is none.
std::vector<const iam::Document*>& list_of(iam::PolicySet& set, iam::PolicyKind kind) {
  const auto last = [](std::vector<iam::Level>& levels) -> std::vector<const iam::Document*>& {
    if (levels.empty()) levels.emplace_back();
    return levels.back().documents;
  };
  switch (kind) {
    case iam::PolicyKind::identity:
      return set.identity;
    case iam::PolicyKind::permission_boundary:
      return set.boundaries;
    case iam::PolicyKind::session:
      return set.session;
    case iam::PolicyKind::resource:
      return set.resource;
    case iam::PolicyKind::listener:
      return set.listener;
    case iam::PolicyKind::service_control:
      return last(set.service_control);
    case iam::PolicyKind::resource_control:
      return last(set.resource_control);
  }
  return set.identity;
}

iam::Decision check_decision(const iam::PolicySet& set, const iam::Request& request) {
  const iam::Decision decision = iam::evaluate(set, request);
  const auto steps = iam::explain(set, request);
  const auto denied = std::ranges::find(steps, iam::Outcome::explicit_deny, &iam::Step::outcome);
  const auto missing = std::ranges::find_if(
      steps, [](const auto& step) { return step.outcome == iam::Outcome::implicit_deny && !step.waived; });
  if (denied != steps.end())
    CHECK(decision.outcome == iam::Outcome::explicit_deny && decision.by == denied->by);
  else if (missing != steps.end())
    CHECK(decision.outcome == iam::Outcome::implicit_deny && decision.by == missing->by);
  else
    CHECK(decision.outcome == iam::Outcome::allowed);
  const iam::Statement* statement = iam::statement_of(set, decision.by);
  if (statement != nullptr) {
    CHECK((statement->effect == iam::Effect::deny) == (decision.outcome == iam::Outcome::explicit_deny));
    CHECK(statement->not_principal || iam::matches(*statement, request));
  } else {
    CHECK(decision.outcome != iam::Outcome::explicit_deny);
  }
  return decision;
}

void check_evaluation(Draw& draw) {
  World world(draw);
  iam::PolicySet set;
  for (std::size_t levels = draw.below(3); levels > 0; --levels) set.service_control.emplace_back();
  for (std::size_t levels = draw.below(3); levels > 0; --levels) set.resource_control.emplace_back();
  for (std::size_t i = 0; i < iam::policy_kind_count; ++i) {
    const auto kind = static_cast<iam::PolicyKind>(i);
    for (std::size_t count = draw.below(3); count > 0; --count) list_of(set, kind).push_back(world.document(kind));
  }
  for (auto* levels : {&set.service_control, &set.resource_control})
    for (iam::Level& level : *levels)
      if (level.documents.empty() && draw.below(4) != 0)
        level.documents.push_back(world.document(
            levels == &set.service_control ? iam::PolicyKind::service_control : iam::PolicyKind::resource_control));
  iam::Context context;
  if (draw.below(3) != 0) context.set("S3:K", std::string(draw.one_of(values)));
  if (draw.below(2) != 0)
    context.set("s3:v", std::vector<std::string>(draw.below(3), std::string(draw.one_of(values))));
  const std::string action(draw.one_of(actions));
  const iam::Request request{.principal = draw.one_of(principals),
                             .action = action,
                             .resource = draw.one_of(resources),
                             .context = &context};
  const iam::Decision decision = check_decision(set, request);

  std::string shouted = action;
  std::ranges::transform(shouted, shouted.begin(), [](char c) { return c >= 'a' && c <= 'z' ? char(c - 32) : c; });
  iam::Request loud = request;
  loud.action = shouted;
  CHECK(iam::evaluate(set, loud).outcome == decision.outcome);

  // Another Deny anywhere: nothing that was denied is allowed. Another Allow: nothing that was allowed is denied;
  // for kinds that were not there, an Allow of everything is none that narrows.
  const auto kind = static_cast<iam::PolicyKind>(draw.below(iam::policy_kind_count));
  const bool has_principal = kind == iam::PolicyKind::resource || kind == iam::PolicyKind::resource_control ||
                             kind == iam::PolicyKind::listener;
  const std::string rest =
      has_principal ? R"(,"Principal":"*","Action":"*","Resource":"*"}})" : R"(,"Action":"*","Resource":"*"}})";
  iam::PolicySet denied = set;
  list_of(denied, kind)
      .push_back(world.parse(kind, R"({"Version":"2012-10-17","Statement":{"Effect":"Deny")" + rest));
  CHECK(check_decision(denied, request).outcome == iam::Outcome::explicit_deny);
  iam::PolicySet allowed = set;
  list_of(allowed, kind)
      .push_back(world.parse(kind, R"({"Version":"2012-10-17","Statement":{"Effect":"Allow")" + rest));
  const iam::Decision more = check_decision(allowed, request);
  const bool may_turn = kind == iam::PolicyKind::permission_boundary && set.boundaries.empty();  // NotPrincipal
  CHECK(may_turn || decision.outcome != iam::Outcome::allowed || more.outcome == iam::Outcome::allowed);
  CHECK(may_turn ||
        (more.outcome == iam::Outcome::explicit_deny) == (decision.outcome == iam::Outcome::explicit_deny));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Draw draw(data, size);
  check_matchers(draw);
  check_evaluation(draw);
  return 0;
}
