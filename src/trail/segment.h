// SPDX-License-Identifier: Apache-2.0
// The bytes of a segment file: a header, then frames, one for each record. Integers are big endian.
//
//   header   8 bytes "PORTOLAN" · u32 format version · u32 segment number · u32 CRC of these 16 bytes
//   frame    u32 length of the record · u32 group start · u32 CRC over both and the record · the record
//
// The group start is the offset at which the frame's group (trail.h) begins. A group is written only after
// everything before it was synced, so a whole frame is also a witness: when it was written, all bytes before its
// group start were on stable storage. That tells a torn end, which recovery may cut off, from damage to records
// that were reported durable, which it must not.
//
// Nothing but zeros after the last frame of the last segment is a clean end too: a writer may reserve space ahead
// of itself (trail_recovery.cc says why that is sound). A segment that is followed by another has no such tail.
//
// The CRC is CRC-32C (Castagnoli), which current processors compute in hardware: a third of the time of zlib's
// CRC-32.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "world/disk.h"

namespace portolan::trail {

inline constexpr std::uint32_t format_version = 1;
inline constexpr std::size_t header_bytes = 20;
inline constexpr std::size_t frame_head_bytes = 12;
/// The longest record: some twenty texts of 1 KiB whose every byte needs an escape of six, with room to spare.
inline constexpr std::size_t record_bytes_max = 512 * 1024;

/// "trail-00000007.seg".
std::string segment_name(std::uint32_t number);
/// The number in such a name; nothing for any other name.
std::optional<std::uint32_t> segment_number(std::string_view name);

void append_header(std::string& out, std::uint32_t number);
/// `record` has 1 to record_bytes_max bytes. Returns the frame's CRC.
std::uint32_t append_frame(std::string& out, std::string_view record, std::uint32_t group_start);

/// CRC-32C (RFC 3720, appendix B.4). `seed` continues an earlier value.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t seed = 0);

/// Code::corrupt: what is wrong, where, and what the operator can do.
base::Error damaged(std::string_view path, std::uint64_t offset, std::string_view what);
/// Code::disk: a file or directory that a later Portolan wrote. Nothing in it is looked at or touched.
base::Error newer_format(std::string_view path, std::uint32_t found, std::uint32_t newest_understood);

/// One frame, whole and with the right CRC. `record` is valid until the reader moves.
struct Frame {
  std::uint64_t offset = 0;
  std::uint64_t group_start = 0;
  std::uint32_t crc = 0;
  std::string_view record;
  std::uint64_t end() const { return offset + frame_head_bytes + record.size(); }
};

/// Walks one segment forward. Looks at nothing beyond `size`, so that a segment that grows meanwhile reads as it
/// was. Memory: one window of `window_bytes`, or one frame if that is larger. One thread. Every error is Code::disk
/// from the file.
class SegmentReader {
 public:
  /// `path` is for messages. The file must outlive the reader. A reader that looks at two places only asks for a
  /// small window.
  SegmentReader(world::File& file, std::string path, std::uint64_t size, std::size_t window_bytes = 1 << 20)
      : file_(file), path_(std::move(path)), size_(size), window_bytes_(window_bytes) {}

  enum class Header : std::uint8_t { valid, invalid, newer_version, other_number };
  /// Reads the header; call first.
  base::Result<Header> header(std::uint32_t expected_number);
  /// The error that such a header is, when it is not valid.
  base::Error refusal(Header header) const;
  /// The next frame; nothing at the end of the file or where no whole frame begins.
  base::Result<std::optional<Frame>> next();
  /// Continues at `offset`, where a frame begins whose group starts at or after `group_start`.
  void seek(std::uint64_t offset, std::uint64_t group_start = header_bytes);
  /// Where the next frame begins or should begin.
  std::uint64_t offset() const { return offset_; }
  bool at_end() const { return offset_ == size_; }
  /// After next() found nothing before the end: whether a frame further on bears witness that the bytes here were
  /// on stable storage once. True means damage; false a torn end. A reader of a segment that is being written asks
  /// next() once more after look_again(): in space reserved ahead, later frames may have come since it looked here.
  base::Result<bool> was_durable();
  /// Whether nothing but zeros follows: true at the end too.
  base::Result<bool> only_zeros_follow();
  /// Forgets what was read, so that what is read next is read anew from the file.
  void look_again() { window_.clear(); }

 private:
  base::Result<std::string_view> view(std::uint64_t offset, std::size_t size);
  base::Result<std::optional<Frame>> frame_at(std::uint64_t offset, std::uint64_t group_start_min);

  world::File& file_;
  std::string path_;
  std::uint64_t size_;
  std::size_t window_bytes_;
  std::uint32_t version_ = 0;
  std::uint64_t offset_ = 0;
  std::uint64_t group_start_ = header_bytes;
  std::string window_;
  std::uint64_t window_offset_ = 0;
};

}  // namespace portolan::trail
