// SPDX-License-Identifier: Apache-2.0
// Application profiles of a running gateway: their store and desk, and what operators ask about profiles over the
// admin port (`portolan profile`).
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "control/admin_server.h"
#include "control/profile_desk.h"
#include "gateway/gateway.h"

namespace portolan::cli {

/// Opens DATA_DIR/profiles.db. Nothing is changed until go_on(): `gateway` is asked for at each change, when the
/// gateway is there.
base::Result<std::unique_ptr<control::ProfileDesk>> open_profile_desk(
    const std::string& data_dir, const world::Clock& clock, const std::function<gateway::Gateway&()>& gateway);

/// GET /api/profiles: {"profiles": […]}, those of AWS, of the configuration and of the tenants. POST /api/profiles
/// {"tenant", "source_region"?, "name", "description"?, "copy_from" (id or ARN), "tags"?: {key: value}, "by",
/// "why"?}; POST /api/profiles/ID/delete {"by", "why"?}, /tag {"tags", …}, /untag {"tag_keys", …}. ID may be an ARN
/// or a name that only one has. All must outlive `admin`.
void mount_profiles(control::AdminServer& admin, control::ProfileDesk& desk, gateway::Gateway& gateway,
                    const world::Clock& clock);

}  // namespace portolan::cli
