// SPDX-License-Identifier: Apache-2.0
// Speaks to a running gateway's admin port, for the commands that need one.
#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <string>
#include <string_view>

#include "base/result.h"

namespace portolan::cli {

/// $PORTOLAN_DATA_DIR, else "portolan-data".
std::string default_data_dir();

/// Where the gateway is: --admin and --admin-key, else PORTOLAN_ADMIN and PORTOLAN_ADMIN_KEY, else what a gateway
/// left in PORTOLAN_DATA_DIR (default ./portolan-data): admin.url and admin.key.
class AdminClient {
 public:
  /// Adds --admin and --admin-key to a command.
  void add_options(CLI::App& command);

  struct Answer {
    int status = 0;
    std::string body;
  };
  /// Code::unreachable when nobody answers within `within`, Code::usage when no gateway is named.
  base::Result<Answer> ask(std::string_view method, std::string_view path, std::string_view body = {},
                           std::chrono::seconds within = std::chrono::seconds{30}) const;
  /// The same, and anything but a 2xx becomes an error with the admin port's own words (401: Code::usage).
  base::Result<std::string> expect(std::string_view method, std::string_view path,
                                   std::string_view body = {}) const;
  /// The second half of it.
  static base::Result<std::string> expect_success(Answer answer);

 private:
  std::string url_;
  std::string key_;
};

}  // namespace portolan::cli
