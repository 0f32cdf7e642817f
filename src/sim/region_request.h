// SPDX-License-Identifier: Apache-2.0
// A request as a Region received it, the same for HTTP/1.1 and HTTP/2.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace portolan::sim {

struct RegionRequest {
  std::string method;
  std::string target;                                        // as received: never decoded or normalised
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case; over HTTP/2 with :authority
  std::string body;
  bool new_connection = false;  // the first on its connection

  /// The first header of that name (in lower case), or null.
  const std::string* find(std::string_view header) const {
    for (const auto& [name, value] : headers)
      if (name == header) return &value;
    return nullptr;
  }
};

}  // namespace portolan::sim
