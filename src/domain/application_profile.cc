// SPDX-License-Identifier: Apache-2.0
#include "domain/application_profile.h"

#include <algorithm>

#include "base/bytes.h"

namespace portolan::domain {

Tags merged(Tags tags, const Tags& more) {
  for (const auto& [key, value] : more) {
    const auto place = std::ranges::lower_bound(tags, key, {}, &Tags::value_type::first);
    if (place != tags.end() && place->first == key)
      place->second = value;
    else
      tags.emplace(place, key, value);
  }
  return tags;
}

Tags without(Tags tags, const std::vector<std::string>& keys) {
  std::erase_if(tags, [&](const auto& tag) { return std::ranges::find(keys, tag.first) != keys.end(); });
  return tags;
}

std::string_view key_in_two_cases(const Tags& tags) {
  for (std::size_t i = 0; i < tags.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (base::iequals(tags[i].first, tags[j].first)) return tags[i].first;
  return {};
}

}  // namespace portolan::domain
