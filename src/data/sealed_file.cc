// SPDX-License-Identifier: Apache-2.0
#include "data/sealed_file.h"

#include <algorithm>
#include <openssl/evp.h>
#include <optional>

#include "base/aes_gcm.h"
#include "base/bytes.h"
#include "trail/segment.h"

namespace portolan::data {
namespace {

constexpr std::string_view magic = "PORTOBAK";
constexpr std::size_t header_size = 8 + 4 + 4 + 16;
constexpr std::size_t chunk_bytes = 1 << 20;
constexpr std::size_t tag_bytes = base::AesGcm::tag_bytes;
// A header that asks for more would take gigabytes before the first byte is authenticated.
constexpr std::uint32_t log2_n_max = 18;

std::string header_of(std::uint32_t log2_n, const Salt& salt) {
  std::string header{magic};
  base::append_be32(header, sealed_format_version);
  base::append_be32(header, log2_n);
  header += base::as_text(salt);
  return header;
}

}  // namespace

/// AES-256-GCM over the chunks of one file, in order.
class ChunkCipher {
 public:
  static base::Result<std::unique_ptr<ChunkCipher>> make(std::string header, const base::Secret& passphrase,
                                                         std::uint32_t log2_n, const Salt& salt) {
    std::string key(base::AesGcm::key_bytes, '\0');
    const std::string_view words = passphrase.reveal();
    const bool derived = EVP_PBE_scrypt(words.data(), words.size(), salt.data(), salt.size(),
                                        std::uint64_t{1} << log2_n, 8, 1, std::uint64_t{1} << (log2_n + 11),
                                        reinterpret_cast<unsigned char*>(key.data()), key.size()) == 1;
    if (!derived) return base::fail(base::Code::internal, "scrypt failed");
    return std::unique_ptr<ChunkCipher>{new ChunkCipher(std::move(header), base::Secret::taken_from(key))};
  }

  /// Ciphertext and tag.
  base::Result<std::string> seal(std::string_view text, bool last) {
    auto sealed = cipher_.seal(next_nonce(last), text, header_);
    if (!sealed) return base::fail(base::Code::internal, "AES-256-GCM failed");
    return *std::move(sealed);
  }

  /// Nothing when it was not sealed so.
  std::optional<std::string> open(std::string_view sealed, bool last) {
    return cipher_.open(next_nonce(last), sealed, header_);
  }

 private:
  ChunkCipher(std::string header, base::Secret key) : header_(std::move(header)), cipher_(std::move(key)) {}

  /// Which chunk, and whether the last: chunks can be neither exchanged nor left out at the end.
  std::string next_nonce(bool last) {
    std::string nonce(base::AesGcm::nonce_bytes - 5, '\0');
    base::append_be32(nonce, chunk_++);
    nonce += last ? '\1' : '\0';
    return nonce;
  }

  std::string header_;
  base::AesGcm cipher_;
  std::uint32_t chunk_ = 0;  // 2^32 of them are 4 PiB
};

SealedWriter::~SealedWriter() = default;
SealedReader::~SealedReader() = default;

base::Result<std::unique_ptr<SealedWriter>> SealedWriter::create(world::Disk& disk, const std::string& path,
                                                                 const base::Secret& passphrase, const Salt& salt,
                                                                 std::uint32_t log2_n) {
  std::unique_ptr<SealedWriter> writer{new SealedWriter};
  TRY(writer->file_, disk.open(path));
  TRY_VOID(writer->file_->truncate(0));
  std::string header = header_of(log2_n, salt);
  TRY_VOID(writer->file_->append(header));
  TRY(writer->cipher_, ChunkCipher::make(std::move(header), passphrase, log2_n, salt));
  return writer;
}

base::Result<void> SealedWriter::write(std::string_view bytes) {
  while (!bytes.empty()) {
    // Written only when more comes: which chunk is the last is known then.
    if (text_.size() == chunk_bytes) TRY_VOID(write_chunk(false));
    const std::size_t piece = std::min(bytes.size(), chunk_bytes - text_.size());
    text_ += bytes.substr(0, piece);
    bytes.remove_prefix(piece);
  }
  return {};
}

base::Result<void> SealedWriter::write_chunk(bool last) {
  TRY(const std::string sealed, cipher_->seal(text_, last));
  text_.clear();
  return file_->append(sealed);
}

base::Result<void> SealedWriter::finish() {
  TRY_VOID(write_chunk(true));
  return file_->sync();
}

base::Error SealedReader::refusal() const {
  return base::error(base::Code::corrupt,
                     path_ +
                         ": does not open: the key is not the one that it was made with, or the file was damaged "
                         "or cut; try the right key, or another backup");
}

base::Result<std::unique_ptr<SealedReader>> SealedReader::open(world::Disk& disk, std::string path,
                                                               const base::Secret& passphrase) {
  std::unique_ptr<SealedReader> reader{new SealedReader};
  reader->path_ = std::move(path);
  TRY(reader->file_, disk.open_existing(reader->path_));
  TRY(reader->size_, reader->file_->size());
  TRY(std::string header, reader->file_->read(0, header_size));
  if (header.size() != header_size || !header.starts_with(magic))
    return base::fail(base::Code::corrupt, reader->path_ + ": is not a backup of Portolan");
  const std::uint32_t version = base::get_be32(base::as_bytes(header).data() + 8);
  if (version > sealed_format_version)
    return base::fail(trail::newer_format(reader->path_, version, sealed_format_version));
  const std::uint32_t log2_n = base::get_be32(base::as_bytes(header).data() + 12);
  if (version == 0 || log2_n == 0 || log2_n > log2_n_max) return base::fail(reader->refusal());
  Salt salt;
  std::ranges::copy(base::as_bytes(header).subspan(16), salt.begin());
  reader->offset_ = header_size;
  TRY(reader->cipher_, ChunkCipher::make(std::move(header), passphrase, log2_n, salt));
  return reader;
}

base::Result<void> SealedReader::read_chunk() {
  if (last_read_) return base::fail(refusal());
  constexpr std::size_t sealed_bytes = chunk_bytes + tag_bytes;
  TRY(std::string sealed, file_->read(offset_, sealed_bytes));
  offset_ += sealed.size();
  last_read_ = offset_ == size_;
  const auto text = cipher_->open(sealed, last_read_);
  if (!text) return base::fail(refusal());
  text_.erase(0, taken_);
  taken_ = 0;
  text_ += *text;
  return {};
}

base::Result<std::string_view> SealedReader::read(std::size_t size) {
  while (text_.size() - taken_ < size) TRY_VOID(read_chunk());
  const std::string_view bytes = std::string_view{text_}.substr(taken_, size);
  taken_ += size;
  return bytes;
}

base::Result<bool> SealedReader::at_end() {
  while (taken_ == text_.size() && !last_read_) TRY_VOID(read_chunk());
  return taken_ == text_.size();
}

}  // namespace portolan::data
