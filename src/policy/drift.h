// SPDX-License-Identifier: Apache-2.0
// Whether the SCPs and RCPs of a set are those that AWS Organizations has attached: what an export of the
// organisation shows, held against the set, in both directions.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "policy/organization.h"

namespace portolan::policy {

/// A policy as `aws organizations describe-policy` shows it, with where `list-targets-for-policy` says it is
/// attached.
struct ExportedPolicy {
  struct Target {
    std::string id;    // "r-exam", "ou-exam-10000001", "111122223333"
    std::string type;  // "ROOT", "ORGANIZATIONAL_UNIT", "ACCOUNT"
    std::string name;
  };
  std::string id;  // "p-FullAWSAccess", "p-abcd1234"
  std::string name;
  iam::PolicyKind kind = iam::PolicyKind::service_control;
  bool managed_by_aws = false;
  std::string content;  // the document
  std::vector<Target> targets;
};

/// Reads what the AWS CLI wrote, by file name. A file is told by what is in it: `Policy` (describe-policy) or
/// `Targets` (list-targets-for-policy; its name holds the policy's id, such as targets-p-abcd1234.json). Others,
/// such as that of list-policies, are passed over. Code::config_invalid for what is no such JSON, for targets of a
/// policy that is not there, and for a policy without targets.
base::Result<std::vector<ExportedPolicy>> read_export(const std::map<std::string, std::string, std::less<>>& files);

struct DriftFinding {
  enum class What : std::uint8_t {
    only_in_aws,     // attached there and not here
    only_in_set,     // attached here and not there
    differs,         // attached in both under one name, with different documents
    unknown_target,  // AWS attaches it to what the set does not have
  };
  What what = What::differs;
  iam::PolicyKind kind = iam::PolicyKind::service_control;
  std::string target;  // "root", "unit workloads/prod", "account 111122223333"
  std::string policy;  // the name in AWS, or the file here
  std::string says;    // one sentence with the repair
};
std::string_view name(DriftFinding::What what);

/// Documents are equal when their JSON is, white space and the order of keys aside; names do not matter then.
/// Ordered by target, kind and policy. Empty: nothing drifted.
std::vector<DriftFinding> drift(const Organization& organization, const std::vector<ExportedPolicy>& exported);

}  // namespace portolan::policy
