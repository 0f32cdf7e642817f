// SPDX-License-Identifier: Apache-2.0
// Stop 6: where should it run? Ranks the permitted Regions; never adds one, never drops one.
//
// Pure: a function of the grant, the catalog's distances, what the Fleet has seen and a time. `explain` calls the very
// same function. The order is: standing first (healthy and unmeasured, then cooling, then suspect, then open), then the
// expected time to the first token as seen from the gateway's home Region.
#pragma once

#include <array>
#include <string>

#include "base/result.h"
#include "domain/call.h"
#include "route/fleet.h"

namespace portolan::route {

struct Question {
  domain::RegionMask allowed;       // from the grant
  domain::RegionMask reachable;     // Regions that have an endpoint configured
  domain::RegionIndex home = domain::region_none;  // the Region whose clock and network we live in: distances start here
  std::uint32_t input_tokens = 0;
};

/// Code::no_region when allowed ∩ reachable is empty; the message names each Region and why not.
/// A Region with an open breaker or a cooling-off period stays in the plan, last: if it is all there is, it is tried.
base::Result<domain::Plan> plan(const Question& question, const domain::Catalog& catalog, const Fleet& fleet,
                                base::Instant now);

/// "us-west-2 212 ms healthy, us-east-1 340 ms cooling": for explain and records.
std::string describe(const domain::Plan& plan, const domain::Catalog& catalog);

}  // namespace portolan::route
