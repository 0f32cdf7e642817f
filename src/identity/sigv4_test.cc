// SPDX-License-Identifier: Apache-2.0
#include "identity/sigv4.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <thread>

#include "identity/test_request.h"

namespace portolan::identity {
namespace {

using base::Code;
using testing::HasSubstr;

constexpr std::string_view date_text = "20261121T230507Z";
constexpr std::string_view minimal = "host;x-amz-date";

base::WallTime at(std::string_view text) {
  base::WallTime time;
  EXPECT_TRUE(base::parse_time(text, time)) << text;
  return time;
}
const base::WallTime now = at(date_text);

/// A request with a host and a date, ready to be signed.
struct Minimal : TestRequest {
  Minimal() {
    add("Host", "gateway.example:8080");
    add("X-Amz-Date", date_text);
  }
};

void expect_refused(const base::Result<void>& verdict, Code code, std::string_view message_part) {
  ASSERT_FALSE(verdict.has_value());
  EXPECT_EQ(verdict.error().facts().name, base::facts(code).name) << verdict.error().message;
  EXPECT_THAT(verdict.error().message, HasSubstr(std::string{message_part}));
}

// The Authorization header

constexpr std::string_view well_formed =
    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261121/us-east-1/bedrock/aws4_request, "
    "SignedHeaders=host;x-amz-date, "
    "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";

TEST(Authorization, IsReadIntoItsParts) {
  const auto read = read_authorization(well_formed);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->access_key_id, "AKIDEXAMPLE");
  EXPECT_EQ(read->date, "20261121");
  EXPECT_EQ(read->region, "us-east-1");
  EXPECT_EQ(read->service, "bedrock");
  EXPECT_EQ(read->scope, "20261121/us-east-1/bedrock/aws4_request");
  EXPECT_EQ(read->signed_headers, "host;x-amz-date");
  EXPECT_EQ(read->signature.size(), 64U);
}

TEST(Authorization, MayHaveItsPartsInAnyOrderAndWithoutSpaces) {
  const auto read = read_authorization(
      "AWS4-HMAC-SHA256 Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31,"
      "SignedHeaders=host,Credential=A/20261121/eu-west-1/bedrock/aws4_request");
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->region, "eu-west-1");
  EXPECT_EQ(read->signed_headers, "host");
}

struct Malformed {
  std::string name;
  std::string from;  // replaced in the well-formed value …
  std::string to;    // … by this
  std::string message_part;
};

class MalformedAuthorization : public testing::TestWithParam<Malformed> {};

TEST_P(MalformedAuthorization, IsRefusedNamingThePart) {
  std::string value{well_formed};
  const std::size_t where = value.find(GetParam().from);
  ASSERT_NE(where, std::string::npos);
  value.replace(where, GetParam().from.size(), GetParam().to);
  const auto read = read_authorization(value);
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code, Code::incomplete_signature);
  EXPECT_THAT(read.error().message, HasSubstr(GetParam().message_part));
}

INSTANTIATE_TEST_SUITE_P(
    Each, MalformedAuthorization,
    testing::Values(Malformed{"OtherAlgorithm", "AWS4-HMAC", "AWS4-ECDSA-P256", "begin with AWS4-HMAC-SHA256"},
                    Malformed{"NoSpace", "SHA256 Cred", "SHA256Cred", "begin with"},
                    Malformed{"NoCredential", "Credential=AKIDEXAMPLE/20261121/us-east-1/bedrock/aws4_request, ",
                              "", "'Credential'"},
                    Malformed{"NoSignedHeaders", "SignedHeaders=host;x-amz-date, ", "", "'SignedHeaders'"},
                    Malformed{"NoSignature",
                              ", Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31", "",
                              "'Signature'"},
                    Malformed{"RepeatedPart", "SignedHeaders=host;x-amz-date",
                              "SignedHeaders=host, SignedHeaders=host", "each once"},
                    Malformed{"UnknownPart", "SignedHeaders", "Headers", "each once"},
                    Malformed{"PartWithoutValue", "SignedHeaders=host;x-amz-date", "SignedHeaders", "each once"},
                    Malformed{"ShortScope", "/us-east-1", "", "<region>"},
                    Malformed{"LongScope", "/us-east-1", "/us/east-1", "<region>"},
                    Malformed{"NoAccessKey", "AKIDEXAMPLE", "", "access key id"},
                    Malformed{"EndlessAccessKey", "AKIDEXAMPLE", std::string(129, 'A'), "access key id"},
                    Malformed{"ShortDate", "20261121", "2026112", "eight digits"},
                    Malformed{"DateWithLetters", "20261121", "2026nov1", "eight digits"},
                    Malformed{"EmptyRegion", "us-east-1", "", "Region"},
                    Malformed{"EndlessRegion", "us-east-1", std::string(200, 'r'), "Region"},
                    Malformed{"EmptyService", "bedrock", "", "service"},
                    Malformed{"OtherTerminator", "aws4_request", "aws5_request", "aws4_request"},
                    Malformed{"ShortSignature", "bf31", "bf3", "64"},
                    Malformed{"UpperCaseSignature", "bf31", "BF31", "64"},
                    Malformed{"SignatureNotHexadecimal", "bf31", "bg31", "64"}),
    [](const auto& malformed) { return malformed.param.name; });

// Dates

TEST(SigV4, AcceptsASignatureThatIsFiveMinutesOld) {
  Minimal call;
  call.sign(date_text, minimal);
  EXPECT_TRUE(call.verify_at(now + std::chrono::minutes{5}).has_value());
  EXPECT_TRUE(call.verify_at(now - std::chrono::minutes{5}).has_value());
}

TEST(SigV4, RefusesASignatureOlderThanFiveMinutes) {
  Minimal call;
  call.sign(date_text, minimal);
  expect_refused(
      call.verify_at(now + std::chrono::seconds{301}), Code::expired_signature,
      "Signature expired: 20261121T230507Z is now earlier than 20261121T230508Z (20261121T231008Z - 5 min.)");
}

TEST(SigV4, RefusesASignatureFromTheFuture) {
  Minimal call;
  call.sign(date_text, minimal);
  expect_refused(call.verify_at(now - std::chrono::seconds{301}), Code::expired_signature,
                 "Signature not yet current: 20261121T230507Z is still later than");
}

TEST(SigV4, RefusesAScopeOfAnotherDay) {
  Minimal call;
  call.sign(date_text, minimal);
  call.authorization.replace(call.authorization.find("20261121"), 8, "20261120");
  expect_refused(call.verify_at(now), Code::bad_signature, "'20261120' != '20261121'");
}

TEST(SigV4, AcceptsMidnightBetweenSigningAndArrival) {
  TestRequest call;
  call.add("host", "gateway.example");
  call.add("x-amz-date", "20261231T235900Z");
  call.sign("20261231T235900Z", minimal);
  EXPECT_TRUE(call.verify_at(at("20270101T000130Z")).has_value());
}

TEST(SigV4, RefusesADateThatIsNotInTheBasicForm) {
  for (const std::string_view odd :
       {"2026-11-21T23:05:07Z", "20261121T230507", "20261321T230507Z", "yesterday", ""}) {
    TestRequest call;
    call.add("host", "gateway.example");
    call.add("x-amz-date", odd);
    call.sign(date_text, minimal);
    expect_refused(call.verify_at(now), Code::incomplete_signature, "yyyymmddThhmmssZ");
  }
}

TEST(SigV4, RefusesARequestWithoutAnyDate) {
  TestRequest call;
  call.add("host", "gateway.example");
  call.sign(date_text, "host");
  expect_refused(call.verify_at(now), Code::incomplete_signature, "x-amz-date");
}

TEST(SigV4, TakesASignedDateHeaderWhenThereIsNoAmzDate) {
  for (const std::string_view form : {"Sat, 21 Nov 2026 23:05:07 GMT", "20261121T230507Z"}) {
    TestRequest call;
    call.add("date", form);
    call.add("host", "gateway.example");
    call.sign(date_text, "date;host");
    const auto verdict = call.verify_at(now);
    EXPECT_TRUE(verdict.has_value()) << verdict.error().message;
  }
}

TEST(SigV4, RefusesADateHeaderThatIsNotSigned) {
  TestRequest call;
  call.add("date", "Sat, 21 Nov 2026 23:05:07 GMT");
  call.add("host", "gateway.example");
  call.sign(date_text, "host");
  expect_refused(call.verify_at(now), Code::incomplete_signature, "signed x-amz-date");
}

TEST(SigV4, RefusesADateHeaderThatCannotBeRead) {
  for (const std::string_view odd : {"Sat, 21 Foo 2026 23:05:07 GMT", "Sat, 21 ovD 2026 23:05:07 GMT",
                                     "Sat, 32 Nov 2026 23:05:07 GMT", "Saturday, 21-Nov-26 23:05:07 GMT", "now"}) {
    TestRequest call;
    call.add("date", odd);
    call.add("host", "gateway.example");
    call.sign(date_text, "date;host");
    expect_refused(call.verify_at(now), Code::incomplete_signature, "date must have the form");
  }
}

TEST(SigV4, PrefersAmzDateOverDate) {
  Minimal call;
  call.add("date", "Sat, 01 Jan 2000 00:00:00 GMT");
  call.sign(date_text, "date;host;x-amz-date");
  EXPECT_TRUE(call.verify_at(now).has_value());
}

TEST(SigV4, RefusesTwoDates) {
  Minimal call;
  call.add("x-amz-date", date_text);
  call.sign(date_text, minimal);
  expect_refused(call.verify_at(now), Code::incomplete_signature, "only once");
}

// Which headers must be signed

TEST(SigV4, RefusesAnUnsignedHost) {
  Minimal call;
  call.sign(date_text, "x-amz-date");
  expect_refused(call.verify_at(now), Code::incomplete_signature, "host");
}

TEST(SigV4, RefusesAnUnsignedAmzDate) {
  Minimal call;
  call.sign(date_text, "host");
  expect_refused(call.verify_at(now), Code::incomplete_signature, "x-amz-date");
}

TEST(SigV4, RefusesAnUnsignedAmzHeaderWhateverItsCase) {
  Minimal call;
  call.sign(date_text, minimal);
  call.add("X-AMZ-Target", "Something");
  expect_refused(call.verify_at(now), Code::incomplete_signature, "'X-AMZ-Target' is present but not signed");
}

TEST(SigV4, LetsOtherHeadersBeAddedOnTheWay) {
  Minimal call;
  call.sign(date_text, minimal);
  call.add("x-forwarded-for", "192.0.2.1");
  call.add("x-amzn-trace-id", "Root=1-2-3");
  EXPECT_TRUE(call.verify_at(now).has_value());
}

TEST(SigV4, RefusesANameThatTheRequestDoesNotHave) {
  Minimal call;
  call.sign(date_text, "host;x-absent;x-amz-date");
  expect_refused(call.verify_at(now), Code::bad_signature, "'x-absent'");
}

TEST(SigV4, RefusesSignedHeadersOutOfOrderRepeatedOrInUpperCase) {
  for (const std::string_view odd : {"x-amz-date;host", "host;host;x-amz-date", "Host;x-amz-date",
                                     "host;;x-amz-date", "host;x-amz-date;", ";host"}) {
    Minimal call;
    call.sign(date_text, odd);
    expect_refused(call.verify_at(now), Code::incomplete_signature, "SignedHeaders");
  }
}

TEST(SigV4, SeesAChangeInEachSignedPart) {
  const auto changed = [](auto change) {
    Minimal call;
    call.add("my-header", "value");
    call.path = "/model/m/converse";
    call.query = "a=1";
    call.body = "{}";
    call.sign(date_text, "host;my-header;x-amz-date");
    EXPECT_TRUE(call.verify_at(now).has_value());
    change(call);
    expect_refused(call.verify_at(now), Code::bad_signature, "does not match the signature you provided");
  };
  changed([](TestRequest& call) { call.method = "PUT"; });
  changed([](TestRequest& call) { call.path += "-stream"; });
  changed([](TestRequest& call) { call.query = "a=2"; });
  changed([](TestRequest& call) { call.body = "{ }"; });
  changed([](TestRequest& call) { call.add("my-header", "another"); });
  changed([](TestRequest& call) { call.secret_access_key += "x"; });
  changed([](TestRequest& call) {
    char& last = call.authorization.back();
    last = last == '0' ? '1' : '0';
  });
}

// HTTP/2

TEST(SigV4, AcceptsTheJavaScriptSdkWhichSignsAuthority) {
  TestRequest call;
  fill_javascript_sdk_request(call, date_text);
  const auto verdict = call.verify_at(now);
  EXPECT_TRUE(verdict.has_value()) << verdict.error().message;
}

TEST(SigV4, TakesAuthorityForASignedHostAndHostForASignedAuthority) {
  TestRequest over_http2;
  over_http2.add(":authority", "gateway.example:8080");
  over_http2.add("x-amz-date", date_text);
  over_http2.sign(date_text, minimal);
  EXPECT_THAT(canonical_request(over_http2.request(), minimal), HasSubstr("\nhost:gateway.example:8080\n"));
  EXPECT_TRUE(over_http2.verify_at(now).has_value());

  Minimal over_http1;
  over_http1.sign(date_text, ":authority;x-amz-date");
  EXPECT_THAT(canonical_request(over_http1.request(), ":authority;x-amz-date"),
              HasSubstr("\n:authority:gateway.example:8080\n"));
  EXPECT_TRUE(over_http1.verify_at(now).has_value());
}

// The body's hash

TEST(SigV4, ComparesTheDeclaredBodyHash) {
  Minimal call;
  call.body = "{}";
  call.add("x-amz-content-sha256", base::to_hex(base::sha256("something else")));
  call.sign(date_text, "host;x-amz-content-sha256;x-amz-date");
  expect_refused(call.verify_at(now), Code::bad_signature, "does not match the SHA-256 of the body");
}

TEST(SigV4, RefusesUnsignedAndStreamingPayloads) {
  for (const std::string_view mode : {"UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-EVENTS"}) {
    Minimal call;
    call.add("x-amz-content-sha256", mode);
    call.sign(date_text, "host;x-amz-content-sha256;x-amz-date");
    expect_refused(call.verify_at(now), Code::bad_signature, "the body must be signed");
  }
}

// Canonical forms beyond the vectors

std::string canonical_line(const TestRequest& call, int line) {
  const std::string text = canonical_request(call.request(), minimal);
  std::size_t from = 0;
  while (line-- > 0) from = text.find('\n', from) + 1;
  return text.substr(from, text.find('\n', from) - from);
}

TEST(CanonicalPath, EncodesEachRawSegmentOnceMore) {
  Minimal call;
  call.path = "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A111122223333%3Ainference-profile%2Fus.x-v1%3A0/converse";
  EXPECT_EQ(canonical_line(call, 1),
            "/model/arn%253Aaws%253Abedrock%253Aus-east-1%253A111122223333%253A"
            "inference-profile%252Fus.x-v1%253A0/converse");
  call.path = "/model/us.x-v1:0/converse";
  EXPECT_EQ(canonical_line(call, 1), "/model/us.x-v1%3A0/converse");
  call.path = "";
  EXPECT_EQ(canonical_line(call, 1), "/");
}

TEST(CanonicalQuery, IsDecodedEncodedAndSortedByNameThenValue) {
  Minimal call;
  const auto canonical = [&call](std::string_view query) {
    call.query = query;
    return canonical_line(call, 2);
  };
  EXPECT_EQ(canonical("b=2&a=1"), "a=1&b=2");
  EXPECT_EQ(canonical("Param-3=x&Param=y"), "Param=y&Param-3=x") << "by name, not by the joined text";
  EXPECT_EQ(canonical("a=2&a=1&a"), "a=&a=1&a=2");
  EXPECT_EQ(canonical("k=a=b"), "k=a%3Db");
  EXPECT_EQ(canonical("k=%2f&l=%7E"), "k=%2F&l=~");
  EXPECT_EQ(canonical("k=a+b%20c"), "k=a%2Bb%20c");
  EXPECT_EQ(canonical("k=%zz&l=%4"), "k=%25zz&l=%254") << "a broken escape is text";
  EXPECT_EQ(canonical("&&a=1&"), "a=1");
  EXPECT_EQ(canonical("="), "=");
}

TEST(CanonicalHeaders, TrimAndCollapseSpacesAndTabs) {
  Minimal call;
  call.add("a", " \t x \t\t  y z\t ");
  call.add("b", " \t ");
  EXPECT_THAT(canonical_request(call.request(), "a;b;host"), HasSubstr("\na:x y z\nb:\nhost:"));
}

TEST(CanonicalHeaders, AreHashedTheSameBeyondTheBufferOfTheHash) {
  for (const std::size_t size : {1000U, 1023U, 1024U, 1025U, 5000U, 30000U}) {
    Minimal call;
    call.add("long", std::string(size, 'v'));
    call.sign(date_text, "host;long;x-amz-date");
    EXPECT_TRUE(call.verify_at(now).has_value()) << size;
  }
}

// Signing keys

TEST(SigningKeys, GiveTheDerivedKeyEachTime) {
  SigningKeys keys;
  const base::Digest expected = signing_key("secret", "20261121", "us-east-1", "bedrock").mac("text");
  EXPECT_EQ(keys.get("AKID", "secret", "20261121", "us-east-1", "bedrock").mac("text"), expected);
  EXPECT_EQ(keys.get("AKID", "secret", "20261121", "us-east-1", "bedrock").mac("text"), expected);
  EXPECT_EQ(keys.size(), 1U);
  EXPECT_NE(keys.get("AKID", "secret", "20261122", "us-east-1", "bedrock").mac("text"), expected);
  EXPECT_NE(keys.get("AKID", "secret", "20261121", "us-east-2", "bedrock").mac("text"), expected);
  EXPECT_EQ(keys.size(), 3U);
  keys.clear();
  EXPECT_EQ(keys.size(), 0U);
}

TEST(SigningKeys, NeverServeTheKeyOfAReplacedSecret) {
  SigningKeys keys;
  (void)keys.get("AKID", "old", "20261121", "us-east-1", "bedrock");
  EXPECT_EQ(keys.get("AKID", "new", "20261121", "us-east-1", "bedrock").mac("text"),
            signing_key("new", "20261121", "us-east-1", "bedrock").mac("text"));
  EXPECT_EQ(keys.size(), 1U);
}

TEST(SigningKeys, StayWithinTheirCapacity) {
  SigningKeys keys(64);
  for (int i = 0; i < 1000; ++i) {
    const std::string id = "AKID" + std::to_string(i);
    EXPECT_EQ(keys.get(id, id, "20261121", "us-east-1", "bedrock").mac("text"),
              signing_key(id, "20261121", "us-east-1", "bedrock").mac("text"));
    ASSERT_LE(keys.size(), 64U);
  }
  EXPECT_GT(keys.size(), 16U);
}

TEST(SigningKeys, ServeManyThreads) {
  SigningKeys keys(32);
  const base::Digest expected = signing_key("s", "20261121", "us-east-1", "bedrock").mac("text");
  std::vector<std::jthread> threads;
  std::array<int, 4> wrong{};
  for (int& mistakes : wrong)
    threads.emplace_back([&keys, &expected, &mistakes] {
      for (int i = 0; i < 2000; ++i) {
        const std::string id = std::to_string(i % 50);
        mistakes += keys.get(id, "s", "20261121", "us-east-1", "bedrock").mac("text") != expected;
        if (i % 500 == 0) keys.clear();
      }
    });
  threads.clear();
  EXPECT_THAT(wrong, testing::Each(0));
}

// The signer

struct Sent {
  std::string head;
  wire::Headers headers;
};

void send(Signer& signer, Sent& sent, std::string_view path, std::string_view body, std::string_view region,
          base::WallTime when) {
  sent.headers.clear();
  sent.head.clear();
  signer.append_signature(sent.head, "POST", path, "10.77.0.5:9001", "application/json", base::sha256(body), region,
                          when);
  sent.headers.add("host", "10.77.0.5:9001");
  sent.headers.add("content-type", "application/json");
  std::string_view rest = sent.head;
  while (!rest.empty()) {
    const std::size_t end = rest.find("\r\n");
    ASSERT_NE(end, std::string_view::npos);
    const std::size_t colon = rest.find(": ");
    sent.headers.add(rest.substr(0, colon), rest.substr(colon + 2, end - colon - 2));
    rest.remove_prefix(end + 2);
  }
}

base::Result<void> verify_sent(const Sent& sent, std::string_view path, std::string_view body,
                               std::string_view region, base::WallTime when) {
  std::string_view value;
  for (const wire::Header& field : sent.headers)
    if (field.name == "authorization") value = field.value;
  TRY(const Authorization parts, read_authorization(value));
  EXPECT_EQ(parts.access_key_id, "AKIDUPSTREAM");
  EXPECT_EQ(parts.region, region);
  EXPECT_EQ(parts.signed_headers, "content-type;host;x-amz-content-sha256;x-amz-date");
  const SignedRequest request{
      .method = "POST", .path = path, .query = "", .headers = &sent.headers, .body_hash = base::sha256(body)};
  return verify(request, parts, signing_key("upstream secret", parts.date, parts.region, parts.service), when);
}

TEST(AccessKeyId, IsToldFromASecretThatStandsInItsPlace) {
  EXPECT_TRUE(looks_like_access_key_id("AKIAIOSFODNN7EXAMPLE"));
  EXPECT_TRUE(looks_like_access_key_id("PTLNABCDEFGHIJKLMNOP"));
  for (const std::string& text : {std::string{"wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY00"}, std::string{"AKIASHORT"},
                                  std::string(129, 'A'), std::string{"AKIAIOSFODNN7EXAMPL/"}, std::string{}})
    EXPECT_FALSE(looks_like_access_key_id(text)) << text;
}

TEST(Signer, SignsWhatVerifyAccepts) {
  Signer signer("AKIDUPSTREAM", base::Secret{"upstream secret"});
  constexpr std::string_view path = "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse";
  base::WallTime when = at("20261121T235958Z");
  // Over midnight, several Regions, more than one call in a second.
  for (int i = 0; i < 8; ++i) {
    for (const std::string_view region : {"us-east-1", "eu-west-1", "us-east-1"}) {
      Sent sent;
      send(signer, sent, path, "{}", region, when);
      const auto verdict = verify_sent(sent, path, "{}", region, when);
      EXPECT_TRUE(verdict.has_value()) << verdict.error().message;
      EXPECT_THAT(sent.head, HasSubstr(base::amz_date(when)));
    }
    when += std::chrono::milliseconds{700};
  }
}

TEST(Signer, GoesOnAfterAMove) {
  Signer first("AKIDUPSTREAM", base::Secret{"upstream secret"});
  Signer signer = std::move(first);
  Sent sent;
  send(signer, sent, "/", "body", "us-west-2", now);
  EXPECT_TRUE(verify_sent(sent, "/", "body", "us-west-2", now).has_value());
  EXPECT_FALSE(verify_sent(sent, "/", "another body", "us-west-2", now).has_value());
}

TEST(Signer, SurvivesMoreRegionsThanItKeeps) {
  Signer signer("AKIDUPSTREAM", base::Secret{"upstream secret"});
  for (int i = 0; i < 200; ++i) {
    const std::string region = "region-" + std::to_string(i);
    Sent sent;
    send(signer, sent, "/", "", region, now);
    EXPECT_TRUE(verify_sent(sent, "/", "", region, now).has_value());
  }
}

}  // namespace
}  // namespace portolan::identity
