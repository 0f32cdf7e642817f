// SPDX-License-Identifier: Apache-2.0
// Reading the whole trail, page by page, for commands that take it as evidence: from a running gateway, or from the
// files of a data directory.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "cli/admin_client.h"
#include "trail/coverage.h"
#include "trail/pages.h"
#include "trail/read_record.h"

namespace portolan::cli {

struct TrailReading {
  AdminClient admin;
  std::string data_dir;  // empty: a gateway is asked
  std::string since, until;

  /// --admin, --admin-key, --data-dir, --since and --until.
  void add_options(CLI::App& command);
};

/// What was read.
struct TrailSeen {
  trail::Coverage coverage;
  std::optional<base::WallTime> since;   // as it was asked for
  std::optional<base::WallTime> begins;  // the first record of the whole trail

  std::vector<std::string> text() const { return coverage.text(since, begins); }
};

/// Every record of the time, oldest first. What takes long is told on stderr as it goes on. Code::usage for times
/// that cannot be read; errors of trail::read_page; Code::unreachable.
base::Result<TrailSeen> read_trail(const TrailReading& reading,
                                   const std::function<void(const trail::ReadRecord&)>& visit);

}  // namespace portolan::cli
