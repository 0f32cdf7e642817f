// SPDX-License-Identifier: Apache-2.0
// Server-sent events: the same events however the bytes are cut, within bounds, and what is written is read back.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "wire/sse.h"

namespace {

using namespace portolan;

constexpr std::size_t event_bytes_max = 256;

struct Outcome {
  std::vector<std::pair<std::string, std::string>> events;
  bool refused = false;
  bool operator==(const Outcome&) const = default;
};

Outcome read(std::string_view bytes, std::size_t piece_bytes, std::size_t bound = event_bytes_max) {
  Outcome outcome;
  wire::SseReader reader(bound);
  while (!bytes.empty()) {
    std::string_view piece = bytes.substr(0, piece_bytes);
    bytes.remove_prefix(piece.size());
    while (!piece.empty()) {
      const std::size_t before = piece.size();
      const auto complete = reader.next(piece);
      if (!complete) {
        outcome.refused = true;
        return outcome;
      }
      CHECK(piece.size() < before);
      if (!*complete) continue;
      CHECK(reader.data().size() <= bound && reader.event().size() <= bound);
      outcome.events.emplace_back(reader.event(), reader.data());
    }
  }
  return outcome;
}

/// What a reader gives for `data`: every line end became LF.
std::string with_line_feeds(std::string_view data) {
  std::string out;
  for (std::size_t i = 0; i < data.size(); ++i) {
    if (data[i] == '\n' && i > 0 && data[i - 1] == '\r') continue;
    out += data[i] == '\r' ? '\n' : data[i];
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = base::as_text({data, size});
  const Outcome whole = read(bytes, bytes.size());
  CHECK(whole == read(bytes, 1));
  CHECK(whole == read(bytes, 7));

  std::string out;
  wire::append_sse(out, bytes);
  const Outcome round_trip = read(out, 5, 64 + 8 * size);
  CHECK(!round_trip.refused && round_trip.events.size() == 1);
  CHECK(round_trip.events[0].second == with_line_feeds(bytes));
  return 0;
}
