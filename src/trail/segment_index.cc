// SPDX-License-Identifier: Apache-2.0
#include "trail/segment_index.h"

#include <algorithm>

#include "base/bytes.h"

namespace portolan::trail {
namespace {

constexpr std::string_view index_magic = "PORTOIDX";
constexpr std::size_t index_bytes_size = 8 + 4 + 4 + 8 + 8 + 8 + 4 + 8 + 8 + 4;
// A frame's head and a usual record.
constexpr std::size_t last_frame_window_bytes = 4096;

/// Takes integers from the front of a text that is long enough.
class Taker {
 public:
  explicit Taker(std::string_view bytes) : bytes_(bytes) {}
  std::uint32_t be32() {
    const std::uint32_t value = base::get_be32(base::as_bytes(bytes_).data());
    bytes_.remove_prefix(4);
    return value;
  }
  std::uint64_t be64() {
    const std::uint64_t high = be32();
    return high << 32 | be32();
  }

 private:
  std::string_view bytes_;
};

}  // namespace

std::string index_name(std::uint32_t number) {
  std::string name = segment_name(number);
  name.replace(name.size() - 4, 4, ".idx");
  return name;
}

// The quotes before and behind the name cannot stand in a text, where a quote is escaped; and a record names its
// eventTime once, at the top.
std::optional<std::int64_t> event_second(std::string_view record) {
  constexpr std::string_view lead = ",\"eventTime\":\"";
  const std::size_t found = record.find(lead);
  if (found == record.npos) return std::nullopt;
  const std::string_view rest = record.substr(found + lead.size());
  base::WallTime at{};
  if (!base::parse_time(rest.substr(0, rest.find('"')), at)) return std::nullopt;
  return std::chrono::floor<base::seconds>(at).time_since_epoch().count();
}

void SegmentIndex::add(const Frame& frame) {
  segment_bytes = frame.end();
  ++records;
  last_frame = frame.offset;
  last_frame_crc = frame.crc;
  if (const auto second = event_second(frame.record)) {
    earliest = std::min(earliest, *second);
    latest = std::max(latest, *second);
  }
}

bool SegmentIndex::meets(std::optional<base::WallTime> from, std::optional<base::WallTime> until) const {
  if (!from && !until) return true;
  if (earliest > latest) return false;
  const auto at = [](std::int64_t second) { return base::WallTime{base::seconds{second}}; };
  return (!from || at(latest) >= std::chrono::floor<base::seconds>(*from)) && (!until || at(earliest) < *until);
}

std::string index_bytes(const SegmentIndex& index, std::uint32_t number) {
  std::string out{index_magic};
  base::append_be32(out, index_format_version);
  base::append_be32(out, number);
  base::append_be64(out, index.segment_bytes);
  base::append_be64(out, index.records);
  base::append_be64(out, index.last_frame);
  base::append_be32(out, index.last_frame_crc);
  base::append_be64(out, static_cast<std::uint64_t>(index.earliest));
  base::append_be64(out, static_cast<std::uint64_t>(index.latest));
  base::append_be32(out, crc32c(out));
  return out;
}

std::optional<SegmentIndex> parse_index(std::string_view bytes, std::uint32_t number) {
  if (bytes.size() != index_bytes_size || !bytes.starts_with(index_magic)) return std::nullopt;
  if (Taker(bytes.substr(index_bytes_size - 4)).be32() != crc32c(bytes.substr(0, index_bytes_size - 4)))
    return std::nullopt;
  Taker taker(bytes.substr(index_magic.size()));
  if (taker.be32() != index_format_version) return std::nullopt;
  if (taker.be32() != number) return std::nullopt;
  SegmentIndex index;
  index.segment_bytes = taker.be64();
  index.records = taker.be64();
  index.last_frame = taker.be64();
  index.last_frame_crc = taker.be32();
  index.earliest = static_cast<std::int64_t>(taker.be64());
  index.latest = static_cast<std::int64_t>(taker.be64());
  return index;
}

base::Result<void> write_index(world::Disk& disk, const std::string& directory, std::uint32_t number,
                               const SegmentIndex& index) {
  TRY(const std::unique_ptr<world::File> file, disk.open(directory + "/" + index_name(number)));
  TRY_VOID(file->truncate(0));
  return file->append(index_bytes(index, number));
}

base::Result<std::optional<SegmentIndex>> read_index(world::Disk& disk, const std::string& directory,
                                                     std::uint32_t number, world::File& segment,
                                                     std::uint64_t segment_bytes) {
  const auto file = disk.open_existing(directory + "/" + index_name(number));
  if (!file) return std::nullopt;
  const auto bytes = (*file)->read(0, index_bytes_size + 1);
  if (!bytes) return std::nullopt;
  const std::optional<SegmentIndex> index = parse_index(*bytes, number);
  if (!index || index->segment_bytes != segment_bytes) return std::nullopt;
  if (index->records == 0) return segment_bytes == header_bytes ? index : std::nullopt;
  if (index->last_frame < header_bytes || index->last_frame >= segment_bytes) return std::nullopt;
  SegmentReader reader(segment, segment_name(number), segment_bytes, last_frame_window_bytes);
  reader.seek(index->last_frame);
  TRY(const std::optional<Frame> frame, reader.next());
  if (!frame || !reader.at_end() || frame->crc != index->last_frame_crc) return std::nullopt;
  return index;
}

}  // namespace portolan::trail
