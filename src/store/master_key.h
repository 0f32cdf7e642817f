// SPDX-License-Identifier: Apache-2.0
// The key under which secrets are sealed at rest: AES-256-GCM, one random nonce a secret
// (docs/adr/0008-keys-sealed-at-rest.md).
//
// The master key is kept outside the store and named by a reference in the configuration. Its id is derived from it
// (the beginning of a labelled SHA-256), so that a store can say under which key it was sealed without telling
// anything about that key. Immutable; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"

namespace portolan::store {

class MasterKey {
 public:
  /// 32 random bytes in base64, as `portolan key init` writes them. Code::config_invalid; the message does not
  /// repeat the text.
  static base::Result<MasterKey> read(const base::Secret& base64);
  /// A new one from OpenSSL's generator, in the same form. Code::internal when there is no randomness.
  static base::Result<base::Secret> make();

  /// "mk-" and 12 hexadecimal digits.
  const std::string& id() const { return id_; }

  /// Nonce, ciphertext and tag. `owner` is authenticated with it: sealed for one owner, it opens for no other.
  base::Result<std::string> seal(const base::Secret& secret, std::string_view owner) const;
  /// Code::corrupt when it was sealed under another key, for another owner, or changed since.
  base::Result<base::Secret> open(std::string_view sealed, std::string_view owner) const;

 private:
  explicit MasterKey(base::Secret key);

  base::Secret key_;
  std::string id_;
};

/// What the configuration names. While a store goes from one master key to the next, both are known.
struct MasterKeys {
  MasterKey current;
  std::optional<MasterKey> previous;

  /// Null when it is neither.
  const MasterKey* find(std::string_view id) const;
};

}  // namespace portolan::store
