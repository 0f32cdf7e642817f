// SPDX-License-Identifier: Apache-2.0
// Whether one request is allowed: IAM's evaluation of every policy that applies, in AWS's order.
//
//   1. an explicit Deny in any policy                                         explicit deny
//   2. RCPs: at every level, root to account, some Allow                      else implicit deny
//   3. SCPs: at every level, root to account, some Allow                      else implicit deny
//   4. resource-based policies: an Allow to the session or the user           allowed, past 6 to 8
//   5. listener policies, if any: some Allow                                  else implicit deny
//   6. identity policies: some Allow (unless 4 gave one to the role)          else implicit deny
//   7. permission boundaries, if any: some Allow                              else implicit deny
//   8. session policies, if any: some Allow                                   else implicit deny
//
// Of several explicit denies the first in this order is named: RCPs, SCPs (root first), resource, listener,
// identity, boundary, session.
//
// Step 4 within one account: an Allow that names the session, the user, a service or everyone ("*") is all that is
// needed. One that names the role stands in for the identity policies only. One that names the account leaves it to
// the identity policies. Across accounts (the resource's ARN, or the key aws:ResourceAccount, names another account
// than the principal's) both sides must allow: some Allow in 4, and 6 to 8 all the same.
// The root user of an account needs no identity policy. A federated user needs a session policy.
//
// IAM User Guide, "Policy evaluation logic", "Cross-account policy evaluation logic"; AWS Organizations User Guide,
// "SCP evaluation". This is the reference: what is compiled for the path of a call (policy/) is held against it by
// a property test.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "iam/context.h"
#include "iam/document.h"

namespace portolan::iam {

/// What one principal asks to do to one resource.
struct Request {
  std::string_view principal;  // ARN: "arn:aws:iam::111122223333:user/alice", "…:assumed-role/app/session"
  std::string_view action;     // "bedrock:InvokeModel"
  std::string_view resource;   // ARN, or "*" for actions without resources
  const Context* context = nullptr;
};

/// A level of the organisation and what is attached to it. Owned by the caller, as all documents here.
struct Level {
  std::string_view name;  // "root", "unit workloads/prod", "account 111122223333"
  std::vector<const Document*> documents;
};

/// Every policy that applies to one request. No levels of SCPs or RCPs: the account is in no organisation (or is
/// its management account, or the principal a service-linked role: these SCPs do not bind), and nothing is asked of
/// them. A level without documents allows nothing. No boundaries, session or listener policies: nothing is asked of
/// those.
struct PolicySet {
  std::vector<const Document*> identity;
  std::vector<const Document*> boundaries;
  std::vector<const Document*> session;
  std::vector<const Document*> resource;
  std::vector<Level> service_control;   // of the principal's account: root first, account last
  std::vector<Level> resource_control;  // of the resource's account: root first, account last
  std::vector<const Document*> listener;
};

enum class Outcome : std::uint8_t { allowed, explicit_deny, implicit_deny };
/// "allowed", "explicit_deny", "implicit_deny".
std::string_view name(Outcome outcome);

/// What decided: a statement, or for an implicit deny the kind (and level) where an Allow is missing.
struct Deciding {
  PolicyKind kind = PolicyKind::identity;
  int level = -1;      // index into the levels of SCPs or RCPs; -1 for the other kinds
  int document = -1;   // index into the documents of that kind (and level); -1 when an Allow is missing
  int statement = -1;  // index into the document's statements; -1 when an Allow is missing
  friend bool operator==(const Deciding&, const Deciding&) = default;
};

struct Decision {
  Outcome outcome = Outcome::implicit_deny;
  Deciding by;
};

/// Never fails. When allowed, `by` is the Allow that granted: the identity policies', or the resource-based one
/// that made theirs unnecessary. The root user's own permissions have no document: -1.
Decision evaluate(const PolicySet& policies, const Request& request);

/// What one kind of policy (and level) says, for people who ask why.
struct Step {
  Deciding by;
  Outcome outcome = Outcome::implicit_deny;  // an explicit Deny, else an Allow, else none of both
  bool waived = false;                       // an Allow is missing and not needed: a resource-based policy gave it
};

/// One step for each kind and level that was asked, in the order above, all of them even where the first decides.
/// evaluate() names the first explicit deny; without one, the first implicit deny that is not waived.
std::vector<Step> explain(const PolicySet& policies, const Request& request);

/// The documents that a step, or a decision, speaks of.
const std::vector<const Document*>& documents_of(const PolicySet& policies, const Deciding& by);
/// The statement that decided, or null where an Allow is missing.
const Statement* statement_of(const PolicySet& policies, const Deciding& by);

/// Whether the statement applies to the request, whatever else does. (Its effect matters in one case: NotResource
/// with a variable that has no value applies as a Deny only.)
bool matches(const Statement& statement, const Request& request);

}  // namespace portolan::iam
