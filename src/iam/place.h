// SPDX-License-Identifier: Apache-2.0
// Where something stands in a text, for messages.
#pragma once

#include <cstdint>
#include <string>

namespace portolan::iam {

struct Place {
  std::uint32_t line = 1;  // both from 1; the column counts bytes
  std::uint32_t column = 1;
  friend constexpr bool operator==(Place, Place) = default;
};

/// What is wrong with a text, and where. `what` has no place in it.
struct Fault {
  Place place;
  std::string what;
};

}  // namespace portolan::iam
