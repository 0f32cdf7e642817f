// SPDX-License-Identifier: Apache-2.0
// Where references to secrets in a configuration are resolved: this process's environment, files, other programs.
#pragma once

#include "config/config.h"

namespace portolan::cli {

class ProcessSecrets final : public config::Secrets {
 public:
  std::optional<base::Secret> environment(const std::string& name) const override;
  /// world::read_private: a secret that the whole machine may read is none, and a warning in a log is read after it
  /// was needed. `config::secret_bytes_max` and a line end fit.
  base::Result<base::Secret> file(const std::string& path) const override;
  /// world::output_of, within ten seconds.
  base::Result<base::Secret> command(const std::vector<std::string>& words) const override;
};

}  // namespace portolan::cli
