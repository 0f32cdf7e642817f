// SPDX-License-Identifier: Apache-2.0
// Globs over profile ids, as a tenant's `profiles` writes them: * stands for any characters, ? for one.
#pragma once

#include <string_view>

namespace portolan::config {

/// Time is at most pattern × text; no recursion.
bool glob_matches(std::string_view pattern, std::string_view text);

inline bool is_glob(std::string_view pattern) {
  return pattern.find_first_of("*?") != std::string_view::npos;
}

}  // namespace portolan::config
