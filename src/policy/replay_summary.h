// SPDX-License-Identifier: Apache-2.0
// Replayed calls counted, and those for which something would change grouped: for people.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "policy/replay.h"

namespace portolan::policy {

/// Calls that would meet the same fate for the same cause.
struct ReplayGroup {
  std::string was;       // "served", "denied", "failed"
  std::string would_be;  // "denied", "pruned", "allowed", "undecidable"
  std::string principal;
  std::string action;
  std::string called;              // profile or model, by id
  std::string source;              // Region
  std::string regions;             // that the cause takes away: names, with commas
  ReplayCause cause;               // its `region` is empty
  std::vector<std::string> needs;  // of an undecidable one
  friend auto operator<=>(const ReplayGroup&, const ReplayGroup&) = default;
};

class ReplaySummary {
 public:
  void add(const domain::RecordedCall& call, const ReplayedCall& replayed);

  std::uint64_t calls() const { return calls_; }
  std::uint64_t served() const { return served_; }
  std::uint64_t served_denied() const { return served_denied_; }  // served then, denied by the set
  std::uint64_t served_moved() const { return served_moved_; }    // served in a Region that the set takes away
  std::uint64_t pruned() const { return pruned_; }                // allowed in fewer Regions than there are
  std::uint64_t undecidable() const { return undecidable_; }
  std::uint64_t denied_allowed() const { return denied_allowed_; }  // denied by policies then, allowed by the set

  /// What would change, and how many calls; those that were served and would be denied first.
  std::vector<std::pair<ReplayGroup, std::uint64_t>> groups() const;

 private:
  std::uint64_t calls_ = 0, served_ = 0, served_denied_ = 0, served_moved_ = 0, pruned_ = 0, undecidable_ = 0,
                denied_allowed_ = 0;
  std::map<ReplayGroup, std::uint64_t> groups_;
};

/// "served", "denied", "failed".
std::string_view name(domain::RecordedCall::Outcome outcome);

}  // namespace portolan::policy
