// SPDX-License-Identifier: Apache-2.0
#include "iam/context.h"

#include <algorithm>

#include "iam/pattern.h"

namespace portolan::iam {

void Context::set(std::string_view key, std::string value) {
  std::vector<std::string> values;
  values.push_back(std::move(value));
  set(key, std::move(values));
}

void Context::set(std::string_view key, std::vector<std::string> values) {
  std::string key_lower = lower_case(key);
  const auto at = std::ranges::lower_bound(entries_, key_lower, {}, &decltype(entries_)::value_type::first);
  if (at != entries_.end() && at->first == key_lower)
    at->second = std::move(values);
  else
    entries_.emplace(at, std::move(key_lower), std::move(values));
}

std::span<const std::string> Context::find(std::string_view key_lower) const {
  const auto at = std::ranges::lower_bound(entries_, key_lower, {},
                                           [](const auto& entry) { return std::string_view(entry.first); });
  if (at == entries_.end() || at->first != key_lower) return {};
  return at->second;
}

}  // namespace portolan::iam
