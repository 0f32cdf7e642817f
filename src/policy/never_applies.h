// SPDX-License-Identifier: Apache-2.0
// Denies that look like protection and are none here: they wait for a condition key that no call has.
#pragma once

#include <vector>

#include "iam/document.h"

namespace portolan::policy {

/// Appends a notice for every condition of a Deny of inference that is false whenever its key is absent, and whose
/// key is none of supplied_keys(): "Bool": {"aws:MultiFactorAuthPresent": "false"}, "StringEquals" on
/// aws:SourceVpce. AWS fills these keys in and Portolan does not, so the Deny holds there and never here. Pure; any
/// thread.
void note_denies_that_never_apply(const iam::Document& document, std::vector<iam::Notice>& notices);

}  // namespace portolan::policy
