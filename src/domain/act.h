// SPDX-License-Identifier: Apache-2.0
// What an operator did to the rules of a running gateway, as the trail records it (trail/act_record.h).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"

namespace portolan::domain {

struct Act {
  std::string_view event_name;  // "FreezeInference"
  base::WallTime at{};
  std::string by;              // who, in their own words: all that is proven is that they hold the admin key
  std::string why;             // in their own words
  std::string source_address;  // where the order came from
  /// What was asked, and what came of it: names and values.
  std::vector<std::pair<std::string_view, std::string>> asked;
  std::vector<std::pair<std::string_view, std::string>> became;
};

}  // namespace portolan::domain
