// SPDX-License-Identifier: Apache-2.0
// SHA-256 and HMAC-SHA256 over OpenSSL's low-level block function: no allocation and no provider look-up, which
// cost more than the hash itself at the sizes of a request head (0.5 µs against 1.5 µs for 140 bytes). Values are
// plain and copyable; a half-finished hash can be kept and continued, which is how signing keys are cached.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace portolan::base {

using Digest = std::array<std::uint8_t, 32>;

class Sha256 {
 public:
  Sha256();
  void update(std::string_view bytes);
  /// The digest of all that was updated. The object must not be updated afterwards.
  Digest finish();

 private:
  std::array<std::uint32_t, 28> state_;  // a SHA256_CTX; its size is checked in the .cc
};

Digest sha256(std::string_view bytes);
std::string to_hex(const Digest& digest);

/// An HMAC key whose two padded blocks are already hashed. Copy it, or call mac() many times. As good as the key it
/// was made of, so each copy is wiped when it goes.
class HmacKey {
 public:
  explicit HmacKey(std::string_view key);
  ~HmacKey();
  HmacKey(const HmacKey&) = default;
  HmacKey& operator=(const HmacKey&) = default;
  Digest mac(std::string_view message) const;

 private:
  Sha256 inner_;
  Sha256 outer_;
};

}  // namespace portolan::base
