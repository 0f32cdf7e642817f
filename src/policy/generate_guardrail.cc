// SPDX-License-Identifier: Apache-2.0
// The service control policies of generate.h.
#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "domain/nearest.h"
#include "policy/generate.h"

namespace portolan::policy {
namespace {

using Json = nlohmann::ordered_json;

GeneratedPolicy guardrail_of(const GuardrailOrder& order, std::string_view sid, std::string description,
                             Json condition, std::vector<std::string> notes) {
  const Json statement{{"Sid", sid},
                       {"Effect", "Deny"},
                       {"Action", "bedrock:*"},
                       {"Resource", "*"},
                       {"Condition", std::move(condition)}};
  const Json document{{"Version", "2012-10-17"}, {"Statement", Json::array({statement})}};
  return {.kind = iam::PolicyKind::service_control,
          .name = order.name,
          .description = std::move(description),
          .text = document.dump(2) + "\n",
          .notes = std::move(notes)};
}

GeneratedPolicy deny_cross_region(const GuardrailOrder& order) {
  return guardrail_of(
      order, "DenyCrossRegionInference", "Denies Bedrock inference through any inference profile",
      {{"Null", {{"bedrock:InferenceProfileArn", "false"}}}},
      {"bedrock:InferenceProfileArn is in the request whenever a model is used through a profile; so application "
       "profiles are denied as well, those that stay in one Region among them",
       "models that are offered through profiles only can no longer be called at all"});
}

GeneratedPolicy deny_global(const GuardrailOrder& order) {
  return guardrail_of(order, "DenyGlobalCrossRegionInference",
                      "Denies Bedrock inference through Global inference profiles",
                      {{"StringEquals", {{"aws:RequestedRegion", "unspecified"}}}},
                      {"a Global call is also checked on the model without a Region, for which aws:RequestedRegion "
                       "is \"unspecified\"; "
                       "naming the profile is not needed, and without it application profiles copied from a Global "
                       "one are denied too",
                       "Geographic profiles and calls within one Region are untouched"});
}

base::Result<GeneratedPolicy> deny_regions(const domain::Catalog& catalog, const GuardrailOrder& order) {
  if (order.regions.empty())
    return base::fail(base::Code::usage, "the Regions where Bedrock may be used are needed");
  std::vector<std::string> allowed;
  domain::RegionMask mask;
  for (const std::string& name : order.regions) {
    const domain::RegionIndex region = catalog.find_region(name);
    if (region == domain::region_none)
      return base::fail(base::Code::usage, fmt::format("{}: there is no such Region{}", name,
                                                       domain::did_you_mean(catalog.nearest_region(name))));
    mask.add(region);
  }
  for (const domain::RegionIndex region : mask) allowed.push_back(catalog.region(region).name);
  if (order.allow_global) allowed.emplace_back("unspecified");

  std::vector<std::string> notes;
  if (order.allow_global)
    notes.emplace_back(
        "\"unspecified\" is in the list because a Global call is checked for it; such a call may be served in any "
        "commercial Region, also outside the list");
  else
    notes.emplace_back(
        "\"unspecified\" is not in the list, so Global profiles are denied: they may be served outside it");
  std::vector<std::string> broken;
  for (const auto& profile : catalog.profiles()) {
    if (profile->kind == domain::ProfileKind::global) continue;
    for (const domain::RegionIndex source : profile->sources& mask)
      if (!(profile->destinations_from(source) - mask).empty()) {
        broken.push_back(fmt::format("{} from {}", profile->id, catalog.region(source).name));
        break;
      }
  }
  constexpr std::size_t named_max = 5;
  if (!broken.empty()) {
    const std::size_t more = broken.size() - std::min(broken.size(), named_max);
    broken.resize(std::min(broken.size(), named_max));
    notes.push_back(
        fmt::format("Geographic profiles that also go to other Regions are denied altogether, as AWS asks "
                    "for every destination: {}{}",
                    fmt::join(broken, ", "), more == 0 ? "" : fmt::format(" and {} more", more)));
  }
  return guardrail_of(
      order, "DenyBedrockOutsideAllowedRegions",
      fmt::format("Denies Bedrock outside {}{}", catalog.names(mask),
                  order.allow_global ? ", Global inference excepted" : ", Global inference among it"),
      {{"StringNotEquals", {{"aws:RequestedRegion", allowed}}}}, std::move(notes));
}

}  // namespace

base::Result<GeneratedPolicy> generate_guardrail(const domain::Catalog& catalog, const GuardrailOrder& order) {
  if (order.denies != Guardrail::regions && (!order.regions.empty() || order.allow_global))
    return base::fail(base::Code::usage,
                      "a list of Regions, or leave for Global, goes with a denial of Regions only");
  GeneratedPolicy policy;
  switch (order.denies) {
    case Guardrail::cross_region:
      policy = deny_cross_region(order);
      break;
    case Guardrail::global:
      policy = deny_global(order);
      break;
    case Guardrail::regions: {
      TRY(policy, deny_regions(catalog, order));
      break;
    }
  }
  if (policy.text.size() > service_control_policy_characters_max)
    return base::fail(base::Code::usage, "the SCP would be longer than AWS Organizations stores");
  return policy;
}

}  // namespace portolan::policy
