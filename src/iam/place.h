// SPDX-License-Identifier: Apache-2.0
// Where something stands in a text, for messages.
#pragma once

#include <cstdint>

namespace portolan::iam {

struct Place {
  std::uint32_t line = 1;  // both from 1; the column counts bytes
  std::uint32_t column = 1;
  friend constexpr bool operator==(Place, Place) = default;
};

}  // namespace portolan::iam
