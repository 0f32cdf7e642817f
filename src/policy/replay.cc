// SPDX-License-Identifier: Apache-2.0
#include "policy/replay.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "policy/cells.h"
#include "policy/sentence.h"
#include "policy/supposed.h"

namespace portolan::policy {
namespace {

using domain::RecordedCall;
using ReplayVerdict = ReplayedCall::Verdict;

/// Keys that the gateway supplies and some records lack.
struct LackedKey {
  std::string_view key_lower;
  std::string_view key;
  bool (*is_lacked)(const RecordedCall&);
};
constexpr std::array lacked_keys{
    LackedKey{"bedrock:servicetier", "bedrock:ServiceTier",
              [](const RecordedCall& call) { return !call.service_tier; }},
    LackedKey{"aws:useragent", "aws:UserAgent", [](const RecordedCall& call) { return !call.user_agent; }},
};

IsUnknownKey is_among(unsigned unknown) {
  return [unknown](std::string_view key_lower) {
    for (std::size_t i = 0; i < lacked_keys.size(); ++i)
      if ((unknown >> i & 1u) != 0 && lacked_keys[i].key_lower == key_lower) return true;
    return false;
  };
}

/// The modes that the call may have been judged in.
std::vector<Mode> modes_of(const RecordedCall& call, const domain::Inference& inference,
                           const std::optional<Mode>& said) {
  if (inference.profile == nullptr) return {Mode::strict};
  if (said) return {*said};
  if (const auto recorded = mode_named(call.mode)) return {*recorded};
  return {Mode::strict, Mode::subset};
}

ReplayCause cause_of(const Ruling& ruling, std::string region) {
  ReplayCause cause{.region = std::move(region),
                    .kind = std::string{iam::word(ruling.decision.by.kind)},
                    .level = ruling.level,
                    .document = {},
                    .statement = statement_words(ruling.policy, ruling.statement)};
  if (ruling.policy == nullptr) return cause;
  cause.document = ruling.policy->name;
  if (ruling.statement != nullptr && !ruling.policy->is_managed_by_aws())
    cause.line = static_cast<std::uint32_t>(ruling.statement->place.line);
  return cause;
}

}  // namespace

std::string_view name(ReplayVerdict verdict) {
  switch (verdict) {
    case ReplayVerdict::allowed:
      return "allowed";
    case ReplayVerdict::pruned:
      return "pruned";
    case ReplayVerdict::denied:
      return "denied";
    case ReplayVerdict::undecidable:
      return "undecidable";
  }
  return "";
}

bool ReplayedCall::moves(const RecordedCall& call) const {
  return verdict == ReplayVerdict::pruned && call.outcome == RecordedCall::Outcome::served &&
         std::ranges::find(allowed, call.inference_region) == allowed.end();
}

RecordedTarget recorded_target(const RecordedCall& call, const domain::Catalog& catalog) {
  RecordedTarget target;
  domain::Inference& inference = target.inference;
  inference.operation = call.operation;
  inference.stream = call.stream;
  inference.source = catalog.find_region(call.source);
  if (inference.source == domain::region_none)
    target.needs.push_back(fmt::format("Region {} in the catalog", call.source));
  if (call.profile.empty()) {
    inference.model = catalog.find_model(call.model);
    if (inference.model == nullptr) target.needs.push_back(fmt::format("model {} in the catalog", call.model));
    return target;
  }
  inference.profile = catalog.find_profile(call.profile);
  if (inference.profile == nullptr) {
    target.needs.push_back(fmt::format("profile {} in the catalog", call.profile));
    return target;
  }
  inference.model = inference.profile->model;
  const bool has_way =
      inference.source != domain::region_none && !inference.profile->destinations_from(inference.source).empty();
  if (target.needs.empty() && !has_way)
    target.needs.push_back(fmt::format("destinations of {} from {} in the catalog", call.profile, call.source));
  return target;
}

Replay::Replay(std::shared_ptr<const Organization> organization, std::shared_ptr<const domain::Catalog> catalog,
               ReplayOptions options)
    : organization_(std::move(organization)),
      catalog_(std::move(catalog)),
      options_(options),
      policies_(organization_, catalog_, options.profile_arn) {
  for (std::size_t i = 0; i < lacked_keys.size(); ++i)
    if (reads_any(*organization_, is_among(1u << i))) reads_ |= static_cast<Unknown>(1u << i);
}

ReplayedCall Replay::judge(const RecordedCall& call) {
  ReplayedCall replayed;
  RecordedTarget target = recorded_target(call, *catalog_);
  replayed.action = action(target.inference);
  if (!target.needs.empty()) {
    replayed.verdict = ReplayVerdict::undecidable;
    replayed.needs = std::move(target.needs);
    return replayed;
  }
  const RequestFacts facts{.source_ip = call.source_ip,
                           .now = call.at,
                           .secure_transport = call.secure_transport,
                           .service_tier = call.service_tier ? std::string_view{*call.service_tier} : "",
                           .user_agent = call.user_agent ? std::string_view{*call.user_agent} : "",
                           .further = {}};
  decide({.principal = principal_of(call), .inference = target.inference, .facts = facts}, call, replayed);
  return replayed;
}

/// In every mode and under every supposition that the record leaves open.
void Replay::decide(Question question, const RecordedCall& call, ReplayedCall& replayed) {
  const std::vector<Mode> modes = modes_of(call, question.inference, options_.mode);
  const Unknown unknown = unknown_of(call);
  std::vector<const CompiledPolicies*> sets{&policies_};
  if (unknown != 0) sets = {supposed(unknown).best.get(), supposed(unknown).worst.get()};

  Judgement anew;
  const Judgement* judgement = nullptr;
  std::optional<domain::RegionMask> of_first_mode;
  bool mode_matters = false;
  bool keys_matter = false;
  for (const Mode mode : modes) {
    question.mode = mode;
    std::optional<domain::RegionMask> of_first_set;
    for (const CompiledPolicies* policies : sets) {
      judgement = &memory_.judge(*policies, question, anew);
      keys_matter |= of_first_set.value_or(judgement->allowed) != judgement->allowed;
      of_first_set = of_first_set.value_or(judgement->allowed);
    }
    mode_matters |= of_first_mode.value_or(judgement->allowed) != judgement->allowed;
    of_first_mode = of_first_mode.value_or(judgement->allowed);
  }
  replayed.mode = modes.front();
  if (!keys_matter && !mode_matters) return tell(*judgement, call.principal, replayed);
  replayed.verdict = ReplayVerdict::undecidable;
  if (mode_matters) replayed.needs.emplace_back("the mode, strict or subset");
  for (std::size_t i = 0; keys_matter && i < lacked_keys.size(); ++i)
    if ((unknown >> i & 1u) != 0) replayed.needs.push_back(fmt::format("key {}", lacked_keys[i].key));
}

void Replay::tell(const Judgement& judgement, std::string_view principal, ReplayedCall& replayed) const {
  for (const domain::RegionIndex region : judgement.allowed)
    replayed.allowed.push_back(catalog_->region(region).name);
  if (!judgement.is_allowed()) {
    replayed.verdict = ReplayVerdict::denied;
    if (organization_->find_principal(principal) == nullptr) {
      replayed.causes.push_back({.region = {}, .kind = "unnamed", .level = {}, .document = {}, .statement = {}});
      return;
    }
    if (judgement.denied_by < 0) return;
    const Ruling& ruling = judgement.rulings[static_cast<std::size_t>(judgement.denied_by)];
    replayed.causes.push_back(cause_of(ruling, ruling.check.requested_region));
    return;
  }
  if (judgement.pruned.empty()) return;
  replayed.verdict = ReplayVerdict::pruned;
  for (const domain::RegionIndex region : judgement.pruned)
    if (const Ruling* ruling = judgement.ruling_for(region))
      replayed.causes.push_back(cause_of(*ruling, catalog_->region(region).name));
}

Replay::Unknown Replay::unknown_of(const RecordedCall& call) const {
  Unknown unknown = 0;
  for (std::size_t i = 0; i < lacked_keys.size(); ++i)
    if (lacked_keys[i].is_lacked(call)) unknown |= static_cast<Unknown>(1u << i);
  return unknown & reads_;
}

const Replay::Supposed& Replay::supposed(Unknown unknown) {
  Supposed& known = supposed_[unknown];
  if (known.best != nullptr) return known;
  const auto compiled = [&](Supposition supposition) {
    return std::make_unique<const CompiledPolicies>(
        std::make_shared<const Organization>(suppose(*organization_, is_among(unknown), supposition)), catalog_,
        options_.profile_arn);
  };
  known.best = compiled(Supposition::best);
  known.worst = compiled(Supposition::worst);
  return known;
}

const domain::Principal& Replay::principal_of(const RecordedCall& call) {
  std::string who = call.principal + " " + call.account;
  if (const auto known = principals_.find(who); known != principals_.end()) return known->second;
  return principals_
      .emplace(std::move(who),
               domain::Principal{.arn = call.principal, .user_name = {}, .account_id = call.account, .tenant = {}})
      .first->second;
}

}  // namespace portolan::policy
