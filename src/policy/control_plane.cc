// SPDX-License-Identifier: Apache-2.0
#include "policy/control_plane.h"

#include "policy/sentence.h"

namespace portolan::policy {

Judgement judge(const ControlCall& call, const Organization& organization, const domain::Catalog& catalog) {
  const InForce in_force = *InForce::of(organization, call.principal.arn);
  InferenceCall asked{.principal = call.principal.arn,
                      .account = call.principal.account_id,
                      .action = call.action,
                      .target = {.source = call.source},
                      .request = call.facts};
  for (const auto& [key, value] : call.tags)
    asked.request.further.emplace_back("aws:RequestTag/" + key, std::vector{value});
  if (!call.tag_keys.empty()) asked.request.further.emplace_back("aws:TagKeys", call.tag_keys);
  Judgement judgement{.destinations = domain::RegionMask::of(call.source)};
  for (const ControlResource& resource : call.resources) {
    asked.target.tags = resource.tags != nullptr ? *resource.tags : domain::Tags{};
    const Check check{.part = resource.is_of_account ? Check::Part::profile : Check::Part::source_model,
                      .resource = resource.arn,
                      .requested_region = catalog.region(call.source).name,
                      .region = domain::region_none,
                      .inference_profile_arn = {}};
    judgement.rulings.push_back(rule(asked, check, organization, in_force));
    if (!judgement.rulings.back().denies()) continue;
    judgement.denied_by = static_cast<int>(judgement.rulings.size()) - 1;
    return judgement;
  }
  judgement.allowed = judgement.destinations;
  return judgement;
}

std::string denial_text(const ControlCall& call, const Judgement& judgement, const Organization& organization) {
  const Ruling& ruling = judgement.rulings[static_cast<std::size_t>(judgement.denied_by)];
  const std::string beginning = not_authorized(call.principal.arn, call.action, ruling.check.resource);
  if (organization.find_principal(call.principal.arn) == nullptr)
    return beginning + " because the policies in force do not name this principal";
  return beginning + " " + denial_reason(ruling.decision, call.action);
}

}  // namespace portolan::policy
