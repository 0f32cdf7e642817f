// SPDX-License-Identifier: Apache-2.0
// The beginning of every refusal of stop 4, in IAM's words.
// IAM User Guide, "Troubleshoot access denied error messages".
#pragma once

#include <string>
#include <string_view>

#include "domain/call.h"
#include "iam/evaluate.h"

namespace portolan::policy {

/// The action that a call is authorised by. Converse has none of its own (Service Authorization Reference, Amazon
/// Bedrock).
std::string_view action(const domain::Inference& inference);

/// "User: … is not authorized to perform: … on resource: …", without the reason. The resource is the profile in the
/// source Region, or the model when it was called by its bare id.
std::string not_authorized(std::string_view principal, std::string_view action, std::string_view resource);
std::string not_authorized(const domain::Principal& principal, const domain::Inference& inference,
                           const domain::Catalog& catalog);

/// How it goes on: "with an explicit deny in a service control policy", "because no identity-based policy allows
/// the … action".
std::string denial_reason(const iam::Decision& decision, std::string_view action);

}  // namespace portolan::policy
