// SPDX-License-Identifier: Apache-2.0
// What operators put in force while the gateway runs, beside the configuration: the freezes.
//
// Every change makes new Rules with a higher epoch. A call keeps the configuration that it began with, but not
// these: before each attempt it compares its epoch with the newest, and is judged again when they differ
// (gateway/stops.h, permit_again).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "domain/call.h"
#include "domain/denial.h"
#include "domain/freeze.h"

namespace portolan::policy {

/// A refusal, and what it was that refused.
struct Refusal {
  domain::Denial by = domain::Denial::tenant;
  base::Error error;
};

/// Immutable; any thread.
class Rules {
 public:
  Rules() = default;
  Rules(std::uint64_t epoch, std::vector<domain::Freeze> freezes) : epoch_(epoch), freezes_(std::move(freezes)) {}

  /// Higher for whatever was put in force later.
  std::uint64_t epoch() const { return epoch_; }
  const std::vector<domain::Freeze>& freezes() const { return freezes_; }

  /// Whether a call may run at all; nothing when nothing speaks against it. Code::access_denied names the freeze
  /// and its reason. `inference` has passed stop 3.
  std::optional<Refusal> refuse(const domain::Principal& principal, const domain::Inference& inference,
                                const domain::Catalog& catalog) const;

 private:
  std::uint64_t epoch_ = 0;
  std::vector<domain::Freeze> freezes_;
};

}  // namespace portolan::policy
