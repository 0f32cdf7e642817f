// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"

#include <cstdio>
#include <fmt/format.h>

#include "world/clock.h"

namespace portolan::cli {

int report(const base::Error& error) {
  switch (error.code) {
    case base::Code::unreachable:
      return report(Exit::unreachable, error.message);
    case base::Code::usage:
    case base::Code::config_invalid:
      return report(Exit::usage, error.message);
    default:
      return report(Exit::finding, error.message);
  }
}

int report(Exit exit, std::string_view message) {
  fmt::print(stderr, "portolan: {}\n", message);
  return exit;
}

void log(std::string_view line) {
  const world::RealClock clock;
  fmt::print(stderr, "{} {}\n", base::iso8601(clock.wall(), true), line);
}

}  // namespace portolan::cli
