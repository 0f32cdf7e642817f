// SPDX-License-Identifier: Apache-2.0
// The matrix of a set of policies: which principal may run which profile or model in which Region, and how two sets
// differ.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "policy/cross_region.h"

namespace portolan::policy {

/// What is asked in every cell alike.
struct CellQuestion {
  std::vector<std::string> actions = {"bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"};
  RequestFacts request;
  std::optional<Mode> mode;  // empty: each profile's own
  ProfileArn profile_arn = ProfileArn::application;
};

/// One principal calling one profile or model from one source Region. Valid during the visit.
struct Cell {
  const InferenceCall& call;
  const Judgement& judgement;
};

/// What is called: a profile, or a model by its bare id.
struct Called {
  const domain::Profile* profile = nullptr;  // null: the model by its bare id
  const domain::Model* model = nullptr;

  static Called of(const domain::Profile& profile) { return {.profile = &profile, .model = profile.model}; }
  const std::string& id() const { return profile != nullptr ? profile->id : model->id; }
  /// Where it can be called at all.
  domain::RegionMask sources() const { return profile != nullptr ? profile->sources : model->in_region; }
};

/// Visits every cell of a principal and a profile or model: each source Region, each action.
void visit_cells(const Organization& organization, const domain::Catalog& catalog, std::string_view principal,
                 const Called& called, const CellQuestion& question, const std::function<void(const Cell&)>& visit);

/// A destination that one set allows and the other does not.
struct CellChange {
  bool is_granted = false;  // true: only the new set allows it; false: only the old one
  std::string principal;
  std::string action;
  Called called;
  domain::RegionIndex source = domain::region_none;
  domain::RegionIndex destination = domain::region_none;
  /// What decided in the set that denies; empty pieces where no statement did.
  iam::Outcome outcome = iam::Outcome::implicit_deny;
  iam::PolicyKind kind = iam::PolicyKind::identity;
  std::string level;
  std::string document;
  std::string sid;         // or "statement 2"
  std::uint32_t line = 0;  // 0: in no file
};

/// The cells that change, for every principal of either set, every profile of the catalog and every model that can
/// be called by its bare id; ordered by principal, profile or model, source, action, destination. Calls are without
/// session policies and through no listener: changed_doors() tells of those.
std::vector<CellChange> changed_cells(const Organization& before, const Organization& after,
                                      const domain::Catalog& catalog, const CellQuestion& question);

/// A session policy or a listener's policy that is new, gone, or another document than before.
struct DoorChange {
  iam::PolicyKind kind = iam::PolicyKind::listener;
  std::string name;  // of the session policy or listener
  friend bool operator==(const DoorChange&, const DoorChange&) = default;
};
/// By kind and name. Documents are compared as they are written.
std::vector<DoorChange> changed_doors(const Organization& before, const Organization& after);

/// A statement's Sid, or its number from 1: "statement 2"; empty when there is none.
std::string statement_words(const Policy* policy, const iam::Statement* statement);

}  // namespace portolan::policy
