// SPDX-License-Identifier: Apache-2.0
// What a set of policies grants, and no recorded call used.
//
// Conditions on values of single requests (addresses, times, tiers) are taken as met, so that a grant counts though
// it holds at certain hours only. Where there is no evidence nothing is unused: whoever asks says with it what the
// evidence is of (trail/coverage.h).
//
// Pure functions; any thread.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "policy/use.h"

namespace portolan::policy {

/// What one principal of the set (an entry: a pattern stands for all who called under it) is granted of one profile
/// or model by one action, and did not use.
struct UnusedGrant {
  std::string principal;
  std::string action;
  Called called;
  std::uint64_t calls = 0;           // 0: it was not used at all
  domain::RegionMask sources;        // allowed, and never called from
  domain::RegionMask destinations;   // where it may run from the sources that were used (or any, if none was), and
                                     // never ran
  std::set<std::string> granted_by;  // "identity/any.json:4"
};

/// An Allow of a document that is in a file, and what it matched of the checks of used calls.
struct StatementUse {
  PolicyPointer policy;
  std::size_t index = 0;  // in the document
  std::uint64_t calls = 0;
  base::WallTime last{};
  /// Of statements of identity policies.
  struct Matched {
    std::string profile_arn;  // bedrock:InferenceProfileArn of the check; empty: absent
    std::string resource;
    std::string action;
    friend auto operator<=>(const Matched&, const Matched&) = default;
  };
  std::set<Matched> matched;

  const iam::Statement& statement() const { return policy->document.statements[index]; }
};

/// A used cell that the set denies by now, whatever the request: older policies allowed it.
struct DeniedByNow {
  UsedCell cell;
  Use use;
};

struct UnusedOptions {
  std::string principal;     // only this entry of the set, by ARN; empty: all
  std::optional<Mode> mode;  // empty: each profile's own, for what is granted
  ProfileArn profile_arn = ProfileArn::application;
};

struct Unused {
  std::vector<UnusedGrant> grants;       // by principal, profile or model, action
  std::vector<StatementUse> statements;  // every Allow of identity policies, boundaries and SCPs; by document
  std::vector<DeniedByNow> denied_by_now;
  std::vector<std::string> never_called;  // principals of the set by whom there is no call
};

Unused find_unused(const Organization& organization, const Uses& uses, const UnusedOptions& options);

/// An identity policy that grants no more than what was used.
struct TightenedPolicy {
  std::string name;  // of the document that it takes the place of
  std::string text;  // AWS JSON; empty: nothing of it was used, and it can be detached
  std::vector<std::string> notes;
};

/// The identity policies of the set, each narrowed to what those who have it used; those that stay as they are left
/// out.
///
/// An Allow keeps its Condition, and its actions and resources become those of the checks that it matched, models
/// bound to the profiles they were called through. So each grants a part of what it granted before, and every check
/// of a used call that it allowed it still allows. All destinations of a profile that was called stay, for AWS
/// checks them all. Deny statements stay; so do actions other than inference, of which the trail has no evidence.
std::vector<TightenedPolicy> tighten(const Organization& organization, const Unused& unused);

/// The whole set with these documents in the place of the old ones; what nothing was used of is taken from the
/// lists of organization.yaml. Code::internal when that cannot be done by an edit of its text.
base::Result<std::map<std::string, std::string, std::less<>>> tightened_files(
    const Organization& organization, const std::vector<TightenedPolicy>& policies);

}  // namespace portolan::policy
