// SPDX-License-Identifier: Apache-2.0
// Every setting of the configuration, defined once (settings.cc). Private to the room.
#pragma once

#include <vector>

#include "config/config.h"
#include "config/setting.h"

namespace portolan::config {

/// A Config as the file says it, before what must agree has been compared (checks.h).
struct Draft : Config {
  unsigned version = 1;  // of the configuration's format
  std::vector<domain::ProfileDefinition> profiles;
};

/// The whole file. Built once.
const Section<Draft>& settings();

}  // namespace portolan::config
