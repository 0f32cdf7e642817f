// SPDX-License-Identifier: Apache-2.0
// Recovery and reading over arbitrary segment files. The input's first byte says how to cut the rest into two
// files, so that closed segments are met as well as last ones.
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "base/check.h"
#include "sim/crash_disk.h"
#include "trail/lookup.h"
#include "trail/segment.h"
#include "trail/trail.h"

namespace {

using namespace portolan;

constexpr char directory[] = "d";

base::Result<std::vector<std::string>> records_in(world::Disk& disk) {
  std::vector<std::string> records;
  TRY_VOID(trail::scan(disk, directory, [&](std::string_view json) {
    records.emplace_back(json);
    return true;
  }));
  return records;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  sim::CrashDisk disk(1);
  const std::string bytes{reinterpret_cast<const char*>(data + 1), size - 1};
  const std::size_t cut = data[0] == 0 ? 0 : bytes.size() * data[0] / 256;
  if (cut != 0) disk.put("d/trail-00000001.seg", bytes.substr(0, cut));
  disk.put(cut != 0 ? "d/trail-00000002.seg" : "d/trail-00000001.seg", bytes.substr(cut));

  const auto before = records_in(disk);
  static_cast<void>(trail::lookup(disk, directory, {.tenant = "t"}));
  {
    auto opened = trail::Trail::open({.directory = directory, .writer_thread = false}, disk, [](auto) {});
    // Recovery and reading agree on what is damage, and on what is a record.
    CHECK(opened.has_value() == before.has_value());
    if (!opened) return 0;
    CHECK((*opened)->recovery().records == before->size());
    trail::Entry entry;
    entry.json = "{}";
    CHECK((*opened)->append(&entry));
    (*opened)->flush();
    CHECK(!entry.failed);
  }
  // What was recovered can be appended to, read, and opened again with nothing to drop.
  const auto after = records_in(disk);
  CHECK(after && after->size() == before->size() + 1 && after->back() == "{}");
  const auto again = trail::Trail::open({.directory = directory, .writer_thread = false}, disk, [](auto) {});
  CHECK(again && (*again)->recovery().bytes_dropped == 0);
  return 0;
}
