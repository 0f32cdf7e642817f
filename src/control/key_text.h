// SPDX-License-Identifier: Apache-2.0
// Keys as text: what operators ask for, and the ids and secrets that are drawn for them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "domain/key.h"

namespace portolan::control {

/// {"kind": "access-key" | "api-key", "tenant", "name", "expires"?, "profiles"?: […]} as a key without id and
/// secret. Code::usage names the member. Whether tenant and profiles exist is not judged here.
base::Result<domain::IssuedKey> read_order(std::string_view body, base::WallTime now);

struct Rotation {
  base::Duration overlap{};               // how long the old key stays valid
  std::optional<base::WallTime> expires;  // of the new one; absent: as long as the old one's life
};
/// {"overlap"?, "expires"?} or nothing at all. Code::usage.
base::Result<Rotation> read_rotation(std::string_view body, std::string_view overlap_unsaid, base::WallTime now);

/// "90d", "2027-01-31" (its first moment, UTC) or "2027-01-31T12:00:00Z", in the future. Code::usage.
base::Result<base::WallTime> read_expiry(std::string_view text, base::WallTime now);

/// Gives `key` its id and, by its kind, its secret access key or the hash of an API key; the API key itself is
/// returned (empty for an access key). An access key id is "PTLN" and 16 base32 characters: 80 bits, and no secret
/// scanner takes it for one of AWS's. Secrets have 240 and 256 random bits. Code::internal when there is no
/// randomness.
base::Result<std::string> draw_secret(domain::IssuedKey& key);

}  // namespace portolan::control
