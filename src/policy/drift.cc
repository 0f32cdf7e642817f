// SPDX-License-Identifier: Apache-2.0
#include "policy/drift.h"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <tuple>

#include "base/bytes.h"
#include "iam/json_tree.h"

namespace portolan::policy {
namespace {

using iam::PolicyKind;
using nlohmann::json;
using What = DriftFinding::What;

/// Deeper than any policy: what has more arrays and objects within one another is none.
constexpr int content_depth_max = 32;

/// Whether two pieces of JSON say the same: places and the order of members make no difference. Goes as deep as
/// read_json() did.
bool is_equal(const iam::JsonValue& a, const iam::JsonValue& b) {
  if (a.kind != b.kind || a.text != b.text || a.members.size() != b.members.size()) return false;
  const auto is_in_b = [&](const iam::JsonMember& member) {
    const iam::JsonValue* other = b.find(member.name);
    return other != nullptr && is_equal(member.value, *other);
  };
  return std::ranges::equal(a.items, b.items, is_equal) && std::ranges::all_of(a.members, is_in_b);
}

/// A text that is no JSON, is too deep, or has a name twice in an object, is the same as no other: two readers may
/// take it differently.
bool is_same_document(std::string_view a, std::string_view b) {
  const auto first = iam::read_json(a, iam::Alphabet::unicode, content_depth_max);
  const auto second = iam::read_json(b, iam::Alphabet::unicode, content_depth_max);
  return first && second && is_equal(*first, *second);
}

bool is_id_character(char c) {
  return base::is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/// The piece of a file's name that is the id of a policy: "p-" and letters and digits.
std::string policy_id_in(std::string_view file) {
  const std::size_t begin = file.rfind("p-");  // ids hold no hyphen: scp-targets-p-abcd1234.json
  if (begin == std::string_view::npos) return {};
  std::size_t end = begin + 2;
  while (end < file.size() && is_id_character(file[end])) ++end;
  return std::string{file.substr(begin, end - begin)};
}

std::string text_member(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

base::Result<ExportedPolicy> exported_policy(const std::string& file, const json& policy) {
  const auto refuse = [&](std::string_view what) {
    return base::fail(base::Code::config_invalid,
                      fmt::format("{}: {}; write what `aws organizations describe-policy` prints", file, what));
  };
  if (!policy.is_object() || !policy.contains("PolicySummary") || !policy["PolicySummary"].is_object())
    return refuse("Policy has no PolicySummary");
  const json& summary = policy["PolicySummary"];
  ExportedPolicy read;
  read.id = text_member(summary, "Id");
  read.name = text_member(summary, "Name");
  read.content = text_member(policy, "Content");
  const std::string type = text_member(summary, "Type");
  const auto managed = summary.find("AwsManaged");
  read.managed_by_aws = managed != summary.end() && managed->is_boolean() && managed->get<bool>();
  if (read.id.empty() || read.name.empty() || read.content.empty()) return refuse("Id, Name or Content is missing");
  if (type == "RESOURCE_CONTROL_POLICY")
    read.kind = PolicyKind::resource_control;
  else if (type != "SERVICE_CONTROL_POLICY")
    return refuse(fmt::format("a policy of type \"{}\" is neither SCP nor RCP", type));
  return read;
}

base::Result<std::vector<ExportedPolicy::Target>> exported_targets(const std::string& file, const json& targets) {
  std::vector<ExportedPolicy::Target> read;
  for (const json& target : targets) {
    if (!target.is_object() || text_member(target, "TargetId").empty())
      return base::fail(base::Code::config_invalid,
                        fmt::format("{}: a target has no TargetId; write what `aws organizations "
                                    "list-targets-for-policy` prints",
                                    file));
    read.push_back({.id = text_member(target, "TargetId"),
                    .type = text_member(target, "Type"),
                    .name = text_member(target, "Name")});
  }
  return read;
}

/// A place of the set that documents are attached to, with what identifies it in AWS.
struct Spot {
  std::string name;
  const Attachments* attached;
};

/// By AWS's id; a unit whose id is not said is under its path.
std::map<std::string, Spot> spots_of(const Organization& organization) {
  std::map<std::string, Spot> spots;
  spots.emplace(organization.root_id.empty() ? "root" : organization.root_id, Spot{"root", &organization.root});
  for (const auto& [path, unit] : organization.units)
    spots.emplace(unit.id.empty() ? path : unit.id, Spot{"unit " + path, &unit.attached});
  for (const auto& [id, account] : organization.accounts)
    spots.emplace(id, Spot{"account " + id, &account.attached});
  return spots;
}

/// "scps/regions.json" is called "regions" in AWS.
std::string_view name_in_aws(std::string_view document) {
  document.remove_prefix(document.rfind('/') + 1);  // npos + 1: nothing
  return document.ends_with(".json") ? document.substr(0, document.size() - 5) : document;
}

/// Whether the export has policies of this kind at all. Where the kind is not enabled, AWS attaches none, its own
/// neither.
bool is_enabled(const std::vector<ExportedPolicy>& exported, PolicyKind kind) {
  return std::ranges::any_of(exported, [&](const ExportedPolicy& policy) { return policy.kind == kind; });
}

/// The two sides of one spot and kind.
class Comparison {
 public:
  Comparison(const Organization& organization, std::string target, PolicyKind kind, bool enabled)
      : organization_(organization), target_(std::move(target)), kind_(kind), is_enabled_(enabled) {}

  void compare(const Policies& here, const std::vector<const ExportedPolicy*>& there,
               std::vector<DriftFinding>& findings) const {
    std::vector<const Policy*> left;
    for (const PolicyPointer& policy : here)
      if (is_enabled_ || !policy->is_managed_by_aws()) left.push_back(policy.get());
    std::vector<const ExportedPolicy*> unmatched;
    for (const ExportedPolicy* exported : there) {
      const auto same =
          std::ranges::find_if(left, [&](const Policy* policy) { return is_same(*policy, *exported); });
      if (same != left.end())
        left.erase(same);
      else
        unmatched.push_back(exported);
    }
    for (const ExportedPolicy* exported : unmatched) {
      const auto namesake = std::ranges::find_if(
          left, [&](const Policy* policy) { return name_in_aws(policy->name) == exported->name; });
      if (namesake == left.end()) {
        findings.push_back(finding(
            What::only_in_aws, exported->name,
            fmt::format("{} is attached in AWS, and not here; add it to the list, or detach it", exported->name)));
        continue;
      }
      findings.push_back(
          finding(What::differs, (*namesake)->name,
                  fmt::format("{} and {} in AWS ({}) are different documents; export it again, or update it in AWS",
                              (*namesake)->name, exported->name, exported->id)));
      left.erase(namesake);
    }
    for (const Policy* policy : left)
      findings.push_back(
          finding(What::only_in_set, policy->name,
                  fmt::format("{} is attached here, and not in AWS; attach it there, or take it off the "
                              "list",
                              policy->name)));
  }

 private:
  bool is_same(const Policy& policy, const ExportedPolicy& exported) const {
    if (policy.is_managed_by_aws()) return exported.managed_by_aws && exported.name == policy.name;
    const auto text = organization_.files.find(policy.name);
    return text != organization_.files.end() && is_same_document(text->second, exported.content);
  }

  DriftFinding finding(What what, std::string policy, std::string says) const {
    return {.what = what, .kind = kind_, .target = target_, .policy = std::move(policy), .says = std::move(says)};
  }

  const Organization& organization_;
  std::string target_;
  PolicyKind kind_;
  bool is_enabled_;
};

}  // namespace

std::string_view name(DriftFinding::What what) {
  switch (what) {
    case What::only_in_aws:
      return "only_in_aws";
    case What::only_in_set:
      return "only_in_set";
    case What::differs:
      return "differs";
    case What::unknown_target:
      return "unknown_target";
  }
  return "";
}

base::Result<std::vector<ExportedPolicy>> read_export(
    const std::map<std::string, std::string, std::less<>>& files) {
  std::map<std::string, ExportedPolicy> policies;
  std::map<std::string, std::pair<std::string, std::vector<ExportedPolicy::Target>>>
      targets;  // by policy: file, targets
  for (const auto& [file, text] : files) {
    const json parsed = json::parse(text, nullptr, false);
    if (!parsed.is_object())
      return base::fail(base::Code::config_invalid,
                        fmt::format("{}: is not the JSON that the AWS CLI writes", file));
    if (parsed.contains("Policy")) {
      TRY(ExportedPolicy policy, exported_policy(file, parsed["Policy"]));
      std::string id = policy.id;
      policies.insert_or_assign(std::move(id), std::move(policy));
    } else if (parsed.contains("Targets") && parsed["Targets"].is_array()) {
      TRY(auto read, exported_targets(file, parsed["Targets"]));
      targets.insert_or_assign(policy_id_in(file), std::pair{file, std::move(read)});
    }
  }
  for (auto& [id, of] : targets) {
    const auto policy = policies.find(id);
    if (policy == policies.end())
      return base::fail(base::Code::config_invalid,
                        fmt::format("{}: no file describes its policy; the name must hold the policy's id, such as "
                                    "targets-p-abcd1234.json",
                                    of.first));
    policy->second.targets = std::move(of.second);
  }
  std::vector<ExportedPolicy> all;
  for (auto& [id, policy] : policies) {
    if (!targets.contains(id))
      return base::fail(base::Code::config_invalid,
                        fmt::format("policy {} ({}) has no targets-{}.json beside it", policy.name, id, id));
    all.push_back(std::move(policy));
  }
  return all;
}

std::vector<DriftFinding> drift(const Organization& organization, const std::vector<ExportedPolicy>& exported) {
  std::vector<DriftFinding> findings;
  const std::map<std::string, Spot> spots = spots_of(organization);
  std::map<std::pair<std::string, PolicyKind>, std::vector<const ExportedPolicy*>> attached_in_aws;
  for (const ExportedPolicy& policy : exported)
    for (const ExportedPolicy::Target& target : policy.targets) {
      const std::string id = target.type == "ROOT" && organization.root_id.empty() ? "root" : target.id;
      if (spots.contains(id)) {
        attached_in_aws[{id, policy.kind}].push_back(&policy);
        continue;
      }
      findings.push_back(
          {.what = What::unknown_target,
           .kind = policy.kind,
           .target = target.id,
           .policy = policy.name,
           .says = fmt::format("{} is attached in AWS to {} \"{}\" ({}), which organization.yaml does "
                               "not have under this id; add it, or its id",
                               policy.name, target.type, target.name, target.id)});
    }
  for (const PolicyKind kind : {PolicyKind::service_control, PolicyKind::resource_control}) {
    const bool enabled = is_enabled(exported, kind);
    for (const auto& [id, spot] : spots) {
      const Policies& here =
          kind == PolicyKind::service_control ? spot.attached->service_control : spot.attached->resource_control;
      Comparison{organization, spot.name, kind, enabled}.compare(here, attached_in_aws[{id, kind}], findings);
    }
  }
  std::ranges::sort(findings, {}, [](const DriftFinding& finding) {
    return std::tuple{std::string_view{finding.target}, finding.kind, std::string_view{finding.policy},
                      finding.what};
  });
  return findings;
}

}  // namespace portolan::policy
