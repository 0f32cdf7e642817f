// SPDX-License-Identifier: Apache-2.0
// Recorded calls judged anew: what a set of policies would have said to them.
//
// The request is rebuilt from the record: principal, action, profile or model, source Region, mode, address, user
// agent, TLS, service tier and time. The rest comes from the set (tags of the principal, the organisation) as it
// does in the gateway. Where a record lacks a key that the set reads, the call is judged with that key at its best
// and at its worst (supposed.h): when both say the same it is decided all the same, else it is undecidable, and the
// key is named. Nothing is guessed.
//
// Freezes and the tenants' rules are no part of it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/recorded_call.h"
#include "policy/compiled.h"

namespace portolan::policy {

struct ReplayOptions {
  std::optional<Mode> mode;  // of every call; empty: as it was recorded
  ProfileArn profile_arn = ProfileArn::application;
};

/// What takes a Region, or the whole call, away.
struct ReplayCause {
  std::string region;      // name, or "unspecified"; empty: the whole call
  std::string kind;        // "scp", "identity" …; "unnamed": the set has no entry for the principal
  std::string level;       // "unit workloads"; empty for kinds without levels
  std::string document;    // its file; empty when an Allow is missing
  std::string statement;   // its Sid, or "statement 2"; the same
  std::uint32_t line = 0;  // 0: in no file
  friend auto operator<=>(const ReplayCause&, const ReplayCause&) = default;
};

struct ReplayedCall {
  enum class Verdict : std::uint8_t {
    allowed,      // in every destination
    pruned,       // in some; `causes` has what took the others
    denied,       // `causes` has the one that denies
    undecidable,  // `needs` says what the record, or the catalog, would have to tell
  };
  Verdict verdict = Verdict::allowed;
  std::optional<Mode> mode;          // that it was judged in; empty: undecidable before
  std::string_view action;           // "bedrock:InvokeModel"
  std::vector<std::string> allowed;  // Regions
  std::vector<ReplayCause> causes;
  std::vector<std::string> needs;  // "key bedrock:ServiceTier", "profile eu.x in the catalog"

  /// Whether a call that was served would have been refused.
  bool takes_away(const domain::RecordedCall& call) const {
    return verdict == Verdict::denied && call.outcome == domain::RecordedCall::Outcome::served;
  }
  /// Whether it would have had to be served elsewhere.
  bool moves(const domain::RecordedCall& call) const;
};
std::string_view name(ReplayedCall::Verdict verdict);

/// Judges one call after the other; remembers what it compiled. One thread.
class Replay {
 public:
  Replay(std::shared_ptr<const Organization> organization, std::shared_ptr<const domain::Catalog> catalog,
         ReplayOptions options);

  ReplayedCall judge(const domain::RecordedCall& call);

 private:
  /// A set under a supposition, and what it was compiled to.
  struct Supposed {
    std::unique_ptr<const CompiledPolicies> best, worst;
  };
  /// One bit for each key that some records lack.
  using Unknown = std::uint8_t;

  Unknown unknown_of(const domain::RecordedCall& call) const;
  const Supposed& supposed(Unknown unknown);
  void decide(Question question, const domain::RecordedCall& call, ReplayedCall& replayed);
  void tell(const Judgement& judgement, std::string_view principal, ReplayedCall& replayed) const;
  const domain::Principal& principal_of(const domain::RecordedCall& call);

  std::shared_ptr<const Organization> organization_;
  std::shared_ptr<const domain::Catalog> catalog_;
  ReplayOptions options_;
  CompiledPolicies policies_;
  Unknown reads_ = 0;  // of these keys, those that the set reads
  std::map<Unknown, Supposed> supposed_;
  std::map<std::string, domain::Principal, std::less<>> principals_;  // by ARN and account; addresses are kept
  CellMemory memory_;
};

/// What is called, and what a record must name for that. Used by whoever reads evidence from records.
struct RecordedTarget {
  domain::Inference inference;     // with profile, model, source, operation and stream
  std::vector<std::string> needs;  // empty when all of it is in the catalog
};
RecordedTarget recorded_target(const domain::RecordedCall& call, const domain::Catalog& catalog);

}  // namespace portolan::policy
