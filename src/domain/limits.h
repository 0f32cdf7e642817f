// SPDX-License-Identifier: Apache-2.0
// How much one owner may use: a tenant, a key, an application profile, or an account in a Region at a provider.
#pragma once

#include <cstdint>

namespace portolan::domain {

/// 0: no such limit.
struct Limits {
  std::uint64_t requests_per_minute = 0;
  std::uint64_t tokens_per_minute = 0;  // in quota tokens (TokenRule)
  std::uint64_t tokens_per_day = 0;     // of any 24 hours: it refills evenly, not at midnight
  std::uint64_t concurrency = 0;        // calls at once
  std::uint64_t requests_burst = 0;     // at once, of requests_per_minute; 0: as many as in a minute
  std::uint64_t tokens_burst = 0;       // at once, of tokens_per_minute; 0: as many as in a minute

  bool unlimited() const {
    return requests_per_minute == 0 && tokens_per_minute == 0 && tokens_per_day == 0 && concurrency == 0;
  }
  bool operator==(const Limits&) const = default;
};

}  // namespace portolan::domain
