// SPDX-License-Identifier: Apache-2.0
// The load generator: makes calls at a gateway (or straight at a Region) and measures what a caller would see.
//
// Open loop (a rate): the moment at which each call should start is fixed before the first one is sent, and all
// times are measured from that moment. A server that stalls for a second therefore shows up in every call that
// should have been made in that second; a generator that only measured what it happened to send would hide it
// ("coordinated omission", Gil Tene). Closed loop (a concurrency): n callers, each waiting for its answer before it
// asks again. It finds the capacity, but its latencies flatter a slow server; the report says which of the two it
// was.
//
// The generator is honest about itself: what it sent late because it was busy is its own lag and is reported apart,
// with the CPU it used, and the report says when it was the bottleneck. One thread, one reactor, HTTP/1.1 with
// connections reused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "domain/call.h"
#include "observe/metrics.h"

namespace portolan::load {

struct Progress {
  base::Duration elapsed{};
  std::uint64_t sent = 0;
  std::uint64_t complete = 0;
  std::uint64_t failed = 0;
};

struct LoadOptions {
  std::string url;  // "http://127.0.0.1:8080"; nothing after the port
  /// One that runs a model: converse, converse_stream, invoke_model, invoke_model_stream or chat_completions.
  domain::Operation operation = domain::Operation::converse;
  bool stream = false;  // for chat_completions; the others say it by their name
  std::string model;    // model or inference profile, id or ARN

  /// Either a key pair, which signs with SigV4 for service bedrock in `source_region`, or an API key, sent as a
  /// bearer token.
  std::string access_key_id;
  std::string secret_access_key;
  std::string source_region;
  std::string api_key;

  /// Exactly one of the two is not zero.
  double rate_per_s = 0;          // open loop
  std::uint32_t concurrency = 0;  // closed loop
  /// At least one of the two is not zero; the sooner ends the run. Calls under way are waited for.
  base::Duration duration{};
  std::uint64_t calls = 0;

  std::size_t request_bytes = 1024;  // of the body; the prompt is padded to it
  std::uint32_t output_tokens =
      100;  // asked as the limit, and by "#tokens=N" in the prompt, which the sandbox obeys

  /// Open loop: calls beyond this many at once wait for a connection; the wait is reported.
  std::uint32_t connections_max = 4096;
  base::Duration connect_timeout = std::chrono::seconds{5};
  base::Duration wait_timeout = std::chrono::seconds{60};  // for the first byte, and between any two
  base::Duration call_timeout = std::chrono::minutes{5};

  /// Called about once a second; false ends the run early. May be empty.
  std::function<bool(const Progress&)> on_progress;
};

/// What a histogram says. Quantiles are at most 6.25 % above the true value, never below; the rest is exact.
struct Times {
  std::uint64_t count = 0;
  base::Duration mean{}, p50{}, p90{}, p99{}, p999{}, max{};
  static Times of(const observe::Histogram& histogram);
};

struct LoadReport {
  domain::Operation operation = domain::Operation::converse;
  bool stream = false;
  bool open_loop = true;
  double rate_asked_per_s = 0;
  std::uint32_t concurrency = 0;

  base::Duration elapsed{};  // from the first intended start to the last end
  std::uint64_t sent = 0;
  std::uint64_t complete = 0;   // 200, and the body ended as its format says
  std::uint64_t truncated = 0;  // began with 200 and ended early, be it by a cut or as if it were whole
  std::uint64_t failed = 0;     // everything else; sent = complete + truncated + failed
  double rate_achieved_per_s = 0;
  /// Truncated and failed calls by kind: "HTTP 429 ThrottlingException", "connect refused", "connection cut
  /// mid-answer" …
  std::map<std::string, std::uint64_t> errors;
  /// Complete calls by the Region that the answer named; "unnamed" when it named none.
  std::map<std::string, std::uint64_t> regions;

  Times first_byte;  // intended start → first byte of the answer; of a stream: of its first event. Complete calls.
  Times gap;         // between arrivals within a stream
  Times total;       // intended start → end. Complete calls.

  std::uint64_t connections_opened = 0;
  std::uint64_t bytes_received = 0;
  Times waited_for_connection;  // open loop, calls that found connections_max in use; not part of the lag
  Times lag;                    // open loop: intended start → the generator took the call up
  double cpu_share = 0;         // of the one core that the generator can use
  /// The generator was the limit: it used nearly all of its core, or one call in a hundred left 5 ms late or later.
  bool generator_limited = false;

  std::string to_json() const;  // one line; times in milliseconds
  std::string to_text() const;  // a table for people
};

/// Runs to the end; blocks the calling thread. Code::usage for options that contradict each other,
/// Code::unreachable when the address cannot be resolved or the very first connection is refused.
base::Result<LoadReport> run(const LoadOptions& options);

}  // namespace portolan::load
