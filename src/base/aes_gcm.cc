// SPDX-License-Identifier: Apache-2.0
#include "base/aes_gcm.h"

#include <openssl/evp.h>

#include "base/bytes.h"
#include "base/check.h"

namespace portolan::base {
namespace {

const unsigned char* in(std::string_view bytes) {
  return as_bytes(bytes).data();
}
unsigned char* out(std::string& bytes, std::size_t at = 0) {
  return reinterpret_cast<unsigned char*>(bytes.data()) + at;
}

}  // namespace

void AesGcm::Free::operator()(evp_cipher_ctx_st* context) const {
  EVP_CIPHER_CTX_free(context);
}

AesGcm::AesGcm(Secret key) : key_(std::move(key)), context_(EVP_CIPHER_CTX_new()) {
  CHECK(key_.size() == key_bytes);
}

bool AesGcm::begin(std::string_view nonce, std::string_view owner, int encrypt) const {
  CHECK(nonce.size() == nonce_bytes);
  int size = 0;
  return context_ != nullptr &&
         EVP_CipherInit_ex(context_.get(), EVP_aes_256_gcm(), nullptr, in(key_.reveal()), in(nonce), encrypt) ==
             1 &&
         EVP_CipherUpdate(context_.get(), nullptr, &size, in(owner), static_cast<int>(owner.size())) == 1;
}

std::optional<std::string> AesGcm::seal(std::string_view nonce, std::string_view text,
                                        std::string_view owner) const {
  std::string sealed(text.size() + tag_bytes, '\0');
  int size = 0;
  const bool done =
      begin(nonce, owner, 1) &&
      EVP_CipherUpdate(context_.get(), out(sealed), &size, in(text), static_cast<int>(text.size())) == 1 &&
      EVP_CipherFinal_ex(context_.get(), out(sealed, text.size()), &size) == 1 &&
      EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_GET_TAG, tag_bytes, out(sealed, text.size())) == 1;
  if (!done) return std::nullopt;
  return sealed;
}

std::optional<std::string> AesGcm::open(std::string_view nonce, std::string_view sealed,
                                        std::string_view owner) const {
  if (sealed.size() < tag_bytes) return std::nullopt;
  const std::string_view text = sealed.substr(0, sealed.size() - tag_bytes);
  std::string tag{sealed.substr(text.size())};
  std::string plain(text.size(), '\0');
  unsigned char none = 0;
  int size = 0;
  const bool authentic = begin(nonce, owner, 0) &&
                         EVP_CipherUpdate(context_.get(), plain.empty() ? &none : out(plain), &size, in(text),
                                          static_cast<int>(text.size())) == 1 &&
                         EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_SET_TAG, tag_bytes, out(tag)) == 1 &&
                         EVP_CipherFinal_ex(context_.get(), &none, &size) == 1;
  if (authentic) return plain;
  wipe(plain);
  return std::nullopt;
}

}  // namespace portolan::base
