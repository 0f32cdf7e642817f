// SPDX-License-Identifier: Apache-2.0
// How the dialects call their token counts, and reading them from a parsed object. For the sources of this room
// only: it includes simdjson.
#pragma once

#include <simdjson.h>
#include <string_view>

#include "domain/call.h"

namespace portolan::wire {

struct UsageNames {
  std::string_view input, output, cache_read, cache_write;
};

/// Converse replies and ConverseStream's metadata; Nova's own bodies.
inline constexpr UsageNames converse_usage{"inputTokens", "outputTokens", "cacheReadInputTokens",
                                           "cacheWriteInputTokens"};
inline constexpr UsageNames anthropic_usage{"input_tokens", "output_tokens", "cache_read_input_tokens",
                                            "cache_creation_input_tokens"};
/// amazon-bedrock-invocationMetrics, in the last native event of every model.
inline constexpr UsageNames invocation_metrics{"inputTokenCount", "outputTokenCount", "cacheReadInputTokenCount",
                                               "cacheWriteInputTokenCount"};

/// Reads the counts that `object` has and leaves the others as they were. False when one is there but is no count.
/// Does not touch Usage::known.
bool read_usage(simdjson::dom::object object, const UsageNames& names, domain::Usage& usage);

}  // namespace portolan::wire
