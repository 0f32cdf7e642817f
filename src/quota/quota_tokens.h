// SPDX-License-Identifier: Apache-2.0
// How many tokens of a quota a call holds and costs, by the rules of its model (domain::TokenRule; Bedrock User
// Guide, quotas-token-burndown.html). Quota tokens are not the tokens that are billed.
#pragma once

#include <cstdint>

#include "domain/call.h"

namespace portolan::quota {

/// What is known of a call's input before it is made; what is not told apart is `fresh`.
struct InputTokens {
  std::uint64_t fresh = 0;
  std::uint64_t cache_write = 0;
  std::uint64_t cache_read = 0;
};

/// What is held: the input and the output limit. The burndown comes at the end.
std::uint64_t tokens_to_hold(const InputTokens& input, std::uint64_t output_tokens_max,
                             const domain::TokenRule& rule);
/// What is finally charged.
std::uint64_t tokens_to_charge(const domain::Usage& usage, const domain::TokenRule& rule);

}  // namespace portolan::quota
