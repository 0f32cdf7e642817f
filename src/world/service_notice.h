// SPDX-License-Identifier: Apache-2.0
// What a service tells systemd (sd_notify(3)): one datagram to the socket that NOTIFY_SOCKET names. libsystemd
// would be a dependency for this one message.
#pragma once

#include <string_view>

namespace portolan::world {

/// "READY=1", "STOPPING=1", "MAINPID=123", several on lines of their own. Nothing happens when nobody asked for it,
/// or does not listen: a gateway runs without systemd as well.
void notify_service(std::string_view state);

}  // namespace portolan::world
