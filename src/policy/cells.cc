// SPDX-License-Identifier: Apache-2.0
#include "policy/cells.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <set>

namespace portolan::policy {
namespace {

using domain::RegionIndex;

CellChange change_of(const InferenceCall& call, RegionIndex destination, bool is_granted,
                     const Judgement& denying) {
  CellChange change{.is_granted = is_granted,
                    .principal = std::string{call.principal},
                    .action = std::string{call.action},
                    .called = {.profile = call.target.profile, .model = call.target.model},
                    .source = call.target.source,
                    .destination = destination};
  const Ruling* ruling = denying.ruling_for(destination);
  // In strict mode a destination that would be allowed by itself is denied with the others.
  if (denying.denied_by >= 0 && (ruling == nullptr || !ruling->denies()))
    ruling = &denying.rulings[static_cast<std::size_t>(denying.denied_by)];
  if (ruling == nullptr) return change;
  change.outcome = ruling->decision.outcome;
  change.kind = ruling->decision.by.kind;
  change.level = ruling->level;
  change.sid = statement_words(ruling->policy, ruling->statement);
  if (ruling->policy == nullptr) return change;
  change.document = ruling->policy->name;
  if (ruling->statement != nullptr && !ruling->policy->is_managed_by_aws())
    change.line = ruling->statement->place.line;
  return change;
}

std::set<std::string> principals_of_either(const Organization& before, const Organization& after) {
  std::set<std::string> arns;
  for (const auto& [arn, unused] : before.principals) arns.insert(arn);
  for (const auto& [arn, unused] : after.principals) arns.insert(arn);
  return arns;
}

std::vector<Called> called_in(const domain::Catalog& catalog) {
  std::vector<Called> all;
  for (const auto& profile : catalog.profiles()) all.push_back(Called::of(*profile));
  for (const auto& model : catalog.models())
    if (!model->in_region.empty()) all.push_back({.model = model.get()});
  return all;
}

using NamedPolicies = std::map<std::string, PolicyPointer, std::less<>>;

/// The document's text; nothing where there is no such door, or it has no policy.
std::string_view text_of_door(const Organization& organization, const NamedPolicies& doors,
                              const std::string& name) {
  const auto door = doors.find(name);
  if (door == doors.end() || door->second == nullptr) return {};
  const auto text = organization.files.find(door->second->name);
  return text == organization.files.end() ? std::string_view{} : std::string_view{text->second};
}

}  // namespace

std::string statement_words(const Policy* policy, const iam::Statement* statement) {
  if (policy == nullptr || statement == nullptr) return {};
  if (!statement->sid.empty()) return statement->sid;
  return fmt::format("statement {}", statement - policy->document.statements.data() + 1);
}

void visit_cells(const Organization& organization, const domain::Catalog& catalog, std::string_view principal,
                 const Called& called, const CellQuestion& question,
                 const std::function<void(const Cell&)>& visit) {
  const base::Result<InForce> in_force = InForce::of(organization, principal);
  if (!in_force) return;  // cannot be: no session policy and no listener was named
  const Mode mode =
      question.mode.value_or(called.profile != nullptr ? default_mode(*called.profile) : Mode::strict);
  for (const RegionIndex source : called.sources())
    for (const std::string& action : question.actions) {
      const InferenceCall call{.principal = principal,
                               .account = {},
                               .action = action,
                               .target = {.profile = called.profile, .model = called.model, .source = source},
                               .request = question.request,
                               .profile_arn = question.profile_arn};
      const Judgement judgement = judge(call, mode, organization, *in_force, catalog);
      visit({.call = call, .judgement = judgement});
    }
}

std::vector<CellChange> changed_cells(const Organization& before, const Organization& after,
                                      const domain::Catalog& catalog, const CellQuestion& question) {
  std::vector<CellChange> changes;
  for (const std::string& principal : principals_of_either(before, after))
    for (const Called& called : called_in(catalog)) {
      std::vector<Judgement> old;  // of the cells in the order of the visit
      visit_cells(before, catalog, principal, called, question,
                  [&](const Cell& cell) { old.push_back(cell.judgement); });
      std::size_t next = 0;
      visit_cells(after, catalog, principal, called, question, [&](const Cell& cell) {
        const Judgement& was = old[next++];
        const Judgement& is = cell.judgement;
        for (const RegionIndex region : is.destinations)
          if (was.allowed.contains(region) != is.allowed.contains(region)) {
            const bool is_granted = is.allowed.contains(region);
            changes.push_back(change_of(cell.call, region, is_granted, is_granted ? was : is));
          }
      });
    }
  return changes;
}

std::vector<DoorChange> changed_doors(const Organization& before, const Organization& after) {
  std::vector<DoorChange> changes;
  const auto compare = [&](iam::PolicyKind kind, NamedPolicies Organization::* doors) {
    std::set<std::string> names;
    for (const auto& [name, unused] : before.*doors) names.insert(name);
    for (const auto& [name, unused] : after.*doors) names.insert(name);
    for (const std::string& name : names)
      if (text_of_door(before, before.*doors, name) != text_of_door(after, after.*doors, name))
        changes.push_back({.kind = kind, .name = name});
  };
  compare(iam::PolicyKind::session, &Organization::session_policies);
  compare(iam::PolicyKind::listener, &Organization::listeners);
  return changes;
}

}  // namespace portolan::policy
