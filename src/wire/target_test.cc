// SPDX-License-Identifier: Apache-2.0
#include "wire/target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace portolan::wire {
namespace {

using base::Code;
using domain::Operation;
using testing::HasSubstr;

Operation operation_of(std::string_view method, std::string_view target) {
  const auto read = read_target(method, target);
  EXPECT_TRUE(read.has_value()) << target << ": " << (read ? "" : read.error().message);
  return read ? read->operation : Operation::unknown;
}

std::string id_of(std::string_view method, std::string_view target) {
  const auto read = read_target(method, target);
  EXPECT_TRUE(read.has_value()) << target << ": " << (read ? "" : read.error().message);
  return read ? read->id : "";
}

base::Error refusal_of(std::string_view method, std::string_view target) {
  const auto read = read_target(method, target);
  EXPECT_FALSE(read.has_value()) << target;
  return read ? base::Error{} : read.error();
}

TEST(Target, KnowsEveryOperation) {
  EXPECT_EQ(operation_of("POST", "/model/x/invoke"), Operation::invoke_model);
  EXPECT_EQ(operation_of("POST", "/model/x/invoke-with-response-stream"), Operation::invoke_model_stream);
  EXPECT_EQ(operation_of("POST", "/model/x/converse"), Operation::converse);
  EXPECT_EQ(operation_of("POST", "/model/x/converse-stream"), Operation::converse_stream);
  EXPECT_EQ(operation_of("GET", "/inference-profiles"), Operation::list_inference_profiles);
  EXPECT_EQ(operation_of("GET", "/inference-profiles/us.x"), Operation::get_inference_profile);
  EXPECT_EQ(operation_of("GET", "/foundation-models"), Operation::list_foundation_models);
  EXPECT_EQ(operation_of("POST", "/v1/chat/completions"), Operation::chat_completions);
  EXPECT_EQ(operation_of("GET", "/v1/models"), Operation::list_openai_models);
}

TEST(Target, DecodesIdsInAllThreeEncodings) {
  const std::string arn = "arn:aws:bedrock:us-east-1:111122223333:inference-profile/us.x-v1:0";
  EXPECT_EQ(id_of("POST", "/model/us.x-v1%3A0/converse"), "us.x-v1:0");
  EXPECT_EQ(id_of("POST", "/model/us.x-v1:0/converse"), "us.x-v1:0");
  EXPECT_EQ(
      id_of("POST",
            "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A111122223333%3Ainference-profile%2Fus.x-v1%3A0/converse"),
      arn);
  EXPECT_EQ(
      id_of("POST", "/model/arn:aws:bedrock:us-east-1:111122223333:inference-profile%2fus.x-v1:0/converse-stream"),
      arn);
  EXPECT_EQ(id_of("POST", "/model/" + arn + "/invoke"), arn);
  EXPECT_EQ(id_of("GET", "/inference-profiles/" + arn), arn);
  EXPECT_EQ(
      id_of("GET",
            "/inference-profiles/arn%3Aaws%3Abedrock%3Aus-east-1%3A111122223333%3Ainference-profile%2Fus.x-v1%3A0"),
      arn);
}

TEST(Target, DecodesOnlyOnce) {
  // "%253A" is the id "%3A", which no id may hold.
  EXPECT_EQ(refusal_of("POST", "/model/us.x%253A0/converse").code, Code::malformed_request);
}

TEST(Target, SplitsPathAndQueryWithoutDecodingThem) {
  const auto read = read_target("GET", "/inference-profiles?type=SYSTEM_DEFINED&nextToken=a%3Fb?c").value();
  EXPECT_EQ(read.path, "/inference-profiles");
  EXPECT_EQ(read.query, "type=SYSTEM_DEFINED&nextToken=a%3Fb?c");
  EXPECT_EQ(read_target("GET", "/v1/models").value().query, "");
  EXPECT_EQ(read_target("GET", "/v1/models?").value().query, "");
}

TEST(Target, ListsWhatIsServedForAnUnknownPath) {
  for (const std::string_view target :
       {"/", "", "*", "/model", "/model/", "/model/x", "/model/converse", "/model/x/count-tokens",
        "/model/x/Converse", "/model/x/converse/", "/model/x%2Fconverse", "/models/x/converse",
        "/inference-profiles-x", "/foundation-models/x", "/v1/chat/completions/", "/v1/completions", "/V1/models",
        "//v1/models", "/v1/%6dodels"}) {
    const base::Error error = refusal_of("POST", target);
    EXPECT_EQ(error.code, Code::unknown_path) << target;
    EXPECT_THAT(error.message, HasSubstr("POST /v1/chat/completions")) << target;
  }
}

TEST(Target, NamesTheRightMethod) {
  for (const std::string_view target : {"/model/x/converse", "/model/x/invoke", "/v1/chat/completions"}) {
    for (const std::string_view method : {"GET", "PUT", "post", "OPTIONS"}) {
      const base::Error error = refusal_of(method, target);
      EXPECT_EQ(error.code, Code::method_not_allowed) << method << target;
      EXPECT_THAT(error.message, HasSubstr("POST"));
      EXPECT_EQ(wire::methods_of(target), "POST");
    }
  }
  for (const std::string_view target : {"/foundation-models", "/v1/models"}) {
    const base::Error error = refusal_of("POST", target);
    EXPECT_EQ(error.code, Code::method_not_allowed) << target;
    EXPECT_THAT(error.message, HasSubstr("GET"));
    EXPECT_EQ(wire::methods_of(std::string(target) + "?a=b"), "GET");
  }
  EXPECT_EQ(wire::methods_of("/v1/nothing"), "");
}

TEST(Target, TellsOperationsOfOnePathApartByTheirMethods) {
  EXPECT_EQ(operation_of("GET", "/inference-profiles"), Operation::list_inference_profiles);
  EXPECT_EQ(operation_of("POST", "/inference-profiles"), Operation::create_inference_profile);
  EXPECT_EQ(operation_of("GET", "/inference-profiles/x"), Operation::get_inference_profile);
  EXPECT_EQ(operation_of("DELETE", "/inference-profiles/x"), Operation::delete_inference_profile);
  EXPECT_EQ(id_of("DELETE", "/inference-profiles/arn%3Aaws%3Ax%2Fy"), "arn:aws:x/y");
  EXPECT_EQ(operation_of("POST", "/tagResource"), Operation::tag_resource);
  EXPECT_EQ(operation_of("POST", "/untagResource"), Operation::untag_resource);
  EXPECT_EQ(operation_of("POST", "/listTagsForResource"), Operation::list_tags_for_resource);
  const base::Error error = refusal_of("PUT", "/inference-profiles/x");
  EXPECT_EQ(error.code, Code::method_not_allowed);
  EXPECT_THAT(error.message, HasSubstr("DeleteInferenceProfile is called with DELETE"));
  EXPECT_EQ(wire::methods_of("/inference-profiles/x"), "GET, DELETE");
  EXPECT_EQ(wire::methods_of("/inference-profiles?a=b"), "GET, POST");
}

TEST(Target, RefusesIdsThatNameNothing) {
  for (const std::string_view target :
       {"/model//converse", "/model/%/converse", "/model/%4/converse", "/model/%zz/converse",
        "/model/a%00b/converse", "/model/a%0Ab/converse", "/model/a%20b/converse", "/model/%C3%A9/converse",
        "/model/a\"b/converse"}) {
    EXPECT_EQ(refusal_of("POST", target).code, Code::malformed_request) << target;
  }
  EXPECT_EQ(refusal_of("GET", "/inference-profiles/").code, Code::malformed_request);
  EXPECT_EQ(id_of("POST", "/model/" + std::string(2048, 'a') + "/converse").size(), 2048u);
  EXPECT_EQ(refusal_of("POST", "/model/" + std::string(2049, 'a') + "/converse").code, Code::malformed_request);
  EXPECT_EQ(refusal_of("POST", "/model/" + std::string(9000, 'a') + "/converse").code, Code::malformed_request);
}

TEST(Target, RefusesAQueryThatCannotBeDecoded) {
  for (const std::string_view query : {"a=%", "a=%4", "a=%4g", "%", "a=%41%"}) {
    EXPECT_EQ(refusal_of("GET", "/v1/models?" + std::string(query)).code, Code::malformed_request) << query;
  }
  EXPECT_EQ(operation_of("GET", "/v1/models?a=%41"), Operation::list_openai_models);
}

TEST(Target, AnswersInTheDialectOfThePath) {
  EXPECT_EQ(domain::Dialect::openai, dialect_of_target("/v1/nothing"));
  EXPECT_EQ(domain::Dialect::openai, dialect_of_target("/v1/chat/completions"));
  EXPECT_EQ(domain::Dialect::bedrock, dialect_of_target("/v10/x"));
  EXPECT_EQ(domain::Dialect::bedrock, dialect_of_target("/model/x/converse"));
  EXPECT_EQ(domain::Dialect::bedrock, dialect_of_target(""));
}

TEST(QueryValue, DecodesTheFirstOfItsName) {
  EXPECT_EQ(query_value("a=1&b=2&a=3", "a"), "1");
  EXPECT_EQ(query_value("a=1&b=2", "b"), "2");
  EXPECT_EQ(query_value("token=a%2Fb%3D%3D", "token"), "a/b==");
  EXPECT_EQ(query_value("token=a+b=", "token"), "a+b=");
  EXPECT_EQ(query_value("%74oken=x", "token"), "x");
  EXPECT_EQ(query_value("aa=1", "a"), "");
  EXPECT_EQ(query_value("a", "a"), "");
  EXPECT_EQ(query_value("", "a"), "");
  EXPECT_EQ(query_value("&&=&a=1", "a"), "1");
}

TEST(ModelName, TakesBareIdsAsTheyAre) {
  for (const std::string_view text :
       {"anthropic.claude-opus-4-8", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "gpt-5", "arn"}) {
    const ModelName name = read_model_name(text).value();
    EXPECT_EQ(name.kind, ModelName::Kind::bare);
    EXPECT_EQ(name.id, text);
    EXPECT_EQ(name.region, "");
    EXPECT_EQ(name.account, "");
  }
}

TEST(ModelName, TakesArnsApart) {
  const std::string_view arn = "arn:aws:bedrock:us-east-1:111122223333:inference-profile/us.anthropic.x-v1:0";
  ModelName name = read_model_name(arn).value();
  EXPECT_EQ(name.kind, ModelName::Kind::inference_profile);
  EXPECT_EQ(name.region, "us-east-1");
  EXPECT_EQ(name.account, "111122223333");
  EXPECT_EQ(name.id, "us.anthropic.x-v1:0");
  EXPECT_EQ(name.id.data() + name.id.size(), arn.data() + arn.size());

  name =
      read_model_name("arn:aws:bedrock:eu-west-1:111122223333:application-inference-profile/a1b2c3d4e5f6").value();
  EXPECT_EQ(name.kind, ModelName::Kind::application_inference_profile);
  EXPECT_EQ(name.id, "a1b2c3d4e5f6");

  name = read_model_name("arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/anthropic.x-v1:0").value();
  EXPECT_EQ(name.kind, ModelName::Kind::foundation_model);
  EXPECT_EQ(name.region, "us-gov-west-1");
  EXPECT_EQ(name.account, "");
  EXPECT_EQ(name.id, "anthropic.x-v1:0");

  name = read_model_name("arn:aws:bedrock:::foundation-model/anthropic.x").value();
  EXPECT_EQ(name.kind, ModelName::Kind::foundation_model);
  EXPECT_EQ(name.region, "");
}

TEST(ModelName, NamesOtherResourcesWithoutJudgingThem) {
  for (const auto& [arn, id] :
       {std::pair{"arn:aws:bedrock:us-east-1:111122223333:prompt/ABCDEFGHIJ:1", "prompt/ABCDEFGHIJ:1"},
        std::pair{"arn:aws:sagemaker:us-east-1:111122223333:endpoint/e", "endpoint/e"},
        std::pair{"arn:aws:sagemaker:us-east-1:111122223333:inference-profile/e", "inference-profile/e"}}) {
    const ModelName name = read_model_name(arn).value();
    EXPECT_EQ(name.kind, ModelName::Kind::other) << arn;
    EXPECT_EQ(name.id, id);
  }
}

TEST(ModelName, RefusesWhatIsNoName) {
  for (const std::string_view text : {"",
                                      "a b",
                                      "a\nb",
                                      "\xc3\xa9",
                                      "arn:",
                                      "arn:aws",
                                      "arn:aws:bedrock:us-east-1:111122223333",
                                      "arn:aws:bedrock:us-east-1:111122223333:",
                                      "arn:aws:bedrock:us-east-1:111122223333:inference-profile",
                                      "arn:aws:bedrock:us-east-1:111122223333:inference-profile/",
                                      "arn:aws:bedrock:us-east-1:111122223333:inference-profile/a/b",
                                      "arn:aws:bedrock:us-east-1:1111:inference-profile/a",
                                      "arn:aws:bedrock:us-east-1:11112222333x:inference-profile/a",
                                      "arn:aws:bedrock::111122223333:inference-profile/a",
                                      "arn:aws:bedrock:us-east-1::inference-profile/a",
                                      "arn:aws:bedrock:us-east-1::application-inference-profile/a",
                                      "arn:aws:bedrock:us-east-1:111122223333:foundation-model/a",
                                      "arn:gcp:bedrock:us-east-1:111122223333:inference-profile/a",
                                      "arn:aws:bedrock:US-EAST-1:111122223333:inference-profile/a",
                                      "arn:aws::us-east-1:111122223333:inference-profile/a"}) {
    const auto name = read_model_name(text);
    ASSERT_FALSE(name.has_value()) << text;
    EXPECT_EQ(name.error().code, Code::invalid_field) << text;
    EXPECT_THAT(name.error().message, HasSubstr("modelId"));
  }
  EXPECT_TRUE(read_model_name(std::string(2048, 'a')).has_value());
  EXPECT_FALSE(read_model_name(std::string(2049, 'a')).has_value());
}

}  // namespace
}  // namespace portolan::wire
