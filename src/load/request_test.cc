// SPDX-License-Identifier: Apache-2.0
#include "load/request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace portolan::load {
namespace {

using domain::Operation;
using nlohmann::json;

LoadOptions options_for(Operation operation) {
  return {.url = "http://127.0.0.1:8080",
          .operation = operation,
          .model = "us.anthropic.claude-x:0",
          .access_key_id = "AKIDEXAMPLE",
          .secret_access_key = "secret",
          .source_region = "us-east-1",
          .rate_per_s = 1,
          .calls = 1,
          .request_bytes = 1024,
          .output_tokens = 37};
}

TEST(LoadRequest, HasExactlyTheSizeThatWasAsked) {
  for (const Operation operation : {Operation::converse, Operation::invoke_model, Operation::chat_completions})
    for (const std::size_t bytes : {300u, 1024u, 4096u, 100'000u}) {
      LoadOptions options = options_for(operation);
      options.request_bytes = bytes;
      EXPECT_EQ(request_body(options).size(), bytes) << domain::event_name(operation);
    }
}

TEST(LoadRequest, IsAsSmallAsItCanBeWhenLessIsAsked) {
  LoadOptions options = options_for(Operation::converse);
  options.request_bytes = 0;
  EXPECT_LT(request_body(options).size(), 150u);
  EXPECT_TRUE(json::accept(request_body(options)));
}

TEST(LoadRequest, AsksForItsTokensInThePromptAndAsALimit) {
  const json converse = json::parse(request_body(options_for(Operation::converse)));
  EXPECT_EQ(converse["inferenceConfig"]["maxTokens"], 37);
  EXPECT_THAT(converse["messages"][0]["content"][0]["text"].get<std::string>(), testing::StartsWith("#tokens=37 "));
  const json invoke = json::parse(request_body(options_for(Operation::invoke_model)));
  EXPECT_EQ(invoke["max_tokens"], 37);
  EXPECT_EQ(invoke["anthropic_version"], "bedrock-2023-05-31");
  LoadOptions chat_options = options_for(Operation::chat_completions);
  chat_options.stream = true;
  const json chat = json::parse(request_body(chat_options));
  EXPECT_EQ(chat["model"], "us.anthropic.claude-x:0");
  EXPECT_EQ(chat["stream"], true);
}

TEST(LoadRequest, EncodesTheModelInThePath) {
  EXPECT_EQ(request_path(options_for(Operation::converse)), "/model/us.anthropic.claude-x%3A0/converse");
  EXPECT_EQ(request_path(options_for(Operation::converse_stream)),
            "/model/us.anthropic.claude-x%3A0/converse-stream");
  EXPECT_EQ(request_path(options_for(Operation::invoke_model)), "/model/us.anthropic.claude-x%3A0/invoke");
  EXPECT_EQ(request_path(options_for(Operation::invoke_model_stream)),
            "/model/us.anthropic.claude-x%3A0/invoke-with-response-stream");
  EXPECT_EQ(request_path(options_for(Operation::chat_completions)), "/v1/chat/completions");
}

TEST(LoadRequest, IsSignedSoThatTheVerifierAcceptsIt) {
  const LoadOptions options = options_for(Operation::converse);
  RequestMaker maker{options, *read_address(options.url)};
  base::WallTime now;
  ASSERT_TRUE(base::parse_time("2026-11-21T23:05:07Z", now));
  const auto request = maker.request(now);
  std::size_t searched = 0;
  wire::RequestHead head;
  const auto whole = wire::read_request_head(*request, 64 * 1024, searched, head);
  ASSERT_TRUE(whole && *whole);
  const auto authorization = identity::read_authorization(head.headers.value("authorization"));
  ASSERT_TRUE(authorization);
  EXPECT_EQ(authorization->region, "us-east-1");
  const identity::SignedRequest signed_request{.method = head.method,
                                               .path = head.target,
                                               .headers = &head.headers,
                                               .body_hash = base::sha256(request->substr(head.head_bytes))};
  const base::HmacKey key = identity::signing_key("secret", authorization->date, "us-east-1", "bedrock");
  const auto verified = identity::verify(signed_request, *authorization, key, now);
  EXPECT_TRUE(verified) << (verified ? "" : verified.error().message);
}

TEST(LoadRequest, IsSignedAnewEachSecondAndOnlyThen) {
  const LoadOptions options = options_for(Operation::converse);
  RequestMaker maker{options, *read_address(options.url)};
  const base::WallTime now{std::chrono::seconds{1'800'000'000}};
  const auto first = maker.request(now);
  EXPECT_EQ(maker.request(now + std::chrono::milliseconds{999}), first);
  EXPECT_NE(*maker.request(now + std::chrono::seconds{1}), *first);
}

TEST(LoadRequest, CarriesAnApiKeyAsABearerToken) {
  LoadOptions options = options_for(Operation::chat_completions);
  options.access_key_id = options.secret_access_key = "";
  options.api_key = "pk-123";
  RequestMaker maker{options, *read_address(options.url)};
  const auto request = maker.request(base::WallTime{});
  EXPECT_THAT(*request, testing::HasSubstr("authorization: Bearer pk-123\r\n"));
  EXPECT_THAT(*request, testing::Not(testing::HasSubstr("AWS4")));
}

TEST(LoadAddress, ReadsHostsAndPorts) {
  EXPECT_EQ(read_address("http://127.0.0.1:8080")->port, "8080");
  EXPECT_EQ(read_address("http://localhost")->port, "80");
  EXPECT_EQ(read_address("http://localhost:81/")->authority, "localhost:81");
  EXPECT_EQ(read_address("http://[::1]:99")->host, "::1");
  EXPECT_EQ(read_address("http://[::1]:99")->port, "99");
}

TEST(LoadAddress, RefusesWhatItCannotCallAndSaysHowToWriteIt) {
  for (const char* url : {"", "localhost:80", "https://x", "http://", "http://x:0", "http://x:70000", "http://x:8a",
                          "http://x:", "http://x/path", "http://u@x", "http://[::1", "http://[::1]99"}) {
    const auto address = read_address(url);
    ASSERT_FALSE(address) << url;
    EXPECT_EQ(address.error().code, base::Code::usage);
    EXPECT_THAT(address.error().message, testing::HasSubstr("write http://HOST:PORT"));
  }
}

}  // namespace
}  // namespace portolan::load
