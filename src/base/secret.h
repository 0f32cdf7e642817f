// SPDX-License-Identifier: Apache-2.0
// A secret in memory: a secret access key, a master key, the text of an API key while it is made.
//
// It cannot be printed, streamed or formatted, compares in constant time, and its bytes are overwritten before
// their memory is given back (OPENSSL_cleanse, which no optimiser removes). Whoever needs the bytes calls reveal():
// the word to search for in a review. Wiping keeps a secret out of memory that is used again; what keeps live
// memory out of a core dump is world/core_dumps.h. A value: copies are independent, each wiped by itself. Not
// synchronised.
#pragma once

#include <cstddef>
#include <iosfwd>
#include <memory>
#include <string>
#include <string_view>

namespace portolan::base {

class Secret {
 public:
  Secret() = default;
  /// Copies the bytes; the source stays the caller's to wipe.
  explicit Secret(std::string_view bytes);
  /// Copies the bytes and wipes the source.
  static Secret taken_from(std::string& text);
  ~Secret() { clear(); }

  Secret(const Secret& other) : Secret(other.reveal()) {}
  Secret& operator=(const Secret& other);
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;

  /// Valid until this Secret is changed or gone.
  std::string_view reveal() const { return {bytes_.get(), size_}; }
  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }

  /// Takes the same time wherever they differ.
  friend bool operator==(const Secret& a, const Secret& b);
  friend std::ostream& operator<<(std::ostream&, const Secret&) = delete;

 private:
  void clear();

  std::unique_ptr<char[]> bytes_;
  std::size_t size_ = 0;
};

/// Overwrites the whole buffer of `text`, then empties it. For texts that held a secret on their way.
void wipe(std::string& text);

}  // namespace portolan::base
