// SPDX-License-Identifier: Apache-2.0
// Principals that a set of policies cannot tell apart: whatever one of them is allowed, all are. Work over every
// principal of a large organisation is done for one of each kind.
#pragma once

#include <map>
#include <string>

#include "policy/organization.h"

namespace portolan::policy {

/// Somebody for whom an entry of the set stands: its ARN, with a name in the place of a pattern's star.
std::string representative_of(const Principal& principal);

/// For every principal of the set the first, in the set's order, that it is like. They have the same account, type,
/// tags, identity policies and boundary; every condition in force for them that reads who they are holds for both
/// or for none; and where a Principal element or a policy variable tells them apart, they are not alike.
/// Session and listener policies count as if they were in force for all.
std::map<const Principal*, const Principal*> first_alike(const Organization& organization);

}  // namespace portolan::policy
