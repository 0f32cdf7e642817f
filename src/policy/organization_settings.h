// SPDX-License-Identifier: Apache-2.0
// What organization.yaml may say: each setting with its format, its bounds and one sentence. Reader, error texts,
// JSON Schema and reference page follow from it, as config/setting.h explains.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "config/setting.h"

namespace portolan::policy {

/// What AWS attaches by itself.
inline constexpr std::string_view full_access_scp = "FullAWSAccess";
inline constexpr std::string_view full_access_rcp = "RCPFullAWSAccess";

/// Units below one another, the root not counted (AWS Organizations User Guide, "Quotas and service limits").
inline constexpr std::size_t unit_depth_max = 5;
/// Documents attached to the root, a unit or an account, those of AWS counted (the same page).
inline constexpr std::size_t scps_max = 10;
inline constexpr std::size_t rcps_max = 5;

struct AttachmentsDraft {
  std::vector<std::string> scps;
  std::vector<std::string> rcps;
};
struct RootDraft : AttachmentsDraft {
  std::string id;
};
struct UnitDraft : AttachmentsDraft {
  std::string path;
  std::string id;
};
struct AccountDraft : AttachmentsDraft {
  std::string id;
  std::string name;
  std::string unit;
};
struct GroupDraft {
  std::string name;
  std::vector<std::string> policies;
};
struct PrincipalDraft {
  std::string arn;
  std::map<std::string, std::string> tags;
  std::vector<std::string> groups;
  std::vector<std::string> policies;
  std::string boundary;
};
/// A document under a name.
struct NamedPolicyDraft {
  std::string name;
  std::string policy;
};

/// organization.yaml as it was written.
struct OrganizationDraft {
  unsigned version = 1;
  std::string id;
  std::string management_account;
  RootDraft root;
  std::vector<UnitDraft> units;
  std::vector<AccountDraft> accounts;
  std::vector<GroupDraft> groups;
  std::vector<PrincipalDraft> principals;
  std::vector<NamedPolicyDraft> session_policies;
  std::vector<NamedPolicyDraft> listeners;
};

const config::Section<OrganizationDraft>& organization_settings();

}  // namespace portolan::policy
