// SPDX-License-Identifier: Apache-2.0
// Who calls, and how a policy's Principal or NotPrincipal names them.
//
// Source: IAM User Guide, "AWS JSON policy elements: Principal", "…: NotPrincipal", and "Policy evaluation logic",
// where the way of naming decides what a resource-based policy's Allow is worth.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "iam/context.h"
#include "iam/document.h"

namespace portolan::iam {

/// A caller, taken apart. Points into the text that it was made from.
struct Caller {
  enum class Kind : std::uint8_t { anonymous, root, user, role, session, federated_user, service, other };
  Kind kind = Kind::other;
  std::string_view arn;        // as given; of a service its name
  std::string_view partition;  // "aws"
  std::string_view account;    // twelve digits, or empty
  std::string_view role;       // name without path; of a role and its sessions

  /// An ARN of IAM or STS, a service's name ("lambda.amazonaws.com"), or "" and "*" for nobody in particular.
  static Caller parse(std::string_view principal);
};

/// How closely a Principal element names a caller; the closest of its entries counts.
enum class Naming : std::uint8_t {
  none,
  account,   // the caller's account: leaves it to the account's own policies
  role,      // the role that calls, the role whose session does, or the identity provider of a federated session
  identity,  // the session or user itself, a service, or everyone ("*")
};
Naming naming(const std::vector<PrincipalPattern>& principals, const Caller& caller, const Context& context);

/// Whether NotPrincipal lets the caller off: it must list the caller, for a session its role too, and the account.
bool excepted(const std::vector<PrincipalPattern>& principals, const Caller& caller);

/// The twelve digits of an account id.
bool is_account_id(std::string_view text);
/// The account of an ARN, when it has one.
std::optional<std::string_view> account_of(std::string_view arn);

}  // namespace portolan::iam
