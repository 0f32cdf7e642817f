// SPDX-License-Identifier: Apache-2.0
#include "policy/unused.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>

#include "policy/alike.h"
#include "policy/compiled.h"
#include "policy/supposed.h"

namespace portolan::policy {
namespace {

using domain::RegionIndex;
using domain::RegionMask;

constexpr std::string_view actions_in_evidence[] = {"bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"};

/// What was used of one profile or model by one action, by all who are one entry of the set.
using UseBySource = std::map<RegionIndex, Use>;
struct EntryUse {
  std::map<std::pair<std::string, std::string>, UseBySource> by_called_and_action;
  bool any = false;
};

/// Follows used cells through the documents that bind their principals.
class Tracing {
 public:
  Tracing(const Organization& organization, const Uses& uses, const UnusedOptions& options)
      : usual_(suppose(organization, is_of_the_request, Supposition::best)), uses_(uses), options_(options) {
    enlist(organization);
  }

  Unused trace() {
    for (const auto& [cell, use] : uses_.cells()) trace(cell, use);
    for (const auto& [arn, principal] : usual_.principals) {
      if (!options_.principal.empty() && arn != options_.principal) continue;
      if (!entries_[&principal].any) unused_.never_called.push_back(arn);
      collect_grants_of_kind(principal);
    }
    for (auto& [place, statement] : statements_) unused_.statements.push_back(std::move(statement));
    return std::move(unused_);
  }

 private:
  using Place = std::tuple<std::string, iam::PolicyKind, std::size_t>;  // document, kind, index

  /// Every Allow that is in a file: what no call used is told of too.
  void enlist(const Organization& organization) {
    const auto take = [this](const PolicyPointer& policy) {
      if (policy == nullptr || policy->is_managed_by_aws()) return;
      for (std::size_t i = 0; i < policy->document.statements.size(); ++i)
        if (policy->document.statements[i].effect == iam::Effect::allow)
          statements_.try_emplace(Place{policy->name, policy->document.kind, i},
                                  StatementUse{.policy = policy, .index = i});
    };
    for (const auto& [arn, principal] : organization.principals) {
      if (!options_.principal.empty() && arn != options_.principal) continue;
      std::ranges::for_each(principal.identity, take);
      take(principal.boundary);
    }
    if (!options_.principal.empty()) return;
    std::ranges::for_each(organization.root.service_control, take);
    for (const auto& [path, unit] : organization.units) std::ranges::for_each(unit.attached.service_control, take);
    for (const auto& [id, account] : organization.accounts)
      std::ranges::for_each(account.attached.service_control, take);
  }

  void trace(const UsedCell& cell, const Use& use) {
    const Principal* entry = usual_.find_principal(cell.principal);
    if (!options_.principal.empty() && (entry == nullptr || entry->arn != options_.principal)) return;
    const InferenceCall call{.principal = cell.principal,
                             .account = cell.account,
                             .action = cell.action,
                             .target = cell.target(*uses_.catalog()),
                             .request = {},
                             .profile_arn = options_.profile_arn};
    const auto in_force = InForce::of(usual_, cell.principal);
    const Judgement judgement = judge(call, cell.mode, usual_, *in_force, *uses_.catalog());
    if (entry != nullptr) entries_[entry].any = true;
    if (entry == nullptr || !judgement.is_allowed()) {
      unused_.denied_by_now.push_back({.cell = cell, .use = use});
      return;
    }
    entries_[entry].by_called_and_action[{cell.called, cell.action}][cell.source].add(use);
    for (const Ruling& ruling : judgement.rulings)
      if (ruling.check.part != Check::Part::pruning && !ruling.denies())
        note_matches(call, ruling.check, *in_force, use);
  }

  void note_matches(const InferenceCall& call, const Check& check, const InForce& in_force, const Use& use) {
    const iam::Context context = context_of(call, check, usual_, in_force);
    const iam::Request request{
        .principal = call.principal, .action = call.action, .resource = check.resource, .context = &context};
    const auto note = [&](const Policies& policies) {
      for (const PolicyPointer& policy : policies) note_matches(*policy, check, request, use);
    };
    note(in_force.principal()->identity);
    if (in_force.principal()->boundary != nullptr) note({in_force.principal()->boundary});
    if (in_force.account() == nullptr) return;
    note(usual_.root.service_control);
    for (const Unit* unit : usual_.units_above(*in_force.account())) note(unit->attached.service_control);
    note(in_force.account()->attached.service_control);
  }

  void note_matches(const Policy& policy, const Check& check, const iam::Request& request, const Use& use) {
    for (std::size_t i = 0; i < policy.document.statements.size(); ++i) {
      const iam::Statement& statement = policy.document.statements[i];
      if (statement.effect != iam::Effect::allow || !iam::matches(statement, request)) continue;
      const auto found = statements_.find(Place{policy.name, policy.document.kind, i});
      if (found == statements_.end()) continue;
      StatementUse& known = found->second;
      known.calls += use.calls;
      known.last = std::max(known.last, use.last);
      if (policy.document.kind == iam::PolicyKind::identity)
        known.matched.insert({.profile_arn = check.inference_profile_arn,
                              .resource = check.resource,
                              .action = std::string{request.action}});
    }
  }

  /// Of those that are alike and called nothing, one is judged.
  void collect_grants_of_kind(const Principal& principal) {
    if (entries_[&principal].any) return collect_grants(principal);
    const auto [known, is_new] = grants_of_idle_.try_emplace(alike_.at(&principal));
    const std::size_t before = unused_.grants.size();
    if (is_new) {
      collect_grants(principal);
      known->second.assign(unused_.grants.begin() + static_cast<std::ptrdiff_t>(before), unused_.grants.end());
      return;
    }
    for (UnusedGrant grant : known->second) {
      grant.principal = principal.arn;
      unused_.grants.push_back(std::move(grant));
    }
  }

  void collect_grants(const Principal& principal) {
    const domain::Catalog& catalog = *uses_.catalog();
    for (const auto& profile : catalog.profiles()) collect_grants(principal, Called::of(*profile));
    for (const auto& model : catalog.models())
      if (!model->in_region.empty()) collect_grants(principal, {.model = model.get()});
  }

  void collect_grants(const Principal& principal, const Called& called) {
    for (const std::string_view action : actions_in_evidence) {
      const auto& by_called = entries_[&principal].by_called_and_action;
      const auto found = by_called.find({called.id(), std::string{action}});
      static const UseBySource nothing;
      const UseBySource& used = found == by_called.end() ? nothing : found->second;
      UnusedGrant grant{.principal = principal.arn, .action = std::string{action}, .called = called};
      RegionMask ran;
      for (const auto& [source, use] : used) {
        grant.calls += use.calls;
        ran = ran | use.regions;
      }
      RegionMask may_run;
      for (const RegionIndex source : called.sources()) {
        const Judgement& judgement = judged(principal, called, action, source);
        if (!judgement.is_allowed()) continue;
        if (used.contains(source)) {
          may_run = may_run | judgement.allowed;
          continue;
        }
        grant.sources.add(source);
        if (used.empty()) may_run = may_run | judgement.allowed;
        note_grantors(judgement, grant);
      }
      grant.destinations = may_run - ran;
      if (!grant.sources.empty() || !grant.destinations.empty()) unused_.grants.push_back(std::move(grant));
    }
  }

  const Judgement& judged(const Principal& principal, const Called& called, std::string_view action,
                          RegionIndex source) {
    domain::Principal& caller = callers_[&principal];
    if (caller.arn.empty()) {
      caller.arn = representative_of(principal);
      if (const auto name = principal_name(principal.arn)) caller.account_id = name->account;
    }
    const domain::Inference inference{.operation = action == actions_in_evidence[1]
                                                       ? domain::Operation::converse_stream
                                                       : domain::Operation::converse,
                                      .requested = {},
                                      .profile = called.profile,
                                      .model = called.model,
                                      .source = source};
    const Mode usual_mode = called.profile != nullptr ? default_mode(*called.profile) : Mode::strict;
    return memory_.judge(compiled_,
                         {.principal = caller,
                          .inference = inference,
                          .mode = called.profile != nullptr ? options_.mode.value_or(usual_mode) : usual_mode,
                          .facts = no_facts_},
                         anew_);
  }

  static void note_grantors(const Judgement& judgement, UnusedGrant& grant) {
    for (const Ruling& ruling : judgement.rulings)
      if (ruling.policy != nullptr && ruling.statement != nullptr && !ruling.denies() &&
          ruling.statement->effect == iam::Effect::allow)
        grant.granted_by.insert(fmt::format("{}:{}", ruling.policy->name, ruling.statement->place.line));
  }

  const Organization usual_;
  const Uses& uses_;
  const UnusedOptions& options_;
  const RequestFacts no_facts_{};
  CompiledPolicies compiled_{std::make_shared<const Organization>(usual_), uses_.catalog(), options_.profile_arn};
  CellMemory memory_;
  Judgement anew_;
  std::map<const Principal*, domain::Principal> callers_;
  std::map<const Principal*, EntryUse> entries_;
  std::map<Place, StatementUse> statements_;
  const std::map<const Principal*, const Principal*> alike_ = first_alike(usual_);
  std::map<const Principal*, std::vector<UnusedGrant>> grants_of_idle_;  // by the first of those that are alike
  Unused unused_;
};

}  // namespace

Unused find_unused(const Organization& organization, const Uses& uses, const UnusedOptions& options) {
  return Tracing(organization, uses, options).trace();
}

}  // namespace portolan::policy
