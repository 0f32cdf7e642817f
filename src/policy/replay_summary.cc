// SPDX-License-Identifier: Apache-2.0
#include "policy/replay_summary.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace portolan::policy {
namespace {

using domain::RecordedCall;
using CallOutcome = RecordedCall::Outcome;
using ReplayVerdict = ReplayedCall::Verdict;

/// Denied by a policy, and not by a freeze or the tenant's rules, which a set of policies does not change.
bool was_denied_by_policy(const RecordedCall& call) {
  return call.outcome == CallOutcome::denied && !call.denied_by.empty() && call.denied_by != "freeze" &&
         call.denied_by != "tenant";
}

int rank(const ReplayGroup& group) {
  if (group.was == "served" && group.would_be == "denied") return 0;
  if (group.would_be == "undecidable") return 1;
  return group.would_be == "pruned" ? 2 : 3;
}

}  // namespace

std::string_view name(CallOutcome outcome) {
  switch (outcome) {
    case CallOutcome::served:
      return "served";
    case CallOutcome::denied:
      return "denied";
    case CallOutcome::failed:
      return "failed";
  }
  return "";
}

void ReplaySummary::add(const RecordedCall& call, const ReplayedCall& replayed) {
  ++calls_;
  if (call.outcome == CallOutcome::served) ++served_;
  if (replayed.takes_away(call)) ++served_denied_;
  if (replayed.moves(call)) ++served_moved_;
  if (replayed.verdict == ReplayVerdict::pruned) ++pruned_;
  if (replayed.verdict == ReplayVerdict::undecidable) ++undecidable_;
  const bool is_opened = was_denied_by_policy(call) &&
                         (replayed.verdict == ReplayVerdict::allowed || replayed.verdict == ReplayVerdict::pruned);
  if (is_opened) ++denied_allowed_;
  // What was denied and stays so, or was allowed in full and stays so, changes nothing.
  if (call.outcome == CallOutcome::denied && !is_opened && replayed.verdict != ReplayVerdict::undecidable) return;
  if (replayed.verdict == ReplayVerdict::allowed && !is_opened) return;

  const ReplayGroup whole{
      .was = std::string{name(call.outcome)},
      .would_be = std::string{is_opened ? name(ReplayVerdict::allowed) : name(replayed.verdict)},
      .principal = call.principal,
      .action = std::string{replayed.action},
      .called = call.profile.empty() ? call.model : call.profile,
      .source = call.source,
      .regions = {},
      .cause = {},
      .needs = replayed.needs};
  if (is_opened || replayed.causes.empty()) {
    ++groups_[whole];
    return;
  }
  std::map<ReplayCause, std::string> regions_by_cause;
  for (ReplayCause cause : replayed.causes) {
    const std::string region = std::exchange(cause.region, {});
    std::string& regions = regions_by_cause[std::move(cause)];
    if (!region.empty()) regions += (regions.empty() ? "" : ", ") + region;
  }
  for (const auto& [cause, regions] : regions_by_cause) {
    ReplayGroup group = whole;
    group.cause = cause;
    group.regions = regions;
    ++groups_[group];
  }
}

std::vector<std::pair<ReplayGroup, std::uint64_t>> ReplaySummary::groups() const {
  std::vector<std::pair<ReplayGroup, std::uint64_t>> sorted(groups_.begin(), groups_.end());
  std::ranges::sort(sorted, [](const auto& a, const auto& b) {
    return std::tuple(rank(a.first), b.second, a.first) < std::tuple(rank(b.first), a.second, b.first);
  });
  return sorted;
}

}  // namespace portolan::policy
