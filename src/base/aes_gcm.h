// SPDX-License-Identifier: Apache-2.0
// AES-256-GCM (NIST SP 800-38D): what seals secrets at rest, and backups.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/secret.h"

extern "C" {
struct evp_cipher_ctx_st;
}

namespace portolan::base {

/// One key. A nonce must never be used twice with it. One thread at a time.
class AesGcm {
 public:
  static constexpr std::size_t key_bytes = 32;
  static constexpr std::size_t nonce_bytes = 12;
  static constexpr std::size_t tag_bytes = 16;

  /// `key` has key_bytes, each `nonce` below nonce_bytes; CHECKed.
  explicit AesGcm(Secret key);

  /// The ciphertext with the tag behind it. `owner` is authenticated with it (additional data) and not kept in it.
  /// Nothing when OpenSSL refuses, which is a fault of ours.
  std::optional<std::string> seal(std::string_view nonce, std::string_view text, std::string_view owner) const;

  /// The text of what seal() gave; nothing unless nonce, owner, key and every byte are the same. What was decrypted
  /// before the tag showed a change is wiped.
  std::optional<std::string> open(std::string_view nonce, std::string_view sealed, std::string_view owner) const;

 private:
  struct Free {
    void operator()(evp_cipher_ctx_st* context) const;
  };
  bool begin(std::string_view nonce, std::string_view owner, int encrypt) const;

  Secret key_;
  std::unique_ptr<evp_cipher_ctx_st, Free> context_;
};

}  // namespace portolan::base
