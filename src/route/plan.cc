// SPDX-License-Identifier: Apache-2.0
#include "route/plan.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <tuple>

namespace portolan::route {
namespace {

using Standing = domain::Candidate::Standing;

Standing standing(const Health& health, base::Instant now) {
  if (health.open_until > now) return Standing::open;
  if (health.cooling_until > now) return Standing::cooling;
  if (health.open_until != base::Instant{}) return Standing::suspect;
  return health.measured ? Standing::healthy : Standing::unmeasured;
}

/// Places in the order of trying. A suspect Region whose trial is free stands among the healthy ones: the next call
/// that would have gone there if it had never failed is its trial.
int place(Standing standing, const Health& health) {
  switch (standing) {
    case Standing::healthy:
    case Standing::unmeasured:
      return 0;
    case Standing::cooling:
      return 1;
    case Standing::suspect:
      return health.on_trial ? 2 : 0;
    case Standing::open:
      return 3;
  }
  return 3;
}

double expected_ms(const Health& health, double prior_ms, std::uint32_t input_tokens, base::Instant now) {
  double first_token_ms = prior_ms;
  if (health.measured) {
    const base::Duration age = std::max(now - health.measured_at, base::Duration{});
    const double trust = std::exp2(-base::to_ms(age) / base::to_ms(estimate_half_life));
    first_token_ms = prior_ms + (health.first_token_ms - prior_ms) * trust;
  }
  const double load = std::min(health.in_flight / load_calls * load_share, load_share_max);
  return first_token_ms * (1 + load) + input_tokens * input_token_ms;
}

base::Result<domain::Plan> none(const Question& question, const domain::Catalog& catalog) {
  if (question.allowed.empty())
    return base::fail(base::Code::no_region, "no Region is left to run this call: the grant allows none");
  return base::fail(
      base::Code::no_region,
      fmt::format("no Region is left to run this call: no endpoint is configured for {}; configured are {}",
                  catalog.names(question.allowed),
                  question.reachable.empty() ? "none" : catalog.names(question.reachable)));
}

}  // namespace

base::Result<domain::Plan> plan(const Question& question, const domain::Catalog& catalog, const Fleet& fleet,
                                base::Instant now) {
  const domain::RegionMask regions = question.allowed & question.reachable;
  if (regions.empty()) return none(question, catalog);

  struct Ranked {
    int place;
    domain::Candidate candidate;
  };
  std::array<Ranked, domain::regions_max> ranked;
  std::size_t size = 0;
  for (const domain::RegionIndex region : regions) {
    const Health health = fleet.health(region);
    const double round_trip_ms =
        question.home == domain::region_none ? 0 : catalog.round_trip(question.home, region).p50_ms;
    const Standing stands = standing(health, now);
    const double ms = expected_ms(health, round_trip_ms + model_prior_ms, question.input_tokens, now);
    ranked[size++] = {
        .place = place(stands, health),
        .candidate = {.region = region, .expected_first_token_ms = static_cast<float>(ms), .standing = stands}};
  }
  // Equal expectations fall back to catalog order, so that the same state always gives the same plan.
  std::ranges::sort(std::span{ranked}.first(size), {}, [](const Ranked& r) {
    return std::tuple{r.place, r.candidate.expected_first_token_ms, r.candidate.region};
  });

  domain::Plan plan;
  for (const Ranked& r : std::span{ranked}.first(size)) plan.candidates[plan.size++] = r.candidate;
  return plan;
}

std::string describe(const domain::Plan& plan, const domain::Catalog& catalog) {
  std::string text;
  for (const domain::Candidate& candidate : std::span{plan.candidates}.first(plan.size))
    fmt::format_to(std::back_inserter(text), "{}{} {:.0f} ms {}", text.empty() ? "" : ", ",
                   catalog.region(candidate.region).name, candidate.expected_first_token_ms,
                   name(candidate.standing));
  return text;
}

}  // namespace portolan::route
