// SPDX-License-Identifier: Apache-2.0
// The record of an operator's act: a freeze, a policy version applied or rolled back.
//
// It stands in the trail beside the calls whose fate it explains, in CloudTrail's shape, and is told apart from
// them by its eventType: AwsServiceEvent, an event of the service itself, where every call is an AwsApiCall.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
#pragma once

#include <string>
#include <string_view>

#include "domain/act.h"

namespace portolan::trail {

/// The JSON object, one line without the line feed. `event_id` is unique per record; `region` is the gateway's own.
/// Every text is cut at 1 KiB.
std::string act_record(const domain::Act& act, std::string_view event_id, std::string_view region);

}  // namespace portolan::trail
