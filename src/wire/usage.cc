// SPDX-License-Identifier: Apache-2.0
#include "wire/usage.h"

#include <algorithm>
#include <limits>

namespace portolan::wire {
namespace {

bool read_count(simdjson::dom::object object, std::string_view name, std::uint32_t& count) {
  simdjson::dom::element element;
  if (object[name].get(element) || element.is_null()) return true;
  std::uint64_t value = 0;
  if (element.get(value)) return false;
  count = static_cast<std::uint32_t>(std::min<std::uint64_t>(value, std::numeric_limits<std::uint32_t>::max()));
  return true;
}

}  // namespace

bool read_usage(simdjson::dom::object object, const UsageNames& names, domain::Usage& usage) {
  return read_count(object, names.input, usage.input_tokens) &&
         read_count(object, names.output, usage.output_tokens) &&
         read_count(object, names.cache_read, usage.cache_read_tokens) &&
         read_count(object, names.cache_write, usage.cache_write_tokens);
}

}  // namespace portolan::wire
