// SPDX-License-Identifier: Apache-2.0
// Which calls the identity policies of a set mean to allow, and how each is judged.
#include <algorithm>
#include <fmt/format.h>
#include <span>

#include "policy/alike.h"
#include "policy/lint_subject.h"

namespace portolan::policy {
namespace {

using domain::Profile;
using domain::RegionIndex;

/// A policy variable may stand for anything.
std::string pattern_of(const iam::Text& text) {
  if (!text.has_variables()) return text.written();
  std::string pattern;
  std::string_view rest = text.written();
  while (!rest.empty()) {
    const std::size_t begin = std::min(rest.find("${"), rest.size());
    pattern += rest.substr(0, begin);
    rest.remove_prefix(begin);
    if (rest.empty()) break;
    pattern += '*';
    rest.remove_prefix(std::min(rest.find('}'), rest.size() - 1) + 1);
  }
  return pattern;
}

/// How a grant comes to cover a profile.
struct Naming {
  std::string resource;     // as written; empty for a NotResource
  bool is_named = false;    // it names the profile, or a geography, and not just everything
  bool has_region = false;  // it has neither wildcards in the Region nor in the name
};

Naming naming_by(const std::string& resource) {
  const std::optional<BedrockArn> arn = bedrock_arn(resource);
  if (!arn || (!arn->type.ends_with("inference-profile") && arn->type != "foundation-model"))
    return {.resource = resource};
  constexpr std::ptrdiff_t letters_min = 3;  // "us.*" names a geography; "*" and "?*" name nothing
  const auto letters = std::ranges::count_if(arn->id, [](char c) { return c != '*' && c != '?'; });
  return {.resource = resource,
          .is_named = letters >= letters_min,
          .has_region = !has_wildcard(arn->region) && !has_wildcard(arn->id)};
}

/// The resource of the statement that says most about the profile; nothing when it does not cover it.
std::optional<Naming> naming_of(const iam::Statement& statement, std::string_view profile_arn) {
  std::optional<Naming> best;
  for (const iam::ResourcePattern& resource : statement.resources) {
    if (!iam::resource_like(pattern_of(resource.text), profile_arn)) continue;
    Naming found = naming_by(resource.text.written());
    if (best && (best->has_region || (best->is_named && !found.has_region))) continue;
    best = std::move(found);
  }
  if (statement.not_resource) return best ? std::nullopt : std::optional<Naming>{Naming{}};
  return best;
}

/// Under conditions on Regions, profiles of one kind with the same source and destinations fare alike.
struct RegionClass {
  domain::ProfileKind kind;
  RegionIndex source;
  domain::RegionMask destinations;
  friend bool operator==(const RegionClass&, const RegionClass&) = default;
};

class CallCollector {
 public:
  CallCollector(const Organization& usual, const domain::Catalog& catalog, const Principal& principal,
                const InForce& in_force, std::vector<IntendedCall>& calls, std::vector<LonelyPin>& pins)
      : usual_(usual),
        catalog_(catalog),
        principal_(principal),
        in_force_(in_force),
        caller_(representative_of(principal)),
        who_(principal_name(caller_).value_or(PrincipalName{})),
        calls_(calls),
        pins_(pins),
        first_call_(calls.size()) {}

  void collect() {
    for_each_grant([&](const StatementInSet& grant) { collect_calls(grant); });
    for_each_grant([&](const StatementInSet& grant) { collect_pins(grant); });
    for_each_grant([&](const StatementInSet& grant) { collect_direct_calls(grant); });
  }

 private:
  template <class Visit>
  void for_each_grant(Visit visit) const {
    for (const PolicyPointer& policy : principal_.identity) {
      std::size_t number = 0;
      for (const iam::Statement& statement : policy->document.statements) {
        ++number;
        if (statement.effect == iam::Effect::allow && covers_inference(statement))
          visit(StatementInSet{policy.get(), &statement, number});
      }
    }
  }

  template <class Visit>
  void for_each_profile(Visit visit) const {
    for (const auto& profile : catalog_.profiles())
      for (const RegionIndex source : profile->sources)
        if (const domain::Region& region = catalog_.region(source); region.partition == who_.partition)
          visit(*profile, source,
                fmt::format("arn:{}:bedrock:{}:{}:inference-profile/{}", region.partition, region.name,
                            who_.account, profile->id));
  }

  void collect_calls(const StatementInSet& grant) {
    for_each_profile([&](const Profile& profile, RegionIndex source, const std::string& profile_arn) {
      if (const std::optional<Naming> naming = naming_of(*grant.statement, profile_arn))
        add_calls(grant, *naming, &profile, *profile.model, source);
    });
  }

  /// Models by their bare ids, unless they are granted for the sake of a profile.
  void collect_direct_calls(const StatementInSet& grant) {
    if (positive_condition(*grant.statement, profile_arn_key) != nullptr) return;
    for (const auto& model : catalog_.models())
      for (const RegionIndex region : model->in_region) {
        if (catalog_.region(region).partition != who_.partition || uses_profile_of(*model)) continue;
        const std::optional<Naming> naming =
            naming_of(*grant.statement, fmt::format("arn:{}:bedrock:{}::foundation-model/{}", who_.partition,
                                                    catalog_.region(region).name, model->id));
        if (naming && naming->is_named) add_calls(grant, *naming, nullptr, *model, region);
      }
  }

  bool uses_profile_of(const domain::Model& model) const {
    return std::ranges::any_of(own_calls(), [&](const IntendedCall& call) {
      return call.is_named && call.profile != nullptr && call.model == &model;
    });
  }

  void add_calls(const StatementInSet& grant, const Naming& naming, const Profile* profile,
                 const domain::Model& model, RegionIndex source) {
    for (const std::string_view action : inference_actions_checked) {
      if (!covers(*grant.statement, action)) continue;
      IntendedCall intended{
          .principal = &principal_,
          .caller = caller_,
          .grant = grant,
          .granted = naming.resource,
          .profile = profile,
          .model = &model,
          .source = source,
          .action = action,
          .is_named = naming.is_named,
          .is_exact = naming.is_named &&
                      (naming.has_region || positive_condition(*grant.statement, requested_region_key) != nullptr),
          .judgement = {}};
      const InferenceCall call = call_of(intended);
      const std::vector<Check> checks = checks_of(call, Mode::strict, catalog_);
      if (checks.empty()) continue;
      const iam::Context context = context_of(call, checks.front(), usual_, in_force_);
      if (!iam::matches(*grant.statement, {.principal = call.principal,
                                           .action = call.action,
                                           .resource = checks.front().resource,
                                           .context = &context}))
        continue;
      if (!naming.is_named && !is_first_of_its_class(*profile, source, action)) continue;
      intended.judgement = judge(call, Mode::strict, usual_, in_force_, catalog_);
      calls_.push_back(std::move(intended));
    }
  }

  std::span<const IntendedCall> own_calls() const { return std::span(calls_).subspan(first_call_); }

  /// Of grants for everything one call of a kind tells enough, and all would be many.
  bool is_first_of_its_class(const Profile& profile, RegionIndex source, std::string_view action) {
    const RegionClass alike{profile.kind, source, profile.destinations_from(source)};
    if (action != inference_actions_checked[0] || std::ranges::find(classes_, alike) != classes_.end())
      return false;
    classes_.push_back(alike);
    return true;
  }

  void collect_pins(const StatementInSet& grant) {
    const iam::Condition* pin = positive_condition(*grant.statement, profile_arn_key);
    if (pin == nullptr) return;
    const bool is_literal =
        pin->op == iam::Operator::string_equals || pin->op == iam::Operator::string_equals_ignore_case;
    for (const iam::Text& value : pin->values) {
      const std::string pattern = pattern_of(value);
      bool is_of_the_catalog = false;
      bool is_granted = false;
      for_each_profile([&](const Profile& profile, RegionIndex source, const std::string& profile_arn) {
        if (is_granted || !(is_literal ? pattern == profile_arn : iam::like(pattern, profile_arn))) return;
        is_of_the_catalog = true;
        is_granted = grants(profile, source, profile_arn);
      });
      if (is_of_the_catalog && !is_granted) pins_.push_back({&principal_, grant, value.written()});
    }
  }

  bool grants(const Profile& profile, RegionIndex source, std::string_view profile_arn) const {
    return std::ranges::any_of(own_calls(), [&](const IntendedCall& call) {
      if (call.is_named) return call.profile == &profile && call.source == source;
      return call.granted.empty() || iam::resource_like(call.granted, profile_arn);
    });
  }

  const Organization& usual_;
  const domain::Catalog& catalog_;
  const Principal& principal_;
  const InForce& in_force_;
  const std::string caller_;
  const PrincipalName who_;
  std::vector<IntendedCall>& calls_;
  std::vector<LonelyPin>& pins_;
  const std::size_t first_call_;  // of this principal
  std::vector<RegionClass> classes_;
};

}  // namespace

InferenceCall call_of(const IntendedCall& intended) {
  return {.principal = intended.caller,
          .account = {},
          .action = intended.action,
          .target = {.profile = intended.profile,
                     .model = intended.model,
                     .source = intended.source,
                     .copy_of = nullptr,
                     .tags = {}},
          .request = {},
          .profile_arn = ProfileArn::application};
}

void collect_intended_calls(const Organization& usual, std::span<const Principal* const> principals,
                            const domain::Catalog& catalog, std::vector<IntendedCall>& calls,
                            std::vector<LonelyPin>& pins) {
  for (const Principal* principal : principals)
    if (const auto in_force = InForce::of(usual, representative_of(*principal)))
      CallCollector(usual, catalog, *principal, *in_force, calls, pins).collect();
}

}  // namespace portolan::policy
