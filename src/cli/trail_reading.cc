// SPDX-License-Identifier: Apache-2.0
#include "cli/trail_reading.h"

#include <fmt/format.h>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/bytes.h"
#include "data/directory.h"
#include "world/clock.h"

namespace portolan::cli {
namespace {

constexpr std::chrono::seconds progress_every{3};

/// "30d" before now, or a time. Nothing for an empty text.
base::Result<std::optional<base::WallTime>> moment(const char* option, const std::string& text) {
  if (text.empty()) return std::nullopt;
  if (base::WallTime at{}; base::parse_time(text, at)) return at;
  base::Duration ago{};
  if (!base::parse_duration(text, ago))
    return base::fail(base::Code::usage, fmt::format("{} '{}': write a span such as 30d, or a time such as "
                                                     "2026-11-21T23:05:00Z",
                                                     option, text));
  const world::RealClock clock;
  return std::chrono::floor<base::seconds>(clock.wall() - std::chrono::duration_cast<base::microseconds>(ago));
}

/// Asks for page after page.
class PageSource {
 public:
  static base::Result<PageSource> of(const TrailReading& reading) {
    PageSource source{reading};
    if (reading.data_dir.empty()) return source;
    source.disk_ = world::real_disk();
    TRY_VOID(data::expect_readable(*source.disk_, reading.data_dir));
    return source;
  }

  base::Result<trail::Page> page(const trail::Bookmark& after, std::optional<base::WallTime> from,
                                 std::optional<base::WallTime> until) const {
    if (disk_ != nullptr) return trail::read_page(*disk_, reading_->data_dir + "/trail", after, from, until);
    std::string query = "/api/trail/page?after=" + trail::text_of(after);
    for (const auto& [name, at] : {std::pair{"&from=", from}, std::pair{"&until=", until}}) {
      if (!at) continue;
      query += name;
      base::percent_encode(base::iso8601(*at), query);
    }
    TRY(const std::string lines, reading_->admin.expect("GET", query));
    return page_of(lines);
  }

 private:
  explicit PageSource(const TrailReading& reading) : reading_(&reading) {}

  static base::Result<trail::Page> page_of(const std::string& lines) {
    trail::Page page;
    std::istringstream stream(lines);
    for (std::string line; std::getline(stream, line);) page.records.push_back(std::move(line));
    if (page.records.empty()) page.records.emplace_back();
    const auto end = nlohmann::json::parse(page.records.back(), nullptr, false);
    page.records.pop_back();
    const auto mark =
        end.is_object() && end.contains("page") ? trail::bookmark_of(end["page"].value("next", "")) : std::nullopt;
    if (!mark)
      return base::fail(base::Code::internal, "the gateway's answer has no end: is it of another version?");
    page.next = *mark;
    page.last = end["page"].value("last", true);
    page.segments_missing = end["page"].value("segments_missing", 0u);
    return page;
  }

  const TrailReading* reading_;
  std::unique_ptr<world::Disk> disk_;
};

class Progress {
 public:
  void tell(const trail::Coverage& coverage) {
    const auto now = std::chrono::steady_clock::now();
    if (now < next_ || !coverage.last()) return;
    next_ = now + progress_every;
    fmt::print(stderr, "portolan: {} records read, up to {}\n", coverage.records(),
               base::iso8601(*coverage.last()));
  }

 private:
  std::chrono::steady_clock::time_point next_ = std::chrono::steady_clock::now() + progress_every;
};

base::Result<std::optional<base::WallTime>> beginning_of(const PageSource& source) {
  trail::Bookmark after;
  for (;;) {
    TRY(const trail::Page page, source.page(after, std::nullopt, std::nullopt));
    for (const std::string& line : page.records) {
      TRY(const trail::ReadRecord record, trail::read_record(line));
      if (record.at) return record.at;
    }
    if (page.last) return std::nullopt;
    after = page.next;
  }
}

}  // namespace

void TrailReading::add_options(CLI::App& command) {
  admin.add_options(command);
  command.add_option("--data-dir", data_dir, "Read the files of this data directory instead of asking a gateway");
  command.add_option("--since", since, "Not before: a span back from now (30d, 12h), or 2026-11-21T23:05:00Z");
  command.add_option("--until", until, "Before, the same (default: now)");
}

base::Result<TrailSeen> read_trail(const TrailReading& reading,
                                   const std::function<void(const trail::ReadRecord&)>& visit) {
  TrailSeen seen;
  TRY(seen.since, moment("--since", reading.since));
  TRY(const std::optional<base::WallTime> until, moment("--until", reading.until));
  TRY(const PageSource source, PageSource::of(reading));
  TRY(seen.begins, beginning_of(source));
  Progress progress;
  trail::Bookmark after;
  for (bool more = true; more;) {
    TRY(const trail::Page page, source.page(after, seen.since, until));
    seen.coverage.note_missing(page.segments_missing);
    for (const std::string& line : page.records) {
      TRY(const trail::ReadRecord record, trail::read_record(line));
      if (record.at) seen.coverage.note(*record.at);
      visit(record);
    }
    progress.tell(seen.coverage);
    after = page.next;
    more = !page.last;
  }
  return seen;
}

}  // namespace portolan::cli
