// SPDX-License-Identifier: Apache-2.0
// Where references to secrets in a configuration are resolved: this process's environment, files, other programs.
#pragma once

#include "config/config.h"

namespace portolan::cli {

/// Refuses a file that others than its owner may read, by the rule of ProcessSecrets::file. Code::disk.
base::Result<void> check_owner_only(const std::string& path);

class ProcessSecrets final : public config::Secrets {
 public:
  std::optional<base::Secret> environment(const std::string& name) const override;
  /// Refuses what others than its owner may read (one exception: a file of root's that one group may read, 0640 or
  /// 0440, which is how packages and Kubernetes hand a secret to a service). A secret that the whole machine reads
  /// is none, and a warning in a log is read after it was needed. `config::secret_bytes_max` and a line end fit.
  base::Result<base::Secret> file(const std::string& path) const override;
  /// world::output_of, within ten seconds.
  base::Result<base::Secret> command(const std::vector<std::string>& words) const override;
};

}  // namespace portolan::cli
