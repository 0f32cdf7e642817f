// SPDX-License-Identifier: Apache-2.0
// The four operations of Bedrock Runtime as a Region reads and writes them: Converse and ConverseStream,
// InvokeModel and InvokeModelWithResponseStream with Anthropic Messages bodies. Text only. Shapes: botocore service
// model of bedrock-runtime 2023-09-30.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "sim/region_model.h"

namespace portolan::sim {

enum class RegionOperation : std::uint8_t { invoke, invoke_stream, converse, converse_stream };
/// The name in the AWS API: "InvokeModelWithResponseStream".
std::string_view name(RegionOperation operation);
bool streams(RegionOperation operation);

struct RegionTarget {
  RegionOperation operation = RegionOperation::converse;
  std::string model;  // percent-decoded: a model id, a profile id, or an ARN of either
};
/// Nothing when the target (as received) names no operation of a Region.
std::optional<RegionTarget> parse_region_target(std::string_view target);

/// What a body asks for.
struct Question {
  std::string prompt;  // the last text of the last user message
  std::uint32_t input_tokens = 0;
  std::uint32_t output_tokens_max = 0;  // 0: not said
};
/// Reads a request body, or says why Bedrock would refuse it.
std::expected<Question, Refusal> read_question(RegionOperation operation, std::string_view body);

/// What the writers below need to know of an answer.
struct AnswerFacts {
  std::string_view model;
  std::string_view request_id;
  std::uint32_t input_tokens = 0;
  std::uint32_t output_tokens = 0;
  bool truncated = false;
  std::int64_t latency_ms = 0;  // in the Region, without the network
  std::int64_t first_token_ms = 0;
};
/// The body of a reply that does not stream. `text` holds no character that JSON escapes.
std::string answer_body(RegionOperation operation, const AnswerFacts& facts, std::string_view text);

/// The frames of a stream, in order: start, one delta for each token, end.
void append_stream_start(RegionOperation operation, const AnswerFacts& facts, std::string& out);
void append_stream_delta(RegionOperation operation, std::string_view token, std::string& out);
void append_stream_end(RegionOperation operation, const AnswerFacts& facts, std::string& out);

/// {"message": …}
std::string error_body(std::string_view message);

}  // namespace portolan::sim
