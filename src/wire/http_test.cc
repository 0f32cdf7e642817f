// SPDX-License-Identifier: Apache-2.0
#include "wire/http.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace portolan::wire {
namespace {

using base::Code;
using testing::HasSubstr;
using namespace std::string_view_literals;

constexpr std::size_t head_bytes_max = 16384;

base::Result<bool> read_request(std::string_view bytes, RequestHead& head, std::size_t max = head_bytes_max) {
  std::size_t searched = 0;
  return read_request_head(bytes, max, searched, head);
}

base::Result<bool> read_response(std::string_view bytes, ResponseHead& head, std::size_t max = head_bytes_max) {
  std::size_t searched = 0;
  return read_response_head(bytes, max, searched, head);
}

/// The error that a request head gives; fails the test when it gives none.
base::Error refusal_of_request(std::string_view bytes, std::size_t max = head_bytes_max) {
  RequestHead head;
  const auto read = read_request(bytes, head, max);
  EXPECT_FALSE(read.has_value()) << "accepted or waiting: " << bytes;
  return read.has_value() ? base::Error{} : read.error();
}

base::Error refusal_of_response(std::string_view bytes, std::size_t max = head_bytes_max) {
  ResponseHead head;
  const auto read = read_response(bytes, head, max);
  EXPECT_FALSE(read.has_value()) << "accepted or waiting: " << bytes;
  return read.has_value() ? base::Error{} : read.error();
}

void expect_malformed(std::string_view bytes, std::string_view problem) {
  const base::Error error = refusal_of_request(bytes);
  EXPECT_EQ(error.code, Code::malformed_request) << bytes;
  EXPECT_THAT(error.message, HasSubstr(problem)) << bytes;
}

std::string request_with(std::string_view fields) {
  return "POST /model/x/converse HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n";
}

TEST(HttpRequestHead, GivesLineFieldsAndFraming) {
  const std::string bytes =
      "POST /model/us.x%3A0/converse?a=b HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Length: 12\r\n"
      "X-Empty:\r\nX-Padded: \t two words \t\r\n\r\n{\"body\":true}";
  RequestHead head;
  ASSERT_TRUE(read_request(bytes, head).value());
  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.target, "/model/us.x%3A0/converse?a=b");
  EXPECT_EQ(head.minor_version, 1);
  EXPECT_EQ(head.framing, BodyFraming::length);
  EXPECT_EQ(head.content_length, 12u);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_FALSE(head.expects_continue);
  EXPECT_EQ(bytes.substr(head.head_bytes), "{\"body\":true}");
  ASSERT_EQ(head.headers.size(), 4u);
  EXPECT_EQ(head.headers.value("host"), "127.0.0.1:8080");
  EXPECT_EQ(head.headers.value("x-empty"), "");
  ASSERT_NE(head.headers.find("X-EMPTY"), nullptr);
  EXPECT_EQ(head.headers.value("x-padded"), "two words");
  EXPECT_EQ(head.headers.find("absent"), nullptr);
}

TEST(HttpRequestHead, GivesViewsIntoTheBytesItWasGiven) {
  const std::string bytes = request_with("X-A: value\r\n");
  RequestHead head;
  ASSERT_TRUE(read_request(bytes, head).value());
  for (const Header& field : head.headers) {
    EXPECT_GE(field.name.data(), bytes.data());
    EXPECT_LE(field.value.data() + field.value.size(), bytes.data() + bytes.size());
  }
}

TEST(HttpRequestHead, WaitsForEveryByteButTheLast) {
  const std::string bytes = request_with("Content-Length: 3\r\n");
  RequestHead head;
  std::size_t searched = 0;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto read = read_request_head(std::string_view(bytes).substr(0, size), head_bytes_max, searched, head);
    ASSERT_TRUE(read.has_value()) << size << ": " << read.error().message;
    ASSERT_FALSE(*read) << size;
    ASSERT_LE(searched, size);
  }
  ASSERT_TRUE(read_request_head(bytes, head_bytes_max, searched, head).value());
  EXPECT_EQ(head.head_bytes, bytes.size());
}

TEST(HttpRequestHead, LeavesNothingOfTheHeadBefore) {
  RequestHead head;
  ASSERT_TRUE(read_request(request_with("Content-Length: 3\r\nExpect: 100-continue\r\nConnection: close\r\n"), head)
                  .value());
  EXPECT_TRUE(head.expects_continue);
  EXPECT_FALSE(head.keep_alive);
  const std::string second = "GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n";
  ASSERT_TRUE(read_request(second, head).value());
  EXPECT_EQ(head.framing, BodyFraming::none);
  EXPECT_EQ(head.content_length, 0u);
  EXPECT_FALSE(head.expects_continue);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_EQ(head.headers.size(), 1u);
}

TEST(HttpRequestHead, KeepsAConnectionAsItsVersionSays) {
  const auto keep_alive = [](std::string_view bytes) {
    RequestHead head;
    EXPECT_TRUE(read_request(bytes, head).value());
    return head.keep_alive;
  };
  EXPECT_TRUE(keep_alive("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_FALSE(keep_alive("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n"));
  EXPECT_FALSE(keep_alive("GET / HTTP/1.0\r\n\r\n"));
  EXPECT_TRUE(keep_alive("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
  EXPECT_TRUE(keep_alive(request_with("Connection: , te\t,,closed,\r\n")));
  EXPECT_FALSE(keep_alive(request_with("Proxy-Connection: close\r\n")));
}

TEST(HttpRequestHead, ClosesWhereCloseAndKeepAliveAreBothSaid) {
  for (const std::string_view fields :
       {"Connection: close, keep-alive\r\n", "Connection: keep-alive\r\nConnection: close\r\n"}) {
    for (const std::string_view version : {"1.0", "1.1"}) {
      RequestHead head;
      const std::string bytes =
          "GET / HTTP/" + std::string(version) + "\r\nHost: a\r\n" + std::string(fields) + "\r\n";
      ASSERT_TRUE(read_request(bytes, head).value());
      EXPECT_FALSE(head.keep_alive) << bytes;
    }
  }
}

TEST(HttpRequestHead, RefusesAConnectionFieldThatIsNotAListOfTokens) {
  for (const std::string_view value : {"close keep-alive", "close;x", "\"close\"", "a, b c", "cl\xc3\xb6se"}) {
    expect_malformed(request_with("Connection: " + std::string(value) + "\r\n"), "list of tokens");
  }
}

TEST(HttpRequestHead, TakesEveryVisibleCharacterButTheNumberSignInATarget) {
  std::string target = "/";
  for (char c = 0x21; c < 0x7f; ++c) target += c == '#' ? '/' : c;
  RequestHead head;
  ASSERT_TRUE(read_request("GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n", head).value());
  EXPECT_EQ(head.target.size(), target.size());
}

TEST(HttpRequestHead, TakesBytesBeyondAsciiAndTabsInAValueOnly) {
  RequestHead head;
  ASSERT_TRUE(read_request(request_with("X-A: caf\xc3\xa9\tau lait\r\n"), head).value_or(false));
  expect_malformed(request_with("X-\xc3\xa9: b\r\n"), "field name");
  expect_malformed("G\xc3\xa9T / HTTP/1.1\r\nHost: a\r\n\r\n", "method");
}

TEST(HttpRequestHead, TakesChunkedInAnyCase) {
  RequestHead head;
  ASSERT_TRUE(read_request(request_with("Transfer-Encoding: Chunked\r\n"), head).value());
  EXPECT_EQ(head.framing, BodyFraming::chunked);
}

TEST(HttpRequestHead, ExpectsContinueOnlyWhereABodyFollows) {
  RequestHead head;
  ASSERT_TRUE(read_request(request_with("Expect: 100-Continue\r\n"), head).value());
  EXPECT_FALSE(head.expects_continue);
  ASSERT_TRUE(read_request(request_with("Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n"), head).value());
  EXPECT_TRUE(head.expects_continue);
  expect_malformed(request_with("Expect: miracles\r\n"), "100-continue");
}

TEST(HttpRequestHead, RefusesAmbiguousLengths) {
  expect_malformed(request_with("Content-Length: 5\r\nContent-Length: 6\r\n"), "more than once");
  expect_malformed(request_with("Content-Length: 5\r\ncontent-length: 5\r\n"), "more than once");
  expect_malformed(request_with("Content-Length: 5, 5\r\n"), "one decimal number");
  expect_malformed(request_with("Content-Length: +5\r\n"), "content-length");
  expect_malformed(request_with("Content-Length: 0x5\r\n"), "content-length");
  expect_malformed(request_with("Content-Length: -1\r\n"), "content-length");
  expect_malformed(request_with("Content-Length: 5 5\r\n"), "content-length");
  expect_malformed(request_with("Content-Length:\r\n"), "content-length");
  expect_malformed(request_with("Content-Length: 18446744073709551616\r\n"), "content-length");
}

TEST(HttpRequestHead, TakesTheLargestLengthThereIs) {
  RequestHead head;
  ASSERT_TRUE(read_request(request_with("Content-Length: 18446744073709551615\r\n"), head).value());
  EXPECT_EQ(head.content_length, 18446744073709551615u);
}

TEST(HttpRequestHead, RefusesLengthTogetherWithChunkedInEitherOrder) {
  expect_malformed(request_with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), "content-length");
  expect_malformed(request_with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), "content-length");
}

TEST(HttpRequestHead, RefusesEveryTransferEncodingButChunked) {
  for (const std::string_view value : {"gzip", "gzip, chunked", "chunked, gzip", "identity", "\"chunked\"",
                                       "chunked;q=1", "xchunked", "chunked,", ""}) {
    expect_malformed(request_with("Transfer-Encoding: " + std::string(value) + "\r\n"), "transfer-encoding");
  }
  expect_malformed(request_with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
                   "transfer-encoding");
  expect_malformed("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.0");
}

TEST(HttpRequestHead, RefusesWhatHidesALineEnd) {
  expect_malformed("GET / HTTP/1.1\nHost: a\n\n", "LF without CR");
  expect_malformed("GET / HTTP/1.1\r\nHost: a\n\r\n", "LF without CR");
  expect_malformed("\n", "LF without CR");
  expect_malformed(request_with("X-A: b\rX-B: c\r\n"), "CR must be followed by LF");
  expect_malformed("GET / HTTP/1.1\rHost: a\r\n\r\n", "version");
  expect_malformed(request_with("X-A: b\r\n c\r\n"), "folded");
  expect_malformed(request_with("X-A: b\r\n\tc\r\n"), "folded");
  expect_malformed(request_with("X-A: \r\n c\r\n"), "folded");
  expect_malformed("GET / HTTP/1.1\r\n Host: a\r\n\r\n", "folded");
  expect_malformed("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "empty line before");
}

TEST(HttpRequestHead, RefusesControlCharacters) {
  expect_malformed(request_with("X-A: b\0c\r\n"sv), "control character");
  expect_malformed(request_with("X-A: b\x7f\r\n"), "control character");
  expect_malformed(request_with("X-A: b\x01\r\n"), "control character");
  expect_malformed("GET /a\x01 HTTP/1.1\r\nHost: a\r\n\r\n", "target");
  expect_malformed("GET /a\x7f HTTP/1.1\r\nHost: a\r\n\r\n", "target");
  expect_malformed("GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n"sv, "target");
}

TEST(HttpRequestHead, RefusesFieldNamesThatAreNotTokens) {
  expect_malformed(request_with("X-A : b\r\n"), "colon directly behind");
  expect_malformed(request_with("X A: b\r\n"), "field name");
  expect_malformed(request_with(": b\r\n"), "field name");
  expect_malformed(request_with("no colon\r\n"), "field name");
  expect_malformed(request_with("X(A): b\r\n"), "field name");
}

TEST(HttpRequestHead, RequiresExactlyOneHost) {
  expect_malformed("GET / HTTP/1.1\r\n\r\n", "requires a host");
  expect_malformed("GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", "host is given more than once");
  expect_malformed("GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n", "host is given more than once");
  expect_malformed("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "host is not");
  expect_malformed("GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", "host is not");
  expect_malformed("GET / HTTP/1.1\r\nHost: me@b\r\n\r\n", "host is not");
  expect_malformed("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "host is not");
  RequestHead head;
  EXPECT_TRUE(read_request("GET / HTTP/1.0\r\n\r\n", head).value());
  EXPECT_TRUE(read_request("GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", head).value());
  EXPECT_TRUE(read_request("GET / HTTP/1.1\r\nHost:\r\n\r\n", head).value());
}

TEST(HttpRequestHead, RefusesOtherVersions) {
  for (const std::string_view version :
       {"HTTP/0.9", "HTTP/1.2", "HTTP/2.0", "HTTP/1.10", "http/1.1", "HTTP/11", "HTTP/1"}) {
    expect_malformed("GET / " + std::string(version) + "\r\nHost: a\r\n\r\n", "");
  }
  expect_malformed("GET /\r\n\r\n", "");
  expect_malformed("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "target");
  expect_malformed("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", "version");
  expect_malformed("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "version");
}

TEST(HttpRequestHead, TakesAbsoluteFormWhenItNamesTheSameHost) {
  RequestHead head;
  ASSERT_TRUE(read_request("GET http://A:80/b?c=d HTTP/1.1\r\nHost: a:80\r\n\r\n", head).value());
  EXPECT_EQ(head.target, "/b?c=d");
  ASSERT_TRUE(read_request("GET HTTPS://a/ HTTP/1.1\r\nHost: a\r\n\r\n", head).value());
  EXPECT_EQ(head.target, "/");
  expect_malformed("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", "another host");
  expect_malformed("GET http://a:81/ HTTP/1.1\r\nHost: a:80\r\n\r\n", "another host");
  expect_malformed("GET http://a@b/ HTTP/1.1\r\nHost: b\r\n\r\n", "another host");
  expect_malformed("GET http:/// HTTP/1.1\r\nHost:\r\n\r\n", "another host");
  expect_malformed("GET http://a/ HTTP/1.0\r\n\r\n", "another host");
  expect_malformed("GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", "no path");
  expect_malformed("GET http://a?b HTTP/1.1\r\nHost: a\r\n\r\n", "no path");
  expect_malformed("GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "start with '/'");
}

TEST(HttpRequestHead, TakesOtherwiseOriginFormAndTheStarOfOptionsOnly) {
  RequestHead head;
  EXPECT_TRUE(read_request("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", head).value());
  expect_malformed("GET * HTTP/1.1\r\nHost: a\r\n\r\n", "start with '/'");
  expect_malformed("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", "start with '/'");
  expect_malformed("GET b HTTP/1.1\r\nHost: a\r\n\r\n", "start with '/'");
  expect_malformed("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", "percent-encode");
  expect_malformed("GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", "percent-encode");
}

TEST(HttpRequestHead, RefusesAHeadBeyondItsLimit) {
  const std::string bytes = request_with("X-A: " + std::string(500, 'a') + "\r\n");
  RequestHead head;
  EXPECT_TRUE(read_request(bytes, head, bytes.size()).value());
  EXPECT_EQ(refusal_of_request(bytes, bytes.size() - 1).code, Code::head_too_large);
  EXPECT_FALSE(read_request(std::string(99, 'a'), head, 100).value());
  EXPECT_EQ(refusal_of_request(std::string(100, 'a'), 100).code, Code::head_too_large);
  EXPECT_THAT(refusal_of_request(std::string(100, 'a'), 100).message, HasSubstr("100 bytes"));
}

TEST(HttpRequestHead, RefusesMoreFieldsThanItHolds) {
  std::string fields;  // one of the 96 is host
  for (std::size_t i = 0; i + 1 < headers_max; ++i) fields += "a: b\r\n";
  const std::string bytes = request_with(fields);
  RequestHead head;
  ASSERT_TRUE(read_request(bytes, head).value());
  EXPECT_EQ(head.headers.size(), headers_max);
  EXPECT_EQ(head.headers.count("A"), headers_max - 1);
  EXPECT_EQ(refusal_of_request(request_with(fields + "a: b\r\n")).code, Code::head_too_large);
}

TEST(HttpResponseHead, GivesStatusAndFraming) {
  ResponseHead head;
  const std::string bytes = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
  ASSERT_TRUE(read_response(bytes, head).value());
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.framing, BodyFraming::length);
  EXPECT_EQ(head.content_length, 5u);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_EQ(bytes.substr(head.head_bytes), "hello");

  ASSERT_TRUE(
      read_response("HTTP/1.1 429 \r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n", head).value());
  EXPECT_EQ(head.status, 429);
  EXPECT_EQ(head.framing, BodyFraming::chunked);
  EXPECT_FALSE(head.keep_alive);
}

TEST(HttpResponseHead, ReadsUntilCloseWhenNothingSaysOtherwise) {
  ResponseHead head;
  ASSERT_TRUE(read_response("HTTP/1.1 200 OK\r\n\r\n", head).value());
  EXPECT_EQ(head.framing, BodyFraming::until_close);
  EXPECT_FALSE(head.keep_alive);
  ASSERT_TRUE(
      read_response("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", head).value());
  EXPECT_EQ(head.framing, BodyFraming::length);
  EXPECT_TRUE(head.keep_alive);
}

TEST(HttpResponseHead, GivesNoBodyWhereNoneMayBe) {
  ResponseHead head;
  ASSERT_TRUE(read_response("HTTP/1.1 100 Continue\r\n\r\n", head).value());
  EXPECT_EQ(head.status, 100);
  EXPECT_EQ(head.framing, BodyFraming::none);
  EXPECT_TRUE(head.keep_alive);
  ASSERT_TRUE(read_response("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", head).value());
  EXPECT_EQ(head.framing, BodyFraming::none);
  EXPECT_EQ(head.content_length, 0u);
  EXPECT_TRUE(head.keep_alive);
}

TEST(HttpResponseHead, DoesNotReuseAConnectionThatAnnouncedAnImpossibleBody) {
  ResponseHead head;
  ASSERT_TRUE(read_response("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", head).value());
  EXPECT_EQ(head.framing, BodyFraming::none);
  EXPECT_FALSE(head.keep_alive);
  ASSERT_TRUE(read_response("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", head).value());
  EXPECT_TRUE(head.keep_alive);
}

TEST(HttpResponseHead, RefusesWhatItCannotTrust) {
  for (const std::string_view bytes :
       {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n", "HTTP/1.1 099 Low\r\n\r\n",
        "HTTP/1.1 600 High\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 200\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n", "ICY 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 200 O\x01K\r\n\r\n",
        "HTTP/1.1 200 OK\nA: b\n\n", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
        "{\"message\":\"no head at all\"}\n"}) {
    EXPECT_EQ(refusal_of_response(bytes).code, Code::upstream_malformed) << bytes;
  }
  EXPECT_EQ(refusal_of_response(std::string(100, 'a'), 100).code, Code::upstream_malformed);
}

struct Unchunked {
  std::string payload;
  std::string rest;
  bool done = false;
  std::optional<base::Error> error;
};

/// Feeds `bytes` in pieces of `piece_bytes`.
Unchunked unchunk(std::string_view bytes, std::size_t piece_bytes = std::string_view::npos) {
  Unchunked result;
  ChunkedReader reader;
  while (!bytes.empty() && !reader.done()) {
    std::string_view piece = bytes.substr(0, piece_bytes);
    const std::size_t given = piece.size();
    while (!piece.empty() && !reader.done()) {
      const auto payload = reader.next(piece);
      if (!payload) {
        result.error = payload.error();
        return result;
      }
      result.payload += *payload;
    }
    bytes.remove_prefix(given - piece.size());
  }
  result.rest = bytes;
  result.done = reader.done();
  return result;
}

TEST(ChunkedReader, GivesThePayloadHoweverItIsCut) {
  const std::string bytes =
      "5\r\nhello\r\n001;name=\"a;b\";c\r\n,\r\nA \t; x\r\n0123456789\r\n0\r\nX-T: v\r\nY:\r\n\r\nGET";
  for (const std::size_t piece_bytes : {1, 2, 3, 7, 1000}) {
    const Unchunked result = unchunk(bytes, piece_bytes);
    ASSERT_FALSE(result.error) << result.error->message;
    EXPECT_TRUE(result.done);
    EXPECT_EQ(result.payload, "hello,0123456789");
    EXPECT_EQ(result.rest, "GET");
  }
}

TEST(ChunkedReader, IsNotDoneBeforeTheLastLine) {
  for (const std::string_view bytes :
       {"", "5", "5\r\nhel", "5\r\nhello\r\n", "5\r\nhello\r\n0\r\n", "0\r\n\r", "0\r\nA: b\r\n"}) {
    const Unchunked result = unchunk(bytes);
    EXPECT_FALSE(result.error) << bytes;
    EXPECT_FALSE(result.done) << bytes;
  }
}

TEST(ChunkedReader, RefusesWhatIsNotChunkedFraming) {
  for (const std::string_view bytes : {"\r\n",
                                       "g\r\n",
                                       "-5\r\n",
                                       "+5\r\n",
                                       "0x5\r\n",
                                       " 5\r\n",
                                       "5\n",
                                       "5 \r\n",
                                       "5 6\r\n",
                                       "5;\n",
                                       "5;a\x01\r\n",
                                       "5\r5",
                                       "5\r\rhello",
                                       "3\r\nabcd",
                                       "3\r\nabc\n",
                                       "3\r\nabc\r3",
                                       "3\r\nabc\r\n\r\n",
                                       "10000000000000000\r\n",
                                       "00000000000000005\r\n",
                                       "0\r\n A: b\r\n\r\n",
                                       "0\r\nGET / HTTP/1.1\r\n\r\n",
                                       "0\r\n: b\r\n\r\n",
                                       "0\r\nA: b\n\r\n",
                                       "0\r\nA: b\rc",
                                       "0\r\n\n",
                                       "0\r\n\rx"}) {
    const Unchunked result = unchunk(bytes);
    ASSERT_TRUE(result.error) << bytes;
    EXPECT_EQ(result.error->code, Code::malformed_request) << bytes;
  }
  EXPECT_TRUE(unchunk("0\r\nA: b\0c\r\n\r\n"sv).error);
}

TEST(ChunkedReader, BoundsExtensionsAndTrailersTogether) {
  EXPECT_FALSE(unchunk("1;" + std::string(8000, 'a') + "\r\nx\r\n0\r\n\r\n").error);
  EXPECT_TRUE(unchunk("1;" + std::string(9000, 'a') + "\r\nx\r\n0\r\n\r\n").error);
  EXPECT_TRUE(unchunk("0\r\nA: " + std::string(9000, 'a') + "\r\n\r\n").error);
  std::string many;
  for (int i = 0; i < 100; ++i) many += "1;" + std::string(99, 'a') + "\r\nx\r\n";
  EXPECT_TRUE(unchunk(many).error);
}

TEST(ChunkedReader, BlamesWhomItWasToldTo) {
  ChunkedReader reader(Code::upstream_malformed);
  std::string_view input = "x";
  EXPECT_EQ(reader.next(input).error().code, Code::upstream_malformed);
}

TEST(ChunkedReader, TakesTheLargestSizeWithoutOverflow) {
  ChunkedReader reader;
  std::string_view input = "ffffffffffffffff\r\nabc";
  EXPECT_EQ(reader.next(input).value(), "abc");
  EXPECT_TRUE(input.empty());
  EXPECT_FALSE(reader.done());
}

TEST(HttpWriters, WriteHeadsThatTheReadersTake) {
  std::string out;
  append_request_line(out, "POST", "/model/x/converse");
  append_field(out, "host", "eu-west-1");
  append_field(out, "content-length", std::uint64_t{18446744073709551615u});
  append_blank_line(out);
  EXPECT_EQ(out,
            "POST /model/x/converse HTTP/1.1\r\nhost: eu-west-1\r\ncontent-length: 18446744073709551615\r\n\r\n");
  RequestHead request;
  EXPECT_TRUE(read_request(out, request).value());

  out.clear();
  append_status_line(out, 429);
  append_field(out, "retry-after", std::uint64_t{0});
  append_blank_line(out);
  EXPECT_EQ(out, "HTTP/1.1 429 Too Many Requests\r\nretry-after: 0\r\n\r\n");
  ResponseHead response;
  EXPECT_TRUE(read_response(out, response).value());
}

TEST(HttpWriters, WriteChunkSizesInHexadecimal) {
  std::string out;
  append_chunk_size(out, 26);
  append_chunk_size(out, 0);
  append_chunk_size(out, 0xabcdef);
  EXPECT_EQ(out, "1a\r\n0\r\nabcdef\r\n");
}

TEST(HttpWriters, NameEveryStatusOfTheErrorTable) {
#define PORTOLAN_ERROR(code, blame, remedy, bedrock_status, bedrock_type, openai_status, openai_type) \
  EXPECT_NE(reason_phrase(bedrock_status), "Unknown") << bedrock_status;                              \
  EXPECT_NE(reason_phrase(openai_status), "Unknown") << openai_status;
#include "base/error_codes.def"
#undef PORTOLAN_ERROR
  EXPECT_EQ(reason_phrase(599), "Unknown");
}

TEST(HttpWriters, WriteDatesAsRfc9110Does) {
  base::WallTime at;
  ASSERT_TRUE(base::parse_time("2026-11-21T23:40:50.999Z", at));
  EXPECT_EQ(http_date(at), "Sat, 21 Nov 2026 23:40:50 GMT");
  EXPECT_EQ(http_date(base::WallTime{}), "Thu, 01 Jan 1970 00:00:00 GMT");
  ASSERT_TRUE(base::parse_time("2028-02-29T00:00:01Z", at));
  EXPECT_EQ(http_date(at), "Tue, 29 Feb 2028 00:00:01 GMT");
}

}  // namespace
}  // namespace portolan::wire
