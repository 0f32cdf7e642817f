// SPDX-License-Identifier: Apache-2.0
// A key that the gateway itself issued, as it is kept, swapped into the snapshot, and listed.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/secret.h"
#include "base/sha256.h"
#include "base/time.h"
#include "domain/call.h"

namespace portolan::domain {

/// When a key was last used, to the minute: noted on the path of a call, read by `portolan key list`. Any thread.
class LastUse {
 public:
  explicit LastUse(std::optional<base::WallTime> at = {}) : at_us_(at ? at->time_since_epoch().count() : never) {}

  /// A load, and once a minute a store: keys are shared by all reactors, and a line that is written moves between
  /// them.
  void note(base::WallTime now) {
    const std::int64_t now_us = now.time_since_epoch().count();
    if (now_us - at_us_.load(std::memory_order_relaxed) >= resolution_us)
      at_us_.store(now_us, std::memory_order_relaxed);
  }

  std::optional<base::WallTime> at() const {
    const std::int64_t at_us = at_us_.load(std::memory_order_relaxed);
    if (at_us == never) return std::nullopt;
    return base::WallTime{base::microseconds{at_us}};
  }

 private:
  static constexpr std::int64_t never = 0;
  static constexpr std::int64_t resolution_us = 60'000'000;
  std::atomic<std::int64_t> at_us_;
};

struct IssuedKey {
  std::string id;  // the access key id, or "api:" and the first 8 hexadecimal digits of the API key's hash
  CredentialKind kind = CredentialKind::none;  // sigv4 or api_key
  std::string tenant;
  std::string user_name;
  std::vector<std::string> profiles;  // globs that narrow what the tenant may call; empty: all of that
  base::Secret secret_access_key;     // of a SigV4 key; empty once it was revoked
  base::Digest api_key_sha256{};      // of an API key, which itself is kept nowhere
  base::WallTime created{};
  std::optional<base::WallTime> expires;  // refused from then on
  std::optional<base::WallTime> revoked;
  std::string replaced_by;            // the key that a rotation made; this one is valid until `expires`
  std::shared_ptr<LastUse> last_use;  // never null; shared by all snapshots
};

}  // namespace portolan::domain
