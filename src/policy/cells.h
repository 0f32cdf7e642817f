// SPDX-License-Identifier: Apache-2.0
// The matrix of a set of policies: which principal may run which profile in which Region, and how two sets differ.
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

/// One principal calling one profile from one source Region. Valid during the visit.
struct Cell {
  const InferenceCall& call;
  const Judgement& judgement;
};

/// Visits every cell of a principal and a profile: each source Region of the profile, each action.
void visit_cells(const Organization& organization, const domain::Catalog& catalog, std::string_view principal,
                 const domain::Profile& profile, const CellQuestion& question,
                 const std::function<void(const Cell&)>& visit);

/// A destination that one set allows and the other does not.
struct CellChange {
  bool is_granted = false;  // true: only the new set allows it; false: only the old one
  std::string principal;
  std::string action;
  const domain::Profile* profile = nullptr;
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

/// The cells that change, for every principal of either set and every profile of the catalog; ordered by principal,
/// profile, source, action, destination.
std::vector<CellChange> changed_cells(const Organization& before, const Organization& after,
                                      const domain::Catalog& catalog, const CellQuestion& question);

/// A statement's Sid, or its number from 1: "statement 2"; empty when there is none.
std::string statement_words(const Policy* policy, const iam::Statement* statement);

}  // namespace portolan::policy
