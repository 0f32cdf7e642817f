// SPDX-License-Identifier: Apache-2.0
// Every policy that binds one principal, as IAM's evaluation wants them, with the names they have in the set.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "iam/evaluate.h"
#include "policy/organization.h"

namespace portolan::policy {

/// The policies in force for a principal. Points into the Organization that it was made from, and must not outlive
/// it.
class InForce {
 public:
  InForce(InForce&&) = default;
  InForce& operator=(InForce&&) = default;
  InForce(const InForce&) = delete;  // the levels hold views of the names
  InForce& operator=(const InForce&) = delete;
  ~InForce() = default;

  /// `session_policies`: names, of the policies passed with the session; `listener`: the name of the listener that
  /// took the request. Both may be empty. Fails with Code::usage for a name that the set does not have. A principal
  /// that is in no entry has no identity policies, so nothing is allowed to it.
  static base::Result<InForce> of(const Organization& organization, std::string_view principal,
                                  const std::vector<std::string>& session_policies = {},
                                  std::string_view listener = {});

  const iam::PolicySet& policies() const { return set_; }
  const Principal* principal() const { return principal_; }  // null: in no entry
  const Account* account() const { return account_; }        // null: in no account of the organisation

  /// The policy that a decision names; null when an Allow is missing.
  const Policy* policy(const iam::Deciding& by) const;
  const iam::Statement* statement(const iam::Deciding& by) const;
  /// "root", "unit workloads/prod", "account 111122223333"; empty for kinds without levels.
  std::string_view level(const iam::Deciding& by) const;

 private:
  InForce() = default;
  void attach(iam::PolicyKind kind, std::vector<const iam::Document*>& documents, const Policies& policies);
  void attach_level(std::string name, const Attachments& attached);
  void attach_organization(const Organization& organization);

  const Principal* principal_ = nullptr;
  const Account* account_ = nullptr;
  std::vector<std::string> level_names_;  // SCPs and RCPs have the same levels
  iam::PolicySet set_;
  /// The policies of each kind, level by level, as set_ has their documents.
  std::array<std::vector<std::vector<const Policy*>>, iam::policy_kind_count> policies_;
};

}  // namespace portolan::policy
