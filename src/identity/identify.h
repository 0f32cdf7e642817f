// SPDX-License-Identifier: Apache-2.0
// Stop 2: who is it? Credentials → Principal.
//
// A Keyring is compiled from the configuration and never changes; a reload builds another. API keys are held only
// as SHA-256 hashes and found by hash, so the look-up's timing tells nothing about a key.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "config/config.h"
#include "domain/call.h"
#include "identity/sigv4.h"

namespace portolan::identity {

/// A Principal with the Region its credential names (the SigV4 scope), or region_none (API keys).
struct Identity {
  const domain::Principal* principal = nullptr;  // owned by the Keyring
  domain::RegionIndex source = domain::region_none;
};

class Keyring {
 public:
  explicit Keyring(const config::Config& config);
  ~Keyring();

  /// Tries, in this order: Authorization: AWS4-HMAC-SHA256, Authorization: Bearer, x-api-key.
  /// Errors: missing_credentials, incomplete_signature, unknown_access_key, bad_signature, expired_signature,
  /// bad_api_key. A scope whose service is not "bedrock" or whose Region is not in the catalog is bad_signature,
  /// said so.
  base::Result<Identity> identify(const SignedRequest& request, SigningKeys& signing_keys,
                                  base::WallTime now) const;

  /// A principal by ARN, key id, access key id, or user name when that is unique: for explain. Null when there is
  /// none.
  const domain::Principal* find(std::string_view name) const;
  const std::vector<std::unique_ptr<domain::Principal>>& principals() const { return principals_; }

 private:
  struct Secret {
    const domain::Principal* principal;
    std::string secret_access_key;
  };
  std::vector<std::unique_ptr<domain::Principal>> principals_;
  std::unordered_map<std::string, Secret> by_access_key_id_;
  std::unordered_map<std::string, const domain::Principal*> by_api_key_hash_;  // hex SHA-256
  std::shared_ptr<const domain::Catalog> catalog_;
};

}  // namespace portolan::identity
