// SPDX-License-Identifier: Apache-2.0
// AWS Signature Version 4: verifying what callers signed, and signing what we send.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
//
// The canonical path is each raw segment of the request target percent-encoded once more, exactly as received; it
// is never normalised. The body is always hashed by us: x-amz-content-sha256 is only compared. Over HTTP/2 a caller
// may sign ":authority" in place of "host".
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"
#include "base/sha256.h"
#include "wire/http.h"

namespace portolan::identity {

/// What callers and we sign for, in every scope.
inline constexpr std::string_view signed_service = "bedrock";

/// The parts of an Authorization header "AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…". Views into
/// it.
struct Authorization {
  std::string_view access_key_id;
  std::string_view date;  // "20261121"
  std::string_view region;
  std::string_view service;
  std::string_view scope;  // "20261121/us-east-1/bedrock/aws4_request"
  std::string_view signed_headers;
  std::string_view signature;
};
/// Code::incomplete_signature saying which part is missing or malformed.
base::Result<Authorization> read_authorization(std::string_view value);

/// 16 to 128 capitals, digits or underscores. Whoever mixes up id and secret sends a secret where the id belongs;
/// secrets have small letters, and what does not look like an id is not written down.
bool looks_like_access_key_id(std::string_view text);

/// What was signed. Views must outlive the call.
struct SignedRequest {
  std::string_view method;
  std::string_view path;                   // raw
  std::string_view query;                  // raw
  const wire::Headers* headers = nullptr;  // for HTTP/2 including ":authority"
  base::Digest body_hash{};
};

/// The key for one (secret, date, Region, service). Deriving it costs four HMACs; keep it for the day.
base::HmacKey signing_key(std::string_view secret_access_key, std::string_view date, std::string_view region,
                          std::string_view service);

/// Signing keys by (access key id, date, Region, service), bounded; a new day replaces the old. Any thread.
class SigningKeys {
 public:
  explicit SigningKeys(std::size_t capacity = 4096);
  ~SigningKeys();
  base::HmacKey get(std::string_view access_key_id, std::string_view secret_access_key, std::string_view date,
                    std::string_view region, std::string_view service);
  /// How many keys are kept; never more than the capacity.
  std::size_t size() const;
  /// Forget all (after a configuration reload that may have changed a secret).
  void clear();

 private:
  struct Shelf;
  std::unique_ptr<Shelf> shelf_;
};

/// Checks that `request` was signed with `key` under `authorization`, within `skew` of `now`.
/// Required signed headers: host or :authority, x-amz-date, and every x-amz-* header that is present.
/// Code::incomplete_signature, expired_signature, bad_signature. Comparison takes constant time.
base::Result<void> verify(const SignedRequest& request, const Authorization& authorization,
                          const base::HmacKey& key, base::WallTime now,
                          base::Duration skew = std::chrono::minutes{5});

/// Intermediate texts, for tests against the published vectors and for `explain`.
std::string canonical_request(const SignedRequest& request, std::string_view signed_headers);
std::string string_to_sign(std::string_view amz_date, std::string_view scope, std::string_view canonical);

/// Signs outgoing requests with one set of credentials. One per reactor (not thread-safe); keeps the day's keys.
class Signer {
 public:
  Signer(std::string access_key_id, base::Secret secret_access_key);
  ~Signer();
  Signer(Signer&&) noexcept;

  /// Appends, as header lines, x-amz-date, x-amz-content-sha256 and authorization for
  /// `method path` (raw, without a query) with host `host` and content type `content_type`, whose body hashes to
  /// `body_hash`. These are the signed headers: content-type;host;x-amz-content-sha256;x-amz-date.
  void append_signature(std::string& head, std::string_view method, std::string_view path, std::string_view host,
                        std::string_view content_type, const base::Digest& body_hash, std::string_view region,
                        base::WallTime now);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace portolan::identity
