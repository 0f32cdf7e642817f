// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <fmt/format.h>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "load/load.h"

namespace portolan::load {
namespace {

using Json = nlohmann::ordered_json;

Json to_json(const Times& times) {
  const auto ms = [](base::Duration d) { return std::round(base::to_ms(d) * 1000) / 1000; };
  return {{"count", times.count},    {"mean_ms", ms(times.mean)}, {"p50_ms", ms(times.p50)},
          {"p90_ms", ms(times.p90)}, {"p99_ms", ms(times.p99)},   {"p999_ms", ms(times.p999)},
          {"max_ms", ms(times.max)}};
}

/// Three significant digits in the unit that suits: "850 µs", "12.3 ms", "4.56 s".
std::string readable(base::Duration duration) {
  const double ms = base::to_ms(duration);
  const auto digits = [](double value) {
    if (value >= 100) return fmt::format("{:.0f}", value);
    return value >= 10 ? fmt::format("{:.1f}", value) : fmt::format("{:.2f}", value);
  };
  if (ms < 1) return digits(ms * 1000) + " µs";
  return ms < 1000 ? digits(ms) + " ms" : digits(ms / 1000) + " s";
}

/// fmt pads by code points, so "µs" lines up.
void append_row(std::string& out, std::string_view name, const Times& times) {
  if (times.count == 0) return;
  fmt::format_to(std::back_inserter(out), "  {:<22}{:>10}{:>10}{:>10}{:>10}{:>10}\n", name, readable(times.p50),
                 readable(times.p90), readable(times.p99), readable(times.p999), readable(times.max));
}

void append_counts(std::string& out, std::string_view title, const std::map<std::string, std::uint64_t>& counts,
                   std::uint64_t of) {
  if (counts.empty()) return;
  fmt::format_to(std::back_inserter(out), "\n{}\n", title);
  for (const auto& [name, count] : counts)
    fmt::format_to(std::back_inserter(out), "  {:<40}{:>10}{:>9.2f} %\n", name, count,
                   of == 0 ? 0.0 : 100.0 * static_cast<double>(count) / static_cast<double>(of));
}

}  // namespace

Times Times::of(const observe::Histogram& histogram) {
  Times times{.count = histogram.count()};
  if (times.count == 0) return times;
  times.mean = histogram.sum() / static_cast<std::int64_t>(times.count);
  times.p50 = histogram.quantile(0.5);
  times.p90 = histogram.quantile(0.9);
  times.p99 = histogram.quantile(0.99);
  times.p999 = histogram.quantile(0.999);
  times.max = histogram.max();
  return times;
}

std::string LoadReport::to_json() const {
  Json json{{"operation", domain::event_name(operation)},
            {"stream", stream},
            {"loop", open_loop ? "open" : "closed"},
            {"rate_asked_per_s", open_loop ? Json(rate_asked_per_s) : Json()},
            {"concurrency", open_loop ? Json() : Json(concurrency)},
            {"elapsed_s", base::to_ms(elapsed) / 1000},
            {"sent", sent},
            {"complete", complete},
            {"truncated", truncated},
            {"failed", failed},
            {"rate_achieved_per_s", rate_achieved_per_s},
            {"errors", errors},
            {"regions", regions},
            {"first_byte", load::to_json(first_byte)},
            {"gap", load::to_json(gap)},
            {"total", load::to_json(total)},
            {"connections_opened", connections_opened},
            {"bytes_received", bytes_received},
            {"waited_for_connection", load::to_json(waited_for_connection)},
            {"lag", load::to_json(lag)},
            {"cpu_share", cpu_share},
            {"generator_limited", generator_limited}};
  return json.dump();
}

std::string LoadReport::to_text() const {
  std::string out;
  const auto line = [&out]<class... Args>(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(out), format, std::forward<Args>(args)...);
    out += '\n';
  };
  const std::string loop =
      open_loop
          ? fmt::format("open loop, {:.6g} calls/s asked", rate_asked_per_s)
          : fmt::format("closed loop, {} at once: latencies leave out what was not sent meanwhile", concurrency);
  line("{}{}, {}", domain::event_name(operation), stream ? " streamed" : "", loop);
  line("");
  line("  calls sent     {:>12}   in {}, {:.6g}/s", sent, readable(elapsed), rate_achieved_per_s);
  line("  complete       {:>12}", complete);
  line("  truncated      {:>12}", truncated);
  line("  failed         {:>12}", failed);
  line("  connections    {:>12}   opened", connections_opened);
  line("");
  line("  {:<22}{:>10}{:>10}{:>10}{:>10}{:>10}", "time", "p50", "p90", "p99", "p99.9", "max");
  append_row(out, stream ? "first event" : "first byte", first_byte);
  append_row(out, "between arrivals", gap);
  append_row(out, "whole call", total);
  append_row(out, "wait for a connection", waited_for_connection);
  append_row(out, "generator lag", lag);
  append_counts(out, "Errors", errors, sent);
  append_counts(out, "Regions that served", regions, complete);
  line("");
  line("Generator: {:.0f} % of one core.", cpu_share * 100);
  if (generator_limited)
    line("WARNING: the generator was the bottleneck; these figures are about it, not about the server.");
  if (waited_for_connection.count > 0)
    line("Note: {} calls waited because every connection was in use; raise the limit on connections.",
         waited_for_connection.count);
  return out;
}

}  // namespace portolan::load
