// SPDX-License-Identifier: Apache-2.0
// What is counted. Fixed tables of relaxed atomics, one set per reactor so that no cache line is shared on the call
// path; a scrape adds them up and writes the Prometheus text format (version 0.0.4).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "domain/call.h"
#include "domain/catalog.h"
#include "domain/denial.h"

namespace portolan::observe {

/// A histogram whose buckets grow on a log-linear scale, 16 to each doubling, from 1 µs to 2^32 µs (71 minutes).
///
/// Bucket (s, d) holds the values in (lower, upper] with upper = 2^d · (1 + (s + 1) / 16) µs, so a quantile, which
/// is the upper edge of its bucket, is never below the true value and at most 1/16 = 6.25 % above it. What is at
/// most 1 µs long counts as 1 µs, what is beyond the last bucket as the greatest value seen. Sum, count and max are
/// exact. Recording is three relaxed atomic operations; any thread. Also used by the load generator.
class Histogram {
 public:
  static constexpr std::size_t sub_buckets = 16;
  static constexpr std::size_t doublings = 32;
  static constexpr std::size_t buckets = sub_buckets * doublings;
  void record(base::Duration value);
  void add(const Histogram& other);
  std::uint64_t count() const { return count_.load(std::memory_order_relaxed); }
  base::Duration sum() const { return base::Duration{sum_ns_.load(std::memory_order_relaxed)}; }
  base::Duration max() const { return base::Duration{max_ns_.load(std::memory_order_relaxed)}; }
  /// The value that the share `q` (0..1) of the samples does not exceed; zero when empty.
  base::Duration quantile(double q) const;
  std::uint64_t at(std::size_t bucket) const { return counts_[bucket].load(std::memory_order_relaxed); }
  static std::size_t bucket_of(base::Duration value);
  static base::Duration upper_edge(std::size_t bucket);

 private:
  std::array<std::atomic<std::uint64_t>, buckets> counts_{};
  std::atomic<std::uint64_t> count_{0};
  std::atomic<std::int64_t> sum_ns_{0};
  std::atomic<std::int64_t> max_ns_{0};
};

/// One reactor's counters. Written by that reactor, read by scrapes.
struct Counters {
  using Count = std::atomic<std::uint64_t>;
  static constexpr std::size_t operations = 15;
  static constexpr std::size_t codes = 64;

  std::array<Count, operations> calls{};                                // by operation, all
  std::array<Count, operations> served{};                               // by operation
  std::array<std::array<Count, codes>, domain::stage_count> refused{};  // by stop and error code
  std::array<Count, domain::denial_count> denied{};                     // by what denied
  std::array<Count, domain::shadow_verdict_count> shadow{};             // by what a shadow would have done
  std::array<Count, domain::regions_max> attempts{};                    // by Region
  std::array<Count, domain::regions_max> attempts_failed{};
  std::array<Count, domain::regions_max> served_by{};
  std::array<Count, domain::regions_max> input_tokens{};  // by the Region that served
  std::array<Count, domain::regions_max> output_tokens{};
  Count failovers{0};
  Count streams_cut{0};
  Count bytes_in{0};
  Count bytes_out{0};
  Count connections{0};
  Count connections_refused{0};   // one too many, or no descriptor left
  Count connections_flooding{0};  // HTTP/2, ended for frames that carry nothing
  std::atomic<std::int64_t> connections_open{0};
  Count tls_handshakes_failed{0};
  std::atomic<std::int64_t> calls_in_flight{0};
  Histogram duration;    // whole calls that were served
  Histogram first_byte;  // to the caller
};

/// `name="value"` with the value escaped as the text format wants it. Join several with a comma.
std::string label(std::string_view name, std::string_view value);

/// A named value that a scrape asks for when it happens (pool sizes, trail groups, breaker states).
struct Gauge {
  std::string name;
  std::string help;
  std::string labels;  // label("region", "us-east-1"), or empty
  std::function<double()> value;
  bool counter = false;
};

/// The same for gauges that come and go with the configuration: labels and values.
struct GaugeFamily {
  std::string name;
  std::string help;
  std::function<std::vector<std::pair<std::string, double>>()> values;
};

class Metrics {
 public:
  explicit Metrics(std::size_t reactors);
  Counters& reactor(std::size_t index) { return *counters_[index]; }
  /// Before serving starts; not while a scrape may run. Gauges of one name are written as one family, under the
  /// help of the first. `value` is called by the thread that scrapes.
  void add(Gauge gauge);
  void add_family(GaugeFamily family) { families_.push_back(std::move(family)); }
  /// The Prometheus text of everything. Series that are zero for a Region or error that never occurred are left
  /// out.
  std::string scrape(const domain::Catalog& catalog) const;

 private:
  std::vector<std::unique_ptr<Counters>> counters_;
  std::vector<Gauge> gauges_;
  std::vector<GaugeFamily> families_;
};

}  // namespace portolan::observe
