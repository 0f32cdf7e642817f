// SPDX-License-Identifier: Apache-2.0
// The keys that a gateway issues: its master key, its store, its desk, put together from the configuration.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "config/config.h"
#include "control/key_desk.h"
#include "gateway/gateway.h"
#include "store/master_key.h"

namespace portolan::cli {

/// What `keys` names. Code::config_invalid.
base::Result<store::MasterKeys> master_keys(const config::Keys& keys);

/// Opens DATA_DIR/keys.db. `gateway` is asked for at each change, when the gateway is there. Null when the
/// configuration has no `keys`; Code::config_invalid when it has none and there is a store nevertheless: its keys
/// would be refused without a word.
base::Result<std::unique_ptr<control::KeyDesk>> open_key_desk(const config::Config& config,
                                                              const world::Clock& clock,
                                                              const std::function<gateway::Gateway&()>& gateway);

/// Writes a new master key to `path`, mode 0600, and gives its id. A file that is there is never replaced: what was
/// sealed under it could not be opened any more. It is refused, or with `keep` left as it is (the id is then
/// empty).
base::Result<std::string> make_master_key(const std::string& path, bool keep);

}  // namespace portolan::cli
