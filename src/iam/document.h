// SPDX-License-Identifier: Apache-2.0
// An AWS JSON policy document as a value: parsed once, with the place of every statement, and never changed.
//
// The grammar is that of the IAM User Guide, "Grammar of the IAM JSON policy language". A document is parsed as one
// of the kinds of policy, because they differ: only resource-based ones, RCPs and listener policies have a
// Principal, and each kind has its own size limit. What AWS would refuse to store is an Error with the line and the
// column; what AWS would store but never match as meant (an unknown condition key or action) is a Notice.
//
// Three rules of AWS's pages are notices here, not errors, because a set exported from AWS may break them and means
// one thing all the same: an Id outside resource-based policies, an SCP or RCP without Version 2012-10-17, an RCP
// that allows or that names every action (docs/adr/0010-own-policy-evaluator.md).
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "iam/condition.h"
#include "iam/pattern.h"
#include "iam/place.h"

namespace portolan::iam {

/// Which part a policy plays in an evaluation.
enum class PolicyKind : std::uint8_t {
  identity,             // attached to a user, group or role
  permission_boundary,  // the most that identity policies can grant
  session,              // passed with a session: narrows it
  resource,             // attached to the resource that is called
  service_control,      // SCP: organisation guardrail on principals
  resource_control,     // RCP: organisation guardrail on resources
  listener,             // as a VPC endpoint policy: what may pass this listener
};
inline constexpr std::size_t policy_kind_count = 7;
/// As in AccessDenied messages and our JSON: "identity-based policy", "service control policy" …
std::string_view name(PolicyKind kind);
/// As a word of the command line and of `by.kind`: "identity", "boundary", "session", "resource", "scp", "rcp",
/// "listener".
std::string_view word(PolicyKind kind);

enum class Effect : std::uint8_t { deny, allow };

/// One principal of a resource-based policy.
struct PrincipalPattern {
  enum class Type : std::uint8_t { any, aws, service, federated, canonical_user };
  Type type = Type::any;
  std::string text;  // as written; for `aws` an ARN, an account id or "*"
};

struct Statement {
  std::string sid;  // empty when it has none
  Effect effect = Effect::deny;
  bool not_action = false;  // NotAction: every action but these
  std::vector<ActionPattern> actions;
  bool not_resource = false;
  /// Empty only in a resource-based policy that has no Resource: it speaks of what it is attached to.
  std::vector<ResourcePattern> resources;
  bool has_principal = false;
  bool not_principal = false;
  std::vector<PrincipalPattern> principals;
  std::vector<Condition> conditions;  // all must hold
  Place place;
};

struct Document {
  PolicyKind kind = PolicyKind::identity;
  /// Version 2012-10-17. Documents of 2008-10-17, or of none, have no policy variables: "${…}" is plain text there.
  bool has_variables = false;
  std::string id;
  std::vector<Statement> statements;
};

/// Something that AWS accepts and that surely is not meant: "bedrock:InferenceProfileARNs is no condition key …".
struct Notice {
  Place place;
  std::string text;
};

/// The most characters that a policy of that kind may have, white space not counted; in SCPs and RCPs white space
/// inside strings is. IAM User Guide, "IAM and AWS STS quotas"; AWS Organizations User Guide, "Quotas"; where a
/// kind has several quotas, the largest: 10,240 for identity policies (in line in a role), 20,480 for
/// resource-based ones (a bucket's) and listener policies (an endpoint's).
std::size_t characters_max(PolicyKind kind);

/// Fails with Code::config_invalid and a message "line L, column C: what is wrong; what to write instead". Appends
/// to `notices`. Bounds: characters_max(), 256 KiB with white space, depth 16.
base::Result<Document> parse_document(std::string_view text, PolicyKind kind, std::vector<Notice>& notices);

/// The same with the place apart, for texts that stand within a larger one.
std::expected<Document, Fault> read_document(std::string_view text, PolicyKind kind, std::vector<Notice>& notices);

}  // namespace portolan::iam
