// SPDX-License-Identifier: Apache-2.0
// The general form of a simulation: a request and every policy that applies to it, as one line of JSON, answered
// with one line of JSON. `portolan policy simulate --requests -` is a loop around it.
//
// A request:
//   {"principal": ARN, "action": "bedrock:InvokeModel", "resource": ARN or "*",
//    "context": {"aws:RequestedRegion": "us-east-1", "aws:TagKeys": ["team", "cost"]},
//    "identity_policies": [document…], "permission_boundaries": [document…], "session_policies": [document…],
//    "resource_policies": [document…], "listener_policies": [document…],
//    "scps": [[documents of the root…], [of the unit…], …, [of the account…]], "rcps": [[…], …], "explain": true}
//
// principal, action and resource must be there, the rest may be missing. Without "scps" the account is in no
// organisation; a level without documents allows nothing, as in evaluate.h. A context value is a string, number or
// boolean, or an array of them; null and [] are the same as leaving the key out. Nothing is added to the context: a
// key that AWS fills in itself (aws:PrincipalArn, aws:CurrentTime …) must be given. Other members are the caller's
// own notes when they are strings, numbers, booleans or null; an unknown array or object may be a misspelt list of
// policies and is refused.
//
// The answer:
//   {"decision": "allowed" | "explicit_deny" | "implicit_deny",
//    "by": {"kind": "identity" | "boundary" | "session" | "resource" | "scp" | "rcp" | "listener",
//           "level": 1, "index": 0, "statement": 2, "sid": "DenyOutside"}}
// "index" is the document's in its list, "level" (SCPs and RCPs only) the list's. Where an Allow is missing, index,
// statement and sid are null; sid is null also for a statement without one. With "explain": true there is a
// "chain", one such object for each kind and level in the order of evaluation, with "outcome" and "waived"
// (evaluate.h, Step).
//
// A mistake:
//   {"error": "identity_policies[0]: line 1, column 57: …; …", "member": "identity_policies[0]",
//    "line": 1, "column": 57}
// The place is that in the line.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "iam/document.h"

namespace portolan::iam {

inline constexpr std::size_t request_line_bytes_max = 4 * 1024 * 1024;

/// Keeps documents that it has read, so that a thousand lines with the same policies parse them once. One thread at
/// a time; no bound on the number of lines.
class RequestLines {
 public:
  /// The answer without a line feed at its end; always one JSON object, never an exception but for want of memory.
  std::string answer(std::string_view line);

 private:
  friend class RequestLineReader;
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  using Seen = std::unordered_map<std::string, std::unique_ptr<Document>, TextHash, std::equal_to<>>;

  std::array<Seen, policy_kind_count> seen_;  // by kind, then by text
  std::size_t seen_bytes_ = 0;
};

}  // namespace portolan::iam
