// SPDX-License-Identifier: Apache-2.0
// A configuration file, read and judged, for the commands that take one.
#pragma once

#include <string>

#include "config/config.h"

namespace portolan::cli {

/// Reads and loads `path`. Code::config_invalid with all mistakes, one a line, when there are any.
base::Result<config::Config> read_configuration(const std::string& path);

/// The same from text that is not in a file yet; `path` names it in messages.
base::Result<config::Config> load_configuration(const std::string& text, const std::string& path);

/// The file's text. Code::usage when it cannot be read.
base::Result<std::string> read_text(const std::string& path);

}  // namespace portolan::cli
