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
// IAM User Guide, "Policy evaluation logic"; AWS Organizations User Guide, "SCP evaluation". This is the reference:
// what is compiled for the path of a call (policy/) is held against it by a property test.
#pragma once

#include <cstdint>
#include <optional>
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

/// Every policy that applies to one request. No levels of SCPs or RCPs: the account is in no organisation (or is its
/// management account, which SCPs do not bind), and nothing is asked of them. No boundaries, session or listener
/// policies: the same.
struct PolicySet {
  std::vector<const Document*> identity;
  std::vector<const Document*> boundaries;
  std::vector<const Document*> session;
  std::vector<const Document*> resource;
  std::vector<Level> service_control;   // root first, account last
  std::vector<Level> resource_control;  // root first, account last
  std::vector<const Document*> listener;
};

enum class Outcome : std::uint8_t { allowed, explicit_deny, implicit_deny };
std::string_view name(Outcome outcome);

/// What decided: a statement, or for an implicit deny the kind (and level) where an Allow is missing.
struct Deciding {
  PolicyKind kind = PolicyKind::identity;
  int level = -1;      // index into the levels of SCPs or RCPs; -1 for the other kinds
  int document = -1;   // index into the documents of that kind (and level); -1 when an Allow is missing
  int statement = -1;  // index into the document's statements; -1 when an Allow is missing
};

struct Decision {
  Outcome outcome = Outcome::implicit_deny;
  Deciding by;
};

Decision evaluate(const PolicySet& policies, const Request& request);

/// Whether the statement applies to the request, its effect aside.
bool matches(const Statement& statement, const Request& request);

}  // namespace portolan::iam
