// SPDX-License-Identifier: Apache-2.0
// Where references to secrets in a configuration are resolved: this process's environment and files.
#pragma once

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "config/config.h"

namespace portolan::cli {

class ProcessSecrets final : public config::Secrets {
 public:
  std::optional<std::string> environment(const std::string& name) const override {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return value;
  }

  base::Result<std::string> file(const std::string& path) const override {
    std::ifstream stream(path, std::ios::binary);
    if (!stream) return base::fail(base::Code::disk, "cannot be read");
    std::string text{std::istreambuf_iterator<char>(stream), {}};
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
    return text;
  }
};

}  // namespace portolan::cli
