// SPDX-License-Identifier: Apache-2.0
// Files that their owner alone may use: keys, and configurations that hold secrets.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"

namespace portolan::world {

/// Code::disk, with what to do, unless it is a regular file that nobody but its owner may use. One exception: a
/// file of root's that one group may read, 0640 or 0440, which is how packages and Kubernetes hand a secret to a
/// service.
base::Result<void> check_owner_only(const std::string& path);

/// What the file holds, at most `bytes_max`, and one byte more of a longer one. Refused as by check_owner_only(),
/// of the very file that is read. Messages do not begin with the path.
base::Result<base::Secret> read_private(const std::string& path, std::size_t bytes_max);

/// Mode 0600, on stable storage; a file that is there is written over.
base::Result<void> write_private(const std::string& path, std::string_view text);

/// The same for a file that must not be there yet: false when it is, and it is untouched. One that cannot be
/// written whole is removed again.
base::Result<bool> write_private_once(const std::string& path, std::string_view text);

}  // namespace portolan::world
