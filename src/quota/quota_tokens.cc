// SPDX-License-Identifier: Apache-2.0
#include "quota/quota_tokens.h"

namespace portolan::quota {

std::uint64_t tokens_to_hold(const InputTokens& input, std::uint64_t output_tokens_max,
                             const domain::TokenRule& rule) {
  return input.fresh + input.cache_write * rule.cache_write + (rule.holds_cache_reads ? input.cache_read : 0) +
         output_tokens_max * rule.held_output;
}

std::uint64_t tokens_to_charge(const domain::Usage& usage, const domain::TokenRule& rule) {
  return std::uint64_t{usage.input_tokens} + std::uint64_t{usage.cache_write_tokens} * rule.cache_write +
         std::uint64_t{usage.cache_read_tokens} * rule.cache_read +
         std::uint64_t{usage.output_tokens} * rule.output;
}

}  // namespace portolan::quota
