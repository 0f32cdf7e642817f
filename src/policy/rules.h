// SPDX-License-Identifier: Apache-2.0
// What operators put in force while the gateway runs, beside the configuration: freezes, and versions of the
// policies.
//
// Every change makes new Rules with a higher epoch. A call keeps the configuration that it began with, but not
// these: before each attempt it compares its epoch with the newest, and is judged again when they differ
// (gateway/stops.h, permit_again).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "domain/call.h"
#include "domain/denial.h"
#include "domain/freeze.h"
#include "policy/compiled.h"
#include "policy/control_plane.h"

namespace portolan::policy {

/// A set of policies with its number.
struct PolicyVersion {
  PolicyVersion(std::uint32_t number_, std::shared_ptr<const Organization> organization,
                std::shared_ptr<const domain::Catalog> catalog, ProfileArn profile_arn)
      : number(number_), policies(std::move(organization), std::move(catalog), profile_arn) {}

  std::uint32_t number = 0;
  CompiledPolicies policies;

  /// Of the content: equal sets have equal hashes.
  std::string_view hash() const { return policies.organization().version; }
};
using PolicyVersionPointer = std::shared_ptr<const PolicyVersion>;

/// A version that is tried before it is in force for all.
struct Candidate {
  PolicyVersionPointer version;  // null: there is none
  /// Of a hundred calls, how many it judges, by their ids; 0: none, it is evaluated beside what is in force.
  unsigned share_percent = 0;

  bool is_shadow() const { return version != nullptr && share_percent == 0; }
};

/// A refusal, and what it was that refused.
struct Refusal {
  domain::Denial by = domain::Denial::tenant;
  base::Error error;
};

/// What stop 4 works out for one call. Owned by the call.
struct Verdict {
  const PolicyVersion* version = nullptr;  // that judged; null: no policies are in force for it
  const Judgement* judgement = nullptr;    // of the version
  domain::RegionMask allowed;              // of the judgement; without one every Region
  std::optional<Refusal> refusal;
  std::optional<domain::ShadowVerdict> shadow;
  Judgement anew;  // where `judgement` points when it is not shared
};

/// Immutable; any thread.
class Rules {
 public:
  Rules() = default;
  Rules(std::uint64_t epoch, std::vector<domain::Freeze> freezes, PolicyVersionPointer in_force = nullptr,
        Candidate candidate = {})
      : epoch_(epoch),
        freezes_(std::move(freezes)),
        in_force_(std::move(in_force)),
        candidate_(std::move(candidate)) {}

  /// Higher for whatever was put in force later.
  std::uint64_t epoch() const { return epoch_; }
  const std::vector<domain::Freeze>& freezes() const { return freezes_; }
  const PolicyVersionPointer& in_force() const { return in_force_; }  // null: none
  const Candidate& candidate() const { return candidate_; }

  /// Nothing beside the configuration is in force.
  bool is_empty() const { return freezes_.empty() && in_force_ == nullptr && candidate_.version == nullptr; }

  /// Freezes first, then the policies that judge the call of this id. Code::access_denied. `question.inference` has
  /// passed stop 3.
  void judge(const Question& question, std::string_view call_id, const domain::Catalog& catalog, CellMemory& memory,
             Verdict& verdict) const;
  /// The same for a request of the control plane, of which no freeze speaks.
  void judge(const ControlCall& call, std::string_view call_id, const domain::Catalog& catalog,
             Verdict& verdict) const;

 private:
  const PolicyVersion* judging(std::string_view call_id) const;
  std::optional<Refusal> frozen(const Question& question, const domain::Catalog& catalog) const;

  std::uint64_t epoch_ = 0;
  std::vector<domain::Freeze> freezes_;
  PolicyVersionPointer in_force_;
  Candidate candidate_;
};

/// The part of a refusal's cause that metrics and records name.
domain::Denial denial_of(iam::PolicyKind kind);

/// Whether the call of this id is among the `percent` of a hundred. The same for every attempt of it.
bool is_in_share(std::string_view call_id, unsigned percent);

}  // namespace portolan::policy
