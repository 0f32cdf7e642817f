// SPDX-License-Identifier: Apache-2.0
#include "trail/record.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "trail/segment.h"

namespace portolan::trail {
namespace {

using nlohmann::json;

const domain::Principal alice{.arn = "arn:aws:iam::111122223333:user/alice",
                              .user_name = "alice",
                              .account_id = "111122223333",
                              .tenant = "research",
                              .access_key_id = "AKIDEXAMPLE",
                              .key_id = "research/alice",
                              .kind = domain::CredentialKind::sigv4};

CallFacts served_call() {
  static const domain::Usage usage{
      .input_tokens = 12, .output_tokens = 34, .cache_read_tokens = 5, .cache_write_tokens = 6, .known = true};
  CallFacts facts;
  facts.call_id = "0b6f2c1e-5a5c-4f0e-9d1e-5d1c3f6a7b80";
  facts.event_id = "7d6f2c1e-5a5c-4f0e-9d1e-5d1c3f6a7b81";
  base::parse_time("2026-11-21T23:05:07.042Z", facts.began);
  facts.duration = base::from_ms(1234.567);
  facts.first_byte = base::from_ms(80.5);
  facts.operation = domain::Operation::converse;
  facts.principal = &alice;
  facts.source_region = "eu-central-1";
  facts.inference_region = "eu-west-3";
  facts.source_ip = "192.0.2.1";
  facts.user_agent = "Boto3/1.40 md/Botocore#1.40";
  facts.host_header = "localhost:8080";
  facts.http_version = "2";
  facts.requested_model = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0";
  facts.profile_id = facts.requested_model;
  facts.profile_kind = "geographic";
  facts.model_id = "anthropic.claude-sonnet-4-5-20250929-v1:0";
  facts.usage = &usage;
  facts.input_tokens_estimated = 11;
  facts.output_tokens_max = 256;
  facts.policy_version = "0123456789ab";
  facts.sdk_invocation_id = "11111111-2222-4333-8444-555555555555";
  return facts;
}

json written(const CallFacts& facts) {
  std::string out;
  write_record(facts, out);
  EXPECT_EQ(out.find('\n'), out.npos);
  return json::parse(out);
}

TEST(Record, HasTheShapeOfACloudTrailEvent) {
  const json record = written(served_call());
  EXPECT_EQ(record["eventVersion"], "1.11");
  EXPECT_EQ(record["userIdentity"], (json{{"type", "IAMUser"},
                                          {"principalId", "111122223333:alice"},
                                          {"arn", "arn:aws:iam::111122223333:user/alice"},
                                          {"accountId", "111122223333"},
                                          {"accessKeyId", "AKIDEXAMPLE"},
                                          {"userName", "alice"}}));
  EXPECT_EQ(record["eventTime"], "2026-11-21T23:05:07Z");
  EXPECT_EQ(record["eventSource"], "bedrock.amazonaws.com");
  EXPECT_EQ(record["eventName"], "Converse");
  EXPECT_EQ(record["awsRegion"], "eu-central-1");
  EXPECT_EQ(record["sourceIPAddress"], "192.0.2.1");
  EXPECT_EQ(record["userAgent"], "Boto3/1.40 md/Botocore#1.40");
  EXPECT_EQ(record["requestParameters"], (json{{"modelId", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"}}));
  EXPECT_TRUE(record["responseElements"].is_null());
  EXPECT_EQ(record["additionalEventData"], (json{{"inferenceRegion", "eu-west-3"},
                                                 {"inputTokens", 12},
                                                 {"outputTokens", 34},
                                                 {"cacheReadInputTokens", 5},
                                                 {"cacheWriteInputTokens", 6}}));
  EXPECT_EQ(record["requestID"], "0b6f2c1e-5a5c-4f0e-9d1e-5d1c3f6a7b80");
  EXPECT_EQ(record["eventID"], "7d6f2c1e-5a5c-4f0e-9d1e-5d1c3f6a7b81");
  EXPECT_EQ(record["readOnly"], true);
  EXPECT_EQ(record["eventType"], "AwsApiCall");
  EXPECT_EQ(record["managementEvent"], true);
  EXPECT_EQ(record["recipientAccountId"], "111122223333");
  EXPECT_EQ(record["eventCategory"], "Management");
  for (const char* absent : {"errorCode", "errorMessage", "tlsDetails"}) EXPECT_FALSE(record.contains(absent));
}

TEST(Record, KeepsWhatIsOursUnderOneMember) {
  CallFacts facts = served_call();
  const auto catalog = domain::Catalog::builtin();
  const domain::RegionIndex first = catalog->find_region("eu-central-1");
  const domain::RegionIndex second = catalog->find_region("eu-west-3");
  ASSERT_NE(first, domain::region_none);
  ASSERT_NE(second, domain::region_none);
  facts.catalog = catalog.get();
  facts.allowed = domain::RegionMask::of(first) | domain::RegionMask::of(second);
  const domain::Attempt attempts[] = {{.region = first,
                                       .started_after = base::from_ms(0.25),
                                       .duration = base::from_ms(3),
                                       .upstream_status = 503,
                                       .failure = base::Code::upstream_unavailable},
                                      {.region = second,
                                       .started_after = base::from_ms(4),
                                       .first_byte = base::from_ms(76.001),
                                       .duration = base::from_ms(1200),
                                       .upstream_status = 200,
                                       .served = true}};
  facts.attempts = attempts;
  const json ours = written(facts)["portolan"];
  EXPECT_EQ(ours["outcome"], "served");
  EXPECT_EQ(ours["stage"], "record");
  EXPECT_EQ(ours["status"], 200);
  EXPECT_EQ(ours["tenant"], "research");
  EXPECT_EQ(ours["keyId"], "research/alice");
  EXPECT_EQ(ours["profile"], "eu.anthropic.claude-sonnet-4-5-20250929-v1:0");
  EXPECT_EQ(ours["profileKind"], "geographic");
  EXPECT_EQ(ours["model"], "anthropic.claude-sonnet-4-5-20250929-v1:0");
  EXPECT_EQ(ours["stream"], false);
  EXPECT_DOUBLE_EQ(ours["durationMs"].get<double>(), 1234.567);
  EXPECT_DOUBLE_EQ(ours["firstByteMs"].get<double>(), 80.5);
  EXPECT_EQ(ours["inputTokensEstimated"], 11);
  EXPECT_EQ(ours["outputTokensMax"], 256);
  EXPECT_EQ(ours["policyVersion"], "0123456789ab");
  EXPECT_EQ(ours["httpVersion"], "2");
  EXPECT_EQ(ours["host"], "localhost:8080");
  EXPECT_EQ(ours["sdkInvocationId"], "11111111-2222-4333-8444-555555555555");
  ASSERT_EQ(ours["allowedRegions"].size(), 2u);
  ASSERT_EQ(ours["attempts"].size(), 2u);
  EXPECT_EQ(ours["attempts"][0], (json{{"region", "eu-central-1"},
                                       {"startedAfterMs", 0.25},
                                       {"durationMs", 3.0},
                                       {"status", 503},
                                       {"served", false},
                                       {"error", "upstream_unavailable"}}));
  EXPECT_EQ(ours["attempts"][1], (json{{"region", "eu-west-3"},
                                       {"startedAfterMs", 4.0},
                                       {"durationMs", 1200.0},
                                       {"firstByteMs", 76.001},
                                       {"status", 200},
                                       {"served", true}}));
}

TEST(Record, NeverHoldsTheWordsOfARegion) {
  CallFacts facts = served_call();
  base::Error error = base::error(base::Code::upstream_rejected, "cannot serve 'the whole prompt'");
  error.quotes_upstream = true;
  facts.error = &error;
  const json record = written(facts);
  EXPECT_EQ(record["errorCode"], "ValidationException");
  EXPECT_EQ(record["errorMessage"], "The Region refused; its own words went to the caller only.");
  EXPECT_EQ(record.dump().find("the whole prompt"), std::string::npos);
}

TEST(Record, OfADenialNamesTheErrorAsCloudTrailDoesAndNoInferenceRegion) {
  CallFacts facts = served_call();
  const base::Error error = base::error(base::Code::access_denied, "profile \"eu.x\" is not among the tenant's");
  facts.error = &error;
  facts.stage = domain::Stage::permit;
  facts.status = 403;
  facts.inference_region = {};
  const json record = written(facts);
  EXPECT_EQ(record["errorCode"], "AccessDenied");
  EXPECT_EQ(record["errorMessage"], "profile \"eu.x\" is not among the tenant's");
  EXPECT_FALSE(record.contains("additionalEventData"));
  EXPECT_EQ(record["portolan"]["outcome"], "denied");
  EXPECT_EQ(record["portolan"]["stage"], "permit");
  EXPECT_EQ(record["portolan"]["status"], 403);
}

TEST(Record, OfACutStreamKeepsBothTheErrorAndTheRegionThatServed) {
  CallFacts facts = served_call();
  const base::Error error = base::error(base::Code::stream_cut, "eu-west-3 closed the connection");
  const domain::Usage unknown{};
  facts.error = &error;
  facts.stage = domain::Stage::attempt;
  facts.usage = &unknown;
  const json record = written(facts);
  EXPECT_EQ(record["errorCode"], "ModelStreamErrorException");
  EXPECT_EQ(record["additionalEventData"], (json{{"inferenceRegion", "eu-west-3"}}));
  EXPECT_EQ(record["portolan"]["outcome"], "failed");
}

TEST(Record, TellsARefusalOfOursFromAFailureOfTheRegions) {
  const auto outcome = [](base::Code code, domain::Stage stage) {
    const base::Error error = base::error(code, "");
    CallFacts facts;
    facts.error = &error;
    facts.stage = stage;
    return outcome_of(facts);
  };
  EXPECT_EQ(outcome_of(CallFacts{}), Outcome::served);
  EXPECT_EQ(outcome(base::Code::bad_signature, domain::Stage::identify), Outcome::denied);
  EXPECT_EQ(outcome(base::Code::quota_exceeded, domain::Stage::reserve), Outcome::denied);
  EXPECT_EQ(outcome(base::Code::head_too_large, domain::Stage::receive), Outcome::denied);
  EXPECT_EQ(outcome(base::Code::no_region, domain::Stage::plan), Outcome::failed);
  EXPECT_EQ(outcome(base::Code::upstream_throttled, domain::Stage::attempt), Outcome::failed);
  EXPECT_EQ(outcome(base::Code::caller_gone, domain::Stage::attempt), Outcome::failed);
  EXPECT_EQ(outcome(base::Code::unrecordable, domain::Stage::record), Outcome::failed);
}

TEST(Record, OfAnUnidentifiedCallerNamesOnlyTheKeyItPresented) {
  CallFacts facts = served_call();
  facts.principal = nullptr;
  facts.presented_key_id = "AKIDNOBODY";
  json record = written(facts);
  EXPECT_EQ(record["userIdentity"], (json{{"type", "Unknown"}, {"accessKeyId", "AKIDNOBODY"}}));
  EXPECT_FALSE(record.contains("recipientAccountId"));
  EXPECT_FALSE(record["portolan"].contains("tenant"));
  facts.presented_key_id = {};
  record = written(facts);
  EXPECT_EQ(record["userIdentity"], (json{{"type", "Unknown"}}));
}

TEST(Record, OfAnApiKeyHasNoAccessKeyId) {
  CallFacts facts = served_call();
  domain::Principal principal = alice;
  principal.access_key_id.clear();
  principal.kind = domain::CredentialKind::api_key;
  facts.principal = &principal;
  const json record = written(facts);
  EXPECT_FALSE(record["userIdentity"].contains("accessKeyId"));
  EXPECT_EQ(record["portolan"]["keyId"], "research/alice");
}

TEST(Record, OverTlsSaysVersionCipherAndHost) {
  CallFacts facts = served_call();
  facts.tls_version = "TLSv1.3";
  facts.tls_cipher = "TLS_AES_128_GCM_SHA256";
  EXPECT_EQ(written(facts)["tlsDetails"], (json{{"tlsVersion", "TLSv1.3"},
                                                {"cipherSuite", "TLS_AES_128_GCM_SHA256"},
                                                {"clientProvidedHostHeader", "localhost:8080"}}));
}

TEST(Record, OfAReadOfTheCatalogHasNoModelFields) {
  CallFacts facts = served_call();
  facts.operation = domain::Operation::list_inference_profiles;
  facts.requested_model = {};
  json record = written(facts);
  EXPECT_TRUE(record["requestParameters"].is_null());
  EXPECT_FALSE(record["portolan"].contains("attempts"));
  facts.operation = domain::Operation::get_inference_profile;
  facts.requested_model = "us.x";
  record = written(facts);
  EXPECT_EQ(record["requestParameters"], (json{{"inferenceProfileIdentifier", "us.x"}}));
}

TEST(Record, OfAnApplicationProfileHasItsArnWhatItCopiesAndItsTags) {
  const domain::ApplicationProfile made{.arn = "arn:aws:bedrock:x:1:application-inference-profile/abc",
                                        .copy_from = "arn:aws:bedrock:x::foundation-model/m",
                                        .tags = {{"Cost\"Center", "7"}, {"Team", ""}}};
  const domain::Profile profile{.kind = domain::ProfileKind::application, .policy_mode = {}, .application = &made};
  CallFacts facts = served_call();
  facts.profile = &profile;
  const json portolan = written(facts)["portolan"];
  EXPECT_EQ(portolan["profileArn"], made.arn);
  EXPECT_EQ(portolan["copyFrom"], made.copy_from);
  EXPECT_EQ(portolan["tags"], (json{{"Cost\"Center", "7"}, {"Team", ""}}));
  const domain::Profile other{.policy_mode = {}};
  facts.profile = &other;
  EXPECT_FALSE(written(facts)["portolan"].contains("tags"));
}

TEST(Record, OfAChangeSaysWhatWasAskedAndWhatCameOfIt) {
  CallFacts facts = served_call();
  facts.operation = domain::Operation::create_inference_profile;
  facts.inference_region = {};
  facts.request_parameters = R"({"inferenceProfileName":"x"})";
  json record = written(facts);
  EXPECT_EQ(record["eventName"], "CreateInferenceProfile");
  EXPECT_EQ(record["readOnly"], false);
  EXPECT_EQ(record["requestParameters"]["inferenceProfileName"], "x");
  EXPECT_TRUE(record["responseElements"].is_null());
  facts.response_elements = R"({"status":"ACTIVE"})";
  EXPECT_EQ(written(facts)["responseElements"]["status"], "ACTIVE");
  const std::string long_one = '"' + std::string(101 << 10, 'x') + '"';
  facts.request_parameters = long_one;
  record = written(facts);
  EXPECT_TRUE(record["requestParameters"].is_null()) << "as CloudTrail does beyond 100 KB";
  EXPECT_EQ(record["responseElements"]["status"], "ACTIVE");
}

TEST(Record, OfADeletionNamesTheProfileOfThePath) {
  CallFacts facts = served_call();
  facts.operation = domain::Operation::delete_inference_profile;
  facts.requested_model = "abcdefghijkl";
  EXPECT_EQ(written(facts)["requestParameters"], (json{{"inferenceProfileIdentifier", "abcdefghijkl"}}));
}

TEST(Record, WritesTimesBeyondTheOrdinary) {
  CallFacts facts = served_call();
  facts.began = base::WallTime{};
  facts.duration = base::Duration{-5};
  json record = written(facts);
  EXPECT_EQ(record["eventTime"], "1970-01-01T00:00:00Z");
  EXPECT_EQ(record["portolan"]["durationMs"], 0.0);
  base::parse_time("2028-02-29T23:59:59.999Z", facts.began);
  facts.duration = std::chrono::hours{30} + base::Duration{7'000};
  record = written(facts);
  EXPECT_EQ(record["eventTime"], "2028-02-29T23:59:59Z");
  EXPECT_DOUBLE_EQ(record["portolan"]["durationMs"].get<double>(), 108'000'000.007);
}

TEST(Record, StaysValidAndBoundedWhateverBytesTheCallerSends) {
  base::Random random{20261121};
  for (int round = 0; round < 300; ++round) {
    const auto bytes = [&](std::size_t size) {
      std::string text(size, '\0');
      for (char& c : text) c = static_cast<char>(random.next());
      return text;
    };
    const std::string agent = bytes(random.below(4000));
    const std::string model = round % 3 == 0 ? std::string(5000, '\x01') : bytes(random.below(3000));
    const std::string key = bytes(random.below(2000));
    const std::string host = bytes(random.below(2000));
    const std::string invocation = bytes(random.below(2000));
    const base::Error error = base::error(base::Code::unknown_model, model);
    CallFacts facts = served_call();
    facts.user_agent = agent;
    facts.requested_model = model;
    facts.principal = nullptr;
    facts.presented_key_id = key;
    facts.host_header = host;
    facts.sdk_invocation_id = invocation;
    facts.error = &error;
    std::string out;
    write_record(facts, out);
    ASSERT_LE(out.size(), record_bytes_max);
    const json record = json::parse(out);  // throws on invalid JSON or UTF-8
    ASSERT_EQ(record["eventName"], "Converse");
  }
}

TEST(Record, CutsLongTextsAtOneKibibyteWithoutHalvingACharacter) {
  CallFacts facts = served_call();
  std::string agent = std::string(1023, 'a') + "ü" + std::string(100, 'b');
  facts.user_agent = agent;
  EXPECT_EQ(written(facts)["userAgent"], std::string(1023, 'a'));
  agent = std::string(1022, 'a') + "ü" + std::string(100, 'b');
  facts.user_agent = agent;
  EXPECT_EQ(written(facts)["userAgent"], std::string(1022, 'a') + "ü");
}

}  // namespace
}  // namespace portolan::trail
