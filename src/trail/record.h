// SPDX-License-Identifier: Apache-2.0
// One call's record: a CloudTrail event of type AwsApiCall, with our own fields under "portolan".
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
//
// awsRegion is the source Region; additionalEventData.inferenceRegion is the Region that served and is present
// exactly when one did. Prompts and completions are never in a record.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "domain/call.h"

namespace portolan::trail {

/// What policies took away from a call, and what of them did.
struct PolicyCause {
  std::string_view region;     // name; empty: the whole call
  std::string_view kind;       // "service control policy"
  std::string_view level;      // "unit workloads"; empty for kinds without levels
  std::string_view policy;     // its file; empty when an Allow is missing
  std::string_view statement;  // its Sid; empty when it has none
};

/// All that a record tells. Views must live until write_record returns.
struct CallFacts {
  std::string_view call_id;   // requestID and the reply's x-portolan-call-id
  std::string_view event_id;  // unique per record
  base::WallTime began{};
  base::Duration duration{};
  domain::Operation operation = domain::Operation::unknown;
  const domain::Principal* principal = nullptr;  // null: stop 2 was not passed
  std::string_view presented_key_id;             // access key id that was presented, when there is no principal
  std::string_view source_region;                // name; the gateway's default when none was understood
  std::string_view inference_region;             // name; empty when no Region served
  std::string_view source_ip;
  std::string_view user_agent;
  std::string_view host_header;
  std::string_view tls_version;  // empty: plaintext
  std::string_view tls_cipher;
  std::string_view http_version;             // "1.1", "2"
  std::string_view requested_model;          // as the caller wrote it, decoded
  std::string_view profile_id;               // resolved; empty when none
  std::string_view profile_kind;             // "geographic", "global", "application"
  const domain::Profile* profile = nullptr;  // resolved; null when none
  /// What was asked and what came of it, as JSON, where no model was; empty: only what requested_model says,
  /// nothing.
  std::string_view request_parameters;
  std::string_view response_elements;
  std::string_view model_id;
  std::string_view sdk_invocation_id;  // amz-sdk-invocation-id: joins an SDK's own retries
  bool stream = false;
  const domain::Usage* usage = nullptr;  // null: none
  std::uint32_t input_tokens_estimated = 0;
  std::uint32_t output_tokens_max = 0;
  const base::Error* error = nullptr;           // null: served
  domain::Stage stage = domain::Stage::record;  // the stop that refused, when error is set
  int status = 200;                             // what the caller was sent
  domain::RegionMask allowed;                   // the grant
  std::span<const domain::Attempt> attempts;
  std::string_view policy_version;
  std::uint32_t policies_number = 0;  // the version of the policies that judged; 0: none did
  std::string_view policies_hash;
  std::string_view denied_by;                // domain::Denial; empty: stop 4 did not refuse
  std::span<const PolicyCause> causes;       // of what policies took away
  std::string_view policy_mode;              // "strict", "subset"; empty: stop 4 was not reached
  std::string_view service_tier;             // as it was asked for; empty: none
  const domain::Catalog* catalog = nullptr;  // names the Regions of `allowed` and `attempts`
  base::Duration first_byte{};               // to the caller; zero when none was sent
};

/// How a call ended, as look-ups ask for it. denied: refused at stops 1 to 6 for a reason of the caller's, the
/// operator's or our own; failed: at stops 7 to 9, or because no permitted Region could serve.
enum class Outcome : std::uint8_t { served, denied, failed };
std::string_view name(Outcome outcome);
Outcome outcome_of(const CallFacts& facts);

/// The record's errorCode: CloudTrail names an authorisation failure without "Exception"; every other error keeps
/// the type that the caller saw.
std::string_view error_code(base::Code code);

/// Whether a text of a record may be less than what was said: texts are cut at 1 KiB.
bool may_be_cut(std::string_view text);

/// Appends the JSON object, one line without the line feed. errorCode is CloudTrail's: AccessDeniedException is
/// written "AccessDenied". Every text is cut at 1 KiB and may hold any bytes; no record grows beyond
/// record_bytes_max (trail/segment.h).
void write_record(const CallFacts& facts, std::string& out);

}  // namespace portolan::trail
