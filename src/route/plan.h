// SPDX-License-Identifier: Apache-2.0
// Stop 6: where should it run? Ranks the permitted Regions; never adds one, never drops one.
//
// Pure: a function of the grant, the catalog's distances, what the Fleet has seen and a time. `explain` calls the
// very same function. The order is: standing first, then the expected time to the first token as seen from the
// gateway's home Region, then catalog order.
//
//   healthy, unmeasured   nothing speaks against it
//   cooling               it throttled us and its time is not over
//   suspect               its breaker was open, the hold is over, and another call is its trial
//   open                  its breaker is open: tried only when nothing better is left
//
// A suspect Region without a trial under way is ranked with the healthy ones by its expected time. Thus a Region
// that recovers gets traffic again from a call that wanted to go there anyway; no call is sent to a worse place,
// and no content to any place, just to see. If the trial fails the call moves on to the next candidate like any
// other.
//
// Expected time = estimate × load + prompt. The estimate is the measured one (fleet.h), which loses half of its
// weight every minute in favour of the prior: the round trip from home and a typical model's 200 ms.
#pragma once

#include <string>

#include "base/result.h"
#include "domain/call.h"
#include "domain/catalog.h"
#include "route/fleet.h"

namespace portolan::route {

inline constexpr double model_prior_ms = 200;
inline constexpr base::Duration estimate_half_life = std::chrono::seconds{60};

/// Each 32 calls in flight make a Region look 10 % slower, up to 50 %. The estimate learns of a burst only when
/// first bytes come back; until then this spreads it over Regions that are nearly as near. It is no measure of
/// capacity, and too small to move calls that come one after the other: a single one weighs 0.3 %.
inline constexpr double load_calls = 32;
inline constexpr double load_share = 0.10;
inline constexpr double load_share_max = 0.50;

struct Question {
  domain::RegionMask allowed;    // from the grant
  domain::RegionMask reachable;  // Regions that have an endpoint configured
  domain::RegionIndex home =
      domain::region_none;  // the Region whose clock and network we live in: distances start here
  std::uint32_t input_tokens = 0;
};

/// Code::no_region when allowed ∩ reachable is empty; the message names each Region and why not.
/// A Region with an open breaker or a cooling-off period stays in the plan, last: if it is all there is, it is
/// tried.
base::Result<domain::Plan> plan(const Question& question, const domain::Catalog& catalog, const Fleet& fleet,
                                base::Instant now);

/// "us-west-2 212 ms healthy, us-east-1 340 ms cooling": for explain and records.
std::string describe(const domain::Plan& plan, const domain::Catalog& catalog);

}  // namespace portolan::route
