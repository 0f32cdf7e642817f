// SPDX-License-Identifier: Apache-2.0
#include "base/secret.h"

#include <cstring>
#include <openssl/crypto.h>
#include <utility>

#include "base/bytes.h"

namespace portolan::base {

Secret::Secret(std::string_view bytes) : bytes_(new char[bytes.size()]), size_(bytes.size()) {
  if (!bytes.empty()) std::memcpy(bytes_.get(), bytes.data(), bytes.size());
}

Secret Secret::taken_from(std::string& text) {
  Secret secret{text};
  wipe(text);
  return secret;
}

Secret& Secret::operator=(const Secret& other) {
  if (this != &other) *this = Secret{other};
  return *this;
}

Secret::Secret(Secret&& other) noexcept
    : bytes_(std::move(other.bytes_)), size_(std::exchange(other.size_, std::size_t{0})) {}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this == &other) return *this;
  clear();
  bytes_ = std::move(other.bytes_);
  size_ = std::exchange(other.size_, std::size_t{0});
  return *this;
}

void Secret::clear() {
  if (size_ != 0) OPENSSL_cleanse(bytes_.get(), size_);
  bytes_.reset();
  size_ = 0;
}

bool operator==(const Secret& a, const Secret& b) {
  return equal_constant_time(a.reveal(), b.reveal());
}

void wipe(std::string& text) {
  // What was erased from the end is still in the buffer.
  text.resize(text.capacity());
  OPENSSL_cleanse(text.data(), text.size());
  text.clear();
}

}  // namespace portolan::base
