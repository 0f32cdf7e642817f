// SPDX-License-Identifier: Apache-2.0
// A call on its way: what was sent, and what each stop has added so far.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/sha256.h"
#include "domain/call.h"
#include "domain/denial.h"
#include "gateway/control_plane.h"
#include "gateway/snapshot.h"
#include "wire/http.h"
#include "wire/target.h"
#include "wire/understand.h"

namespace portolan::gateway {

/// A request as a listener received it. Views live until the call is over. The body is followed by
/// wire::body_padding allocated bytes.
struct Request {
  std::string_view method;
  std::string_view target;
  const wire::Headers* headers = nullptr;  // HTTP/2: with ":authority"
  std::string_view body;
  std::string_view host;  // Host or :authority
  std::string_view peer_address;
  std::string_view http_version;  // "1.1", "2"
  std::string_view tls_version;   // empty: plaintext
  std::string_view tls_cipher;
  /// Of the caller's verified certificate (world/tls.h); none: it showed none.
  std::span<const std::string> certificate_names;
  /// Set when the listener itself refuses (stop 1): the call is answered and recorded with this.
  std::optional<base::Error> refused;
};

/// The answer, as far as the gateway has it in hand. For a stream that has begun: only what is held back for the
/// end.
struct Reply {
  int status = 200;
  std::string_view content_type = "application/json";
  std::string_view error_type;  // x-amzn-errortype
  std::string retry_after;      // in seconds, as it is sent
  std::string allow;            // with a 405, what RFC 9110 section 15.5.6 asks for
  std::string body;
  std::string held;    // the tail of a stream that waits for the record
  bool begun = false;  // the head has been sent
  // InvokeModel's own reply fields, passed through from the Region.
  std::string invocation_latency, input_token_count, output_token_count;
};

struct Call {
  Call(std::shared_ptr<const Snapshot> snapshot_, const Request& request_)
      : snapshot(std::move(snapshot_)), request(request_) {}

  std::shared_ptr<const Snapshot> snapshot;
  const Request& request;
  domain::Stage stage = domain::Stage::receive;
  std::string id;  // x-portolan-call-id, x-amzn-requestid and the record's requestID
  base::Instant began{};
  base::WallTime began_wall{};
  base::Instant give_up_at{};

  wire::Target target;  // stop 3 reads it, but its dialect shapes every error
  domain::Dialect dialect = domain::Dialect::bedrock;
  base::Digest body_hash{};
  identity::Identity identity;  // stop 2
  wire::Asked asked;            // stop 3
  domain::Inference inference;
  std::unique_ptr<ControlRequest> control;         // in its place, when no model is run
  domain::Grant grant;                             // stop 4
  std::uint64_t rules_epoch = 0;                   // of the rules that it was judged by last
  std::optional<domain::Denial> denied_by;         // when stop 4, or a change of the rules since, refused
  policy::Verdict verdict;                         // of the rules that judged it last
  std::shared_ptr<const Snapshot> judged_anew_by;  // whose rules those are, when not its own snapshot's
  quota::Reservation reservation;                  // stop 5
  domain::Plan plan;                               // stop 6
  std::array<domain::Attempt, domain::attempts_max> attempts;  // stop 7
  std::uint8_t attempt_count = 0;
  domain::RegionIndex served_by = domain::region_none;
  std::uint32_t pieces_forwarded = 0;  // frames of a stream: a lower bound of its output tokens
  domain::Usage usage;
  base::Instant first_byte_at{};  // to the caller; zero: none yet
  std::optional<base::Error> error;
  Reply reply;

  const domain::Catalog& catalog() const { return snapshot->catalog; }
  domain::RegionIndex source() const {
    return inference.source != domain::region_none ? inference.source : snapshot->config.source_region;
  }
};

}  // namespace portolan::gateway
