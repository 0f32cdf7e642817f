// SPDX-License-Identifier: Apache-2.0
#include "trail/segment.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <fmt/format.h>

#include "base/bytes.h"
#include "base/check.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace portolan::trail {
namespace {

constexpr std::string_view magic = "PORTOLAN";
constexpr std::string_view name_prefix = "trail-";
constexpr std::string_view name_suffix = ".seg";
constexpr std::size_t name_digits = 8;

std::uint32_t be32(std::string_view bytes, std::size_t at) {
  return base::get_be32(base::as_bytes(bytes).data() + at);
}

constexpr auto castagnoli = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0x82f63b78u : 0u);
    table[i] = value;
  }
  return table;
}();

std::uint32_t crc32c_by_table(std::string_view bytes, std::uint32_t state) {
  for (const char c : bytes) state = castagnoli[(state ^ static_cast<unsigned char>(c)) & 0xff] ^ (state >> 8);
  return state;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t crc32c_by_processor(std::string_view bytes, std::uint32_t state) {
  std::uint64_t wide = state;
  for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data(), sizeof word);
    wide = _mm_crc32_u64(wide, word);
  }
  state = static_cast<std::uint32_t>(wide);
  for (const char c : bytes) state = _mm_crc32_u8(state, static_cast<unsigned char>(c));
  return state;
}
#endif

std::uint32_t frame_crc(std::string_view lengths, std::string_view record) {
  return crc32c(record, crc32c(lengths));
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes, std::uint32_t seed) {
#if defined(__x86_64__)
  static const bool in_hardware = __builtin_cpu_supports("sse4.2") != 0;
  if (in_hardware) return ~crc32c_by_processor(bytes, ~seed);
#endif
  return ~crc32c_by_table(bytes, ~seed);
}

std::string segment_name(std::uint32_t number) {
  const std::string digits = std::to_string(number);
  std::string name{name_prefix};
  name.append(name_digits - std::min(name_digits, digits.size()), '0');
  name += digits;
  name += name_suffix;
  return name;
}

std::optional<std::uint32_t> segment_number(std::string_view name) {
  if (name.size() != name_prefix.size() + name_digits + name_suffix.size() || !name.starts_with(name_prefix) ||
      !name.ends_with(name_suffix))
    return std::nullopt;
  const std::string_view digits = name.substr(name_prefix.size(), name_digits);
  std::uint32_t number = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (failure != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

void append_header(std::string& out, std::uint32_t number) {
  const std::size_t from = out.size();
  out += magic;
  base::append_be32(out, format_version);
  base::append_be32(out, number);
  base::append_be32(out, crc32c(std::string_view{out}.substr(from)));
}

std::uint32_t append_frame(std::string& out, std::string_view record, std::uint32_t group_start) {
  CHECK(!record.empty() && record.size() <= record_bytes_max);
  const std::size_t from = out.size();
  base::append_be32(out, static_cast<std::uint32_t>(record.size()));
  base::append_be32(out, group_start);
  const std::uint32_t crc = frame_crc(std::string_view{out}.substr(from, 8), record);
  base::append_be32(out, crc);
  out += record;
  return crc;
}

base::Error damaged(std::string_view path, std::uint64_t offset, std::string_view what) {
  return base::error(base::Code::corrupt,
                     fmt::format("{}: damaged at offset {}: {}; restore the file from a copy, or move the trail's "
                                 "directory aside to begin a new trail",
                                 path, offset, what));
}

base::Error newer_format(std::string_view path, std::uint32_t found, std::uint32_t newest_understood) {
  return base::error(
      base::Code::disk,
      fmt::format("{}: this is format version {}, and {} is the newest that this Portolan understands; run the "
                  "Portolan that wrote it, or a later one, or restore a backup from before the upgrade",
                  path, found, newest_understood));
}

base::Error SegmentReader::refusal(Header header) const {
  switch (header) {
    case Header::newer_version:
      return newer_format(path_, version_, format_version);
    case Header::other_number:
      return damaged(path_, 0, "the header names another segment");
    case Header::valid:
    case Header::invalid:
      break;
  }
  return damaged(path_, 0, "this is not a segment's header");
}

base::Result<std::string_view> SegmentReader::view(std::uint64_t offset, std::size_t size) {
  if (offset < window_offset_ || offset + size > window_offset_ + window_.size()) {
    TRY(window_, file_.read(offset, std::min<std::uint64_t>(size_ - offset, std::max(size, window_bytes_))));
    window_offset_ = offset;
    // The file became shorter than it was said to be: somebody cut it while we read.
    if (window_.size() < size) return base::fail(base::Code::disk, path_ + ": became shorter while it was read");
  }
  return std::string_view{window_}.substr(offset - window_offset_, size);
}

base::Result<SegmentReader::Header> SegmentReader::header(std::uint32_t expected_number) {
  if (size_ < header_bytes) return Header::invalid;
  TRY(const std::string_view bytes, view(0, header_bytes));
  if (!bytes.starts_with(magic) || be32(bytes, 16) != crc32c(bytes.substr(0, 16))) return Header::invalid;
  version_ = be32(bytes, 8);
  if (version_ > format_version) return Header::newer_version;
  if (version_ == 0) return Header::invalid;
  if (be32(bytes, 12) != expected_number) return Header::other_number;
  seek(header_bytes);
  return Header::valid;
}

void SegmentReader::seek(std::uint64_t offset, std::uint64_t group_start) {
  offset_ = offset;
  group_start_ = group_start;
}

base::Result<std::optional<Frame>> SegmentReader::frame_at(std::uint64_t offset, std::uint64_t group_start_min) {
  if (size_ - offset <= frame_head_bytes) return std::nullopt;
  TRY(std::string_view bytes, view(offset, frame_head_bytes));
  const std::uint32_t length = be32(bytes, 0);
  const std::uint32_t group_start = be32(bytes, 4);
  if (length == 0 || length > record_bytes_max || length > size_ - offset - frame_head_bytes) return std::nullopt;
  if (group_start < group_start_min || group_start > offset) return std::nullopt;
  TRY(bytes, view(offset, frame_head_bytes + length));
  const std::string_view record = bytes.substr(frame_head_bytes);
  if (be32(bytes, 8) != frame_crc(bytes.substr(0, 8), record)) return std::nullopt;
  return Frame{.offset = offset, .group_start = group_start, .crc = be32(bytes, 8), .record = record};
}

base::Result<std::optional<Frame>> SegmentReader::next() {
  if (offset_ >= size_) return std::nullopt;
  TRY(const std::optional<Frame> frame, frame_at(offset_, group_start_));
  if (frame) seek(frame->end(), frame->group_start);
  return frame;
}

base::Result<bool> SegmentReader::only_zeros_follow() {
  std::uint64_t at = offset_;
  while (at < size_) {
    const std::size_t piece = std::min<std::uint64_t>(window_bytes_, size_ - at);
    TRY(const std::string_view bytes, view(at, piece));
    if (bytes.substr(0, piece).find_first_not_of('\0') != bytes.npos) return false;
    at += piece;
  }
  return true;
}

base::Result<bool> SegmentReader::was_durable() {
  for (std::uint64_t at = offset_ + 1; at + frame_head_bytes < size_; ++at) {
    TRY(const std::string_view head, view(at, frame_head_bytes));
    if (be32(head, 0) == 0) {  // reserved space: as far as it goes, but for a length that begins with zeros
      const std::string_view rest = std::string_view{window_}.substr(at - window_offset_);
      at += std::min(rest.find_first_not_of('\0'), rest.size()) - 4;
      continue;
    }
    TRY(const std::optional<Frame> frame, frame_at(at, offset_ + 1));
    if (frame) return true;
  }
  return false;
}

}  // namespace portolan::trail
