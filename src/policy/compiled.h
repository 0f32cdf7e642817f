// SPDX-License-Identifier: Apache-2.0
// A set of policies made ready for the path of a call: cells instead of documents.
//
// A cell is what the set says about one (principal, action, profile or model, source Region, mode). It is judged by
// the reference (cross_region.h) when it is first asked for, and kept. Most cells are static: no statement that
// could apply reads anything that differs from one request to the next (its address, its time …), so one judgement
// answers all calls. Of the others the conditions that read such keys are known; a call evaluates those alone, and
// calls for which the same of them hold share one judgement. Cells of application profiles are of their tags too,
// and limited in number: beyond it such calls are judged by the reference.
//
// Principals for whom the same policies say the same share their cells: those with the same documents and account,
// and equal values of whatever these documents read of a principal.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "domain/call.h"
#include "policy/cross_region.h"
#include "policy/in_force.h"
#include "policy/organization.h"

namespace portolan::policy {

/// What a call asks of a set of policies.
struct Question {
  const domain::Principal& principal;
  const domain::Inference& inference;
  Mode mode = Mode::strict;
  const RequestFacts& facts;
};

class CompiledPolicies {
 public:
  /// Judged once, shared by all calls that it answers. Immutable but for the judgements behind the lock.
  struct Cell {
    bool is_static = false;
    Judgement judgement;  // of a static cell
    /// Of the others: the conditions that differ from request to request, and the keys of a principal that their
    /// variables read. Too many, or mixed with keys of a single check: every call is judged anew.
    bool is_shared = false;
    std::vector<const iam::Condition*> conditions;
    iam::Context of_principal;
    bool names_principal = true;  // false: the organisation has no entry for it
  };

  CompiledPolicies(std::shared_ptr<const Organization> organization, std::shared_ptr<const domain::Catalog> catalog,
                   ProfileArn profile_arn);

  /// Any thread; behind a lock, so for what a thread does not remember (CellMemory). Never fails; lives as long as
  /// this.
  const Cell& cell(const Question& question) const;
  /// Of a cell that is not static: which of its conditions hold, one bit each, from the first on.
  std::uint64_t truths(const Cell& cell, const Question& question) const;
  /// Behind the lock too: the judgement for these truths; null when too many are kept already.
  const Judgement* judgement(const Cell& cell, std::uint64_t truths, const Question& question) const;
  /// By the reference, whatever is compiled.
  Judgement judge(const Question& question) const;

  /// The refusal's text, in AWS's words.
  std::string denial(const Question& question, const Judgement& judgement) const;

  const Organization& organization() const { return *organization_; }
  const std::shared_ptr<const domain::Catalog>& catalog() const { return catalog_; }
  ProfileArn profile_arn() const { return profile_arn_; }
  std::size_t cells() const;
  std::size_t classes() const;

 private:
  /// Principals that nothing in the set can tell apart.
  struct Class {
    explicit Class(InForce in_force_) : in_force(std::move(in_force_)) {}
    InForce in_force;
    std::string principal;  // the first of them
    std::string account;
    std::map<std::string, std::unique_ptr<const Cell>, std::less<>> cells;
  };
  /// What a document reads of the principal.
  struct Reads {
    std::set<std::string, std::less<>> keys;
    bool names_principals = false;  // by Principal or NotPrincipal
  };

  InferenceCall call_of(const Question& question) const;
  Class& class_of(const domain::Principal& principal) const;
  std::string signature(const InForce& in_force, const domain::Principal& principal) const;
  const Reads& reads_of(const iam::Document& document) const;
  std::unique_ptr<const Cell> compile(const Question& question, const InForce& in_force) const;

  std::shared_ptr<const Organization> organization_;
  std::shared_ptr<const domain::Catalog> catalog_;
  ProfileArn profile_arn_;

  Cell judged_anew_;  // neither static nor shared: for what there are too many of

  mutable std::mutex mutex_;  // guards everything below
  mutable std::size_t application_cells_ = 0;
  mutable std::unordered_map<const iam::Document*, Reads> reads_;
  mutable std::unordered_map<std::string, Class*> class_by_principal_;
  mutable std::unordered_map<std::string, std::unique_ptr<Class>> classes_;  // by signature
  mutable std::map<std::pair<const Cell*, std::uint64_t>, std::unique_ptr<const Judgement>> judgements_;
};

/// What one thread has asked before: no lock, no allocation, a probe of a flat table. Entries are addresses, so it
/// has to forget before anything that it was asked about may be gone: at each new snapshot.
class CellMemory {
 public:
  /// `anew` is the caller's room for a judgement that is not kept; the answer is that, or lives as long as
  /// `policies`.
  const Judgement& judge(const CompiledPolicies& policies, const Question& question, Judgement& anew);
  void forget();

 private:
  struct Key {
    const void* policies = nullptr;
    const void* principal = nullptr;
    const void* target = nullptr;
    std::uint64_t more = 0;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Entry {
    Key key;
    const void* value = nullptr;  // null: free
  };
  static std::size_t hash(const Key& key);
  const void* find(const Key& key) const;
  void add(const Key& key, const void* value);
  void grow();

  std::vector<Entry> entries_ = std::vector<Entry>(64);
  std::size_t used_ = 0;
};

/// What decided, for people: "explicit deny in service control policy scps/regions.json, statement DenyOutside, of
/// unit workloads".
std::string describe(const Ruling& ruling);

}  // namespace portolan::policy
