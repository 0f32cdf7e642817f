// SPDX-License-Identifier: Apache-2.0
// What is counted. Fixed tables of relaxed atomics, one set per reactor so that no cache line is shared on the call
// path; a scrape adds them up and writes the Prometheus text format (version 0.0.4).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/time.h"
#include "domain/call.h"

namespace portolan::observe {

/// A histogram whose buckets grow evenly on a logarithmic scale, 8 to each doubling, from 1 µs to about 70 minutes:
/// a relative error of at most 6 %. Recording is one atomic add; any thread. Also used by the load generator.
class Histogram {
 public:
  static constexpr std::size_t sub_buckets = 8;
  static constexpr std::size_t buckets = 8 * 32;
  void record(base::Duration value);
  void add(const Histogram& other);
  std::uint64_t count() const;
  base::Duration sum() const;
  base::Duration max() const;
  /// The value below which the share `q` (0..1) of the samples lies: the upper edge of its bucket; zero when empty.
  base::Duration quantile(double q) const;
  std::uint64_t at(std::size_t bucket) const { return counts_[bucket].load(std::memory_order_relaxed); }
  static base::Duration upper_edge(std::size_t bucket);

 private:
  std::array<std::atomic<std::uint64_t>, buckets> counts_{};
  std::atomic<std::uint64_t> sum_ns_{0};
  std::atomic<std::uint64_t> max_ns_{0};
};

/// One reactor's counters. Written by that reactor, read by scrapes.
struct Counters {
  using Count = std::atomic<std::uint64_t>;
  static constexpr std::size_t operations = 10;
  static constexpr std::size_t codes = 64;

  std::array<Count, operations> calls{};                       // by operation, all
  std::array<Count, operations> served{};                      // by operation
  std::array<std::array<Count, codes>, domain::stage_count> refused{};  // by stop and error code
  std::array<Count, domain::regions_max> attempts{};           // by Region
  std::array<Count, domain::regions_max> attempts_failed{};
  std::array<Count, domain::regions_max> served_by{};
  std::array<Count, domain::regions_max> input_tokens{};       // by the Region that served
  std::array<Count, domain::regions_max> output_tokens{};
  Count failovers{0};
  Count streams_cut{0};
  Count bytes_in{0};
  Count bytes_out{0};
  Count connections{0};
  std::atomic<std::int64_t> connections_open{0};
  std::atomic<std::int64_t> calls_in_flight{0};
  Histogram duration;    // whole calls that were served
  Histogram first_byte;  // to the caller
};

/// A named value that a scrape asks for when it happens (pool sizes, trail groups, breaker states).
struct Gauge {
  std::string name;
  std::string help;
  std::string labels;  // "region=\"us-east-1\"" or empty
  std::function<double()> value;
  bool counter = false;
};

class Metrics {
 public:
  explicit Metrics(std::size_t reactors);
  Counters& reactor(std::size_t index) { return *counters_[index]; }
  /// Before serving starts; not while a scrape may run.
  void add(Gauge gauge);
  /// The Prometheus text of everything. Series that are zero for a Region or error that never occurred are left out.
  std::string scrape(const domain::Catalog& catalog) const;

 private:
  std::vector<std::unique_ptr<Counters>> counters_;
  std::vector<Gauge> gauges_;
};

}  // namespace portolan::observe
