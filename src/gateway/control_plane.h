// SPDX-License-Identifier: Apache-2.0
// Stops 3 and 4 for the operations that run no model: what is asked about profiles, and whether it may be.
//
// Those that only read are answered from the snapshot (local_answers.h). Those that change application profiles
// leave an order, which Journey has carried out before it answers.
#pragma once

#include <string>
#include <string_view>

#include "base/random.h"
#include "base/result.h"
#include "domain/application_profile.h"
#include "gateway/application_profiles.h"
#include "policy/cross_region.h"

namespace portolan::gateway {

struct Call;

/// What a call of the control plane gathers on its way.
struct ControlRequest {
  std::string resource;  // ARN of what it is about; "*" for lists
  /// The application profile that it is about. Null for other operations, and when there is none: told only to
  /// those who may ask.
  const ApplicationProfiles::Entry* subject = nullptr;
  domain::ProfileOrder order;     // of operations that change something
  std::string copied;             // create: ARN of what is copied
  std::string parameters;         // requestParameters of the record, JSON; empty: what the path says
  std::string response_elements;  // of the record, JSON; empty: none
};

/// Stop 3: reads the body, finds what is meant. An id for a new profile is drawn from `random`.
base::Result<void> understand_control(Call& call, base::Random& random);
/// Stop 4: the tenant's rules, then the policies in force. Fills call.verdict and call.denied_by.
base::Result<void> permit_control(Call& call);
/// The reply to an order that was carried out; `profile` is what came of it.
void answer_changed(Call& call, const domain::ApplicationProfile& profile);

/// What policies read of a request beside who makes it. Views into the call.
policy::RequestFacts request_facts(const Call& call);

/// Code::unknown_model: there is no such application profile for this caller.
base::Error no_such_profile(const Call& call, std::string_view name);

}  // namespace portolan::gateway
