// SPDX-License-Identifier: Apache-2.0
// Stops 1 to 6: the judges, one after another. Synchronous, no I/O: values in, values out, the first refusal ends
// it.
//
// `explain` runs the very same functions on a hypothetical call; only the reservation is asked for instead of held.
#pragma once

#include "base/random.h"
#include "base/result.h"
#include "gateway/call.h"
#include "identity/sigv4.h"
#include "quota/shedder.h"
#include "route/fleet.h"
#include "wire/understand.h"
#include "world/clock.h"

namespace portolan::gateway {

/// What the judges look at beside the call and its snapshot.
struct Bench {
  const world::Clock& clock;
  const route::Fleet& fleet;
  identity::SigningKeys& signing_keys;
  wire::BodyReader& body_reader;
  policy::CellMemory& cells;
  // For calls that are really made; a hypothetical one is never refused for the load of the moment.
  const quota::Shedder* shedder = nullptr;
  base::Random* random = nullptr;  // of calls that are really made
  base::Instant real_now{};
};

/// Runs stops 1 to 6 (operations that run no model end after stop 4 with what they need). Leaves call.stage at the
/// stop that refused, or at plan.
base::Result<void> judge(Call& call, const Bench& bench);

// The stops one by one, for explain.
base::Result<void> receive(Call& call);
base::Result<void> identify(Call& call, const Bench& bench);
base::Result<void> understand(Call& call, const Bench& bench);
/// The part of stop 3 that needs no body: which profile or model `text` means for this principal and source Region.
base::Result<void> resolve_model(Call& call, std::string_view text);
/// The other part: how many output tokens, against the model's own limit.
base::Result<void> limit_output(Call& call);
base::Result<void> permit(Call& call, policy::CellMemory& cells);
/// The part of stop 4 that a call passes anew when the rules have changed since it was judged: the grant is
/// narrowed to what `newest` allows too, never widened. Refused, it is empty and call.stage is permit.
base::Result<void> permit_again(Call& call, const policy::Rules& newest, policy::CellMemory& cells);
/// Quota tokens that stop 5 holds for the call.
std::uint64_t tokens_to_hold(const Call& call);
/// What the profile says, else what the tenant says, else what is usual for the profile. The caller is identified.
policy::Mode mode_for(const Call& call);
base::Result<void> reserve(Call& call, const Bench& bench, bool hold);
base::Result<void> plan(Call& call, const Bench& bench);

}  // namespace portolan::gateway
