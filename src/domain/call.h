// SPDX-License-Identifier: Apache-2.0
// The values that a call gathers on its way through the nine stops (docs/life_of_a_call.md).
//
// Values only: no behaviour beyond naming. A level-3 room takes some of them and returns another; no room of level
// 3 knows another room.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "domain/catalog.h"
#include "domain/region.h"

namespace portolan::domain {

/// The nine stops. A timeout, a log line, a metric label, the record and `explain` all use these names.
enum class Stage : std::uint8_t { receive, identify, understand, permit, reserve, plan, attempt, settle, record };
inline constexpr std::size_t stage_count = 9;
std::string_view name(Stage stage);

/// The wire format that the caller speaks; errors are written in it.
enum class Dialect : std::uint8_t { bedrock, openai };
std::string_view name(Dialect dialect);

/// What the caller asked for. Names are CloudTrail event names where AWS has the operation.
enum class Operation : std::uint8_t {
  invoke_model,
  invoke_model_stream,
  converse,
  converse_stream,
  chat_completions,  // streamed or not: Inference::stream
  list_inference_profiles,
  get_inference_profile,
  create_inference_profile,
  delete_inference_profile,
  tag_resource,
  untag_resource,
  list_tags_for_resource,
  list_foundation_models,
  list_openai_models,
  unknown,
};
std::string_view event_name(Operation operation);
Dialect dialect(Operation operation);
/// True for the operations that run a model and therefore pass all nine stops with a Region.
bool runs_model(Operation operation);
/// True for the operations that change application profiles.
bool changes_profiles(Operation operation);

/// What a tenant's calls are worth when not all can be taken; the lowest is refused first.
enum class CallClass : std::uint8_t { batch, standard, critical };
std::string_view name(CallClass call_class);
/// Nothing for a name that is none.
std::optional<CallClass> call_class(std::string_view name);

/// How the caller proved who it is.
enum class CredentialKind : std::uint8_t { none, sigv4, api_key, certificate };

/// Who calls. Compiled into the snapshot, shared by all calls of that key; never holds a secret.
struct Principal {
  std::string arn;         // "arn:aws:iam::111122223333:user/alice"
  std::string user_name;   // "alice"
  std::string account_id;  // the tenant's account: 12 digits
  std::string tenant;      // "research"
  std::uint16_t tenant_index = 0;
  std::string access_key_id;  // for SigV4 principals; else empty
  std::string key_id;         // names the credential in records and metrics; never the credential itself
  CredentialKind kind = CredentialKind::none;
  std::vector<std::string> profile_globs;          // of this key: narrow what its tenant may call; empty: all of it
  base::WallTime expires = base::WallTime::max();  // refused from then on
};

/// What they want (stop 3). Pointers are into the snapshot's catalog.
struct Inference {
  Operation operation = Operation::unknown;
  std::string_view requested;        // the model or profile as the caller wrote it, percent-decoded
  const Profile* profile = nullptr;  // null when a model was called by its bare id
  const Model* model = nullptr;
  RegionIndex source = region_none;
  bool stream = false;
  std::uint32_t input_tokens = 0;       // estimated before the call
  std::uint32_t output_tokens_max = 0;  // asked, or the model's default
  bool output_tokens_defaulted = false;
};

/// Where it may run (stop 4).
struct Grant {
  RegionMask allowed;
  /// Destinations of the profile that a rule took away, and which rule. Filled on the slow path only when needed.
  RegionMask pruned;
  std::string_view policy_version;  // of the snapshot that decided
};

/// One destination with the reason for its place (stop 6).
struct Candidate {
  RegionIndex region = region_none;
  float expected_first_token_ms = 0;
  /// Why it stands where it stands.
  enum class Standing : std::uint8_t { healthy, unmeasured, cooling, suspect, open } standing = Standing::healthy;
};
std::string_view name(Candidate::Standing standing);

struct Plan {
  std::array<Candidate, regions_max> candidates;  // ranked, best first
  std::uint8_t size = 0;
};

/// One try at one Region (stop 7).
struct Attempt {
  RegionIndex region = region_none;
  base::Duration started_after{};  // since the call began
  base::Duration first_byte{};     // from sending to the first byte of the reply; zero when none came
  base::Duration duration{};
  int upstream_status = 0;                    // HTTP status; 0 when none came
  bool served = false;                        // this attempt's reply went to the caller
  base::Code failure = base::Code::internal;  // meaningful when !served
  std::string failure_detail;                 // what happened, for people; empty when served
  std::uint64_t bytes_sent = 0;               // request bytes that left for the Region
};
inline constexpr std::size_t attempts_max = 8;

/// Tokens as the provider reported them (stop 8).
struct Usage {
  std::uint32_t input_tokens = 0;
  std::uint32_t output_tokens = 0;
  std::uint32_t cache_read_tokens = 0;
  std::uint32_t cache_write_tokens = 0;
  bool known = false;  // false: the stream was cut before usage arrived, or the provider sent none
};

/// What `explain` prints for one stop.
struct Verdict {
  Stage stage;
  bool passed = true;   // false at the stop that refuses
  std::string detail;   // one line: what was decided and why
  bool reached = true;  // false at the stops that a refused call does not come to
};

}  // namespace portolan::domain
