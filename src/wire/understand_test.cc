// SPDX-License-Identifier: Apache-2.0
#include "wire/understand.h"

#include <cstring>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>

namespace portolan::wire {
namespace {

using base::Code;
using domain::Operation;
using ::testing::HasSubstr;

// A body of exactly its size and padding, so that the address sanitizer sees a read behind it.
struct Padded {
  explicit Padded(std::string_view text) : size(text.size()), bytes(new char[text.size() + body_padding]) {
    std::memcpy(bytes.get(), text.data(), size);
    std::memset(bytes.get() + size, '}', body_padding);  // the worst padding for a truncated object
  }
  std::string_view view() const { return {bytes.get(), size}; }
  std::size_t size;
  std::unique_ptr<char[]> bytes;
};

base::Result<Asked> understand(Operation operation, std::string_view text) {
  BodyReader reader;
  const Padded body(text);
  return reader.understand(operation, body.view());
}

Asked good(Operation operation, std::string_view text) {
  auto asked = understand(operation, text);
  EXPECT_TRUE(asked.has_value()) << text << "\n" << (asked ? "" : asked.error().message);
  return asked.value_or(Asked{});
}

void expect_refused(Operation operation, std::string_view text, Code code, std::string_view part) {
  const auto asked = understand(operation, text);
  ASSERT_FALSE(asked.has_value()) << text;
  EXPECT_EQ(asked.error().code, code) << text << "\n" << asked.error().message;
  EXPECT_THAT(asked.error().message, HasSubstr(part)) << text;
}

domain::Usage usage(Operation operation, std::string_view text) {
  BodyReader reader;
  const Padded body(text);
  return reader.usage(operation, body.view());
}

TEST(Understand, ReadsAConverseBody) {
  const Asked asked = good(Operation::converse, R"({
    "system": [{"text": "12345678"}],
    "messages": [{"role": "user", "content": [{"text": "abcd"}]},
                 {"role": "assistant", "content": [{"text": "efg"}]}],
    "inferenceConfig": {"maxTokens": 512, "temperature": 0.5},
    "additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1024}}})");
  EXPECT_EQ(asked.input_tokens, 4U + 4U * 2U);  // (8 + 4 + 3) bytes of text, two messages
  EXPECT_EQ(asked.output_tokens_max, 512U);
  EXPECT_FALSE(asked.stream);
}

TEST(Understand, ReadsTheTierOfAConverseBody) {
  const auto tier = [](std::string_view member) {
    return good(Operation::converse, fmt::format(R"({{"messages":[{{}}]{}}})", member)).service_tier;
  };
  EXPECT_EQ(tier(R"(,"serviceTier":{"type":"priority"})"), "priority");
  EXPECT_EQ(tier(R"(,"serviceT\u0069er":{"of":[1],"typ\u0065":"fl\u0065x"})"), "flex");
  EXPECT_EQ(tier(""), "");
  EXPECT_EQ(tier(R"(,"serviceTier":null)"), "");
  EXPECT_EQ(tier(R"(,"serviceTier":{})"), "");
  const auto refused = [](std::string_view member, std::string_view part) {
    expect_refused(Operation::converse, fmt::format(R"({{"messages":[{{}}],{}}})", member), Code::invalid_field,
                   part);
  };
  refused(R"("serviceTier":"priority")", "serviceTier: must be an object");
  refused(R"("serviceTier":{"type":7})", "serviceTier.type: must be a string");
  refused(R"("serviceTier":{"type":""})", "serviceTier.type: must not be empty");
  refused(R"("serviceTier":{"type":"default"},"serviceTier":{"type":"priority"})", "serviceTier: given twice");
  refused(R"("serviceTier":{"type":"default","type":"priority"})", "serviceTier.type: given twice");
}

TEST(Understand, LeavesTheOutputLimitOpenWhenNobodyAskedForOne) {
  for (const char* config : {R"({})", R"({"maxTokens":null})", R"(null)", R"({"temperature":1})"})
    EXPECT_EQ(good(Operation::converse_stream,
                   fmt::format(R"({{"messages":[{{"role":"user"}}],"inferenceConfig":{}}})", config))
                  .output_tokens_max,
              std::nullopt)
        << config;
}

TEST(Understand, EstimatesFromBytesOfTextNotFromTheirEscapes) {
  const auto tokens = [](std::string_view text) {
    return good(Operation::converse, fmt::format(R"({{"messages":[{{"content":[{{"text":"{}"}}]}}]}})", text))
        .input_tokens;
  };
  EXPECT_EQ(tokens(""), 4U);
  EXPECT_EQ(tokens("a"), 5U);
  EXPECT_EQ(tokens("abcde"), 6U);
  EXPECT_EQ(tokens(R"(\n\n\n\n)"), 5U);
  EXPECT_EQ(tokens(R"(\u65e5\u672c\u8a9e)"), tokens("日本語"));
}

TEST(Understand, CountsPicturesAndDocumentsFlat) {
  const std::string base64(100'000, 'A');
  const auto tokens = [](Operation operation, std::string_view block) {
    return good(operation, fmt::format(R"({{"anthropic_version":"x","max_tokens":1,"model":"m",
                                         "messages":[{{"role":"user","content":[{}]}}]}})",
                                       block))
        .input_tokens;
  };
  EXPECT_EQ(tokens(Operation::converse,
                   fmt::format(R"({{"image":{{"format":"png","source":{{"bytes":"{}"}}}}}})", base64)),
            1504U);
  EXPECT_EQ(tokens(Operation::converse,
                   fmt::format(R"({{"guardContent":{{"image":{{"source":{{"bytes":"{}"}}}}}}}})", base64)),
            1504U);
  EXPECT_EQ(
      tokens(Operation::invoke_model,
             fmt::format(R"({{"type":"image","source":{{"type":"base64","media_type":"image/png","data":"{}"}}}})",
                         base64)),
      1504U);
  EXPECT_EQ(
      tokens(Operation::chat_completions,
             fmt::format(R"({{"type":"image_url","image_url":{{"url":"data:image/png;base64,{}"}}}})", base64)),
      1504U);
  EXPECT_EQ(tokens(Operation::converse, R"({"document":{"format":"pdf","name":"","source":{"bytes":"AAAA"}}},
                                           {"document":{"format":"pdf","name":"","source":{"bytes":"AAAA"}}})"),
            3004U);
}

TEST(Understand, CountsTheTextOfADocumentThatIsText) {
  EXPECT_EQ(good(Operation::converse,
                 R"({"messages":[{"content":[{"document":{"format":"txt","source":{"text":"12345678"}}}]}]})")
                .input_tokens,
            1506U);
  EXPECT_EQ(good(Operation::invoke_model, R"({"anthropic_version":"x","max_tokens":1,"messages":[{"content":[
                 {"type":"document","source":{"data":"12345678","type":"text","media_type":"text/plain"}}]}]})")
                .input_tokens,
            1506U);
}

TEST(Understand, CountsToolsAndTheirFreeJsonWhole) {
  const Asked asked = good(Operation::converse, R"({"messages":[{"content":[
      {"toolUse":{"toolUseId":"ignored","name":"four","input":{"bytes":"1234","n":123}}}]}],
      "toolConfig":{"tools":[{"toolSpec":{"name":"abcd"}}]}})");
  // "four", then "bytes" "1234" "n" 123, then "tools" "toolSpec" "name" "abcd"
  EXPECT_EQ(asked.input_tokens, 4U + (4 + 13 + 21 + 3) / 4);
}

TEST(Understand, RefusesAConverseBodyThatItCannotMeasure) {
  const auto refused = [](std::string_view body, std::string_view part) {
    expect_refused(Operation::converse, body, Code::invalid_field, part);
  };
  refused(R"({})", "messages: this member is required");
  refused(R"({"messages":null})", "messages: must be an array");
  refused(R"({"messages":"hi"})", "messages: must be an array");
  refused(R"({"messages":{}})", "messages: must be an array");
  refused(R"({"messages":[]})", "messages: at least one message is required");
  refused(R"({"messages":[{"role":"user"},"hi"]})", "messages[1]: must be an object");
  refused(R"({"messages":[{}],"inferenceConfig":[]})", "inferenceConfig: must be an object");
  for (const char* limit :
       {"0", "-1", "1.5", "1e3", "\"100\"", "true", "[]", "{}", "2147483648", "99999999999999999999"})
    refused(fmt::format(R"({{"messages":[{{}}],"inferenceConfig":{{"maxTokens":{}}}}})", limit),
            "inferenceConfig.maxTokens: must be a whole number");
}

TEST(Understand, RefusesADecidingMemberThatIsGivenTwice) {
  const auto refused = [](Operation operation, std::string_view body, std::string_view part) {
    expect_refused(operation, body, Code::invalid_field, part);
  };
  refused(Operation::converse, R"({"messages":[{}],"messages":[{}]})", "messages: given twice");
  refused(Operation::converse, R"({"messages":[{}],"inferenceConfig":{},"inferenceConfig":{"maxTokens":9}})",
          "inferenceConfig: given twice");
  refused(Operation::converse, R"({"messages":[{}],"inferenceConfig":{"maxTokens":1,"max\u0054okens":9}})",
          "inferenceConfig.maxTokens: given twice");
  refused(Operation::invoke_model, R"({"prompt":"x","max_gen_len":null,"max_gen_len":4})",
          "max_gen_len: given twice");
  refused(Operation::chat_completions, R"({"model":"a","model":"b","messages":[{}]})", "model: given twice");
  refused(Operation::chat_completions, R"({"model":"a","stream":true,"stream":false,"messages":[{}]})",
          "stream: given twice");
}

TEST(Understand, ReadsNamesAsTheRegionWill) {
  EXPECT_EQ(good(Operation::converse, R"({"m\u0065ssages":[{}],"inferenceConfig":{"max\u0054okens":7}})")
                .output_tokens_max,
            7U);
}

TEST(Understand, ReadsAnAnthropicBody) {
  const Asked asked = good(Operation::invoke_model_stream, R"({"anthropic_version":"bedrock-2023-05-31",
      "max_tokens":1024,"system":"abcd","messages":[{"role":"user","content":"efgh"},
      {"role":"assistant","content":[{"type":"text","text":"ijkl"}]}],"metadata":{"user_id":"x"}})");
  EXPECT_EQ(asked.output_tokens_max, 1024U);
  EXPECT_GE(asked.input_tokens, 11U);
  expect_refused(Operation::invoke_model, R"({"anthropic_version":"x","messages":[{}]})", Code::invalid_field,
                 "max_tokens: this member is required");
  expect_refused(Operation::invoke_model, R"({"max_tokens":5,"anthropic_version":"x"})", Code::invalid_field,
                 "messages: this member is required");
  expect_refused(Operation::invoke_model, R"({"anthropic_version":1,"max_tokens":5,"messages":[{}]})",
                 Code::invalid_field, "anthropic_version: must be a string");
}

TEST(Understand, FindsTheLimitOfOtherModelFamilies) {
  const auto limit = [](std::string_view body) { return good(Operation::invoke_model, body).output_tokens_max; };
  EXPECT_EQ(limit(R"({"prompt":"x","max_gen_len":11})"), 11U);
  EXPECT_EQ(limit(R"({"prompt":"x","max_tokens":12})"), 12U);
  EXPECT_EQ(limit(R"({"messages":[{}],"inferenceConfig":{"max_new_tokens":13}})"), 13U);
  EXPECT_EQ(limit(R"({"messages":[{}],"inferenceConfig":{"maxTokens":14}})"), 14U);
  EXPECT_EQ(limit(R"({"prompt":"x","maxTokens":15})"), 15U);
  EXPECT_EQ(limit(R"({"inputText":"x","textGenerationConfig":{"maxTokenCount":16}})"), 16U);
  EXPECT_EQ(limit(R"({"prompt":"x","max_tokens_to_sample":17})"), 17U);
  EXPECT_EQ(limit(R"({"prompt":"x"})"), std::nullopt);
  EXPECT_EQ(limit(R"({"prompt":"x","max_tokens":5,"max_gen_len":50})"), 50U) << "the larger is what may be spent";
  EXPECT_EQ(good(Operation::invoke_model, R"({"prompt":"12345678"})").input_tokens, 2U);
  EXPECT_EQ(good(Operation::invoke_model, R"({"inputImage":"AAAAAAAA"})").input_tokens, 1500U);
}

TEST(Understand, ReadsAChatCompletion) {
  const Asked asked = good(Operation::chat_completions, R"({"model":"us.anthropic\u002eclaude","stream":true,
      "messages":[{"role":"user","content":"abcd"}],"max_completion_tokens":99})");
  EXPECT_EQ(asked.model, "us.anthropic.claude");
  EXPECT_TRUE(asked.stream);
  EXPECT_EQ(asked.input_tokens, 5U);
  EXPECT_EQ(asked.output_tokens_max, 99U);
  EXPECT_FALSE(good(Operation::chat_completions, R"({"model":"m","stream":null,"messages":[{}]})").stream);
}

TEST(Understand, NamesTheMemberOfAChatCompletionThatIsWrong) {
  const auto refused = [](std::string_view body, std::string_view part) {
    expect_refused(Operation::chat_completions, body, Code::invalid_field, part);
  };
  refused(R"({"messages":[{}]})", "model: this member is required");
  refused(R"({"model":"","messages":[{}]})", "model: this member is required");
  refused(R"({"model":7,"messages":[{}]})", "model: must be a string");
  refused(R"({"model":"m"})", "messages: this member is required");
  refused(R"({"model":"m","messages":[]})", "messages: at least one message is required");
  for (const char* stream : {"1", "\"true\"", "{}", "[]"})
    refused(fmt::format(R"({{"model":"m","messages":[{{}}],"stream":{}}})", stream),
            "stream: must be true or false");
  refused(R"({"model":"m","messages":[{}],"max_tokens":0})", "max_tokens: must be a whole number");
}

TEST(Understand, RefusesWhatIsNotJson) {
  for (const std::string_view body : {R"()",
                                      R"( )",
                                      R"(null)",
                                      R"([])",
                                      R"("x")",
                                      R"(7)",
                                      R"({)",
                                      R"({"messages")",
                                      R"({"messages":)",
                                      R"({"messages":[{})",
                                      R"({"messages":[{}]}})",
                                      R"({"messages":[{}]} x)",
                                      R"({"messages":[{}],})",
                                      R"({"messages":[{},]})",
                                      R"({"messages":[{}}})",
                                      R"({"messages":[{}]])",
                                      R"({"messages" [{}]})",
                                      R"({"messages":[{}] "a":1})",
                                      R"({messages:[{}]})",
                                      R"({"messages":[{}],"a":tru})",
                                      R"({"messages":[{}],"a":truex})",
                                      R"({"messages":[{}],"a":01})",
                                      R"({"messages":[{}],"a":"\x"})",
                                      R"({"messages":[{}],"a":"open})",
                                      R"({"messages":[{}],"a":'x'})",
                                      R"({"messages":[{}],"a\q":1})",
                                      R"({"messages":[{}],"a":1 2})",
                                      R"({"messages":[{}],"a":"b""c"})",
                                      R"({"messages":[{}],1:2})",
                                      R"({"messages":[{}]}{"messages":[{}]})",
                                      "{\"messages\":[{}],\"a\":\"\n\"}",
                                      "{\"messages\":[{}],\"a\":\"\xff\"}",
                                      "{\"messages\":[{}],\"a\":\"\xc0\x80\"}",
                                      "{\"messages\":[{}],\"a\":\"\xed\xa0\x80\"}",
                                      "\xef\xbb\xbf{\"messages\":[{}]}"})
    expect_refused(Operation::converse, body, Code::malformed_request, "the body is");
  using namespace std::string_view_literals;
  expect_refused(Operation::converse, "{\"messages\":[{}]}\0"sv, Code::malformed_request, "byte 17");
}

TEST(Understand, RefusesEveryTruncationOfAGoodBody) {
  constexpr std::string_view body =
      R"({"system":[{"text":"a\u00e9\n"}],"messages":[{"role":"user","content":[{"text":"hi","n":[1.5e3,true,null]}]}],)"
      R"("inferenceConfig":{"maxTokens":12}})";
  good(Operation::converse, body);
  for (std::size_t size = 0; size < body.size(); ++size) {
    const auto asked = understand(Operation::converse, body.substr(0, size));
    EXPECT_FALSE(asked.has_value()) << body.substr(0, size);
  }
}

TEST(Understand, SaysWhereTheMistakeIs) {
  expect_refused(Operation::converse, R"({"messages":[{}], "a": tru})", Code::malformed_request, "byte 23");
}

TEST(Understand, RefusesNestingWithoutEnd) {
  const auto nested = [](std::size_t depth) {
    return R"({"messages":[{}],"a":)" + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  good(Operation::converse, nested(200));
  expect_refused(Operation::converse, nested(300), Code::malformed_request, "less nesting");
  expect_refused(Operation::converse, nested(1'000'000), Code::malformed_request, "less nesting");
}

TEST(Understand, ServesBodiesOfAllSizesOneAfterAnother) {
  BodyReader reader;
  for (const std::size_t size : {10U, 100'000U, 9'000'000U, 20U, 70'000U}) {
    const Padded body(fmt::format(R"({{"messages":[{{"content":[{{"text":"{}"}}]}}]}})", std::string(size, 'x')));
    const auto asked = reader.understand(Operation::converse, body.view());
    ASSERT_TRUE(asked.has_value());
    EXPECT_EQ(asked->input_tokens, 4 + (size + 3) / 4);
  }
}

TEST(Usage, IsReadFromAConverseReply) {
  const auto used =
      usage(Operation::converse, R"({"output":{"message":{"role":"assistant","content":[{"text":"x"}]}},
      "stopReason":"end_turn","usage":{"inputTokens":12,"outputTokens":34,"totalTokens":46,"cacheReadInputTokens":5,
      "cacheWriteInputTokens":6,"cacheDetails":[{"ttl":"5m","inputTokens":99}]},"metrics":{"latencyMs":812}})");
  EXPECT_TRUE(used.known);
  EXPECT_EQ(used.input_tokens, 12U);
  EXPECT_EQ(used.output_tokens, 34U);
  EXPECT_EQ(used.cache_read_tokens, 5U);
  EXPECT_EQ(used.cache_write_tokens, 6U);
}

TEST(Usage, IsReadFromAnAnthropicReplyAndALlamaReply) {
  const auto anthropic = usage(Operation::invoke_model, R"({"type":"message","usage":{"input_tokens":1,
      "cache_creation_input_tokens":2,"cache_read_input_tokens":3,"output_tokens":4}})");
  EXPECT_TRUE(anthropic.known);
  EXPECT_EQ(anthropic.input_tokens, 1U);
  EXPECT_EQ(anthropic.cache_write_tokens, 2U);
  EXPECT_EQ(anthropic.cache_read_tokens, 3U);
  EXPECT_EQ(anthropic.output_tokens, 4U);
  const auto llama =
      usage(Operation::invoke_model,
            R"({"generation":"x","prompt_token_count":7,"generation_token_count":8,"stop_reason":"stop"})");
  EXPECT_TRUE(llama.known);
  EXPECT_EQ(llama.input_tokens, 7U);
  EXPECT_EQ(llama.output_tokens, 8U);
}

TEST(Usage, IsUnknownWhenAReplyHoldsNoneOrIsNotWhole) {
  for (const char* body :
       {R"()", R"({})", R"([])", R"({"usage":null})", R"({"usage":{}})", R"({"usage":{"inputTokens":1}})",
        R"({"usage":{"inputTokens":1,"outputTokens":"2"}})", R"({"usage":{"inputTokens":1,"outputTokens":-2}})",
        R"({"usage":{"inputTokens":1,"outputTokens":2})", R"({"usage":{"inputTokens":1,"outputTokens":2}}-)",
        R"(<html>)", R"({"usage":{"inputTokens":null,"outputTokens":2}})",
        R"({"output":{"usage":{"inputTokens":1,"outputTokens":2}}})"})
    EXPECT_FALSE(usage(Operation::converse, body).known) << body;
}

}  // namespace
}  // namespace portolan::wire
