// SPDX-License-Identifier: Apache-2.0
// A set of policies under a supposition: what it says when the conditions on some keys are decided beforehand,
// because nobody knows their values.
//
// An Allow that applies can only add to what is allowed, a Deny only take away. So with the conditions at their
// best (every Allow's are met, no Deny's are) the set allows all that it allows for any values of those keys, and
// at their worst only what it allows for all. Where both say the same, the values do not matter.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "policy/organization.h"

namespace portolan::policy {

/// Whether this condition key, in lower case, is one of those that are not known.
using IsUnknownKey = std::function<bool(std::string_view key_lower)>;

enum class Supposition : std::uint8_t { best, worst };

/// Whether some statement of the set reads such a key: in a condition, or by a variable in a condition or resource.
bool reads_any(const Organization& organization, const IsUnknownKey& is_unknown);

/// A copy in which no statement reads such a key. A statement that does not apply any more stays in its place and
/// speaks of no action. A document that is attached twice stays one.
Organization suppose(Organization organization, const IsUnknownKey& is_unknown, Supposition supposition);

}  // namespace portolan::policy
