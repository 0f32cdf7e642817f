// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cctype>
#include <fmt/format.h>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "policy/generate.h"
#include "policy/unused.h"

namespace portolan::policy {
namespace {

using Json = nlohmann::ordered_json;
using Matched = StatementUse::Matched;
using Texts = std::set<std::string>;

constexpr std::string_view profile_arn_condition = "bedrock:InferenceProfileArn";

/// How finely a statement is cut up; each coarser than the one before, and none grants more than the statement did.
enum class Cut : std::uint8_t {
  exact,         // for each profile its own resources
  joined,        // all models with all profiles of the statement
  actions_only,  // the resources as they were
};

/// One statement of the narrowed document.
struct Cutting {
  Texts profile_arns;  // empty: not bound to profiles
  Texts resources;
  Texts actions;
};

Json one_or_all(const Texts& texts) {
  if (texts.size() == 1) return *texts.begin();
  return Json(texts);
}

/// Checks with the same actions share a statement, and profiles with the same models.
std::vector<Cutting> cuttings_of(const std::set<Matched>& matched, Cut cut) {
  std::map<std::pair<std::string, std::string>, Texts> actions;  // by profile ARN and resource
  for (const Matched& each : matched) {
    const bool is_bound = !each.profile_arn.empty();
    const std::string profile_arn = cut == Cut::exact || !is_bound ? each.profile_arn : "*";
    actions[{profile_arn, each.resource}].insert(each.action);
  }
  std::map<std::pair<std::string, Texts>, Texts> resources;  // by profile ARN and actions
  for (const auto& [place, named] : actions) resources[{place.first, named}].insert(place.second);
  // What is bound to profiles and what is not never share a statement.
  std::map<std::tuple<bool, Texts, Texts>, Texts> profile_arns;  // by whether it is bound, resources and actions
  for (const auto& [place, named] : resources) {
    const auto& [profile_arn, allowed] = place;
    Texts& arns = profile_arns[{!profile_arn.empty(), named, allowed}];
    if (profile_arn == "*") {
      for (const Matched& each : matched)
        if (!each.profile_arn.empty()) arns.insert(each.profile_arn);
    } else if (!profile_arn.empty()) {
      arns.insert(profile_arn);
    }
  }
  std::vector<Cutting> cuttings;
  for (const auto& [place, arns] : profile_arns)
    cuttings.push_back({.profile_arns = arns, .resources = std::get<1>(place), .actions = std::get<2>(place)});
  return cuttings;
}

bool is_named(std::string_view key, std::string_view wanted) {
  return std::ranges::equal(key, wanted, [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
  });
}

/// Beside the conditions that are there. A StringEquals on the same key held for each of these values, so they may
/// take the place of its own.
void bind_to_profiles(Json& statement, const Texts& profile_arns) {
  Json& conditions = statement["Condition"];
  if (conditions.is_null()) conditions = Json::object();
  Json& equals = conditions["StringEquals"];
  if (equals.is_null()) equals = Json::object();
  for (const auto& [key, value] : equals.items())
    if (is_named(key, profile_arn_condition)) {
      value = one_or_all(profile_arns);
      return;
    }
  equals[std::string{profile_arn_condition}] = one_or_all(profile_arns);
}

/// The statement with other actions, and other resources unless those stay; all else in its order.
Json rewritten(const Json& statement, const Json& actions, const Json& resources) {
  Json made = Json::object();
  for (const auto& [name, value] : statement.items()) {
    if (name == "Action" || name == "NotAction")
      made["Action"] = actions;
    else if (!resources.is_null() && (name == "Resource" || name == "NotResource"))
      made["Resource"] = resources;
    else
      made[name] = value;
  }
  return made;
}

bool is_inference(std::string_view action_pattern) {
  const iam::ActionPattern pattern{.written = std::string{action_pattern}};
  return pattern.matches("bedrock:InvokeModel") || pattern.matches("bedrock:InvokeModelWithResponseStream");
}

/// One document being narrowed.
class Narrowing {
 public:
  Narrowing(const Policy& policy, const std::string& text) : policy_(policy), original_(Json::parse(text)) {}

  /// The uses of its Allow statements, by index.
  void add(const StatementUse& use) { uses_.emplace(use.index, &use); }

  TightenedPolicy narrow() {
    std::string text;
    for (const Cut cut : {Cut::exact, Cut::joined, Cut::actions_only}) {
      text = text_with(cut);
      if (characters(text) <= managed_policy_characters_max) break;
    }
    if (characters(text) > managed_policy_characters_max)
      notes_.insert(fmt::format("{} characters are more than IAM stores in a managed policy ({})", characters(text),
                                managed_policy_characters_max));
    return {.name = policy_.name, .text = std::move(text), .notes = {notes_.begin(), notes_.end()}};
  }

 private:
  std::string text_with(Cut cut) {
    sids_.clear();
    Json statements = Json::array();
    const Json& written = original_["Statement"];
    const Json list = written.is_array() ? written : Json::array({written});
    for (std::size_t i = 0; i < list.size(); ++i) add_statement(statements, i, list[i], cut);
    if (statements.empty()) return {};
    Json document = original_;
    document["Statement"] = std::move(statements);
    return document.dump(2) + "\n";
  }

  void add_statement(Json& statements, std::size_t index, const Json& statement, Cut cut) {
    if (policy_.document.statements.at(index).effect == iam::Effect::deny) return push(statements, statement);
    add_other_actions(statements, statement);
    const auto use = uses_.find(index);
    if (use == uses_.end()) return;
    if (cut == Cut::actions_only && !use->second->matched.empty()) {
      Texts actions;
      for (const Matched& matched : use->second->matched) actions.insert(matched.action);
      return push(statements, rewritten(statement, one_or_all(actions), nullptr));
    }
    for (const Cutting& cutting : cuttings_of(use->second->matched, cut)) {
      Json made = rewritten(statement, one_or_all(cutting.actions), one_or_all(cutting.resources));
      if (!cutting.profile_arns.empty()) bind_to_profiles(made, cutting.profile_arns);
      push(statements, std::move(made));
    }
  }

  /// Of what else it allows there is no evidence in the trail.
  void add_other_actions(Json& statements, const Json& statement) {
    if (statement.contains("NotAction")) {
      notes_.insert("a statement with NotAction was narrowed to inference; name what else is needed");
      return;
    }
    const Json& written = statement.at("Action");
    const Json patterns = written.is_array() ? written : Json::array({written});
    Texts others;
    for (const Json& pattern : patterns) {
      const auto action = pattern.get<std::string>();
      if (!is_inference(action))
        others.insert(action);
      else if (!is_named(action.substr(0, std::string_view{"bedrock:InvokeModel"}.size()), "bedrock:InvokeModel"))
        notes_.insert(fmt::format("\"{}\" was narrowed to inference; name what else of it is needed", action));
    }
    if (!others.empty()) push(statements, rewritten(statement, one_or_all(others), nullptr));
  }

  /// A Sid is in a document once.
  void push(Json& statements, Json statement) {
    if (const auto sid = statement.find("Sid"); sid != statement.end()) {
      const auto name = sid->get<std::string>();
      std::string unique = name;
      for (int number = 2; !sids_.insert(unique).second; ++number) unique = fmt::format("{}{}", name, number);
      *sid = unique;
    }
    statements.push_back(std::move(statement));
  }

  static std::size_t characters(std::string_view text) {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return std::isspace(static_cast<unsigned char>(c)) == 0; }));
  }

  const Policy& policy_;
  Json original_;
  std::map<std::size_t, const StatementUse*> uses_;
  Texts sids_;
  Texts notes_;
};

/// Takes items from the lists of a YAML text, the rest of which stays as it is.
class ListEdit {
 public:
  explicit ListEdit(std::string text) : text_(std::move(text)) {}
  std::string text() && { return std::move(text_); }

  void remove(const std::string& item) {
    for (std::size_t at = text_.find(item); at != std::string::npos; at = text_.find(item, at)) {
      std::size_t begin = at;
      std::size_t end = at + item.size();
      const bool is_quoted = begin > 0 && end < text_.size() && text_[begin - 1] == text_[end] &&
                             (text_[end] == '"' || text_[end] == '\'');
      if (is_quoted) {
        --begin;
        ++end;
      }
      const std::size_t before = text_.find_last_not_of(" \n", begin == 0 ? 0 : begin - 1);
      const char behind = end < text_.size() ? text_[end] : '\n';
      const bool is_whole = std::string_view{" ,]\r\n"}.contains(behind) && before != std::string::npos;
      if (is_whole && text_[before] == '-')
        remove_line(before, end);
      else if (is_whole && text_[before] == ',')
        text_.erase(before, end - before);
      else if (is_whole && text_[before] == '[')
        remove_first(before + 1, end);
      else
        at = end;
    }
  }

 private:
  /// "[a, b]" becomes "[b]".
  void remove_first(std::size_t begin, std::size_t end) {
    if (const std::size_t next = text_.find_first_not_of(' ', end); next != std::string::npos && text_[next] == ',')
      end = text_.find_first_not_of(' ', next + 1);
    text_.erase(begin, end - begin);
  }

  /// "- a", and an empty list where it was the only one.
  void remove_line(std::size_t dash, std::size_t end) {
    const std::size_t line = text_.rfind('\n', dash) + 1;
    const std::size_t next_line = std::min(text_.find('\n', end), text_.size() - 1) + 1;
    const std::size_t indent = dash - line;
    text_.erase(line, next_line - line);
    const std::size_t above = text_.find_last_not_of(" \r\n", line == 0 ? 0 : line - 1);
    const bool was_first = above != std::string::npos && text_[above] == ':';
    const bool is_last = text_.compare(line, indent + 2, std::string(indent, ' ') + "- ") != 0;
    if (was_first && is_last) text_.insert(above + 1, " []");
  }

  std::string text_;
};

}  // namespace

std::vector<TightenedPolicy> tighten(const Organization& organization, const Unused& unused) {
  std::map<std::string, Narrowing> narrowings;
  for (const StatementUse& use : unused.statements) {
    if (use.policy->document.kind != iam::PolicyKind::identity) continue;
    const auto [found, is_new] =
        narrowings.try_emplace(use.policy->name, *use.policy, organization.files.find(use.policy->name)->second);
    found->second.add(use);
  }
  std::vector<TightenedPolicy> tightened;
  for (auto& [name, narrowing] : narrowings) {
    TightenedPolicy policy = narrowing.narrow();
    const std::string& before = organization.files.find(name)->second;
    const bool is_the_same = !policy.text.empty() && Json::parse(policy.text) == Json::parse(before);
    if (!is_the_same) tightened.push_back(std::move(policy));
  }
  return tightened;
}

base::Result<std::map<std::string, std::string, std::less<>>> tightened_files(
    const Organization& organization, const std::vector<TightenedPolicy>& policies) {
  std::map<std::string, std::string, std::less<>> files = organization.files;
  ListEdit lists(files.find(organization_file)->second);
  for (const TightenedPolicy& policy : policies) {
    if (!policy.text.empty()) {
      files[policy.name] = policy.text;
      continue;
    }
    lists.remove(policy.name);
    files.erase(policy.name);
  }
  files[std::string{organization_file}] = std::move(lists).text();
  const LoadedOrganization loaded = load_organization(files);
  if (loaded.organization) return files;
  return base::fail(base::Code::internal, fmt::format("{} could not be changed to leave out what is not used: {}; "
                                                      "take it from the lists by hand",
                                                      organization_file, loaded.mistakes.front().text()));
}

}  // namespace portolan::policy
