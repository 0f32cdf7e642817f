// SPDX-License-Identifier: Apache-2.0
// Stop 2: who is it? Credentials → Principal.
//
// A Keyring is compiled from the configuration and the keys that were issued, and never changes; a reload or a
// changed key builds another. API keys are held only as SHA-256 hashes and found by hash, so the look-up's timing
// tells nothing about a key. Any thread may use a Keyring.
//
// A client certificate is a credential of the connection; a signature or an API key one of the request. The
// request's own wins, since a connection may be a proxy's that carries the calls of many; and when it is wrong the
// call is refused, whatever certificate the connection has. The certificate counts only for a request that brings
// nothing.
#pragma once

#include <array>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "config/config.h"
#include "domain/call.h"
#include "domain/key.h"
#include "identity/sigv4.h"

namespace portolan::identity {

/// A Principal with the Region its credential names (the SigV4 scope), or region_none (API keys, certificates).
struct Identity {
  const domain::Principal* principal = nullptr;  // owned by the Keyring
  domain::RegionIndex source = domain::region_none;
  domain::LastUse* last_use = nullptr;  // of an issued key, for the gateway to note; owned by the Keyring
};

/// Code::expired_key from `principal.expires` on.
base::Result<void> check_expiry(const domain::Principal& principal, base::WallTime now);

class Keyring {
 public:
  /// Issued keys that were revoked, or whose tenant is not configured, are left out. A key of the configuration
  /// comes before an issued one of the same id.
  explicit Keyring(const config::Config& config, std::span<const domain::IssuedKey> issued = {});
  Keyring(const Keyring&) = delete;
  Keyring& operator=(const Keyring&) = delete;

  /// Tries, in this order: Authorization: AWS4-HMAC-SHA256, Authorization: Bearer, x-api-key, the connection's
  /// client certificate. `certificate_names` are those of a certificate that the TLS handshake has verified, as
  /// keys are configured ("uri:…", "dns:…", "subject:…"); none when there is no certificate. Errors:
  /// missing_credentials, incomplete_signature, unknown_access_key, bad_signature, expired_signature, bad_api_key,
  /// expired_key, unknown_certificate (nobody has any of its names, or two users have). A scope whose service is
  /// not "bedrock" or whose Region is not in the catalog is bad_signature, said so.
  base::Result<Identity> identify(const SignedRequest& request, SigningKeys& signing_keys, base::WallTime now,
                                  std::span<const std::string> certificate_names = {}) const;

  /// A principal by ARN, key id, access key id, or user name when that is unique: for explain. Null when there is
  /// none. An ARN or a user name with several keys finds the first of them; a key that is limited to profiles is
  /// meant by its id.
  const domain::Principal* find(std::string_view name) const;
  const std::vector<std::unique_ptr<domain::Principal>>& principals() const { return principals_; }

 private:
  struct Credential {
    const domain::Principal* principal;
    base::Secret secret_access_key;  // empty: an API key
    std::shared_ptr<domain::LastUse> last_use;
  };
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  struct DigestHash {
    std::size_t operator()(const base::Digest& digest) const {
      std::size_t word;  // a SHA-256 is its own hash
      std::memcpy(&word, digest.data(), sizeof word);
      return word;
    }
  };

  base::Result<Identity> by_signature(const SignedRequest& request, std::string_view value,
                                      SigningKeys& signing_keys, base::WallTime now) const;
  base::Result<Identity> by_api_key(std::string_view key, base::WallTime now) const;
  base::Result<Identity> by_certificate(std::span<const std::string> names) const;
  static base::Result<Identity> accept(const Credential& credential, domain::RegionIndex source,
                                       base::WallTime now);
  domain::Principal* add(const config::Tenant& tenant, std::size_t tenant_index, const std::string& user_name,
                         domain::CredentialKind kind, std::string key_id);
  void add_configured(const config::Tenant& tenant, std::size_t tenant_index, const config::Key& key);
  void add_issued(const config::Tenant& tenant, std::size_t tenant_index, const domain::IssuedKey& key);

  std::vector<std::unique_ptr<domain::Principal>> principals_;
  std::unordered_map<std::string, Credential, TextHash, std::equal_to<>> by_access_key_id_;
  std::unordered_map<base::Digest, Credential, DigestHash> by_api_key_hash_;
  std::unordered_map<std::string, const domain::Principal*> by_certificate_name_;
  std::shared_ptr<const domain::Catalog> catalog_;
  base::HmacKey nobody_;  // signs for access keys that do not exist
};

}  // namespace portolan::identity
