// SPDX-License-Identifier: Apache-2.0
#include "cli/process_secrets.h"

#include <cstdlib>

#include "world/private_file.h"
#include "world/program.h"

namespace portolan::cli {

using base::Result;
using base::Secret;

std::optional<Secret> ProcessSecrets::environment(const std::string& name) const {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return Secret{value};
}

Result<Secret> ProcessSecrets::file(const std::string& path) const {
  return world::read_private(path, config::secret_bytes_max + 2);
}

Result<Secret> ProcessSecrets::command(const std::vector<std::string>& words) const {
  return world::output_of(words);
}

}  // namespace portolan::cli
