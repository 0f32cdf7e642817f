// SPDX-License-Identifier: Apache-2.0
// Small sets of policies for tests: one account with one user and one role below two units, and what is attached to
// them as JSON.
#pragma once

#include <gtest/gtest.h>
#include <map>
#include <string>
#include <vector>

#include "policy/organization.h"

namespace portolan::policy {

/// Documents by the place they are attached to; empty: none there.
struct SmallSet {
  std::string root_scp;
  std::string unit_scp;  // of unit workloads/prod
  std::string account_scp;
  std::string root_rcp;
  std::string identity;  // of user alice and role app
  std::string boundary;
  std::string session;   // under the name "narrow"
  std::string listener;  // under the name "office"
  bool is_management_account = false;
};

inline constexpr std::string_view alice = "arn:aws:iam::111122223333:user/teams/alice";
inline constexpr std::string_view app_session = "arn:aws:sts::111122223333:assumed-role/app/session-1";

inline std::map<std::string, std::string, std::less<>> files_of(const SmallSet& set) {
  std::map<std::string, std::string, std::less<>> files;
  const auto attach = [&](std::string_view before, const std::string& name, const std::string& text,
                          std::string_view behind = "") {
    if (text.empty()) return std::string{};
    files.emplace(name, text);
    return std::string{before} + name + std::string{behind} + "\n";
  };
  std::string yaml = "version: 1\nid: o-exampleorgid\n";
  if (set.is_management_account) yaml += "management_account: \"111122223333\"\n";
  yaml += "root:\n  id: r-exam\n";
  yaml += attach("  scps: [FullAWSAccess, ", "root_scp.json", set.root_scp, "]");
  yaml += attach("  rcps: [", "root_rcp.json", set.root_rcp, "]");
  yaml +=
      "units:\n  - path: workloads\n    id: ou-exam-10000001\n  - path: workloads/prod\n    id: ou-exam-10000002\n";
  yaml += attach("    scps: [", "unit_scp.json", set.unit_scp, "]");
  yaml += "accounts:\n  - id: \"111122223333\"\n    unit: workloads/prod\n";
  yaml += attach("    scps: [FullAWSAccess, ", "account_scp.json", set.account_scp, "]");
  yaml += "principals:\n";
  for (const std::string& arn : {std::string{alice}, std::string{"arn:aws:iam::111122223333:role/service/app"}}) {
    yaml += "  - arn: " + arn + "\n    tags: {team: search}\n";
    yaml += attach("    policies: [", "identity.json", set.identity, "]");
    yaml += attach("    boundary: ", "boundary.json", set.boundary);
  }
  if (!set.session.empty()) yaml += "session_policies:\n  - name: narrow\n";
  yaml += attach("    policy: ", "session.json", set.session);
  if (!set.listener.empty()) yaml += "listeners:\n  - name: office\n";
  yaml += attach("    policy: ", "listener.json", set.listener);
  files.emplace(organization_file, yaml);
  return files;
}

inline Organization organization_of(const SmallSet& set) {
  LoadedOrganization loaded = load_organization(files_of(set));
  for (const config::Mistake& mistake : loaded.mistakes) ADD_FAILURE() << mistake.text();
  return loaded.organization ? *std::move(loaded.organization) : Organization{};
}

/// A document with these statements, each given without its braces.
inline std::string document_of(const std::vector<std::string>& statements) {
  std::string text = R"({"Version":"2012-10-17","Statement":[)";
  for (std::size_t i = 0; i < statements.size(); ++i) text += (i == 0 ? "\n{" : ",\n{") + statements[i] + "}";
  return text + "]}";
}

}  // namespace portolan::policy
