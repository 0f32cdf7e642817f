// SPDX-License-Identifier: Apache-2.0
// A file that only the holder of a passphrase can read, change or cut without it being noticed.
//
//   header   8 bytes "PORTOBAK" · u32 format version · u32 log2 of scrypt's N · 16 bytes salt     (big endian)
//   chunks   1 MiB of text each, the last one shorter or equal: AES-256-GCM ciphertext and its 16-byte tag
//
// The key is scrypt(passphrase, salt), N from the header, r 8, p 1 (RFC 7914). The salt is drawn anew for each
// file, so no key serves twice, and the nonce may count: 7 zero bytes, u32 number of the chunk, 1 byte that is 1
// for the last chunk. This is the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár, "Online
// Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance", 2015): a chunk that is changed, moved or missing
// does not open, and neither does a file that was cut where a chunk ends, for its last chunk does not say that it
// is the last. The header is authenticated with each chunk.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"
#include "world/disk.h"

namespace portolan::data {

inline constexpr std::uint32_t sealed_format_version = 1;
using Salt = std::array<std::uint8_t, 16>;

class ChunkCipher;

/// Writes one. Nothing is readable before finish() has returned. One thread.
class SealedWriter {
 public:
  /// `salt` is random and never used again. `log2_n`: 15 takes 32 MiB and some 50 ms, for us as for who guesses.
  static base::Result<std::unique_ptr<SealedWriter>> create(world::Disk& disk, const std::string& path,
                                                            const base::Secret& passphrase, const Salt& salt,
                                                            std::uint32_t log2_n = 15);
  ~SealedWriter();
  base::Result<void> write(std::string_view bytes);
  /// Writes the last chunk and syncs.
  base::Result<void> finish();

 private:
  SealedWriter() = default;
  base::Result<void> write_chunk(bool last);

  std::unique_ptr<world::File> file_;
  std::unique_ptr<ChunkCipher> cipher_;
  std::string text_;  // of the chunk in the making
};

/// Reads one. Whatever it gives was authenticated. One thread.
class SealedReader {
 public:
  /// Code::disk; Code::corrupt when it is no such file.
  static base::Result<std::unique_ptr<SealedReader>> open(world::Disk& disk, std::string path,
                                                          const base::Secret& passphrase);
  ~SealedReader();
  /// Exactly `size` bytes, at most 1 MiB, valid until the next call. Code::corrupt, naming the file, when they are
  /// not there or the passphrase, the file or its length is not what it was.
  base::Result<std::string_view> read(std::size_t size);
  /// Whether all was read. Code::corrupt as for read().
  base::Result<bool> at_end();

 private:
  SealedReader() = default;
  base::Result<void> read_chunk();
  base::Error refusal() const;

  std::string path_;
  std::unique_ptr<world::File> file_;
  std::unique_ptr<ChunkCipher> cipher_;
  std::uint64_t size_ = 0;
  std::uint64_t offset_ = 0;  // of the next chunk
  bool last_read_ = false;
  std::string text_;  // opened and not yet taken
  std::size_t taken_ = 0;
};

}  // namespace portolan::data
