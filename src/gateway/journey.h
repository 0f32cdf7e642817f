// SPDX-License-Identifier: Apache-2.0
// The life of a call: nine stops, from the request in hand to the last byte of the answer.
// docs/life_of_a_call.md is this file in words; change one, change the other.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/random.h"
#include "gateway/call.h"
#include "gateway/recorder.h"
#include "gateway/reply.h"
#include "gateway/stops.h"
#include "observe/metrics.h"
#include "route/retry_budget.h"
#include "upstream/transport.h"
#include "world/queue_probe.h"

namespace portolan::gateway {

/// One for each reactor; lives as long as it. Everything it works with is passed in, so that the conversation tests
/// run it without a socket.
class Journey {
 public:
  struct Parts {
    world::Reactor& reactor;
    route::Fleet& fleet;
    route::RetryBudget& retry_budget;
    identity::SigningKeys& signing_keys;
    upstream::Transport& transport;
    Recorder& recorder;
    observe::Counters& counters;
    std::uint64_t seed;
    ProfileDoor change_profiles = {};  // empty: application profiles cannot be changed
  };
  Journey(Parts parts, std::shared_ptr<const Snapshot> snapshot);

  /// Takes a call from its request to the end of its answer. Never fails: whatever goes wrong is answered and
  /// recorded. `request` and `sink` outlive the call.
  world::Task<void> serve(const Request& request, ReplySink& sink);

  /// Calls that begin from now on use `snapshot`.
  void use(std::shared_ptr<const Snapshot> snapshot);
  const std::shared_ptr<const Snapshot>& snapshot() const { return snapshot_; }
  /// `explain` borrows the judges' bench.
  Bench bench() { return {parts_.reactor.clock, parts_.fleet, parts_.signing_keys, body_reader_, cells_}; }
  /// What this reactor refuses because it cannot keep up.
  quota::Shedder& shedder() { return shedder_; }

 private:
  base::Result<void> admit(Call& call) const;
  base::Result<void> still_wanted(Call& call, const ReplySink& sink) const;

  // stop 7
  class Clearance;
  base::Result<void> still_permitted(Call& call, domain::RegionIndex region);
  world::Task<base::Result<void>> attempt(Call& call, ReplySink& sink);
  world::Task<base::Result<void>> round_of_attempts(Call& call, ReplySink& sink, std::string_view path,
                                                    std::string_view body, const base::Digest& body_hash,
                                                    base::Error last);
  world::Task<base::Result<void>> try_region(Call& call, ReplySink& sink, domain::Attempt& attempt,
                                             std::string_view path, std::string_view body,
                                             const base::Digest& body_hash);
  world::Task<base::Result<void>> take_whole(Call& call, domain::Attempt& attempt, upstream::FlowPointer& flow,
                                             base::Instant sent_at, base::Instant by);
  world::Task<base::Result<void>> take_stream(Call& call, ReplySink& sink, domain::Attempt& attempt,
                                              upstream::FlowPointer& flow, base::Instant sent_at, base::Instant by);
  world::Task<base::Error> take_refusal(int status, const wire::Headers& headers, upstream::FlowPointer& flow,
                                        base::Instant by);
  void note_failure(Call& call, domain::Attempt& attempt, const base::Error& error);
  void note_first_byte(Call& call, domain::Attempt& attempt, base::Instant sent_at);
  std::string request_head(const Call& call, domain::RegionIndex region, std::string_view path,
                           std::size_t body_size, const base::Digest& body_hash);

  // in place of an attempt, where no model is run
  world::Task<base::Result<void>> change_profile(Call& call);

  // stops 8 and 9, and the answer
  void settle(Call& call);
  world::Task<void> record_and_answer(Call& call, ReplySink& sink);
  std::string write_record(const Call& call) const;
  void count(const Call& call);
  void refuse(Call& call, base::Error error);
  ReplyHead reply_head(const Call& call) const;

  Parts parts_;
  std::shared_ptr<const Snapshot> snapshot_;
  base::Random random_;
  wire::BodyReader body_reader_;
  policy::CellMemory cells_;
  std::unique_ptr<identity::Signer> signer_;
  quota::Shedder shedder_;
  world::QueueProbe probe_;
  std::size_t record_bytes_ = 1024;  // what the last record took: the next one's first reservation
};

}  // namespace portolan::gateway
