// SPDX-License-Identifier: Apache-2.0
#include "policy/rules.h"

#include <algorithm>
#include <fmt/format.h>

#include "policy/sentence.h"

namespace portolan::policy {
namespace {

bool leaves_the_source(const domain::Inference& inference) {
  if (inference.profile == nullptr) return false;
  const domain::RegionMask destinations = inference.profile->destinations_from(inference.source);
  return inference.profile->is_global() || destinations != domain::RegionMask::of(inference.source);
}

bool is_or_copies(const domain::Profile& profile, std::string_view id) {
  return profile.id == id || (profile.copy_of != nullptr && profile.copy_of->id == id);
}

bool is_frozen(const domain::Inference& inference, const domain::Freeze& freeze) {
  switch (freeze.scope) {
    case domain::FreezeScope::global:
      return inference.profile != nullptr && inference.profile->is_global();
    case domain::FreezeScope::cross_region:
      return leaves_the_source(inference);
    case domain::FreezeScope::profile:
      return inference.profile != nullptr && is_or_copies(*inference.profile, freeze.profile);
    case domain::FreezeScope::all:
      return true;
  }
  return true;
}

}  // namespace

domain::Denial denial_of(iam::PolicyKind kind) {
  using domain::Denial;
  switch (kind) {
    case iam::PolicyKind::identity:
      return Denial::identity;
    case iam::PolicyKind::permission_boundary:
      return Denial::boundary;
    case iam::PolicyKind::session:
      return Denial::session;
    case iam::PolicyKind::resource:
      return Denial::resource;
    case iam::PolicyKind::service_control:
      return Denial::service_control;
    case iam::PolicyKind::resource_control:
      return Denial::resource_control;
    case iam::PolicyKind::listener:
      return Denial::listener;
  }
  return Denial::identity;
}

bool is_in_share(std::string_view call_id, unsigned percent) {
  std::uint64_t hash = 0xcbf29ce484222325ull;  // FNV-1a: the id is random already
  for (const char c : call_id) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  return (hash >> 32) % 100 < percent;
}

std::optional<Refusal> Rules::frozen(const Question& question, const domain::Catalog& catalog) const {
  const auto freeze = std::ranges::find_if(
      freezes_, [&](const domain::Freeze& candidate) { return is_frozen(question.inference, candidate); });
  if (freeze == freezes_.end()) return std::nullopt;
  return Refusal{
      .by = domain::Denial::freeze,
      .error = base::error(
          base::Code::access_denied,
          fmt::format("{} with an explicit deny in a freeze: {} is frozen since {} by {}: {}",
                      not_authorized(question.principal, question.inference, catalog), describe(*freeze),
                      base::iso8601(std::chrono::floor<base::seconds>(freeze->since)), freeze->by, freeze->why))};
}

const PolicyVersion* Rules::judging(std::string_view call_id) const {
  const bool tried = candidate_.version != nullptr && candidate_.share_percent > 0 &&
                     is_in_share(call_id, candidate_.share_percent);
  return tried ? candidate_.version.get() : in_force_.get();
}

void Rules::judge(const ControlCall& call, std::string_view call_id, const domain::Catalog& catalog,
                  Verdict& verdict) const {
  verdict = {};
  verdict.version = judging(call_id);
  verdict.allowed = domain::RegionMask::of(call.source);
  if (verdict.version == nullptr) return;
  const Organization& organization = verdict.version->policies.organization();
  verdict.anew = policy::judge(call, organization, catalog);
  verdict.judgement = &verdict.anew;
  verdict.allowed = verdict.anew.allowed;
  if (verdict.anew.is_allowed()) return;
  const Ruling& ruling = verdict.anew.rulings[static_cast<std::size_t>(verdict.anew.denied_by)];
  const bool is_named = organization.find_principal(call.principal.arn) != nullptr;
  verdict.refusal =
      Refusal{.by = is_named ? denial_of(ruling.decision.by.kind) : domain::Denial::unnamed,
              .error = base::error(base::Code::access_denied, denial_text(call, verdict.anew, organization))};
}

void Rules::judge(const Question& question, std::string_view call_id, const domain::Catalog& catalog,
                  CellMemory& memory, Verdict& verdict) const {
  verdict.version = nullptr;
  verdict.judgement = nullptr;
  verdict.allowed = domain::RegionMask::from_bits(~std::uint64_t{0});
  verdict.refusal = freezes_.empty() ? std::nullopt : frozen(question, catalog);
  verdict.shadow = std::nullopt;
  if (verdict.refusal) {
    verdict.allowed = {};
    return;
  }
  verdict.version = judging(call_id);
  if (verdict.version != nullptr) {
    const CompiledPolicies& policies = verdict.version->policies;
    verdict.judgement = &memory.judge(policies, question, verdict.anew);
    verdict.allowed = verdict.judgement->allowed;
    if (verdict.allowed.empty()) {
      const int denied_by = verdict.judgement->denied_by;
      const bool is_named = policies.organization().find_principal(question.principal.arn) != nullptr;
      verdict.refusal = Refusal{
          .by = !is_named || denied_by < 0
                    ? domain::Denial::unnamed
                    : denial_of(verdict.judgement->rulings[static_cast<std::size_t>(denied_by)].decision.by.kind),
          .error = base::error(base::Code::access_denied, policies.denial(question, *verdict.judgement))};
    }
  }
  if (!candidate_.is_shadow()) return;
  Judgement anew;
  const domain::RegionMask would = memory.judge(candidate_.version->policies, question, anew).allowed;
  const domain::RegionMask are = verdict.allowed;
  const bool no_policies = verdict.version == nullptr;
  if (would.empty())
    verdict.shadow = are.empty() ? domain::ShadowVerdict::same : domain::ShadowVerdict::deny;
  else if (are.empty())
    verdict.shadow = domain::ShadowVerdict::allow;
  else if (no_policies)
    verdict.shadow = (question.inference.profile != nullptr &&
                      !(question.inference.profile->destinations_from(question.inference.source) - would).empty())
                         ? domain::ShadowVerdict::prune
                         : domain::ShadowVerdict::same;
  else if (!(are - would).empty())
    verdict.shadow = domain::ShadowVerdict::prune;
  else
    verdict.shadow = would == are ? domain::ShadowVerdict::same : domain::ShadowVerdict::allow;
}

}  // namespace portolan::policy
