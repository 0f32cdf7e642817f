// SPDX-License-Identifier: Apache-2.0
#include "observe/metrics.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace portolan::observe {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// --- Histogram
// -----------------------------------------------------------------------------------------------------

TEST(Histogram, IsZeroWhenEmpty) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.quantile(0.99), base::Duration{});
  EXPECT_EQ(histogram.max(), base::Duration{});
}

TEST(Histogram, PutsEveryValueBetweenTheEdgesOfItsBucket) {
  for (std::size_t bucket = 1; bucket < Histogram::buckets; ++bucket) {
    const base::Duration lower = Histogram::upper_edge(bucket - 1);
    const base::Duration upper = Histogram::upper_edge(bucket);
    ASSERT_LT(lower, upper);
    ASSERT_EQ(Histogram::bucket_of(upper), bucket) << upper.count();
    ASSERT_EQ(Histogram::bucket_of(lower + nanoseconds{1}), bucket) << lower.count();
    ASSERT_LE(static_cast<double>((upper - lower).count()) / static_cast<double>(lower.count()), 1.0 / 16 + 1e-3);
  }
}

TEST(Histogram, TakesWhatIsTooShortOrTooLongOrNegative) {
  Histogram histogram;
  histogram.record(nanoseconds{-5});
  histogram.record(nanoseconds{0});
  histogram.record(nanoseconds{1});
  EXPECT_EQ(histogram.at(0), 3u);
  EXPECT_EQ(histogram.sum(), nanoseconds{1});
  histogram.record(base::Duration::max());
  EXPECT_EQ(histogram.at(Histogram::buckets - 1), 1u);
  EXPECT_EQ(histogram.quantile(1), base::Duration::max());
}

TEST(Histogram, AQuantileIsNeverBelowTheTrueValueAndAtMostASixteenthAbove) {
  std::mt19937_64 random{11};
  std::lognormal_distribution<double> ms{3, 2};
  Histogram histogram;
  std::vector<base::Duration> values;
  for (int i = 0; i < 50'000; ++i) {
    values.push_back(base::from_ms(ms(random)) + microseconds{2});
    histogram.record(values.back());
  }
  std::ranges::sort(values);
  for (const double q : {0.0001, 0.01, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const auto rank = static_cast<std::size_t>(std::ceil(q * 50'000)) - 1;
    EXPECT_GE(histogram.quantile(q), values[rank]) << q;
    EXPECT_LE(static_cast<double>(histogram.quantile(q).count()),
              static_cast<double>(values[rank].count()) * 1.0626)
        << q;
  }
  EXPECT_EQ(histogram.max(), values.back());
}

TEST(Histogram, AQuantileNeverExceedsTheGreatestValue) {
  Histogram histogram;
  histogram.record(microseconds{1001});
  EXPECT_EQ(histogram.quantile(0.5), microseconds{1001});
}

TEST(Histogram, AddsAnother) {
  Histogram a, b;
  a.record(milliseconds{1});
  b.record(milliseconds{4});
  b.record(milliseconds{2});
  a.add(b);
  EXPECT_EQ(a.count(), 3u);
  EXPECT_EQ(a.sum(), milliseconds{7});
  EXPECT_EQ(a.max(), milliseconds{4});
  EXPECT_EQ(a.quantile(1), milliseconds{4});
}

TEST(Histogram, LosesNothingUnderManyThreads) {
  Histogram histogram;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&histogram] {
        for (int i = 1; i <= 10'000; ++i) histogram.record(microseconds{i});
      });
  }
  EXPECT_EQ(histogram.count(), 40'000u);
  EXPECT_EQ(histogram.sum(), microseconds{4 * 50'005'000LL});
  EXPECT_EQ(histogram.max(), microseconds{10'000});
}

// --- The text format, read strictly
// -------------------------------------------------------------------------------

struct Sample {
  std::string name;
  std::map<std::string, std::string> labels;
  double value = 0;
};
struct Family {
  std::string help, type;
  std::vector<Sample> samples;
};

bool is_name(std::string_view text) {
  if (text.empty() || (text[0] >= '0' && text[0] <= '9')) return false;
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == ':';
  });
}

/// name{label="value",…} number — nothing else, no timestamp.
std::optional<Sample> read_sample(std::string_view line) {
  Sample sample;
  const std::size_t name_end = line.find_first_of("{ ");
  if (name_end == std::string_view::npos) return std::nullopt;
  sample.name = line.substr(0, name_end);
  if (!is_name(sample.name)) return std::nullopt;
  std::size_t at = name_end;
  if (line[at] == '{') {
    do {
      const std::size_t equals = line.find("=\"", ++at);
      if (equals == std::string_view::npos) return std::nullopt;
      const std::string name{line.substr(at, equals - at)};
      std::string value;
      for (at = equals + 2; at < line.size() && line[at] != '"'; ++at) {
        if (line[at] != '\\') {
          value += line[at];
          continue;
        }
        if (++at == line.size() || std::string_view{"\\\"n"}.find(line[at]) == std::string_view::npos)
          return std::nullopt;
        value += line[at] == 'n' ? '\n' : line[at];
      }
      if (++at >= line.size() || !is_name(name) || !sample.labels.emplace(name, value).second) return std::nullopt;
    } while (line[at] == ',');
    if (line[at++] != '}') return std::nullopt;
  }
  if (at >= line.size() || line[at++] != ' ') return std::nullopt;
  const std::string_view number = line.substr(at);
  if (number == "NaN" || number == "+Inf" || number == "-Inf") {
    sample.value = number == "NaN" ? NAN : number == "+Inf" ? INFINITY : -INFINITY;
    return sample;
  }
  const auto [end, failure] = std::from_chars(number.data(), number.data() + number.size(), sample.value);
  if (failure != std::errc{} || end != number.data() + number.size()) return std::nullopt;
  return sample;
}

/// Fails the test on anything that the format does not allow.
std::map<std::string, Family> read_page(std::string_view text) {
  std::map<std::string, Family> families;
  std::set<std::string> series;
  std::string current;
  EXPECT_TRUE(text.ends_with('\n'));
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (line.starts_with("# HELP ")) {
      const std::string_view rest = line.substr(7);
      current = rest.substr(0, rest.find(' '));
      EXPECT_TRUE(is_name(current)) << line;
      EXPECT_TRUE(families.emplace(current, Family{.help = std::string{rest.substr(rest.find(' ') + 1)}}).second)
          << "a family must be one group: " << line;
      continue;
    }
    if (line.starts_with("# TYPE ")) {
      EXPECT_TRUE(line.substr(7).starts_with(current + " ")) << line;
      families[current].type = line.substr(8 + current.size());
      EXPECT_THAT(families[current].type, testing::AnyOf("counter", "gauge", "histogram")) << line;
      continue;
    }
    const std::optional<Sample> sample = read_sample(line);
    if (!sample) {
      ADD_FAILURE() << "not a sample: " << line;
      continue;
    }
    EXPECT_TRUE(series.insert(std::string{line.substr(0, line.rfind(' '))}).second) << "twice: " << line;
    Family& family = families[current];
    std::string_view suffix = sample->name;
    EXPECT_TRUE(suffix.starts_with(current)) << line;
    suffix.remove_prefix(std::min(current.size(), suffix.size()));
    if (family.type == "histogram")
      EXPECT_THAT(suffix, testing::AnyOf("_bucket", "_sum", "_count")) << line;
    else
      EXPECT_EQ(suffix, "") << line;
    family.samples.push_back(*sample);
  }
  for (const auto& [name, family] : families) {
    EXPECT_FALSE(family.help.empty()) << name;
    EXPECT_FALSE(family.samples.empty()) << name;
    if (family.type == "counter") EXPECT_TRUE(name.ends_with("_total")) << name;
  }
  return families;
}

struct MetricsTest : testing::Test {
  std::shared_ptr<const domain::Catalog> catalog = domain::Catalog::builtin();
  Metrics metrics{2};
  std::map<std::string, Family> scrape() const { return read_page(metrics.scrape(*catalog)); }

  static double value(const std::map<std::string, Family>& page, const std::string& name,
                      const std::map<std::string, std::string>& labels = {}) {
    const auto family = page.find(name);
    if (family == page.end()) return -1;
    for (const Sample& sample : family->second.samples)
      if (sample.labels == labels) return sample.value;
    return -1;
  }
};

TEST_F(MetricsTest, AddsUpReactors) {
  const auto converse = static_cast<std::size_t>(domain::Operation::converse);
  metrics.reactor(0).calls[converse] += 3;
  metrics.reactor(1).calls[converse] += 4;
  metrics.reactor(1).connections_open = 5;
  metrics.reactor(0).failovers += 2;
  const auto page = scrape();
  EXPECT_EQ(value(page, "portolan_calls_total", {{"operation", "Converse"}}), 7);
  EXPECT_EQ(value(page, "portolan_connections_open"), 5);
  EXPECT_EQ(value(page, "portolan_failovers_total"), 2);
  EXPECT_EQ(page.at("portolan_connections_open").type, "gauge");
}

TEST_F(MetricsTest, LeavesOutWhatNeverOccurred) {
  const auto page = scrape();
  EXPECT_FALSE(page.contains("portolan_calls_total"));
  EXPECT_FALSE(page.contains("portolan_attempts_total"));
  EXPECT_EQ(value(page, "portolan_calls_in_flight"), 0) << "a gauge at zero is said";
}

TEST_F(MetricsTest, NamesTheStopAndTheErrorThatRefusedACall) {
  metrics.reactor(0).refused[static_cast<std::size_t>(domain::Stage::permit)]
                            [static_cast<std::size_t>(base::Code::access_denied)] += 9;
  metrics.reactor(1).refused[static_cast<std::size_t>(domain::Stage::record)]
                            [static_cast<std::size_t>(base::Code::unreachable)] += 1;
  const auto page = scrape();
  EXPECT_EQ(value(page, "portolan_calls_refused_total", {{"stop", "permit"}, {"code", "access_denied"}}), 9);
  EXPECT_EQ(value(page, "portolan_calls_refused_total", {{"stop", "record"}, {"code", "unreachable"}}), 1);
}

TEST_F(MetricsTest, CountsByRegionAndTokensByDirection) {
  const domain::RegionIndex region = catalog->find_region("eu-central-1");
  metrics.reactor(0).attempts[region] += 2;
  metrics.reactor(0).attempts_failed[region] += 1;
  metrics.reactor(0).served_by[region] += 1;
  metrics.reactor(0).input_tokens[region] += 1000;
  metrics.reactor(1).output_tokens[region] += 300;
  const auto page = scrape();
  EXPECT_EQ(value(page, "portolan_attempts_total", {{"region", "eu-central-1"}}), 2);
  EXPECT_EQ(value(page, "portolan_attempts_failed_total", {{"region", "eu-central-1"}}), 1);
  EXPECT_EQ(value(page, "portolan_served_total", {{"region", "eu-central-1"}}), 1);
  EXPECT_EQ(value(page, "portolan_tokens_total", {{"region", "eu-central-1"}, {"direction", "input"}}), 1000);
  EXPECT_EQ(value(page, "portolan_tokens_total", {{"region", "eu-central-1"}, {"direction", "output"}}), 300);
}

TEST_F(MetricsTest, WritesAHistogramWhoseBucketsAreCumulativeAndExact) {
  Histogram& duration = metrics.reactor(0).duration;
  const std::vector<base::Duration> values{microseconds{100},  microseconds{256}, microseconds{257},
                                           microseconds{1024}, milliseconds{900}, std::chrono::minutes{3}};
  for (const base::Duration value : values) duration.record(value);
  const auto page = scrape();
  const Family& family = page.at("portolan_call_duration_seconds");
  double below = 0, sum = 0;
  for (const Sample& sample : family.samples) {
    if (sample.name.ends_with("_sum")) sum = sample.value;
    if (!sample.name.ends_with("_bucket")) continue;
    EXPECT_GE(sample.value, below);
    below = sample.value;
    const std::string& le = sample.labels.at("le");
    const double edge_s = le == "+Inf" ? INFINITY : std::stod(le);
    const auto expected =
        std::ranges::count_if(values, [&](base::Duration v) { return base::to_ms(v) / 1000 <= edge_s; });
    EXPECT_EQ(sample.value, static_cast<double>(expected)) << "le " << le;
  }
  EXPECT_EQ(family.samples.size(), 20u + 3u);
  EXPECT_NEAR(sum, 180.901637, 1e-6);
  EXPECT_EQ(family.samples.back().name, "portolan_call_duration_seconds_count");
  EXPECT_EQ(family.samples.back().value, 6);
}

TEST_F(MetricsTest, AsksGaugesWhenScrapedAndKeepsAFamilyTogether) {
  double idle = 3;
  metrics.add({.name = "portolan_pool_idle", .help = "Idle.", .labels = label("region", "us-east-1"), .value = [&] {
                 return idle;
               }});
  metrics.add(
      {.name = "portolan_trail_groups_total", .help = "Groups.", .value = [] { return 1.5e18; }, .counter = true});
  metrics.add({.name = "portolan_pool_idle", .help = "Idle.", .labels = label("region", "us-west-2"), .value = [] {
                 return 0.25;
               }});
  EXPECT_EQ(value(scrape(), "portolan_pool_idle", {{"region", "us-east-1"}}), 3);
  idle = 4;
  const auto page = scrape();
  EXPECT_EQ(value(page, "portolan_pool_idle", {{"region", "us-east-1"}}), 4);
  EXPECT_EQ(value(page, "portolan_pool_idle", {{"region", "us-west-2"}}), 0.25);
  EXPECT_EQ(value(page, "portolan_trail_groups_total"), 1.5e18);
  EXPECT_EQ(page.at("portolan_trail_groups_total").type, "counter");
}

TEST_F(MetricsTest, EscapesLabelsAndHelp) {
  metrics.add(
      {.name = "portolan_odd", .help = "a \\ and\na line", .labels = label("what", "a\"b\\c\nd"), .value = [] {
         return -INFINITY;
       }});
  const auto page = scrape();
  EXPECT_EQ(page.at("portolan_odd").help, "a \\\\ and\\na line");
  EXPECT_EQ(value(page, "portolan_odd", {{"what", "a\"b\\c\nd"}}), -INFINITY);
}

TEST(StrictReader, RefusesWhatTheFormatDoesNotAllow) {
  for (const char* line :
       {"a{b=\"c\"}1", "a{b=\"c} 1", "a{b=\"\\x\"} 1", "1a 1", "a one", "a{} 1", "a 1 2", "a{b=\"c\",} 1"})
    EXPECT_FALSE(read_sample(line)) << line;
  EXPECT_TRUE(read_sample("a{b=\"c\",d=\"\"} 1.5e3"));
}

}  // namespace
}  // namespace portolan::observe
