// SPDX-License-Identifier: Apache-2.0
#include "wire/openai.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace portolan::wire {
namespace {

using base::Code;
using nlohmann::json;
using ::testing::HasSubstr;

const Completion completion{.id = "chatcmpl-1", .model = "us.\"x\"", .created_s = 1'700'000'000};

json converse(std::string_view chat) {
  const auto request = converse_request(chat);
  EXPECT_TRUE(request.has_value()) << chat << "\n" << (request ? "" : request.error().message);
  return request ? json::parse(*request) : json();
}

void expect_refused(std::string_view chat, std::string_view part) {
  const auto request = converse_request(chat);
  ASSERT_FALSE(request.has_value()) << chat << "\n" << *request;
  EXPECT_EQ(request.error().code, Code::invalid_field);
  EXPECT_THAT(request.error().message, HasSubstr(part)) << chat;
}

std::string with(std::string_view members) {
  return fmt::format(R"({{"model":"m","messages":[{{"role":"user","content":"hi"}}],{}}})", members);
}

Frame event(std::string_view type, std::string_view payload) {
  return {.message_type = "event", .type = type, .payload = payload};
}

TEST(ConverseRequest, CarriesMessagesSystemAndSettings) {
  EXPECT_EQ(converse(R"({"model":"m","messages":[
      {"role":"system","content":"be\nbrief"},{"role":"user","content":"Hi \"there\" \u65e5"},
      {"role":"assistant","content":[{"type":"text","text":"Hello"}]},
      {"role":"developer","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},
      {"role":"user","content":"Go"}],
      "max_completion_tokens":64,"temperature":0.25,"top_p":1,"stop":["END","\n"],"stream":true})"),
            json::parse(R"({"messages":[{"role":"user","content":[{"text":"Hi \"there\" 日"}]},
      {"role":"assistant","content":[{"text":"Hello"}]},{"role":"user","content":[{"text":"Go"}]}],
      "system":[{"text":"be\nbrief"},{"text":"a"},{"text":"b"}],
      "inferenceConfig":{"maxTokens":64,"temperature":0.25,"topP":1.0,"stopSequences":["END","\n"]}})"));
}

TEST(ConverseRequest, IsNoMoreThanItsMessagesWhenNothingElseWasAsked) {
  EXPECT_EQ(converse(R"({"model":"m","messages":[{"role":"user","content":"a"}]})"),
            json::parse(R"({"messages":[{"role":"user","content":[{"text":"a"}]}]})"));
}

TEST(ConverseRequest, MergesNeighboursOfOneRole) {
  EXPECT_EQ(converse(R"({"messages":[{"role":"user","content":"a"},{"role":"system","content":"s"},
      {"role":"user","content":[{"type":"text","text":"b"},{"type":"text","text":"c"}]}]})"),
            json::parse(R"({"messages":[{"role":"user","content":[{"text":"a"},{"text":"b"},{"text":"c"}]}],
      "system":[{"text":"s"}]})"));
}

TEST(ConverseRequest, LeavesAnEmptySystemMessageOut) {
  EXPECT_FALSE(converse(R"({"messages":[{"role":"system","content":""},{"role":"user","content":"a"}]})")
                   .contains("system"));
}

TEST(ConverseRequest, AcceptsWhatOnlyAnnotatesOrAsksForTheUsual) {
  const json plain = converse(R"({"messages":[{"role":"user","content":"hi"}]})");
  for (
      const char* members :
      {R"("user":"u","metadata":{"a":"b"},"store":true,"service_tier":"auto","parallel_tool_calls":true)",
       R"("n":1,"logprobs":false,"top_logprobs":0,"frequency_penalty":0,"presence_penalty":0.0,"logit_bias":{})",
       R"("tools":[],"tool_choice":"none","functions":null,"function_call":"auto","response_format":{"type":"text"})",
       R"("modalities":["text"],"audio":null,"seed":null,"stop":null,"temperature":null,"top_p":null,"max_tokens":null)",
       R"("stream":false,"stream_options":{"include_usage":true},"prompt_cache_key":"k","safety_identifier":"s")",
       R"("stop":[])"})
    EXPECT_EQ(converse(with(members)), plain) << members;
  EXPECT_EQ(
      converse(R"({"messages":[{"role":"user","content":"hi","name":null,"tool_calls":null,"annotations":[]}]})"),
      plain);
}

TEST(ConverseRequest, RefusesByNameWhatWouldChangeTheAnswer) {
  for (const char* member : {R"("tools":[{"type":"function"}])",
                             R"("functions":[{"name":"f"}])",
                             R"("tool_choice":"required")",
                             R"("n":2)",
                             R"("n":0)",
                             R"("logprobs":true)",
                             R"("top_logprobs":3)",
                             R"("response_format":{"type":"json_object"})",
                             R"("response_format":7)",
                             R"("modalities":["text","audio"])",
                             R"("audio":{"voice":"x"})",
                             R"("seed":7)",
                             R"("frequency_penalty":0.5)",
                             R"("presence_penalty":-1)",
                             R"("logit_bias":{"50256":-100})",
                             R"("reasoning_effort":"high")",
                             R"("prediction":{"type":"content"})",
                             R"("web_search_options":{"a":1})",
                             R"("something_new":1)",
                             R"("verbosity":"low")"}) {
    const std::string name = std::string(member).substr(1, std::string(member).find('"', 1) - 1);
    expect_refused(with(member), name + ": not supported");
  }
}

TEST(ConverseRequest, NamesTheMessageThatIsWrong) {
  const auto refused = [](std::string_view messages, std::string_view part) {
    expect_refused(fmt::format(R"({{"messages":{}}})", messages), part);
  };
  refused("null", "messages: must be an array");
  refused("[]", "messages: at least one user or assistant");
  refused(R"([{"role":"system","content":"x"}])", "messages: at least one user or assistant");
  refused("[1]", "messages[0]: must be an object");
  refused(R"([{"content":"x"}])", "messages[0].role: this member is required");
  refused(R"([{"role":"user","content":"x"},{"role":"tool","content":"x"}])", "messages[1].role: must be");
  refused(R"([{"role":"user"}])", "messages[0].content: this member is required");
  refused(R"([{"role":"user","content":null}])", "messages[0].content: this member is required");
  refused(R"([{"role":"user","content":7}])", "messages[0].content: must be a string or an array");
  refused(R"([{"role":"user","content":[]}])", "messages[0].content: at least one part");
  refused(R"([{"role":"user","content":["x"]}])", "messages[0].content[0].type: this member is required");
  refused(
      R"([{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"u"}}]}])",
      "messages[0].content[1].type: only text");
  refused(R"([{"role":"user","content":[{"type":"input_audio"}]}])", "content[0].type: only text");
  refused(R"([{"role":"user","content":[{"type":"text","text":null}]}])", "content[0].text: must be a string");
  refused(R"([{"role":"assistant","content":"x","tool_calls":[{"id":"1"}]}])",
          "messages[0].tool_calls: not supported");
  refused(R"([{"role":"user","content":"x","name":"bob"}])", "messages[0].name: not supported");
  refused(R"([{"role":"user","content":"x","content":"y"}])", "messages[0].content: given twice");
}

TEST(ConverseRequest, ChecksTheSettings) {
  expect_refused(with(R"("max_tokens":0)"), "max_tokens: must be a whole number");
  expect_refused(with(R"("max_tokens":1.5)"), "max_tokens: must be a whole number");
  expect_refused(with(R"("max_tokens":5,"max_completion_tokens":5)"), "not both");
  expect_refused(with(R"("max_tokens":5,"max_tokens":6)"), "max_tokens: given twice");
  expect_refused(with(R"("temperature":1.1)"), "temperature: must be a number from 0 to 1");
  expect_refused(with(R"("temperature":"hot")"), "temperature: must be a number from 0 to 1");
  expect_refused(with(R"("top_p":-0.1)"), "top_p: must be a number from 0 to 1");
  expect_refused(with(R"("stop":"")"), "stop: must be a string that is not empty");
  expect_refused(with(R"("stop":7)"), "stop: must be a string that is not empty");
  expect_refused(with(R"("stop":["a",""])"), "stop: each sequence");
  expect_refused(with(R"("stop":["a","b","c","d","e"])"), "stop: at most 4");
  EXPECT_EQ(converse(with(R"("stop":"END")"))["inferenceConfig"]["stopSequences"], json::array({"END"}));
}

TEST(ConverseRequest, RefusesWhatIsNotJson) {
  for (const char* body : {"", "{", "[]", "7", "{\"messages\":[{\"role\":\"user\",\"content\":\"\xff\"}]}"}) {
    const auto request = converse_request(body);
    ASSERT_FALSE(request.has_value()) << body;
    EXPECT_EQ(request.error().code, Code::malformed_request);
  }
}

TEST(ConverseRequest, QuotesAnUnknownNameOnlyInPart) {
  const auto request = converse_request(with('"' + std::string(5000, 'z') + "\":1"));
  ASSERT_FALSE(request.has_value());
  EXPECT_LT(request.error().message.size(), 300U);
}

TEST(AsksForUsage, OnlyWhenStreamOptionsSaySo) {
  EXPECT_TRUE(asks_for_usage(R"({"stream_options":{"include_usage":true}})"));
  EXPECT_TRUE(asks_for_usage(R"({"stream_options":{"include\u005fusage":true}})"));
  for (const char* body :
       {"", "{}", "[]", R"({"include_usage":true})", R"({"stream_options":null})",
        R"({"stream_options":{"include_usage":false}})", R"({"stream_options":{"include_usage":1}})"})
    EXPECT_FALSE(asks_for_usage(body)) << body;
}

TEST(ChatCompletion, IsShapedAsOpenAiShapesIt) {
  const auto chat = chat_completion(R"({"output":{"message":{"role":"assistant","content":[
      {"reasoningContent":{"reasoningText":{"text":"hmm"}}},{"text":"Hi "},{"text":"\"you\""}]}},
      "stopReason":"end_turn","usage":{"inputTokens":10,"outputTokens":4,"totalTokens":14,"cacheReadInputTokens":3,
      "cacheWriteInputTokens":2},"metrics":{"latencyMs":1}})",
                                    completion);
  ASSERT_TRUE(chat.has_value());
  EXPECT_EQ(json::parse(*chat), json::parse(R"({"id":"chatcmpl-1","object":"chat.completion","created":1700000000,
      "model":"us.\"x\"","choices":[{"index":0,"message":{"role":"assistant","content":"Hi \"you\"","refusal":null},
      "logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":15,"completion_tokens":4,"total_tokens":19,
      "prompt_tokens_details":{"cached_tokens":3}}})"));
}

TEST(ChatCompletion, InventsNoUsage) {
  const auto chat =
      chat_completion(R"({"output":{"message":{"content":[]}},"stopReason":"max_tokens"})", completion);
  ASSERT_TRUE(chat.has_value());
  EXPECT_FALSE(json::parse(*chat).contains("usage"));
  EXPECT_EQ(json::parse(*chat)["choices"][0]["finish_reason"], "length");
}

TEST(ChatCompletion, RefusesAReplyThatIsNotConverses) {
  for (const char* body :
       {"", "{}", "[]", R"({"output":{"message":{"content":[]}}})", R"({"stopReason":"end_turn"})",
        R"({"output":{"message":{"content":"x"}},"stopReason":"end_turn"})",
        R"({"output":{"message":{"content":[]}},"stopReason":"x","usage":{"inputTokens":"1"}})"}) {
    const auto chat = chat_completion(body, completion);
    ASSERT_FALSE(chat.has_value()) << body;
    EXPECT_EQ(chat.error().code, Code::upstream_malformed);
  }
}

TEST(FinishReason, MapsEveryStopReason) {
  EXPECT_EQ(finish_reason("end_turn"), "stop");
  EXPECT_EQ(finish_reason("stop_sequence"), "stop");
  EXPECT_EQ(finish_reason("max_tokens"), "length");
  EXPECT_EQ(finish_reason("model_context_window_exceeded"), "length");
  EXPECT_EQ(finish_reason("tool_use"), "tool_calls");
  EXPECT_EQ(finish_reason("guardrail_intervened"), "content_filter");
  EXPECT_EQ(finish_reason("content_filtered"), "content_filter");
  EXPECT_EQ(finish_reason("whatever comes"), "stop");
}

// The JSON of each event; checks that every one is framed as "data: …\n\n" and the last is [DONE].
std::vector<json> chunks_of(std::string_view sse) {
  std::vector<json> chunks;
  while (!sse.empty()) {
    const auto end = sse.find("\n\n");
    EXPECT_TRUE(sse.starts_with("data: ") && end != std::string_view::npos);
    if (end == std::string_view::npos) break;
    const auto data = sse.substr(6, end - 6);
    sse.remove_prefix(end + 2);
    chunks.push_back(data == "[DONE]" ? json("[DONE]") : json::parse(data));
  }
  return chunks;
}

std::vector<json> stream(bool include_usage) {
  ChatStream chat(completion, include_usage);
  std::string out;
  for (const Frame& frame :
       {event("messageStart", R"({"role":"assistant"})"),
        event("contentBlockDelta", R"({"delta":{"text":"Hi\n"},"contentBlockIndex":0})"),
        event("contentBlockDelta", R"({"delta":{"reasoningContent":{"text":"hmm"}},"contentBlockIndex":0})"),
        event("contentBlockStop", R"({"contentBlockIndex":0})"),
        event("messageStop", R"({"stopReason":"end_turn"})"), event("metadata", R"({"usage":{}})")})
    EXPECT_TRUE(chat.on_frame(frame, out).has_value());
  chat.finish({.input_tokens = 1, .output_tokens = 2, .cache_read_tokens = 3, .known = true}, out);
  return chunks_of(out);
}

TEST(ChatStream, SendsRoleContentReasonAndDone) {
  const auto chunks = stream(false);
  ASSERT_EQ(chunks.size(), 4U);
  EXPECT_EQ(chunks[0], json::parse(R"({"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,
      "model":"us.\"x\"","choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,
      "finish_reason":null}]})"));
  EXPECT_EQ(chunks[1]["choices"][0]["delta"], json::parse(R"({"content":"Hi\n"})"));
  EXPECT_EQ(chunks[2]["choices"][0]["delta"], json::object());
  EXPECT_EQ(chunks[2]["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(chunks[3], "[DONE]");
}

TEST(ChatStream, SendsUsageInAChunkOfItsOwnWhenAsked) {
  const auto chunks = stream(true);
  ASSERT_EQ(chunks.size(), 5U);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(chunks[static_cast<std::size_t>(i)].at("usage").is_null());
  EXPECT_EQ(chunks[3]["choices"], json::array());
  EXPECT_EQ(chunks[3]["usage"], json::parse(R"({"prompt_tokens":4,"completion_tokens":2,"total_tokens":6,
      "prompt_tokens_details":{"cached_tokens":3}})"));
}

TEST(ChatStream, OpensWithTheRoleEvenWhenTheRegionDoesNot) {
  ChatStream chat(completion, false);
  std::string out;
  ASSERT_TRUE(chat.on_frame(event("contentBlockDelta", R"({"delta":{"text":"x"}})"), out).has_value());
  const auto chunks = chunks_of(out);
  ASSERT_EQ(chunks.size(), 2U);
  EXPECT_EQ(chunks[0]["choices"][0]["delta"]["role"], "assistant");
}

TEST(ChatStream, StopsAtAnExceptionAndAtWhatItCannotRead) {
  ChatStream chat(completion, false);
  std::string out;
  const auto thrown = chat.on_frame(
      {.message_type = "exception", .type = "throttlingException", .payload = R"({"message":"m"})"}, out);
  ASSERT_FALSE(thrown.has_value());
  EXPECT_EQ(thrown.error().code, Code::upstream_throttled);
  for (const char* payload : {"", "{", "[]", R"({"stopReason":1})"}) {
    const auto broken = chat.on_frame(event("messageStop", payload), out);
    ASSERT_FALSE(broken.has_value()) << payload;
    EXPECT_EQ(broken.error().code, Code::upstream_malformed);
  }
  EXPECT_EQ(out, "");
}

}  // namespace
}  // namespace portolan::wire
