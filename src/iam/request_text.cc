// SPDX-License-Identifier: Apache-2.0
#include "iam/request_text.h"

#include <expected>
#include <fmt/format.h>
#include <utility>
#include <vector>

#include "base/json_text.h"
#include "base/result.h"
#include "iam/evaluate.h"
#include "iam/json_tree.h"

namespace portolan::iam {
namespace {

constexpr int line_depth_max = 20;  // three around a document's own 16
// A pattern of many wildcards takes time in proportion to its own length times that of the value.
constexpr std::size_t request_value_bytes_max = 64 * 1024;
constexpr std::size_t seen_bytes_max = 64 * 1024 * 1024;

/// A mistake in one member of a line.
struct LineFault {
  std::string member;  // "scps[1][0]"; empty when the line is no object
  Place place;
  std::string what;
};

std::unexpected<LineFault> refuse_member(std::string member, Place place, std::string what) {
  return std::unexpected(LineFault{std::move(member), place, std::move(what)});
}

std::string answer_with_fault(const LineFault& fault) {
  std::string message = fault.member.empty() ? std::string{} : fault.member + ": ";
  message += fmt::format("line {}, column {}: {}", fault.place.line, fault.place.column, fault.what);
  std::string out = R"({"error":)";
  base::append_json_string(out, message);
  out += R"(,"member":)";
  if (fault.member.empty())
    out += "null";
  else
    base::append_json_string(out, fault.member);
  out += fmt::format(R"(,"line":{},"column":{}}})", fault.place.line, fault.place.column);
  return out;
}

/// {"kind":…,"level":…,"index":…,"statement":…,"sid":… without the closing brace.
void append_deciding(std::string& out, const PolicySet& policies, const Deciding& by) {
  out += R"({"kind":)";
  base::append_json_string(out, word(by.kind));
  if (by.level >= 0) out += fmt::format(R"(,"level":{})", by.level);
  const Statement* statement = statement_of(policies, by);
  if (statement == nullptr) {
    out += R"(,"index":null,"statement":null,"sid":null)";
    return;
  }
  out += fmt::format(R"(,"index":{},"statement":{},"sid":)", by.document, by.statement);
  if (statement->sid.empty())
    out += "null";
  else
    base::append_json_string(out, statement->sid);
}

std::string answer_with_decision(const PolicySet& policies, const Request& request, bool with_chain) {
  const Decision decision = evaluate(policies, request);
  std::string out = fmt::format(R"({{"decision":"{}","by":)", name(decision.outcome));
  append_deciding(out, policies, decision.by);
  out += '}';
  if (with_chain) {
    out += R"(,"chain":[)";
    bool first = true;
    for (const Step& step : explain(policies, request)) {
      if (!std::exchange(first, false)) out += ',';
      append_deciding(out, policies, step.by);
      out += fmt::format(R"(,"outcome":"{}","waived":{}}})", name(step.outcome), step.waived);
    }
    out += ']';
  }
  out += '}';
  return out;
}

}  // namespace

/// Reads one line into a PolicySet and a Request that point into it and into the documents kept by RequestLines.
class RequestLineReader {
 public:
  RequestLineReader(RequestLines& lines, std::string_view line) : lines_(lines), line_(line) {}

  std::expected<std::string, LineFault> answer() {
    if (line_.size() > request_line_bytes_max)
      return refuse_member(
          {}, {}, fmt::format("a line of {} bytes, at most {} are read", line_.size(), request_line_bytes_max));
    auto root = read_json(line_, Alphabet::unicode, line_depth_max);
    if (!root) return refuse_member({}, root.error().place, std::move(root.error().what));
    if (!root->is(JsonValue::Kind::object))
      return refuse_member({}, root->place, "a request is one JSON object a line");
    for (const JsonMember& member : root->members) TRY_VOID(read_member(member));
    for (const auto& [name, text] :
         {std::pair{"principal", &principal_}, {"action", &action_}, {"resource", &resource_}})
      if (*text == nullptr) return refuse_member(name, root->place, "is missing; add it");
    const Request request{.principal = (*principal_).text,
                          .action = (*action_).text,
                          .resource = (*resource_).text,
                          .context = &context_};
    return answer_with_decision(policies_, request, with_chain_);
  }

 private:
  using Checked = std::expected<void, LineFault>;

  Checked read_member(const JsonMember& member) {
    const std::string_view name = member.name;
    const JsonValue& value = member.value;
    if (name == "principal") return take_text(member, principal_);
    if (name == "action") return take_text(member, action_);
    if (name == "resource") return take_text(member, resource_);
    if (name == "context") return read_context(value);
    if (name == "identity_policies") return read_documents(name, value, PolicyKind::identity, policies_.identity);
    if (name == "permission_boundaries")
      return read_documents(name, value, PolicyKind::permission_boundary, policies_.boundaries);
    if (name == "session_policies") return read_documents(name, value, PolicyKind::session, policies_.session);
    if (name == "resource_policies") return read_documents(name, value, PolicyKind::resource, policies_.resource);
    if (name == "listener_policies") return read_documents(name, value, PolicyKind::listener, policies_.listener);
    if (name == "scps") return read_levels(name, value, PolicyKind::service_control, policies_.service_control);
    if (name == "rcps") return read_levels(name, value, PolicyKind::resource_control, policies_.resource_control);
    if (name == "explain") {
      if (!value.is(JsonValue::Kind::boolean)) return refuse_member("explain", value.place, "is true or false");
      with_chain_ = value.text == "true";
      return {};
    }
    if (value.is(JsonValue::Kind::array) || value.is(JsonValue::Kind::object))
      return refuse_member(member.name, member.place,
                           "is no member of a request; there are principal, action, resource, context, "
                           "identity_policies, permission_boundaries, session_policies, resource_policies, "
                           "listener_policies, scps, rcps and explain");
    return {};
  }

  static Checked take_text(const JsonMember& member, const JsonValue*& out) {
    if (!member.value.is(JsonValue::Kind::string))
      return refuse_member(member.name, member.value.place,
                           fmt::format("is a string, not {}", name(member.value.kind)));
    if (member.value.text.size() > request_value_bytes_max) return refuse_length(member.name, member.value);
    out = &member.value;
    return {};
  }

  Checked read_context(const JsonValue& value) {
    using Kind = JsonValue::Kind;
    if (!value.is(Kind::object))
      return refuse_member("context", value.place,
                           "is an object of condition keys, as {\"aws:SourceIp\": \"192.0.2.1\"}");
    for (const JsonMember& member : value.members) {
      if (!context_.find(lower_case(member.name)).empty())
        return refuse_member("context", member.place,
                             fmt::format("'{}' stands twice, key names ignore case; keep one", member.name));
      std::vector<std::string> values;
      const auto take = [&](const JsonValue& item) {
        if (item.is(Kind::array) || item.is(Kind::object)) return false;
        if (!item.is(Kind::null)) values.push_back(item.text);
        return true;
      };
      if (member.value.is(Kind::array)) {
        for (const JsonValue& item : member.value.items)
          if (!take(item)) return refuse_context_value(member, item);
      } else if (!take(member.value)) {
        return refuse_context_value(member, member.value);
      }
      for (const std::string& each : values)
        if (each.size() > request_value_bytes_max) return refuse_length("context", member.value);
      context_.set(member.name, std::move(values));
    }
    return {};
  }

  static std::unexpected<LineFault> refuse_length(std::string name, const JsonValue& value) {
    return refuse_member(std::move(name), value.place,
                         fmt::format("has more than {} bytes, the most that is compared", request_value_bytes_max));
  }

  static std::unexpected<LineFault> refuse_context_value(const JsonMember& member, const JsonValue& item) {
    return refuse_member(
        "context", item.place,
        fmt::format("the value of '{}' is a string, number or boolean, or an array of them", member.name));
  }

  Checked read_documents(std::string_view member, const JsonValue& value, PolicyKind kind,
                         std::vector<const Document*>& out) {
    if (!value.is(JsonValue::Kind::array))
      return refuse_member(std::string(member), value.place,
                           fmt::format("is an array of policy documents, not {}", name(value.kind)));
    for (std::size_t i = 0; i < value.items.size(); ++i) {
      auto document = document_of(value.items[i], kind);
      if (!document)
        return refuse_member(fmt::format("{}[{}]", member, i), document.error().place,
                             std::move(document.error().what));
      out.push_back(*document);
    }
    return {};
  }

  Checked read_levels(std::string_view member, const JsonValue& value, PolicyKind kind, std::vector<Level>& out) {
    if (!value.is(JsonValue::Kind::array))
      return refuse_member(std::string(member), value.place,
                           fmt::format("is an array of levels, root first, not {}", name(value.kind)));
    for (std::size_t i = 0; i < value.items.size(); ++i) {
      const std::string place = fmt::format("{}[{}]", member, i);
      if (!value.items[i].is(JsonValue::Kind::array))
        return refuse_member(place, value.items[i].place,
                             "is a level, an array of the documents attached there; put brackets around them");
      TRY_VOID(read_documents(place, value.items[i], kind, out.emplace_back().documents));
    }
    return {};
  }

  /// The document, read now or before. The place of a fault is that in the line.
  std::expected<const Document*, Fault> document_of(const JsonValue& value, PolicyKind kind) {
    const std::string_view text = line_.substr(value.begin, value.end - value.begin);
    auto& seen = lines_.seen_[std::to_underlying(kind)];
    if (const auto known = seen.find(text); known != seen.end()) return known->second.get();
    std::vector<Notice> notices;
    auto document = read_document(text, kind, notices);
    if (!document) {
      Fault fault = std::move(document.error());
      if (fault.place.line == 1) fault.place.column += value.place.column - 1;
      fault.place.line += value.place.line - 1;
      return std::unexpected(std::move(fault));
    }
    lines_.seen_bytes_ += text.size();
    return seen.emplace(std::string(text), std::make_unique<Document>(*std::move(document))).first->second.get();
  }

  RequestLines& lines_;
  std::string_view line_;
  PolicySet policies_;
  Context context_;
  const JsonValue* principal_ = nullptr;
  const JsonValue* action_ = nullptr;
  const JsonValue* resource_ = nullptr;
  bool with_chain_ = false;
};

std::string RequestLines::answer(std::string_view line) {
  if (seen_bytes_ > seen_bytes_max) {
    for (Seen& seen : seen_) seen.clear();
    seen_bytes_ = 0;
  }
  const auto answer = RequestLineReader(*this, line).answer();
  return answer ? *answer : answer_with_fault(answer.error());
}

}  // namespace portolan::iam
