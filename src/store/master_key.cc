// SPDX-License-Identifier: Apache-2.0
#include "store/master_key.h"

#include <openssl/rand.h>
#include <optional>

#include "base/aes_gcm.h"
#include "base/bytes.h"
#include "base/sha256.h"

namespace portolan::store {
namespace {

using base::Code;
using base::Result;
using base::Secret;

// NIST SP 800-38D: with random nonces at most 2^32 of them under one key. A store holds thousands.
constexpr std::size_t key_bytes = base::AesGcm::key_bytes;
constexpr std::size_t nonce_bytes = base::AesGcm::nonce_bytes;

std::string random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  return RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(count)) == 1 ? bytes : "";
}

}  // namespace

MasterKey::MasterKey(Secret key) : key_(std::move(key)) {
  base::Sha256 hash;
  hash.update("portolan master key id\n");
  hash.update(key_.reveal());
  id_ = "mk-" + base::to_hex(hash.finish()).substr(0, 12);
}

Result<MasterKey> MasterKey::read(const Secret& base64) {
  std::string bytes;
  bytes.reserve(base64.size());
  const bool readable = base::from_base64(base64.reveal(), bytes);
  Secret key = Secret::taken_from(bytes);
  if (!readable || key.size() != key_bytes)
    return base::fail(Code::config_invalid,
                      "a master key is 32 random bytes in base64 (44 characters); `portolan key init` makes one");
  return MasterKey{std::move(key)};
}

Result<Secret> MasterKey::make() {
  std::string bytes = random_bytes(key_bytes);
  if (bytes.empty()) return base::fail(Code::internal, "there is no randomness for a master key");
  std::string text = base::to_base64(base::as_bytes(bytes));
  base::wipe(bytes);
  return Secret::taken_from(text);
}

Result<std::string> MasterKey::seal(const Secret& secret, std::string_view owner) const {
  const std::string nonce = random_bytes(nonce_bytes);
  if (nonce.empty()) return base::fail(Code::internal, "there is no randomness to seal a secret with");
  const auto sealed = base::AesGcm{key_}.seal(nonce, secret.reveal(), owner);
  if (!sealed) return base::fail(Code::internal, "OpenSSL refuses to seal a secret");
  return nonce + *sealed;
}

Result<Secret> MasterKey::open(std::string_view sealed, std::string_view owner) const {
  std::optional<std::string> text;
  if (sealed.size() >= nonce_bytes)
    text = base::AesGcm{key_}.open(sealed.substr(0, nonce_bytes), sealed.substr(nonce_bytes), owner);
  if (!text)
    return base::fail(Code::corrupt,
                      "a sealed secret does not open: it was sealed under another master key, belongs to "
                      "another key, or was changed");
  return Secret::taken_from(*text);
}

const MasterKey* MasterKeys::find(std::string_view id) const {
  if (current.id() == id) return &current;
  return previous && previous->id() == id ? &*previous : nullptr;
}

}  // namespace portolan::store
