// SPDX-License-Identifier: Apache-2.0
// The published test vectors (testdata/sigv4), every case and every step that applies.
//
// Steps that do not apply, and why:
//  - The canonical request of the six cases in `normalised`: the vectors' signer resolves "." and ".." and merges
//  slashes
//    before it signs. Bedrock's does not: the path is encoded as it was sent, and so do we (sigv4.h). All else in
//    those canonical requests must still be ours, and their remaining steps run on the published text.
//  - Acceptance of post-sts-header-after: its x-amz-security-token was added after signing. We demand that every
//  x-amz-*
//    header is signed, so the request must be refused.
// The other paths need no exception: none holds a percent sign, so "encode once more" and "encode" give the same.
#include <algorithm>
#include <deque>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "identity/sigv4.h"

namespace portolan::identity {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

const std::set<std::string> normalised{
    "get-relative-normalized", "get-relative-relative-normalized",   "get-slash-dot-slash-normalized",
    "get-slash-normalized",    "get-slash-pointless-dot-normalized", "get-slashes-normalized"};
const std::string token_added_later = "post-sts-header-after";

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in) << path;
  return {std::istreambuf_iterator<char>(in), {}};
}

/// A request in the vectors' notation. It owns its text: field values are views into `lines`.
struct Parsed {
  std::deque<std::string> lines;
  std::string method, path, query, body;
  wire::Headers headers;

  SignedRequest request() const {
    return {.method = method, .path = path, .query = query, .headers = &headers, .body_hash = base::sha256(body)};
  }
};

void parse(const std::string& text, Parsed& into) {
  const std::size_t blank = text.find("\n\n");
  std::string head = text.substr(0, blank);
  if (blank != std::string::npos) into.body = text.substr(blank + 2);
  // Folded lines are one value; the HTTP reader refuses them, a signer that writes one means this (RFC 9112
  // section 5.2).
  for (std::size_t fold; (fold = head.find("\n ")) != std::string::npos;) head[fold] = ' ';
  for (std::size_t from = 0; from < head.size();) {
    const std::size_t end = std::min(head.find('\n', from), head.size());
    into.lines.push_back(head.substr(from, end - from));
    from = end + 1;
  }
  const std::string& first = into.lines.front();
  const std::size_t target_from = first.find(' ') + 1;
  const std::size_t target_to = first.rfind(' ');
  into.method = first.substr(0, target_from - 1);
  const std::string target = first.substr(target_from, target_to - target_from);
  const std::size_t mark = std::min(target.find('?'), target.size());
  into.path = target.substr(0, mark);
  into.query = target.substr(std::min(mark + 1, target.size()));
  for (std::size_t i = 1; i < into.lines.size(); ++i) {
    const std::string_view line = into.lines[i];
    const std::size_t colon = line.find(':');
    ASSERT_TRUE(into.headers.add(line.substr(0, colon), line.substr(colon + 1)));
  }
}

std::string_view authorization_of(const Parsed& parsed) {
  for (const wire::Header& field : parsed.headers)
    if (base::iequals(field.name, "authorization")) return field.value;
  return {};
}

base::WallTime signed_at() {
  base::WallTime at;
  EXPECT_TRUE(base::parse_time("20150830T123600Z", at));
  return at;
}

std::vector<std::string> vectors() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(fs::path(PORTOLAN_TESTDATA) / "sigv4"))
    if (entry.is_directory()) names.push_back(entry.path().filename());
  std::ranges::sort(names);
  return names;
}

class SigV4Vector : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const fs::path folder = fs::path(PORTOLAN_TESTDATA) / "sigv4" / GetParam();
    parse(read(folder / "header-signed-request.txt"), parsed_);
    canonical_ = read(folder / "header-canonical-request.txt");
    to_sign_ = read(folder / "header-string-to-sign.txt");
    signature_ = read(folder / "header-signature.txt");
    const auto authorization = read_authorization(authorization_of(parsed_));
    ASSERT_TRUE(authorization.has_value()) << authorization.error().message;
    authorization_ = *authorization;
  }

  base::HmacKey key() const {
    return signing_key(secret, authorization_.date, authorization_.region, authorization_.service);
  }

  Parsed parsed_;
  Authorization authorization_;
  std::string canonical_, to_sign_, signature_;
};

/// All lines but the second, the path.
std::string without_path(const std::string& canonical) {
  const std::size_t from = canonical.find('\n');
  return canonical.substr(0, from) + canonical.substr(canonical.find('\n', from + 1));
}

TEST_P(SigV4Vector, CanonicalRequestIsThePublishedOne) {
  const std::string ours = canonical_request(parsed_.request(), authorization_.signed_headers);
  if (normalised.contains(GetParam())) {
    EXPECT_NE(ours, canonical_) << "remove it from the list of exceptions";
    EXPECT_EQ(without_path(ours), without_path(canonical_));
  } else {
    EXPECT_EQ(ours, canonical_);
  }
}

TEST_P(SigV4Vector, StringToSignIsThePublishedOne) {
  EXPECT_EQ(string_to_sign("20150830T123600Z", authorization_.scope, canonical_), to_sign_);
}

TEST_P(SigV4Vector, SignatureIsThePublishedOne) {
  EXPECT_EQ(base::to_hex(key().mac(to_sign_)), signature_);
  EXPECT_EQ(authorization_.signature, signature_);
}

TEST_P(SigV4Vector, SignedRequestIsVerified) {
  const auto verdict = verify(parsed_.request(), authorization_, key(), signed_at());
  if (normalised.contains(GetParam())) {
    ASSERT_FALSE(verdict.has_value());
    EXPECT_EQ(verdict.error().code, base::Code::bad_signature);
  } else if (GetParam() == token_added_later) {
    ASSERT_FALSE(verdict.has_value());
    EXPECT_EQ(verdict.error().code, base::Code::incomplete_signature);
    EXPECT_THAT(verdict.error().message, testing::HasSubstr("X-Amz-Security-Token"));
  } else {
    EXPECT_TRUE(verdict.has_value()) << verdict.error().message;
  }
}

TEST_P(SigV4Vector, OneChangedByteOfTheBodyIsRefused) {
  parsed_.body += '!';
  EXPECT_FALSE(verify(parsed_.request(), authorization_, key(), signed_at()).has_value());
}

INSTANTIATE_TEST_SUITE_P(Published, SigV4Vector, testing::ValuesIn(vectors()), [](const auto& vector) {
  std::string name = vector.param;
  std::ranges::replace(name, '-', '_');
  return name;
});

TEST(SigV4Vectors, AreAllPresent) {
  const std::vector<std::string> present = vectors();
  EXPECT_EQ(present.size(), 38U);
  for (const std::string& name : normalised) EXPECT_THAT(present, testing::Contains(name));
  EXPECT_THAT(present, testing::Contains(token_added_later));
}

}  // namespace
}  // namespace portolan::identity
