// SPDX-License-Identifier: Apache-2.0
// OpenSSL 3 marks SHA256_Init and its siblings deprecated in favour of EVP; they are still the same assembly, and
// EVP fetches an implementation under a lock at each use.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "base/sha256.h"

#include <cstring>
#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "base/bytes.h"

namespace portolan::base {

static_assert(sizeof(SHA256_CTX) == sizeof(std::array<std::uint32_t, 28>));

namespace {
SHA256_CTX* context(std::array<std::uint32_t, 28>& state) {
  return reinterpret_cast<SHA256_CTX*>(state.data());
}
}  // namespace

Sha256::Sha256() {
  SHA256_Init(context(state_));
}

void Sha256::update(std::string_view bytes) {
  SHA256_Update(context(state_), bytes.data(), bytes.size());
}

Digest Sha256::finish() {
  Digest digest;
  SHA256_Final(digest.data(), context(state_));
  return digest;
}

Digest sha256(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

std::string to_hex(const Digest& digest) {
  return to_hex(Bytes{digest.data(), digest.size()});
}

HmacKey::HmacKey(std::string_view key) {
  std::array<char, 64> block{};
  if (key.size() > block.size()) {
    const Digest digest = sha256(key);
    std::memcpy(block.data(), digest.data(), digest.size());
  } else if (!key.empty()) {
    std::memcpy(block.data(), key.data(), key.size());
  }
  for (char& c : block) c = static_cast<char>(c ^ 0x36);
  inner_.update({block.data(), block.size()});
  for (char& c : block) c = static_cast<char>(c ^ 0x36 ^ 0x5c);
  outer_.update({block.data(), block.size()});
  OPENSSL_cleanse(block.data(), block.size());  // a plain fill may be optimised away
}

HmacKey::~HmacKey() {
  OPENSSL_cleanse(&inner_, sizeof inner_);
  OPENSSL_cleanse(&outer_, sizeof outer_);
}

Digest HmacKey::mac(std::string_view message) const {
  Sha256 inner = inner_;
  inner.update(message);
  const Digest inner_digest = inner.finish();
  Sha256 outer = outer_;
  outer.update(as_text(Bytes{inner_digest.data(), inner_digest.size()}));
  return outer.finish();
}

}  // namespace portolan::base
