// SPDX-License-Identifier: Apache-2.0
// A Region as a model: what it does with a request, and how long that takes.
//
// Pure, seeded and deterministic, with time as an argument. The sandbox runs it on real sockets, the simulator in
// virtual time; both see the same Region. All times are world time.
//
//   reply of a stream at the caller = round trip [+ one more for a new connection] + time to first token + Σ gaps
//   time to first token             = (base + input tokens × ms per token) × jitter + queueing, which grows with
//   load gap between two tokens          = base × jitter × (1 + load²)
//
// The words of an answer are a function of (prompt, model, seed) alone, not of the Region, so that a test can say
// what the answer must be. One thread.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "sim/region_quota.h"

namespace portolan::sim {

/// A model version that a Region offers.
struct OfferedModel {
  std::string id;
  unsigned output_burndown = 1;
  std::uint32_t output_tokens_default = 4096;
  std::uint32_t output_tokens_max = 65536;
};

struct RegionTraits {
  std::string region;
  std::uint64_t seed = 1;
  /// Between the caller and this Region.
  double round_trip_p50_ms = 1;
  double round_trip_p90_ms = 1;
  double first_token_ms = 180;
  double first_token_ms_per_input_token = 0.05;
  double gap_ms = 15;
  /// How many answers may be in progress at once; more get a capacity error. Zero: no limit and no slowing.
  std::uint32_t capacity = 0;
  QuotaLimits quota;
  RefillLaw refill_law = RefillLaw::bucket;
  /// False: every time is zero (benchmarks of what stands in front).
  bool latency = true;
  std::vector<OfferedModel> models;
};

/// An error as Bedrock would answer it.
struct Refusal {
  int status = 500;
  std::string type;  // "ThrottlingException"
  std::string message;
};

/// What the Region is asked, already read from its body.
struct ModelRequest {
  std::string_view account;
  std::string_view model;
  std::string_view prompt;  // the last text of the user
  std::uint32_t input_tokens = 0;
  std::uint32_t cache_write_tokens = 0;
  std::uint32_t output_tokens_max = 0;  // 0: the model's default
  bool new_connection = false;
};

/// An admitted request. Give it back with finish(), exactly once.
struct Generation {
  std::string account;
  std::string model;
  std::uint64_t text_key = 0;
  std::uint32_t input_tokens = 0;
  std::uint32_t cache_write_tokens = 0;
  std::uint32_t output_tokens = 0;  // what the answer will have
  bool truncated = false;           // by max_tokens: the stop reason
  base::Duration round_trip{};      // the handshake of a new connection included
  base::Duration first_token{};     // from the request's arrival to its first token, in the Region
  std::uint64_t tokens_held = 0;
  base::Instant started;
  base::Random random{0};
};

/// Names the words of an answer: the same for equal (prompt, model, seed).
std::uint64_t answer_key(std::string_view prompt, std::string_view model, std::uint64_t seed);
/// Token `index` of an answer, its leading space included. Plain UTF-8 without characters that JSON escapes.
std::string answer_token(std::uint64_t key, std::uint32_t index);
/// The first `tokens` tokens.
std::string answer_text(std::uint64_t key, std::uint32_t tokens);
/// The length a prompt asks for: N when it contains "#tokens=N" (1 to 1,000,000), else 20 to 200 from its key.
std::uint32_t answer_length(std::string_view prompt, std::uint64_t key);
/// The estimate of this Region's tokenizer: one token for four bytes, rounded up.
std::uint32_t count_tokens(std::size_t text_bytes);

class RegionModel {
 public:
  explicit RegionModel(RegionTraits traits);

  const RegionTraits& traits() const { return traits_; }
  /// Null when the Region does not offer it.
  const OfferedModel* find_model(std::string_view id) const;

  /// Admits the request and holds its quota and a place, or says why not.
  std::expected<Generation, Refusal> admit(const ModelRequest& request, base::Instant now);
  /// Time from one token to the next, at the present load.
  base::Duration next_gap(Generation& generation);
  /// Ends an admitted request: settles its quota with the tokens it really made, and frees its place.
  void finish(const Generation& generation, std::uint32_t output_tokens, base::Instant now);

  /// How long a reply that needs no model (an error) takes to come back.
  base::Duration round_trip(bool new_connection);
  std::uint32_t in_progress() const { return in_progress_; }

 private:
  struct Meters {
    RegionMeter requests;
    RegionMeter tokens;
  };

  double load() const;
  Meters& meters(std::string_view account, std::string_view model);

  RegionTraits traits_;
  base::Random random_;
  std::uint32_t in_progress_ = 0;
  std::map<std::pair<std::string, std::string>, Meters, std::less<>> meters_;  // by (account, model)
};

}  // namespace portolan::sim
