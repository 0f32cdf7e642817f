// SPDX-License-Identifier: Apache-2.0
#include "wire/errors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "wire/event_stream.h"

namespace portolan::wire {
namespace {

using base::Code;
using domain::Dialect;
using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::SizeIs;

base::Error upstream(int status, std::initializer_list<Header> fields, std::string_view body) {
  Headers headers;
  for (const Header& field : fields) headers.add(field.name, field.value);
  return upstream_error(status, headers, body);
}

TEST(ErrorReply, SpeaksBedrock) {
  const ErrorReply reply =
      error_reply(base::error(Code::access_denied, "no \"us-east-1\"\nfor you"), Dialect::bedrock);
  EXPECT_EQ(reply.status, 403);
  EXPECT_EQ(reply.error_type, "AccessDeniedException");
  EXPECT_EQ(reply.body, R"({"message":"no \"us-east-1\"\nfor you"})");
  EXPECT_EQ(reply.retry_after_s, 0U);
}

TEST(ErrorReply, SpeaksOpenAi) {
  const ErrorReply reply = error_reply(base::error(Code::bad_api_key, "unknown key"), Dialect::openai);
  EXPECT_EQ(reply.status, 401);
  EXPECT_EQ(reply.error_type, "");
  EXPECT_EQ(
      reply.body,
      R"({"error":{"message":"unknown key","type":"authentication_error","param":null,"code":"bad_api_key"}})");
}

TEST(ErrorReply, NamesAWaitOnlyWhenTheErrorKnowsOne) {
  const auto wait = [](base::Duration after) {
    return error_reply(base::error(Code::quota_exceeded, "x", after), Dialect::bedrock).retry_after_s;
  };
  EXPECT_EQ(wait(0ms), 0U);
  EXPECT_EQ(wait(-5s), 0U);
  EXPECT_EQ(wait(1ns), 1U);
  EXPECT_EQ(wait(1000ms), 1U);
  EXPECT_EQ(wait(1001ms), 2U);
  EXPECT_EQ(wait(base::Duration::max()), 86'400U);
}

TEST(StreamError, IsAnExceptionFrameInBedrocksStream) {
  const auto type_of = [](Code code) {
    std::string out;
    append_stream_error(out, base::error(code, "cut"), Dialect::bedrock);
    const auto frame = read_frame(out);
    EXPECT_TRUE(frame.has_value() && frame->has_value());
    EXPECT_EQ((*frame)->bytes.size(), out.size());
    EXPECT_EQ((*frame)->message_type, "exception");
    EXPECT_EQ((*frame)->payload, R"({"message":"cut"})");
    return std::string((*frame)->type);
  };
  EXPECT_EQ(type_of(Code::stream_cut), "modelStreamErrorException");
  EXPECT_EQ(type_of(Code::upstream_throttled), "throttlingException");
  EXPECT_EQ(type_of(Code::upstream_unavailable), "serviceUnavailableException");
  EXPECT_EQ(type_of(Code::upstream_rejected), "validationException");
  EXPECT_EQ(type_of(Code::internal), "internalServerException");
  EXPECT_EQ(type_of(Code::call_deadline), "internalServerException")
      << "ConverseStream declares no modelTimeoutException";
}

TEST(StreamError, IsAnErrorEventWithoutDoneInOpenAisStream) {
  std::string out;
  append_stream_error(out, base::error(Code::stream_cut, "cut\nhere"), Dialect::openai);
  EXPECT_EQ(out,
            "data: {\"error\":{\"message\":\"cut\\nhere\",\"type\":\"server_error\",\"param\":null,"
            "\"code\":\"stream_cut\"}}\n\n");
}

TEST(UpstreamError, TakesItsTypeFromTheHeaderFirst) {
  const auto error =
      upstream(400, {{"x-amzn-errortype", "ThrottlingException:http://internal.amazon.com/coral/"}},
               R"({"message":"Too many tokens, please wait before trying again.","__type":"ValidationException"})");
  EXPECT_EQ(error.code, Code::upstream_throttled);
  EXPECT_EQ(error.message, "Too many tokens, please wait before trying again.");
  EXPECT_EQ(error.facts().remedy, base::Remedy::retry_elsewhere);
}

TEST(UpstreamError, FallsBackToTheBodyThenToTheStatus) {
  EXPECT_EQ(upstream(500, {}, R"({"__type":"com.amazon.bedrock#ModelTimeoutException"})").code,
            Code::upstream_model_timeout);
  EXPECT_EQ(upstream(500, {}, R"({"code":"AccessDeniedException","Message":"m"})").code,
            Code::upstream_credentials);
  EXPECT_EQ(upstream(429, {{"x-amzn-errortype", "BrandNewException"}}, "{}").code, Code::upstream_throttled);
  const std::pair<int, Code> by_status[] = {
      {400, Code::upstream_rejected},     {401, Code::upstream_credentials},   {403, Code::upstream_credentials},
      {404, Code::upstream_model_absent}, {408, Code::upstream_model_timeout}, {413, Code::upstream_rejected},
      {424, Code::upstream_model_error},  {429, Code::upstream_throttled},     {500, Code::upstream_error},
      {502, Code::upstream_error},        {503, Code::upstream_unavailable},   {529, Code::upstream_unavailable},
      {200, Code::upstream_malformed},    {302, Code::upstream_malformed},     {0, Code::upstream_malformed},
      {600, Code::upstream_malformed},    {-1, Code::upstream_malformed}};
  for (const auto& [status, code] : by_status) EXPECT_EQ(upstream(status, {}, "").code, code) << status;
}

TEST(UpstreamError, DoesNotTakeATypeAsAnErrorWhenTheStatusIsNone) {
  EXPECT_EQ(upstream(200, {{"x-amzn-errortype", "ThrottlingException"}}, "{}").code, Code::upstream_malformed);
}

TEST(UpstreamError, BlamesTheOperatorForOurOwnCredentials) {
  for (const char* type : {"AccessDeniedException", "ExpiredTokenException", "InvalidSignatureException",
                           "UnrecognizedClientException", "RequestExpired"}) {
    const auto error = upstream(403, {{"x-amzn-errortype", type}}, "{}");
    EXPECT_EQ(error.code, Code::upstream_credentials) << type;
    EXPECT_EQ(error.facts().blame, base::Blame::operator_);
  }
}

TEST(UpstreamError, TellsAMissingModelFromABadRequest) {
  const auto code = [](std::string_view message) {
    return upstream(400, {{"x-amzn-errortype", "ValidationException"}}, nlohmann::json{{"message", message}}.dump())
        .code;
  };
  EXPECT_EQ(code("The provided model identifier is invalid."), Code::upstream_model_absent);
  EXPECT_EQ(code("Invocation of model ID x with on-demand throughput isn’t supported. Retry"),
            Code::upstream_model_absent);
  EXPECT_EQ(code("max_tokens: must be at least 1"), Code::upstream_rejected);
}

TEST(UpstreamError, ReadsHowLongToWait) {
  EXPECT_EQ(upstream(429, {{"retry-after", "7"}}, "").retry_after, 7s);
  EXPECT_EQ(upstream(429, {{"Retry-After", "7"}, {"x-amz-retry-after", "1500"}}, "").retry_after, 1500ms);
  EXPECT_EQ(upstream(429, {{"retry-after", "4000000000"}}, "").retry_after, 24h);
  for (const char* value : {"", "-1", "1.5", "99999999999999", "Sat, 21 Nov 2026 23:40:50 GMT", "7s"})
    EXPECT_EQ(upstream(429, {{"retry-after", value}}, "").retry_after, 0s) << value;
}

TEST(UpstreamError, SaysSomethingWhenTheRegionDidNot) {
  for (const std::string_view body :
       {"", "<html>Bad gateway</html>", "{}", "[]", "{\"message\":7}", "{\"message\":\"\"}", "\xff"}) {
    const auto error = upstream(502, {}, body);
    EXPECT_EQ(error.message, "the Region answered with status 502 and no message") << body;
  }
}

TEST(UpstreamError, BoundsTheMessageWithoutBreakingACharacter) {
  std::string text(1023, 'x');
  text += "日本";
  const auto error = upstream(400, {}, nlohmann::json{{"message", text}}.dump());
  EXPECT_EQ(error.message, std::string(1023, 'x'));
  EXPECT_THAT(upstream(400, {}, nlohmann::json{{"message", std::string(100'000, 'y')}}.dump()).message,
              HasSubstr("no message"));
}

TEST(ExceptionCode, KnowsEveryExceptionOfBothStreams) {
  EXPECT_EQ(exception_code("internalServerException"), Code::upstream_error);
  EXPECT_EQ(exception_code("modelStreamErrorException"), Code::upstream_model_error);
  EXPECT_EQ(exception_code("validationException"), Code::upstream_rejected);
  EXPECT_EQ(exception_code("throttlingException"), Code::upstream_throttled);
  EXPECT_EQ(exception_code("modelTimeoutException"), Code::upstream_model_timeout);
  EXPECT_EQ(exception_code("serviceUnavailableException"), Code::upstream_unavailable);
  EXPECT_EQ(exception_code("somethingNew"), Code::upstream_error);
}

}  // namespace
}  // namespace portolan::wire
