// SPDX-License-Identifier: Apache-2.0
// Answers the gateway gives itself: what may be called, in the shapes of the Bedrock control plane and of OpenAI.
#pragma once

#include "base/result.h"
#include "gateway/call.h"

namespace portolan::gateway {

/// Fills call.reply for the operations that run no model and change nothing. A profile the tenant may not use is
/// not listed, and asking for it is Code::unknown_model, as for one that does not exist.
base::Result<void> answer_locally(Call& call);

}  // namespace portolan::gateway
