// SPDX-License-Identifier: Apache-2.0
#include "wire/stream_watch.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/bytes.h"

namespace portolan::wire {
namespace {

using base::Code;
using domain::Operation;

Frame event(std::string_view type, std::string_view payload) {
  return {.message_type = "event", .type = type, .payload = payload};
}

struct Invoke {
  StreamWatch watch{Operation::invoke_model_stream};
  base::Result<void> see(std::string_view native) {
    const std::string payload =
        fmt::format(R"({{"bytes":"{}","p":"abcdef"}})", base::to_base64(base::as_bytes(native)));
    return watch.see(event("chunk", payload));
  }
};

TEST(ConverseWatch, IsCompleteAtMetadataAndNotBefore) {
  StreamWatch watch(Operation::converse_stream);
  EXPECT_TRUE(watch.see(event("messageStart", R"({"role":"assistant"})")).has_value());
  EXPECT_TRUE(
      watch.see(event("contentBlockDelta", R"({"delta":{"text":"hi"},"contentBlockIndex":0})")).has_value());
  EXPECT_TRUE(watch.see(event("contentBlockStop", R"({"contentBlockIndex":0})")).has_value());
  EXPECT_TRUE(watch.see(event("messageStop", R"({"stopReason":"max_tokens"})")).has_value());
  EXPECT_EQ(watch.stop_reason(), "max_tokens");
  EXPECT_FALSE(watch.complete());
  EXPECT_FALSE(watch.usage().known);
  EXPECT_TRUE(watch
                  .see(event("metadata", R"({"usage":{"inputTokens":12,"outputTokens":34,"totalTokens":46,
      "cacheReadInputTokens":5,"cacheWriteInputTokens":6},"metrics":{"latencyMs":3}})"))
                  .has_value());
  EXPECT_TRUE(watch.complete());
  EXPECT_TRUE(watch.usage().known);
  EXPECT_EQ(watch.usage().input_tokens, 12U);
  EXPECT_EQ(watch.usage().output_tokens, 34U);
  EXPECT_EQ(watch.usage().cache_read_tokens, 5U);
  EXPECT_EQ(watch.usage().cache_write_tokens, 6U);
}

TEST(ConverseWatch, ServesChatCompletionsToo) {
  StreamWatch watch(Operation::chat_completions);
  EXPECT_TRUE(watch.see(event("metadata", R"({"usage":{"inputTokens":1,"outputTokens":2}})")).has_value());
  EXPECT_TRUE(watch.complete());
}

TEST(ConverseWatch, NeverReadsDeltasAndLetsUnknownEventsPass) {
  StreamWatch watch(Operation::converse_stream);
  EXPECT_TRUE(watch.see(event("contentBlockDelta", "not even JSON")).has_value());
  EXPECT_TRUE(watch.see(event("somethingNew", "{")).has_value());
  EXPECT_FALSE(watch.complete());
}

TEST(ConverseWatch, IsCompleteWithoutUsageButSaysSo) {
  StreamWatch watch(Operation::converse_stream);
  EXPECT_TRUE(watch.see(event("metadata", R"({"metrics":{"latencyMs":3}})")).has_value());
  EXPECT_TRUE(watch.complete());
  EXPECT_FALSE(watch.usage().known);
}

TEST(ConverseWatch, RefusesAnEndThatCannotBeRead) {
  for (const char* payload :
       {"", "{", "[]", R"({"usage":{"inputTokens":"many"}})", R"({"usage":{"outputTokens":-1}})"}) {
    StreamWatch watch(Operation::converse_stream);
    const auto seen = watch.see(event("metadata", payload));
    ASSERT_FALSE(seen.has_value()) << payload;
    EXPECT_EQ(seen.error().code, Code::upstream_malformed);
    EXPECT_FALSE(watch.complete());
  }
}

TEST(StreamWatch, TurnsAnExceptionIntoItsError) {
  StreamWatch watch(Operation::converse_stream);
  const auto seen = watch.see(
      {.message_type = "exception", .type = "throttlingException", .payload = R"({"message":"Too many tokens"})"});
  ASSERT_FALSE(seen.has_value());
  EXPECT_EQ(seen.error().code, Code::upstream_throttled);
  EXPECT_EQ(seen.error().message, "Too many tokens");
  EXPECT_FALSE(watch.complete());
}

TEST(StreamWatch, TurnsAnErrorFrameOrABrokenExceptionIntoAnError) {
  for (const char* message_type : {"exception", "error", "", "surprise"}) {
    StreamWatch watch(Operation::invoke_model_stream);
    const auto seen = watch.see({.message_type = message_type, .type = "InternalError", .payload = "<html>"});
    ASSERT_FALSE(seen.has_value()) << message_type;
    EXPECT_EQ(seen.error().code, Code::upstream_error);
    EXPECT_EQ(seen.error().message, "the Region ended the stream with InternalError and no message");
  }
}

TEST(InvokeWatch, FollowsAnAnthropicStreamToItsMetrics) {
  Invoke invoke;
  EXPECT_TRUE(invoke
                  .see(R"({"type":"message_start","message":{"id":"m","usage":{"input_tokens":10,
      "cache_creation_input_tokens":1,"cache_read_input_tokens":2,"output_tokens":1}}})")
                  .has_value());
  EXPECT_EQ(invoke.watch.usage().input_tokens, 10U);
  EXPECT_FALSE(invoke.watch.usage().known) << "the output is not counted yet";
  EXPECT_TRUE(invoke.see(R"({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}})")
                  .has_value());
  EXPECT_TRUE(invoke.see(R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"x"}})")
                  .has_value());
  EXPECT_TRUE(invoke
                  .see(R"({"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},
      "usage":{"output_tokens":20}})")
                  .has_value());
  EXPECT_EQ(invoke.watch.stop_reason(), "end_turn");
  EXPECT_TRUE(invoke.watch.usage().known);
  EXPECT_EQ(invoke.watch.usage().output_tokens, 20U);
  EXPECT_FALSE(invoke.watch.complete());
  EXPECT_TRUE(invoke
                  .see(R"({"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":11,
      "outputTokenCount":21,"invocationLatency":3,"firstByteLatency":1,"cacheReadInputTokenCount":2}})")
                  .has_value());
  EXPECT_TRUE(invoke.watch.complete());
  EXPECT_EQ(invoke.watch.usage().input_tokens, 11U);
  EXPECT_EQ(invoke.watch.usage().output_tokens, 21U);
  EXPECT_EQ(invoke.watch.usage().cache_read_tokens, 2U);
  EXPECT_EQ(invoke.watch.usage().cache_write_tokens, 1U);
}

TEST(InvokeWatch, IsNotFooledByGeneratedText) {
  Invoke invoke;
  EXPECT_TRUE(
      invoke.see(R"({"generation":"\"amazon-bedrock-invocationMetrics\":{} and \"usage\"","stop_reason":null})")
          .has_value());
  EXPECT_TRUE(invoke
                  .see(R"({"generation":"x","nested":{"amazon-bedrock-invocationMetrics":{"inputTokenCount":1},
      "usage":{"input_tokens":9}}})")
                  .has_value());
  EXPECT_FALSE(invoke.watch.complete());
  EXPECT_FALSE(invoke.watch.usage().known);
}

TEST(InvokeWatch, ReadsMetricsOfOtherFamiliesWhereverTheBytesStand) {
  StreamWatch watch(Operation::invoke_model_stream);
  const std::string payload = fmt::format(
      R"({{ "p" : "abc", "bytes" : "{}" }})",
      base::to_base64(base::as_bytes(R"({"generation":"","stop_reason":"stop","amazon-bedrock-invocationMetrics":
          {"inputTokenCount":3,"outputTokenCount":4}})")));
  EXPECT_TRUE(watch.see(event("chunk", payload)).has_value());
  EXPECT_TRUE(watch.complete());
  EXPECT_TRUE(watch.usage().known);
  EXPECT_EQ(watch.usage().output_tokens, 4U);
}

TEST(InvokeWatch, SkipsContentWithoutDecodingIt) {
  StreamWatch watch(Operation::invoke_model_stream);
  const std::string payload = R"({"bytes":")" +
                              base::to_base64(base::as_bytes(R"({"type":"content_block_delta")")).substr(0, 32) +
                              "!!! no base64";
  EXPECT_TRUE(watch.see(event("chunk", payload)).has_value());
}

TEST(InvokeWatch, RefusesAChunkThatCannotBeRead) {
  const std::string broken = base::to_base64(base::as_bytes(R"({"amazon-bedrock-invocationMetrics":{)"));
  const std::string wrong =
      base::to_base64(base::as_bytes(R"({"amazon-bedrock-invocationMetrics":{"inputTokenCount":"x"}})"));
  for (const std::string& payload :
       {std::string("{"), std::string("[]"), std::string("{}"), std::string(R"({"bytes":7})"),
        std::string(R"({"bytes":"a"})"), std::string(R"({"bytes":"a-_="})"),
        fmt::format(R"({{"bytes":"{}"}})", broken), fmt::format(R"({{"bytes":"{}"}})", wrong)}) {
    StreamWatch watch(Operation::invoke_model_stream);
    const auto seen = watch.see(event("chunk", payload));
    ASSERT_FALSE(seen.has_value()) << payload;
    EXPECT_EQ(seen.error().code, Code::upstream_malformed);
  }
}

}  // namespace
}  // namespace portolan::wire
