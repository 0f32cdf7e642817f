// SPDX-License-Identifier: Apache-2.0
#include "observe/metrics.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <fmt/format.h>
#include <iterator>

namespace portolan::observe {
namespace {

// A doubling starts at 16 units, so that each of its 16 buckets is a whole number of units wide: 1 µs = 16 units.
constexpr std::int64_t unit_ns_numerator = 125;  // a unit is 62.5 ns
constexpr std::int64_t unit_ns_denominator = 2;
constexpr std::int64_t first_edge_ns = 1000;

// le edges of the text format: every doubling from 256 µs to 134 s. They are edges of the histogram itself, so the
// cumulative counts are exact; round numbers would have to be interpolated.
constexpr std::size_t le_doubling_first = 8;
constexpr std::size_t le_doubling_last = 27;

static_assert(static_cast<std::size_t>(base::Code::unreachable) < Counters::codes);
static_assert(static_cast<std::size_t>(domain::Operation::unknown) < Counters::operations);

}  // namespace

std::size_t Histogram::bucket_of(base::Duration value) {
  constexpr std::int64_t ns_max = std::int64_t{1000} << doublings;
  if (value.count() <= first_edge_ns) return 0;
  if (value.count() > ns_max) return buckets - 1;
  // Rounded up and less one, because a bucket includes its upper edge, as `le` does.
  const auto units = static_cast<std::uint64_t>((value.count() * unit_ns_denominator - 1) / unit_ns_numerator);
  const auto doubling = static_cast<std::size_t>(std::bit_width(units)) - 5;
  return doubling * sub_buckets + ((units >> doubling) - sub_buckets);
}

base::Duration Histogram::upper_edge(std::size_t bucket) {
  const std::size_t doubling = bucket / sub_buckets;
  const std::uint64_t units = (sub_buckets + bucket % sub_buckets + 1) << doubling;
  return base::Duration{static_cast<std::int64_t>(units) * unit_ns_numerator / unit_ns_denominator};
}

void Histogram::record(base::Duration value) {
  const std::int64_t ns = std::max<std::int64_t>(value.count(), 0);
  counts_[bucket_of(value)].fetch_add(1, std::memory_order_relaxed);
  count_.fetch_add(1, std::memory_order_relaxed);
  sum_ns_.fetch_add(ns, std::memory_order_relaxed);
  std::int64_t max_ns = max_ns_.load(std::memory_order_relaxed);
  while (ns > max_ns && !max_ns_.compare_exchange_weak(max_ns, ns, std::memory_order_relaxed)) {
  }
}

void Histogram::add(const Histogram& other) {
  // The count is taken from the buckets, so that this histogram agrees with itself while `other` is being written.
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < buckets; ++i) {
    const std::uint64_t n = other.at(i);
    if (n == 0) continue;
    counts_[i].fetch_add(n, std::memory_order_relaxed);
    count += n;
  }
  count_.fetch_add(count, std::memory_order_relaxed);
  sum_ns_.fetch_add(other.sum().count(), std::memory_order_relaxed);
  max_ns_.store(std::max(max().count(), other.max().count()), std::memory_order_relaxed);
}

base::Duration Histogram::quantile(double q) const {
  const std::uint64_t total = count();
  if (total == 0) return {};
  const double share = std::clamp(q, 0.0, 1.0) * static_cast<double>(total);
  const std::uint64_t rank = std::max<std::uint64_t>(static_cast<std::uint64_t>(std::ceil(share)), 1);
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i + 1 < buckets; ++i) {
    seen += at(i);
    if (seen >= rank) return std::min(upper_edge(i), max());
  }
  return max();
}

std::string label(std::string_view name, std::string_view value) {
  std::string text{name};
  text += "=\"";
  for (const char c : value) {
    if (c == '\\')
      text += "\\\\";
    else if (c == '"')
      text += "\\\"";
    else if (c == '\n')
      text += "\\n";
    else
      text += c;
  }
  text += '"';
  return text;
}

namespace {

/// Writes the text format, version 0.0.4 (Prometheus documentation, "Exposition formats").
class Page {
 public:
  /// The HELP and TYPE lines come with the first sample of the family, so that a family without samples leaves no
  /// trace.
  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    type_ = type;
    help_ = help;
  }

  void sample(std::string_view labels, double value) {
    open_family();
    line(name_, "", labels, value);
  }
  void sample_unless_zero(std::string_view labels, std::uint64_t value) {
    if (value != 0) sample(labels, static_cast<double>(value));
  }

  void histogram(const Histogram& values) {
    open_family();
    std::uint64_t below = 0;
    std::size_t bucket = 0;
    for (std::size_t doubling = le_doubling_first; doubling <= le_doubling_last; ++doubling) {
      for (; bucket < doubling * Histogram::sub_buckets; ++bucket) below += values.at(bucket);
      const double edge_s = base::to_ms(Histogram::upper_edge(bucket - 1)) / 1000;
      line(name_, "_bucket", label("le", fmt::format("{}", edge_s)), static_cast<double>(below));
    }
    line(name_, "_bucket", label("le", "+Inf"), static_cast<double>(values.count()));
    line(name_, "_sum", "", base::to_ms(values.sum()) / 1000);
    line(name_, "_count", "", static_cast<double>(values.count()));
  }

  std::string text() && { return std::move(text_); }

 private:
  void open_family() {
    if (opened_ == name_) return;
    opened_ = name_;
    text_ += fmt::format("# HELP {} ", name_);
    for (const char c : help_) {
      if (c == '\\')
        text_ += "\\\\";
      else if (c == '\n')
        text_ += "\\n";
      else
        text_ += c;
    }
    text_ += fmt::format("\n# TYPE {} {}\n", name_, type_);
  }

  void line(std::string_view name, std::string_view suffix, std::string_view labels, double value) {
    text_ += name;
    text_ += suffix;
    if (!labels.empty()) {
      text_ += '{';
      text_ += labels;
      text_ += '}';
    }
    text_ += ' ';
    text_ += number(value);
    text_ += '\n';
  }

  static std::string number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
    if (value == std::floor(value) && std::abs(value) < 1e15) return fmt::format("{:.0f}", value);
    return fmt::format("{}", value);
  }

  std::string text_;
  std::string_view name_, type_, help_;
  std::string opened_;
};

using Reactors = std::vector<std::unique_ptr<Counters>>;

/// The sum over reactors of one of their counters: `total(reactors, [](const Counters& c) -> auto& { … })`.
template <class Pick>
auto total(const Reactors& reactors, Pick pick) {
  decltype(pick(*reactors.front()).load()) sum = 0;
  for (const auto& counters : reactors) sum += pick(*counters).load(std::memory_order_relaxed);
  return sum;
}

void write_calls(Page& page, const Reactors& reactors) {
  const auto by_operation = [&](auto table) {
    for (std::size_t i = 0; i < Counters::operations; ++i)
      page.sample_unless_zero(label("operation", domain::event_name(static_cast<domain::Operation>(i))),
                              total(reactors, [&](const Counters& c) -> auto& { return (c.*table)[i]; }));
  };
  page.family("portolan_calls_total", "counter", "Calls received, by operation, whatever became of them.");
  by_operation(&Counters::calls);
  page.family("portolan_calls_served_total", "counter", "Calls answered in full, by operation.");
  by_operation(&Counters::served);

  page.family("portolan_calls_refused_total", "counter",
              "Calls that ended in an error, by the stop that refused them and the error code.");
  for (std::size_t stop = 0; stop < domain::stage_count; ++stop)
    for (std::size_t code = 0; code <= static_cast<std::size_t>(base::Code::unreachable); ++code)
      page.sample_unless_zero(label("stop", domain::name(static_cast<domain::Stage>(stop))) + "," +
                                  label("code", base::facts(static_cast<base::Code>(code)).name),
                              total(reactors, [&](const Counters& c) -> auto& { return c.refused[stop][code]; }));

  page.family("portolan_denials_total", "counter", "Calls denied at stop 4, by what denied them.");
  for (std::size_t by = 0; by < domain::denial_count; ++by)
    page.sample_unless_zero(label("by", domain::name(static_cast<domain::Denial>(by))),
                            total(reactors, [&](const Counters& c) -> auto& { return c.denied[by]; }));

  page.family("portolan_shadow_verdicts_total", "counter",
              "Calls by what a shadow of the policies would have done: the same, deny, prune Regions, allow more.");
  for (std::size_t would = 0; would < domain::shadow_verdict_count; ++would)
    page.sample_unless_zero(label("would", domain::name(static_cast<domain::ShadowVerdict>(would))),
                            total(reactors, [&](const Counters& c) -> auto& { return c.shadow[would]; }));

  page.family("portolan_calls_in_flight", "gauge", "Calls begun and not yet ended.");
  page.sample("",
              static_cast<double>(total(reactors, [](const Counters& c) -> auto& { return c.calls_in_flight; })));
}

void write_regions(Page& page, const Reactors& reactors, const domain::Catalog& catalog) {
  const auto by_region = [&](auto table, std::string_view more = "") {
    for (std::size_t i = 0; i < catalog.regions().size(); ++i)
      page.sample_unless_zero(
          label("region", catalog.region(static_cast<domain::RegionIndex>(i)).name) + std::string{more},
          total(reactors, [&](const Counters& c) -> auto& { return (c.*table)[i]; }));
  };
  page.family("portolan_attempts_total", "counter", "Attempts sent to a Region.");
  by_region(&Counters::attempts);
  page.family("portolan_attempts_failed_total", "counter", "Attempts that failed, by Region.");
  by_region(&Counters::attempts_failed);
  page.family("portolan_served_total", "counter", "Calls served, by the Region that served them.");
  by_region(&Counters::served_by);
  page.family("portolan_tokens_total", "counter", "Tokens as reported by the Region that served the call.");
  by_region(&Counters::input_tokens, ",direction=\"input\"");
  by_region(&Counters::output_tokens, ",direction=\"output\"");
}

void write_rest(Page& page, const Reactors& reactors) {
  const auto one = [&](std::string_view name, std::string_view type, std::string_view help, auto counter) {
    page.family(name, type, help);
    page.sample("", static_cast<double>(total(reactors, [&](const Counters& c) -> auto& { return c.*counter; })));
  };
  one("portolan_failovers_total", "counter", "Attempts after the first of a call.", &Counters::failovers);
  one("portolan_streams_cut_total", "counter", "Streams that ended in an error after their first byte.",
      &Counters::streams_cut);
  one("portolan_received_bytes_total", "counter", "Bytes received from callers.", &Counters::bytes_in);
  one("portolan_sent_bytes_total", "counter", "Bytes sent to callers.", &Counters::bytes_out);
  one("portolan_connections_total", "counter", "Connections accepted from callers.", &Counters::connections);
  one("portolan_connections_refused_total", "counter",
      "Connections turned away: too many, or no file descriptor left.", &Counters::connections_refused);
  one("portolan_connections_flooding_total", "counter",
      "HTTP/2 connections ended because they sent too many frames that carry nothing.",
      &Counters::connections_flooding);
  one("portolan_connections_open", "gauge", "Connections from callers that are open.", &Counters::connections_open);
  one("portolan_tls_handshakes_failed_total", "counter",
      "Connections from callers that ended before a TLS handshake was complete.", &Counters::tls_handshakes_failed);
}

void write_histograms(Page& page, const Reactors& reactors) {
  const auto sum = std::make_unique<std::array<Histogram, 2>>();  // 8 KiB: not on a coroutine's or thread's stack
  auto& [duration, first_byte] = *sum;
  for (const auto& counters : reactors) {
    duration.add(counters->duration);
    first_byte.add(counters->first_byte);
  }
  page.family("portolan_call_duration_seconds", "histogram",
              "Time from a call's first byte in to its last byte out, of served calls.");
  page.histogram(duration);
  page.family("portolan_first_byte_seconds", "histogram",
              "Time from a call's first byte in to the first byte of its answer.");
  page.histogram(first_byte);
}

void write_gauges(Page& page, const std::vector<Gauge>& gauges) {
  for (auto first = gauges.begin(); first != gauges.end(); ++first) {
    const auto same_name = [&](const Gauge& gauge) { return gauge.name == first->name; };
    if (std::any_of(gauges.begin(), first, same_name)) continue;  // was written with the first of its name
    page.family(first->name, first->counter ? "counter" : "gauge", first->help);
    for (auto gauge = first; gauge != gauges.end(); ++gauge)
      if (same_name(*gauge)) page.sample(gauge->labels, gauge->value());
  }
}

}  // namespace

Metrics::Metrics(std::size_t reactors) {
  for (std::size_t i = 0; i < std::max<std::size_t>(reactors, 1); ++i)
    counters_.push_back(std::make_unique<Counters>());
}

void Metrics::add(Gauge gauge) {
  gauges_.push_back(std::move(gauge));
}

std::string Metrics::scrape(const domain::Catalog& catalog) const {
  Page page;
  write_calls(page, counters_);
  write_regions(page, counters_, catalog);
  write_rest(page, counters_);
  write_histograms(page, counters_);
  write_gauges(page, gauges_);
  for (const GaugeFamily& family : families_) {
    page.family(family.name, "gauge", family.help);
    for (const auto& [labels, value] : family.values()) page.sample(labels, value);
  }
  return std::move(page).text();
}

}  // namespace portolan::observe
