// SPDX-License-Identifier: Apache-2.0
#include "iam/document.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <utility>

#include "iam/json_tree.h"
#include "iam/known_names.h"
#include "iam/principal.h"

namespace portolan::iam {
namespace {

using Kind = JsonValue::Kind;

constexpr std::size_t document_bytes_max = 256 * 1024;
constexpr int document_depth_max = 16;
constexpr std::string_view version_with_variables = "2012-10-17";
constexpr std::string_view version_without = "2008-10-17";

template <class T = void>
using Read = std::expected<T, Fault>;

std::unexpected<Fault> refuse(Place at, std::string what) {
  return std::unexpected(Fault{at, std::move(what)});
}

bool is_attached_to_resources(PolicyKind kind) {
  return kind == PolicyKind::resource || kind == PolicyKind::listener;
}
bool is_of_organization(PolicyKind kind) {
  return kind == PolicyKind::service_control || kind == PolicyKind::resource_control;
}
bool has_principals(PolicyKind kind) {
  return is_attached_to_resources(kind) || kind == PolicyKind::resource_control;
}

/// What one kind's page calls a policy, with its article.
std::string_view a_policy(PolicyKind kind) {
  switch (kind) {
    case PolicyKind::identity:
      return "an identity-based policy";
    case PolicyKind::permission_boundary:
      return "a permissions boundary";
    case PolicyKind::session:
      return "a session policy";
    case PolicyKind::resource:
      return "a resource-based policy";
    case PolicyKind::service_control:
      return "an SCP";
    case PolicyKind::resource_control:
      return "an RCP";
    case PolicyKind::listener:
      return "a listener policy";
  }
  return "a policy";
}

/// "an array", "null" …
std::string a_json(Kind kind) {
  if (kind == Kind::null) return "null";
  return fmt::format("{} {}", kind == Kind::array || kind == Kind::object ? "an" : "a", name(kind));
}

/// The place of the first character beyond the quota, or nothing. White space is not counted; where `in_strings`,
/// only white space outside strings is not.
Read<void> check_size(std::string_view text, PolicyKind kind) {
  if (text.size() > document_bytes_max)
    return refuse({},
                  fmt::format("{} bytes, at most {} are read; split the policy", text.size(), document_bytes_max));
  const std::size_t max = characters_max(kind);
  std::size_t characters = 0;
  Place place;
  Place beyond;
  bool in_string = false;
  bool escaped = false;
  for (const char c : text) {
    const bool space = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    const bool counts =
        (!space || (in_string && is_of_organization(kind))) && (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    if (counts && ++characters == max + 1) beyond = place;
    if (c == '"' && !escaped) in_string = !in_string;
    escaped = in_string && c == '\\' && !escaped;
    if (c == '\n')
      place = {place.line + 1, 1};
    else
      ++place.column;
  }
  if (characters <= max) return {};
  return refuse(beyond,
                fmt::format("{} may have {} characters without white space, this one has {}; split it or use "
                            "wildcards",
                            a_policy(kind), max, characters));
}

bool is_everything(std::string_view text) {
  return !text.empty() && text.find_first_not_of('*') == std::string_view::npos;
}

class DocumentReader {
 public:
  DocumentReader(PolicyKind kind, std::vector<Notice>& notices) : kind_(kind), notices_(notices) {}

  Read<Document> read(const JsonValue& root) {
    if (!root.is(Kind::object)) return refuse(root.place, "a policy is an object; begin it with '{'");
    Document document{.kind = kind_};
    const JsonValue* statements = nullptr;
    for (const JsonMember& member : root.members) {
      if (member.name == "Version") {
        TRY_VOID(read_version(member.value, document));
      } else if (member.name == "Id") {
        TRY(document.id, text_of(member.value, "Id"));
        if (!is_attached_to_resources(kind_))
          note(member.place, "Id belongs to resource-based policies; AWS's grammar has none here");
      } else if (member.name == "Statement") {
        statements = &member.value;
      } else {
        return refuse(
            member.place,
            fmt::format("'{}' is no element of a policy; there are Version, Id and Statement", member.name));
      }
    }
    if (is_of_organization(kind_) && !document.has_variables)
      note(root.place, fmt::format(R"({} needs "Version": "2012-10-17")", a_policy(kind_)));
    has_variables_ = document.has_variables;
    if (statements == nullptr) return refuse(root.place, R"(no Statement; add "Statement": [...])");
    TRY_VOID(read_statements(*statements, document));
    return document;
  }

 private:
  void note(Place place, std::string text) { notices_.push_back({place, std::move(text)}); }

  Read<std::string> text_of(const JsonValue& value, std::string_view element) const {
    if (!value.is(Kind::string))
      return refuse(value.place, fmt::format("{} is {}; put it in double quotes", element, a_json(value.kind)));
    return value.text;
  }

  /// A string, or an array of at least one: AWS takes either wherever it takes a list.
  Read<std::vector<const JsonValue*>> list_of(const JsonValue& value, std::string_view element) const {
    if (value.is(Kind::string)) return std::vector{&value};
    if (!value.is(Kind::array))
      return refuse(value.place,
                    fmt::format("{} is {}; write a string or an array of strings", element, a_json(value.kind)));
    if (value.items.empty())
      return refuse(value.place, fmt::format("{} is empty; write at least one value", element));
    std::vector<const JsonValue*> out;
    for (const JsonValue& item : value.items) {
      if (!item.is(Kind::string))
        return refuse(item.place, fmt::format("{} holds {}; put it in double quotes", element, a_json(item.kind)));
      out.push_back(&item);
    }
    return out;
  }

  Read<void> read_version(const JsonValue& value, Document& document) const {
    TRY(const std::string version, text_of(value, "Version"));
    if (version != version_with_variables && version != version_without)
      return refuse(value.place,
                    fmt::format(R"(Version "{}" does not exist; write "{}")", version, version_with_variables));
    document.has_variables = version == version_with_variables;
    return {};
  }

  Read<void> read_statements(const JsonValue& value, Document& document) {
    if (value.is(Kind::object)) return add_statement(value, document);
    if (!value.is(Kind::array))
      return refuse(value.place,
                    fmt::format("Statement is {}; write an object or an array of objects", a_json(value.kind)));
    if (value.items.empty()) return refuse(value.place, "Statement is empty; write at least one statement");
    for (const JsonValue& item : value.items) {
      if (!item.is(Kind::object))
        return refuse(item.place, fmt::format("a statement is {}; write an object", a_json(item.kind)));
      TRY_VOID(add_statement(item, document));
    }
    return {};
  }

  Read<void> add_statement(const JsonValue& value, Document& document) {
    Statement statement;
    statement.place = value.place;
    seen_ = {};
    for (const JsonMember& member : value.members) TRY_VOID(read_element(member, document, statement));
    TRY_VOID(check_complete(value, statement));
    document.statements.push_back(std::move(statement));
    return {};
  }

  Read<void> read_element(const JsonMember& member, const Document& document, Statement& statement) {
    const std::string_view element = member.name;
    if (element == "Sid") return read_sid(member.value, document, statement);
    if (element == "Effect") return read_effect(member.value, statement);
    if (element == "Action" || element == "NotAction") return read_actions(member, statement);
    if (element == "Resource" || element == "NotResource") return read_resources(member, statement);
    if (element == "Principal" || element == "NotPrincipal") return read_principals(member, statement);
    if (element == "Condition") return read_conditions(member.value, statement);
    return refuse(member.place, fmt::format("'{}' is no element of a statement; there are Sid, Effect, Principal, "
                                            "NotPrincipal, Action, NotAction, Resource, NotResource and Condition",
                                            element));
  }

  Read<void> read_sid(const JsonValue& value, const Document& document, Statement& statement) {
    TRY(statement.sid, text_of(value, "Sid"));
    if (statement.sid.empty()) {
      note(value.place, "Sid is empty; name the statement or leave Sid out");
      return {};
    }
    if (is_attached_to_resources(kind_)) return {};  // services differ in what they allow
    constexpr std::string_view allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    if (statement.sid.find_first_not_of(allowed) != std::string::npos)
      return refuse(
          value.place,
          fmt::format(R"(Sid "{}" has other characters than A-Z, a-z and 0-9; leave them out)", statement.sid));
    if (std::ranges::find(document.statements, statement.sid, &Statement::sid) != document.statements.end())
      return refuse(value.place,
                    fmt::format(R"(Sid "{}" stands twice in the policy; choose another)", statement.sid));
    return {};
  }

  Read<void> read_effect(const JsonValue& value, Statement& statement) {
    TRY(const std::string effect, text_of(value, "Effect"));
    if (effect != "Allow" && effect != "Deny")
      return refuse(value.place, fmt::format(R"(Effect "{}" does not exist; write "Allow" or "Deny")", effect));
    statement.effect = effect == "Allow" ? Effect::allow : Effect::deny;
    seen_.effect = true;
    return {};
  }

  /// Notes that one of `X` and `NotX` was read; both are one too many.
  static Read<void> take_turn(const JsonMember& member, std::string_view element, bool& seen) {
    if (seen)
      return refuse(member.place, fmt::format("a statement has {0} or Not{0}, not both; split it in two", element));
    seen = true;
    return {};
  }

  Read<void> read_actions(const JsonMember& member, Statement& statement) {
    TRY_VOID(take_turn(member, "Action", seen_.action));
    statement.not_action = member.name == "NotAction";
    if (statement.not_action && kind_ == PolicyKind::resource_control)
      return refuse(member.place, "an RCP takes no NotAction; list the actions in Action");
    TRY(const auto items, list_of(member.value, member.name));
    for (const JsonValue* item : items) {
      TRY_VOID(check_action(*item));
      statement.actions.push_back({item->text});
    }
    return {};
  }

  Read<void> check_action(const JsonValue& item) {
    const std::string_view written = item.text;
    if (is_everything(written)) return {};
    const std::size_t colon = written.find(':');
    if (colon == std::string_view::npos || colon == 0 || colon + 1 == written.size() || written.contains(' '))
      return refuse(
          item.place,
          fmt::format(R"("{}" is no action; write "service:Action", as "bedrock:InvokeModel", or "*")", written));
    if (std::string doubt = doubt_about_action(written); !doubt.empty()) note(item.place, std::move(doubt));
    return {};
  }

  Read<void> read_resources(const JsonMember& member, Statement& statement) {
    TRY_VOID(take_turn(member, "Resource", seen_.resource));
    statement.not_resource = member.name == "NotResource";
    TRY(const auto items, list_of(member.value, member.name));
    for (const JsonValue* item : items) {
      TRY_VOID(check_resource(*item, Text::compile(item->text, has_variables_).has_variables()));
      TRY(const std::vector<std::string> readings, completed(*item));
      for (const std::string& reading : readings)
        statement.resources.push_back({Text::compile(reading, has_variables_)});
    }
    return {};
  }

  Read<void> check_resource(const JsonValue& item, bool has_variables) const {
    const std::string_view written = item.text;
    if (is_everything(written)) return {};
    if (!written.starts_with("arn:"))
      return refuse(item.place, fmt::format(R"("{}" is no ARN; write "arn:aws:bedrock:…" or "*")", written));
    std::array<std::string_view, 5> parts;
    std::string_view rest = written;
    std::size_t count = 0;
    for (; count < parts.size(); ++count) {
      const std::size_t colon = rest.find(':');
      parts[count] = rest.substr(0, colon);
      if (colon == std::string_view::npos) break;
      rest.remove_prefix(colon + 1);
    }
    constexpr std::size_t service = 2;
    if (count < service)
      return refuse(
          item.place,
          fmt::format(R"("{}" names no service; write it behind the second colon, as arn:aws:bedrock:…)", written));
    if (parts[service].find_first_of("*?") != std::string_view::npos)
      return refuse(item.place, fmt::format(R"("{}" has a wildcard for its service; name the service)", written));
    const std::size_t before_resource = written.size() - (count == parts.size() ? rest.size() : 0);
    if (has_variables && written.substr(0, before_resource).contains("${"))
      return refuse(
          item.place,
          fmt::format(R"("{}" has a policy variable before its fifth colon; use a wildcard there)", written));
    return {};
  }

  /// With wildcards for the parts that it leaves out: "arn:aws:bedrock" is arn:aws:bedrock:*:*:* (IAM User Guide,
  /// "Identify AWS resources with Amazon Resource Names (ARNs)", which also says that session policies may not).
  /// A star that ends a part may stand for the lacking ones as well, so such an ARN is taken in both readings.
  Read<std::vector<std::string>> completed(const JsonValue& item) const {
    constexpr std::ptrdiff_t colons_of_arn = 5;
    const std::string& written = item.text;
    const std::ptrdiff_t lacking = colons_of_arn - std::ranges::count(written, ':');
    if (is_everything(written) || lacking <= 0 || written.ends_with('*')) return std::vector{written};
    const bool has_wide_star = written.contains("*:");
    if (kind_ == PolicyKind::session && !has_wide_star)
      return refuse(item.place,
                    fmt::format(R"("{}" leaves parts of the ARN out, which a session policy may not; write a )"
                                R"("*" for each)",
                                written));
    std::string whole = written;
    for (std::ptrdiff_t part = 0; part < lacking; ++part) whole += ":*";
    return has_wide_star ? std::vector{written, whole} : std::vector{whole};
  }

  Read<void> read_principals(const JsonMember& member, Statement& statement) {
    if (!has_principals(kind_))
      return refuse(member.place, fmt::format("{} has no {}; it speaks of whoever it is attached to: take it away",
                                              a_policy(kind_), member.name));
    TRY_VOID(take_turn(member, "Principal", seen_.principal));
    statement.has_principal = true;
    statement.not_principal = member.name == "NotPrincipal";
    const JsonValue& value = member.value;
    if (kind_ == PolicyKind::resource_control &&
        (statement.not_principal || !value.is(Kind::string) || value.text != "*"))
      return refuse(member.place,
                    R"(an RCP speaks of everyone: write "Principal": "*" and narrow it with conditions)");
    if (value.is(Kind::string)) {
      if (value.text != "*")
        return refuse(value.place, fmt::format(R"("{}" needs its type; write {{"AWS": "{}"}}, or "*" for everyone)",
                                               value.text, value.text));
      statement.principals.push_back({PrincipalPattern::Type::any, "*"});
      return {};
    }
    if (!value.is(Kind::object) || value.members.empty())
      return refuse(
          value.place,
          fmt::format(R"({} names nobody; write "*" or an object as {{"AWS": "111122223333"}})", member.name));
    for (const JsonMember& entry : value.members) TRY_VOID(read_principal_entry(entry, statement));
    return {};
  }

  Read<void> read_principal_entry(const JsonMember& entry, Statement& statement) {
    using Type = PrincipalPattern::Type;
    constexpr std::array<std::pair<std::string_view, Type>, 4> types = {{{"AWS", Type::aws},
                                                                         {"Service", Type::service},
                                                                         {"Federated", Type::federated},
                                                                         {"CanonicalUser", Type::canonical_user}}};
    const auto type = std::ranges::find(types, entry.name, &std::pair<std::string_view, Type>::first);
    if (type == types.end())
      return refuse(entry.place, fmt::format("'{}' is no type of principal; there are AWS, Service, Federated and "
                                             "CanonicalUser",
                                             entry.name));
    TRY(const auto items, list_of(entry.value, entry.name));
    for (const JsonValue* item : items) {
      TRY_VOID(check_principal(type->second, *item));
      statement.principals.push_back({type->second, item->text});
    }
    return {};
  }

  Read<void> check_principal(PrincipalPattern::Type type, const JsonValue& item) {
    const std::string_view written = item.text;
    if (type == PrincipalPattern::Type::canonical_user) {
      note(item.place, "CanonicalUser is known to Amazon S3 only and matches nobody here");
      return {};
    }
    if (type == PrincipalPattern::Type::aws && written == "*") return {};
    if (written.empty() || written.find_first_of("*?") != std::string_view::npos)
      return refuse(item.place,
                    fmt::format(R"("{}": a principal is named in full, wildcards stand for everyone or not at )"
                                R"(all; write "*" and a condition on aws:PrincipalArn)",
                                written));
    if (type != PrincipalPattern::Type::aws || is_account_id(written)) return {};
    const Caller::Kind caller = Caller::parse(written).kind;
    const bool named = caller == Caller::Kind::root || caller == Caller::Kind::user ||
                       caller == Caller::Kind::role || caller == Caller::Kind::session ||
                       caller == Caller::Kind::federated_user;
    if (named) return {};
    if (written.starts_with("AIDA") || written.starts_with("AROA")) {
      note(item.place, fmt::format("'{}' is the id of a deleted user or role and matches nobody", written));
      return {};
    }
    return refuse(item.place,
                  fmt::format(R"("{}" is no principal; write an account id, or the ARN of an account's root, )"
                              "a user, a role, a session or a federated user",
                              written));
  }

  Read<void> read_conditions(const JsonValue& value, Statement& statement) {
    if (!value.is(Kind::object))
      return refuse(value.place, fmt::format("Condition is {}; write an object of operators", a_json(value.kind)));
    if (value.members.empty()) note(value.place, "Condition is empty and narrows nothing");
    for (const JsonMember& block : value.members) {
      const auto op = OperatorName::parse(block.name);
      if (!op) return refuse(block.place, unknown_operator(block.name));
      if (!block.value.is(Kind::object))
        return refuse(block.value.place, fmt::format("{} is {}; write an object of condition keys", block.name,
                                                     a_json(block.value.kind)));
      if (block.value.members.empty())
        note(block.value.place, fmt::format("{} is empty and narrows nothing", block.name));
      if (op->op == Operator::null && op->quantifier != Quantifier::none)
        note(block.place, "Null asks whether a key is there; a set operator adds nothing");
      const std::size_t first = statement.conditions.size();
      for (const JsonMember& member : block.value.members) {
        TRY_VOID(read_condition(member, *op, statement));
        TRY_VOID(check_key_is_new(member, statement, first));
      }
    }
    return {};
  }

  static std::string unknown_operator(std::string_view written) {
    if (written.ends_with("NullIfExists"))
      return "Null takes no IfExists, it asks for existence itself; write Null";
    for (std::size_t i = 0; i < operator_count; ++i) {
      const std::string_view known = name(static_cast<Operator>(i));
      if (equals_ignoring_case(written, known))
        return fmt::format("'{}' is no condition operator; write {}", written, known);
    }
    return fmt::format(
        "'{}' is no condition operator; they are as StringEquals, ForAnyValue:StringLike or "
        "NumericLessThanIfExists",
        written);
  }

  static Read<void> check_key_is_new(const JsonMember& member, const Statement& statement, std::size_t first) {
    const std::string& key_lower = statement.conditions.back().key_lower;
    for (std::size_t i = first; i + 1 < statement.conditions.size(); ++i)
      if (statement.conditions[i].key_lower == key_lower)
        return refuse(member.place, fmt::format("'{}' stands twice under the same operator, key names ignore case; "
                                                "put the values in one array",
                                                member.name));
    return {};
  }

  Read<void> read_condition(const JsonMember& member, const OperatorName& op, Statement& statement) {
    Condition condition;
    condition.op = op.op;
    condition.quantifier = op.quantifier;
    condition.if_exists = op.if_exists;
    condition.key = member.name;
    condition.key_lower = lower_case(member.name);
    condition.place = member.place;
    const std::size_t colon = member.name.find(':');
    if (colon == std::string::npos || colon == 0 || colon + 1 == member.name.size())
      return refuse(member.place, fmt::format("'{}' is no condition key; write service:key, as aws:RequestedRegion",
                                              member.name));
    if (std::string doubt = doubt_about_condition_key(member.name); !doubt.empty())
      note(member.place, std::move(doubt));
    if (member.value.is(Kind::array)) {
      if (member.value.items.empty())
        return refuse(member.value.place, fmt::format("'{}' has no values; write at least one", member.name));
      for (const JsonValue& item : member.value.items) TRY_VOID(add_condition_value(item, condition));
    } else {
      TRY_VOID(add_condition_value(member.value, condition));
    }
    statement.conditions.push_back(std::move(condition));
    return {};
  }

  Read<void> add_condition_value(const JsonValue& value, Condition& condition) {
    if (!value.is(Kind::string) && !value.is(Kind::number) && !value.is(Kind::boolean))
      return refuse(value.place,
                    fmt::format("a condition value is {}; write a string, number or boolean", a_json(value.kind)));
    if (const auto added = condition.add_value(value.text, has_variables_); !added) {
      const bool is_variable = has_variables_ && Text::compile(value.text, true).has_variables();
      if (is_variable)
        return refuse(value.place,
                      fmt::format("{} takes no policy variables, only operators on text, ARNs and Bool do; "
                                  "write {}",
                                  name(condition.op), added.error()));
      return refuse(value.place, fmt::format(R"("{}" does not suit {}; write {})", value.text, name(condition.op),
                                             added.error()));
    }
    doubt_value(value, condition);
    return {};
  }

  void doubt_value(const JsonValue& value, const Condition& condition) {
    const bool on_arns = condition.op == Operator::arn_equals || condition.op == Operator::arn_like ||
                         condition.op == Operator::arn_not_equals || condition.op == Operator::arn_not_like;
    if (on_arns && std::ranges::count(value.text, ':') < 5)
      note(value.place, fmt::format(R"("{}" has fewer than the six parts of an ARN and matches none)", value.text));
  }

  Read<void> check_complete(const JsonValue& value, const Statement& statement) {
    if (!seen_.effect) return refuse(value.place, R"(a statement without Effect; add "Effect": "Allow" or "Deny")");
    if (!seen_.action) return refuse(value.place, R"(a statement without Action; add Action or NotAction)");
    if (!seen_.resource && kind_ != PolicyKind::resource)
      return refuse(value.place, R"(a statement without Resource; add Resource or NotResource, "*" for all)");
    if (has_principals(kind_) && !seen_.principal)
      return refuse(value.place, fmt::format(R"({} says of whom it speaks; add "Principal", "*" for everyone)",
                                             a_policy(kind_)));
    if (statement.not_principal && statement.effect == Effect::allow)
      return refuse(value.place,
                    "NotPrincipal goes with Deny only; with Allow it would let in everyone else: use Principal");
    if (kind_ == PolicyKind::resource_control) note_of_resource_control(value, statement);
    return {};
  }

  void note_of_resource_control(const JsonValue& value, const Statement& statement) {
    const bool is_all =
        std::ranges::all_of(statement.actions, [](const auto& action) { return is_everything(action.written); });
    if (statement.effect == Effect::allow && !(is_all && statement.conditions.empty()))
      note(value.place, "AWS lets an RCP deny only; its one Allow is RCPFullAWSAccess");
    if (statement.effect == Effect::deny && is_all)
      note(value.place, R"(AWS takes no "*" as an RCP's Action; name the services)");
  }

  struct Seen {
    bool effect = false;
    bool action = false;
    bool resource = false;
    bool principal = false;
  };

  PolicyKind kind_;
  std::vector<Notice>& notices_;
  bool has_variables_ = false;
  Seen seen_;  // of the statement that is being read
};

}  // namespace

std::string_view name(PolicyKind kind) {
  switch (kind) {
    case PolicyKind::identity:
      return "identity-based policy";
    case PolicyKind::permission_boundary:
      return "permissions boundary";
    case PolicyKind::session:
      return "session policy";
    case PolicyKind::resource:
      return "resource-based policy";
    case PolicyKind::service_control:
      return "service control policy";
    case PolicyKind::resource_control:
      return "resource control policy";
    case PolicyKind::listener:
      return "listener policy";
  }
  return "";
}

std::string_view word(PolicyKind kind) {
  switch (kind) {
    case PolicyKind::identity:
      return "identity";
    case PolicyKind::permission_boundary:
      return "boundary";
    case PolicyKind::session:
      return "session";
    case PolicyKind::resource:
      return "resource";
    case PolicyKind::service_control:
      return "scp";
    case PolicyKind::resource_control:
      return "rcp";
    case PolicyKind::listener:
      return "listener";
  }
  return "";
}

std::size_t characters_max(PolicyKind kind) {
  switch (kind) {
    case PolicyKind::identity:
      return 10'240;
    case PolicyKind::permission_boundary:
      return 6'144;
    case PolicyKind::session:  // inline ones 2,048, but managed policies are passed too
      return 6'144;
    case PolicyKind::resource:
      return 20'480;
    case PolicyKind::service_control:
      return 10'240;
    case PolicyKind::resource_control:
      return 5'120;
    case PolicyKind::listener:
      return 20'480;
  }
  return 0;
}

std::expected<Document, Fault> read_document(std::string_view text, PolicyKind kind, std::vector<Notice>& notices) {
  TRY_VOID(check_size(text, kind));
  TRY(const JsonValue root, read_json(text, Alphabet::policy, document_depth_max));
  TRY(Document document, DocumentReader(kind, notices).read(root));
  if (!document.has_variables && text.contains("${"))
    notices.push_back({root.place, R"(policy variables are plain text without "Version": "2012-10-17")"});
  return document;
}

base::Result<Document> parse_document(std::string_view text, PolicyKind kind, std::vector<Notice>& notices) {
  auto document = read_document(text, kind, notices);
  if (document) return *std::move(document);
  const Fault& fault = document.error();
  return base::fail(base::Code::config_invalid,
                    fmt::format("line {}, column {}: {}", fault.place.line, fault.place.column, fault.what));
}

}  // namespace portolan::iam
