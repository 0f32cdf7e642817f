// SPDX-License-Identifier: Apache-2.0
// What must agree between settings: duplicates, ports, key kinds, and that every tenant can be served. Private to
// the room. Each check names the place in the file that has to change.
#pragma once

#include "config/setting.h"
#include "config/settings.h"

namespace portolan::config {

/// `root` is the file's mapping, already read into `draft`. Adds the file's profiles to the catalog. `certificates`
/// null: their files are not looked at.
void check_agreement(Reader& reader, const Place& root, Draft& draft, CertificateFiles* certificates);

}  // namespace portolan::config
