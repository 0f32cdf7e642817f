// SPDX-License-Identifier: Apache-2.0
#include "sim/region_auth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/sandbox_test_caller.h"

namespace portolan::sim {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

constexpr std::string_view host = "127.77.0.1:8080";

class RegionAuthTest : public ::testing::Test {
 protected:
  RegionAuthTest() { EXPECT_TRUE(base::parse_time("20261121T120000Z", now)); }

  RegionRequest signed_request(testing::TestCredentials credentials = {.region = "us-east-1"},
                               std::string_view host_name = "host") const {
    RegionRequest request{
        .method = "POST",
        .target = "/model/arn%3Aaws%3Abedrock%2Fus.x-v1:0/converse",
        .headers = {{std::string(host_name), std::string(host)}, {"content-type", "application/json"}},
        .body = R"({"messages":[]})"};
    for (auto& header : testing::sign(credentials, "POST", request.target, host, request.body, now, host_name))
      request.headers.push_back(std::move(header));
    return request;
  }
  std::string check(const RegionRequest& request, base::Duration later = {}) {
    const auto refusal = auth.check(request, now + std::chrono::duration_cast<base::microseconds>(later));
    return refusal ? refusal->type + ": " + refusal->message : "accepted";
  }
  static std::string& header(RegionRequest& request, std::string_view name) {
    for (auto& [field, value] : request.headers)
      if (field == name) return value;
    throw std::out_of_range("no such header");
  }

  base::WallTime now;
  RegionAuth auth{"us-east-1", testing::TestCredentials{}.access_key_id, testing::TestCredentials{}.secret};
};

TEST_F(RegionAuthTest, AcceptsAPathInAnyEncodingSignedAsItWasSent) {
  EXPECT_EQ(check(signed_request()), "accepted");
}

TEST_F(RegionAuthTest, AcceptsAnAuthoritySignedInPlaceOfTheHost) {
  EXPECT_EQ(check(signed_request({.region = "us-east-1"}, ":authority")), "accepted");
}

TEST_F(RegionAuthTest, AgreesWithASignatureComputedElsewhere) {
  // Made with OpenSSL on the command line from the algorithm's description; key AKIDEXAMPLE, 20261121T120000Z.
  RegionRequest request{.method = "POST",
                        .target = "/model/m%3A0/converse",
                        .headers = {{"host", "h:1"}, {"x-amz-date", "20261121T120000Z"}},
                        .body = "{}"};
  request.headers.emplace_back(
      "authorization",
      "AWS4-HMAC-SHA256 "
      "Credential=AKIDEXAMPLE/20261121/us-east-1/bedrock/aws4_request, "
      "SignedHeaders=host;x-amz-date, Signature=597fd174cdc0ef6f8cc5e21174532ee53b98a83cee83f07ba466862deb00ed6d");
  RegionAuth example{"us-east-1", "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"};
  const auto refusal = example.check(request, now);
  EXPECT_FALSE(refusal.has_value()) << refusal->message;
}

TEST_F(RegionAuthTest, RefusesAnythingChangedAfterSigning) {
  RegionRequest request = signed_request();
  request.body += " ";
  EXPECT_THAT(check(request), HasSubstr("does not match"));
  request = signed_request();
  request.target = "/model/arn%3aaws%3Abedrock%2Fus.x-v1:0/converse";
  EXPECT_THAT(check(request), HasSubstr("does not match"));
  request = signed_request();
  request.target += "?a=b";
  EXPECT_THAT(check(request), HasSubstr("does not match"));
  request = signed_request();
  request.method = "PUT";
  EXPECT_THAT(check(request), HasSubstr("does not match"));
  request = signed_request();
  header(request, "host") = "127.77.0.2:8080";
  EXPECT_THAT(check(request), HasSubstr("does not match"));
  request = signed_request();
  std::string& signature = header(request, "authorization");
  signature.back() = signature.back() == '0' ? '1' : '0';
  EXPECT_THAT(check(request), HasSubstr("does not match"));
}

TEST_F(RegionAuthTest, RefusesAnotherRegionKeyOrSecret) {
  EXPECT_THAT(check(signed_request({.region = "us-west-2"})), HasSubstr("InvalidSignatureException"));
  EXPECT_THAT(check(signed_request({.access_key_id = "AKIDOTHER", .region = "us-east-1"})),
              HasSubstr("UnrecognizedClientException"));
  EXPECT_THAT(check(signed_request({.secret = "guess", .region = "us-east-1"})), HasSubstr("does not match"));
}

TEST_F(RegionAuthTest, RefusesASignatureMoreThanFiveMinutesAway) {
  EXPECT_EQ(check(signed_request(), 5min), "accepted");
  EXPECT_THAT(check(signed_request(), 5min + 1s), HasSubstr("Signature expired"));
  EXPECT_EQ(check(signed_request(), -5min), "accepted");
  EXPECT_THAT(check(signed_request(), -5min - 1s), HasSubstr("not yet current"));
}

TEST_F(RegionAuthTest, RefusesUnsignedAmzHeadersAndAWrongStatedHash) {
  RegionRequest request = signed_request();
  request.headers.emplace_back("x-amz-target", "anything");
  EXPECT_THAT(check(request), HasSubstr("unsigned header: x-amz-target"));
  request = signed_request();
  request.headers.emplace_back("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
  EXPECT_THAT(check(request), HasSubstr("InvalidSignatureException"));
  request = signed_request();
  request.headers.emplace_back("x-amz-security-token", "stolen");
  EXPECT_THAT(check(request), HasSubstr("UnrecognizedClientException"));
}

TEST_F(RegionAuthTest, RefusesWhatIsNotASignature) {
  RegionRequest request = signed_request();
  std::erase_if(request.headers, [](const auto& field) { return field.first == "authorization"; });
  EXPECT_THAT(check(request), HasSubstr("MissingAuthenticationTokenException"));
  for (const std::string_view text :
       {"", "Bearer token", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential", "AWS4-HMAC-SHA256 Credential=a/b/c",
        "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host, Signature=00",
        "AWS4-HMAC-SHA256 Credential=AKIDSANDBOX/20261121/us-east-1/bedrock/aws4_request, Signature=x"}) {
    request = signed_request();
    header(request, "authorization") = text;
    EXPECT_THAT(check(request), HasSubstr("IncompleteSignatureException")) << text;
  }
  request = signed_request();
  header(request, "x-amz-date") = "20261120T120000Z";
  EXPECT_THAT(check(request), HasSubstr("date of the credential scope"));
  request = signed_request();
  header(request, "x-amz-date") = "now";
  EXPECT_THAT(check(request), HasSubstr("x-amz-date is absent"));
}

TEST_F(RegionAuthTest, RefusesWhenTheHostIsNotSigned) {
  RegionRequest request = signed_request();
  std::string& text = header(request, "authorization");
  text.replace(text.find("host;"), 5, "");
  EXPECT_THAT(check(request), HasSubstr("Host header is not signed"));
  request = signed_request();
  std::erase_if(request.headers, [](const auto& field) { return field.first == "host"; });
  EXPECT_THAT(check(request), HasSubstr("signed header host is not in the request"));
}

}  // namespace
}  // namespace portolan::sim
