// SPDX-License-Identifier: Apache-2.0
// A request that can sign itself, for tests, the fuzz target and the benchmark of this room. It signs with the
// string functions that the published vectors check, not with the path that verify() takes.
#pragma once

#include <algorithm>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "identity/sigv4.h"

namespace portolan::identity {

/// Header views point into `texts`; a deque keeps them in place. Not copyable for that reason.
struct TestRequest {
  std::string method = "POST";
  std::string path = "/";
  std::string query;
  std::string body;
  std::string access_key_id = "AKIDEXAMPLE";
  std::string secret_access_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
  std::string region = "us-east-1";
  std::string service = "bedrock";
  wire::Headers headers;
  std::deque<std::string> texts;
  std::string authorization;

  TestRequest() = default;
  TestRequest(const TestRequest&) = delete;
  TestRequest& operator=(const TestRequest&) = delete;

  bool add(std::string_view name, std::string_view value) {
    const std::string& kept_name = texts.emplace_back(name);
    return headers.add(kept_name, texts.emplace_back(value));
  }

  SignedRequest request() const {
    return {.method = method, .path = path, .query = query, .headers = &headers, .body_hash = base::sha256(body)};
  }

  /// Sets `authorization` for these SignedHeaders and this date text.
  void sign(std::string_view amz_date, std::string_view signed_headers) {
    const std::string date{amz_date.substr(0, 8)};
    const std::string scope = date + '/' + region + '/' + service + "/aws4_request";
    const std::string text = string_to_sign(amz_date, scope, canonical_request(request(), signed_headers));
    authorization = "AWS4-HMAC-SHA256 Credential=" + access_key_id + '/' + scope +
                    ", SignedHeaders=" + std::string{signed_headers} +
                    ", Signature=" + base::to_hex(signing_key(secret_access_key, date, region, service).mac(text));
  }

  base::Result<void> verify_at(base::WallTime now) const {
    TRY(const Authorization parts, read_authorization(authorization));
    return verify(request(), parts, signing_key(secret_access_key, parts.date, parts.region, parts.service), now);
  }
};

/// What the AWS SDK for JavaScript sends and signs for Converse over HTTP/2 (measured against its version 3.1163).
inline void fill_javascript_sdk_request(TestRequest& into, std::string_view amz_date) {
  into.path = "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse";
  into.body = R"({"messages":[{"role":"user","content":[{"text":"Where does this run?"}]}]})";
  into.add(":authority", "127.0.0.1:8080");
  into.add("accept", "application/json");
  into.add("amz-sdk-invocation-id", "6f1a2a53-6b3c-4b76-9c53-0a87d3f5f3a5");
  into.add("amz-sdk-request", "attempt=1; max=3");
  into.add("content-length", std::to_string(into.body.size()));
  into.add("content-type", "application/json");
  into.add("user-agent",
           "aws-sdk-js/3.1163.0 ua/2.1 os/linux#6.1.0 lang/js md/nodejs#20.19.0 api/bedrock_runtime#3.1163.0");
  into.add("x-amz-content-sha256", base::to_hex(base::sha256(into.body)));
  into.add("x-amz-date", amz_date);
  into.add("x-amz-user-agent", "aws-sdk-js/3.1163.0");
  into.sign(amz_date,
            ":authority;accept;amz-sdk-invocation-id;amz-sdk-request;content-length;content-type;"
            "x-amz-content-sha256;x-amz-date;x-amz-user-agent");
}

}  // namespace portolan::identity
