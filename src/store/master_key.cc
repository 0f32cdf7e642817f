// SPDX-License-Identifier: Apache-2.0
#include "store/master_key.h"

#include <array>
#include <memory>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/bytes.h"
#include "base/sha256.h"

namespace portolan::store {
namespace {

using base::Code;
using base::Result;
using base::Secret;

// NIST SP 800-38D: 96-bit nonces, and with random ones at most 2^32 of them under one key. A store holds thousands.
constexpr std::size_t key_bytes = 32;
constexpr std::size_t nonce_bytes = 12;
constexpr std::size_t tag_bytes = 16;

struct FreeContext {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

const unsigned char* in(std::string_view bytes) {
  return base::as_bytes(bytes).data();
}
unsigned char* out(char* bytes) {
  return reinterpret_cast<unsigned char*>(bytes);
}

/// One pass of AES-256-GCM, `owner` as additional data. False when OpenSSL refuses any step.
bool begin(EVP_CIPHER_CTX* context, const Secret& key, std::string_view nonce, std::string_view owner,
           int encrypt) {
  int size = 0;
  return context != nullptr &&
         EVP_CipherInit_ex(context, EVP_aes_256_gcm(), nullptr, in(key.reveal()), in(nonce), encrypt) == 1 &&
         EVP_CipherUpdate(context, nullptr, &size, in(owner), static_cast<int>(owner.size())) == 1;
}

std::string random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  return RAND_bytes(out(bytes.data()), static_cast<int>(count)) == 1 ? bytes : "";
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
  std::string sealed = nonce;
  sealed.resize(nonce_bytes + secret.size() + tag_bytes);
  unsigned char* text = out(sealed.data()) + nonce_bytes;
  unsigned char* tag = text + secret.size();
  const Context context{EVP_CIPHER_CTX_new()};
  int size = 0;
  const bool done =
      begin(context.get(), key_, nonce, owner, 1) &&
      EVP_CipherUpdate(context.get(), text, &size, in(secret.reveal()), static_cast<int>(secret.size())) == 1 &&
      EVP_CipherFinal_ex(context.get(), text + size, &size) == 1 &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, tag_bytes, tag) == 1;
  if (!done) return base::fail(Code::internal, "OpenSSL refuses to seal a secret");
  return sealed;
}

Result<Secret> MasterKey::open(std::string_view sealed, std::string_view owner) const {
  const auto refused =
      base::fail(Code::corrupt,
                 "a sealed secret does not open: it was sealed under another master key, belongs to "
                 "another key, or was changed");
  if (sealed.size() < nonce_bytes + tag_bytes) return refused;
  const std::string_view nonce = sealed.substr(0, nonce_bytes);
  const std::string_view text = sealed.substr(nonce_bytes, sealed.size() - nonce_bytes - tag_bytes);
  std::string tag{sealed.substr(sealed.size() - tag_bytes)};
  std::string plain(text.size(), '\0');
  const Context context{EVP_CIPHER_CTX_new()};
  int size = 0;
  int rest = 0;
  const bool authentic =
      begin(context.get(), key_, nonce, owner, 0) &&
      EVP_CipherUpdate(context.get(), out(plain.data()), &size, in(text), static_cast<int>(text.size())) == 1 &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, tag_bytes, tag.data()) == 1 &&
      EVP_CipherFinal_ex(context.get(), out(plain.data()) + size, &rest) == 1;
  Secret secret = Secret::taken_from(plain);
  if (!authentic) return refused;
  return secret;
}

const MasterKey* MasterKeys::find(std::string_view id) const {
  if (current.id() == id) return &current;
  return previous && previous->id() == id ? &*previous : nullptr;
}

}  // namespace portolan::store
