// SPDX-License-Identifier: Apache-2.0
#include "policy/cross_region.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "policy/sentence.h"

namespace portolan::policy {
namespace {

using domain::ProfileKind;
using domain::RegionIndex;
using domain::RegionMask;
using Part = Check::Part;

/// aws:RequestedRegion of the check that has no Region (Bedrock User Guide, "Global cross-Region inference").
constexpr std::string_view unspecified = "unspecified";

RegionMask destinations_of(const Target& target) {
  if (target.profile != nullptr) return target.profile->destinations_from(target.source);
  if (target.model == nullptr || target.source >= domain::regions_max) return {};
  return target.model->in_region & RegionMask::of(target.source);
}

const domain::Model& model_of(const Target& target) {
  return target.profile != nullptr ? *target.profile->model : *target.model;
}

bool is_global(const Target& target) {
  if (target.profile == nullptr) return false;
  return target.profile->kind == ProfileKind::global ||
         (target.copy_of != nullptr && target.copy_of->kind == ProfileKind::global);
}

std::string_view account_of(const InferenceCall& call) {
  if (!call.account.empty()) return call.account;
  const std::optional<PrincipalName> name = principal_name(call.principal);
  return name ? name->account : std::string_view{};
}

/// Makes the ARNs that one call is checked on.
class Arns {
 public:
  Arns(const InferenceCall& call, const domain::Catalog& catalog)
      : call_(call), catalog_(catalog), source_(catalog.region(call.target.source)) {}

  std::string profile() const { return profile(*call_.target.profile); }

  /// What bedrock:InferenceProfileArn holds.
  std::string condition_value() const {
    const Target& target = call_.target;
    const bool is_system = call_.profile_arn == ProfileArn::system && target.copy_of != nullptr;
    return profile(is_system ? *target.copy_of : *target.profile);
  }

  /// region_none: the model without a Region.
  std::string model(RegionIndex region) const {
    return fmt::format("arn:{}:bedrock:{}::foundation-model/{}", source_.partition,
                       region == domain::region_none ? std::string_view{} : catalog_.region(region).name,
                       model_of(call_.target).id);
  }

 private:
  std::string profile(const domain::Profile& profile) const {
    return fmt::format(
        "arn:{}:bedrock:{}:{}:{}/{}", source_.partition, source_.name, account_of(call_),
        profile.kind == ProfileKind::application ? "application-inference-profile" : "inference-profile",
        profile.id);
  }

  const InferenceCall& call_;
  const domain::Catalog& catalog_;
  const domain::Region& source_;
};

/// "o-exampleorgid/r-examp/ou-examp-1/ou-examp-2/"; empty when one of the ids is not said.
std::string organization_path(const Organization& organization, const Account& account) {
  if (organization.id.empty() || organization.root_id.empty()) return {};
  std::string path = organization.id + "/" + organization.root_id + "/";
  for (const Unit* unit : organization.units_above(account)) {
    if (unit->id.empty()) return {};
    path += unit->id + "/";
  }
  return path;
}

void set_if_known(iam::Context& context, std::string_view key, std::string_view value) {
  if (!value.empty()) context.set(key, std::string{value});
}

/// The keys of who calls. IAM User Guide, "AWS global condition context keys", properties of the principal.
void add_principal(iam::Context& context, const InferenceCall& call, const Organization& organization,
                   const InForce& in_force) {
  const std::optional<PrincipalName> name = principal_name(call.principal);
  if (!name) return;
  const Principal* entry = in_force.principal();
  const bool is_session = name->type == "assumed-role";
  std::string arn{call.principal};
  if (is_session)  // the role's own ARN, which has its path when the role has an entry
    arn = entry != nullptr && !entry->is_pattern()
              ? entry->arn
              : fmt::format("arn:{}:iam::{}:role/{}", name->partition, name->account, name->name);
  context.set("aws:PrincipalArn", std::move(arn));
  set_if_known(context, "aws:PrincipalAccount", name->account);
  context.set("aws:PrincipalType", is_session                       ? "AssumedRole"
                                   : name->type == "user"           ? "User"
                                   : name->type == "root"           ? "Account"
                                   : name->type == "federated-user" ? "FederatedUser"
                                                                    : "AssumedRole");
  if (name->type == "user") context.set("aws:username", std::string{name->name});
  if (entry != nullptr)
    for (const auto& [key, value] : entry->tags) context.set("aws:PrincipalTag/" + key, value);
  context.set("aws:PrincipalIsAWSService", "false");
  if (in_force.account() == nullptr) return;
  set_if_known(context, "aws:PrincipalOrgID", organization.id);
  set_if_known(context, "aws:PrincipalOrgPaths", organization_path(organization, *in_force.account()));
}

/// The keys of the request itself.
void add_request(iam::Context& context, const RequestFacts& request) {
  set_if_known(context, "aws:SourceIp", request.source_ip);
  set_if_known(context, "aws:UserAgent", request.user_agent);
  set_if_known(context, "bedrock:ServiceTier", request.service_tier);
  if (request.secure_transport) context.set("aws:SecureTransport", *request.secure_transport ? "true" : "false");
  context.set("aws:ViaAWSService", "false");
  if (!request.now) return;
  context.set("aws:CurrentTime", base::iso8601(*request.now));
  const auto since_epoch = std::chrono::duration_cast<base::seconds>(request.now->time_since_epoch());
  context.set("aws:EpochTime", fmt::format("{}", since_epoch.count()));
}

/// The keys of a profile as a resource. A foundation model is the provider's: it has no account of ours, and no
/// tags.
void add_resource(iam::Context& context, const InferenceCall& call, const Organization& organization) {
  const std::string_view account = account_of(call);
  set_if_known(context, "aws:ResourceAccount", account);
  if (const auto owner = organization.accounts.find(account); owner != organization.accounts.end()) {
    set_if_known(context, "aws:ResourceOrgID", organization.id);
    set_if_known(context, "aws:ResourceOrgPaths", organization_path(organization, owner->second));
  }
  for (const auto& [key, value] : call.target.tags) context.set("aws:ResourceTag/" + key, value);
}

/// Whether the check is of the whole call, and not of one destination.
bool is_of_the_call(Part part) {
  return part != Part::destination && part != Part::pruning;
}

std::string callable_from(const Target& target, const domain::Catalog& catalog) {
  const RegionMask sources = target.profile != nullptr ? target.profile->sources : model_of(target).in_region;
  return sources.empty() ? std::string{"nowhere by its bare id"} : catalog.names(sources);
}

}  // namespace

Ruling rule(const InferenceCall& call, Check check, const Organization& organization, const InForce& in_force) {
  const iam::Context context = context_of(call, check, organization, in_force);
  Ruling ruling;
  ruling.decision = iam::evaluate(
      in_force.policies(),
      {.principal = call.principal, .action = call.action, .resource = check.resource, .context = &context});
  ruling.check = std::move(check);
  ruling.level = in_force.level(ruling.decision.by);
  ruling.policy = in_force.policy(ruling.decision.by);
  ruling.statement = in_force.statement(ruling.decision.by);
  return ruling;
}

std::string_view name(Mode mode) {
  return mode == Mode::strict ? "strict" : "subset";
}

std::optional<Mode> mode_named(std::string_view name) {
  if (name == "strict") return Mode::strict;
  if (name == "subset") return Mode::subset;
  return std::nullopt;
}

Mode default_mode(const domain::Profile& profile) {
  if (profile.copy_of != nullptr) return default_mode(*profile.copy_of);
  const bool is_shipped = domain::Catalog::builtin()->find_profile(profile.id) != nullptr;
  return is_shipped && profile.kind != ProfileKind::application ? Mode::strict : Mode::subset;
}

std::string_view name(Check::Part part) {
  switch (part) {
    case Part::profile:
      return "profile";
    case Part::source_model:
      return "source_model";
    case Part::destination:
      return "destination";
    case Part::global_model:
      return "global_model";
    case Part::pruning:
      return "pruning";
  }
  return "";
}

std::vector<Check> checks_of(const InferenceCall& call, Mode mode, const domain::Catalog& catalog) {
  const Target& target = call.target;
  const RegionMask destinations = destinations_of(target);
  if (destinations.empty()) return {};
  const Arns arns{call, catalog};
  const std::string& source = catalog.region(target.source).name;
  if (target.profile == nullptr)
    return {{.part = Part::destination,
             .resource = arns.model(target.source),
             .requested_region = source,
             .region = target.source,
             .inference_profile_arn = {}}};

  std::vector<Check> checks;
  const std::string profile_arn = arns.condition_value();
  const auto add_model = [&](Part part, RegionIndex region) {
    const bool is_destination = part == Part::destination || part == Part::pruning;
    checks.push_back(
        {.part = part,
         .resource = arns.model(region),
         .requested_region = region == domain::region_none ? std::string{unspecified} : catalog.region(region).name,
         .region = is_destination ? region : domain::region_none,
         .inference_profile_arn = profile_arn});
  };
  checks.push_back({.part = Part::profile,
                    .resource = arns.profile(),
                    .requested_region = source,
                    .region = domain::region_none,
                    .inference_profile_arn = {}});
  const bool global = is_global(target);
  if (global || !destinations.contains(target.source)) add_model(Part::source_model, target.source);
  if (global) add_model(Part::global_model, domain::region_none);
  if (global && mode == Mode::strict) return checks;
  for (const RegionIndex region : destinations) add_model(global ? Part::pruning : Part::destination, region);
  return checks;
}

iam::Context context_of(const InferenceCall& call, const Check& check, const Organization& organization,
                        const InForce& in_force) {
  iam::Context context;
  add_principal(context, call, organization, in_force);
  add_request(context, call.request);
  context.set("aws:RequestedRegion", check.requested_region);
  set_if_known(context, "bedrock:InferenceProfileArn", check.inference_profile_arn);
  if (check.part == Part::profile) add_resource(context, call, organization);
  for (const auto& [key, values] : call.request.further) context.set(key, values);
  return context;
}

std::span<const std::string_view> supplied_keys() {
  static constexpr std::string_view keys[] = {
      "aws:currenttime",      "aws:epochtime",       "aws:principalaccount",
      "aws:principalarn",     "aws:principalorgid",  "aws:principalorgpaths",
      "aws:principaltag/",    "aws:principaltype",   "aws:principalisawsservice",
      "aws:requestedregion",  "aws:resourceaccount", "aws:resourceorgid",
      "aws:resourceorgpaths", "aws:resourcetag/",    "aws:securetransport",
      "aws:sourceip",         "aws:useragent",       "aws:username",
      "aws:viaawsservice",    "bedrock:servicetier", "bedrock:inferenceprofilearn",
      "aws:requesttag/",      "aws:tagkeys",
  };
  return keys;
}

bool is_of_the_request(std::string_view key_lower) {
  static constexpr std::array<std::string_view, 6> keys{"aws:sourceip",        "aws:useragent",
                                                        "aws:currenttime",     "aws:epochtime",
                                                        "aws:securetransport", "bedrock:servicetier"};
  return std::ranges::find(keys, key_lower) != keys.end();
}

Judgement judge(const InferenceCall& call, Mode mode, const Organization& organization, const InForce& in_force,
                const domain::Catalog& catalog) {
  Judgement judgement{.mode = mode, .destinations = destinations_of(call.target)};
  RegionMask denied;
  int first_denial = -1;       // whatever it is of
  int first_call_denial = -1;  // of the call as a whole
  for (Check& check : checks_of(call, mode, catalog)) {
    const Ruling& ruling = judgement.rulings.emplace_back(rule(call, std::move(check), organization, in_force));
    if (!ruling.denies()) continue;
    const int index = static_cast<int>(judgement.rulings.size()) - 1;
    if (first_denial < 0) first_denial = index;
    if (!is_of_the_call(ruling.check.part))
      denied.add(ruling.check.region);
    else if (first_call_denial < 0)
      first_call_denial = index;
  }
  const bool is_denied = mode == Mode::strict ? first_denial >= 0 : first_call_denial >= 0;
  const RegionMask left = judgement.destinations - denied;
  if (is_denied || left.empty()) {
    judgement.denied_by = first_call_denial >= 0 ? first_call_denial : first_denial;
    return judgement;
  }
  judgement.allowed = left;
  judgement.pruned = denied;
  return judgement;
}

const Ruling* Judgement::ruling_for(RegionIndex region) const {
  if (!destinations.contains(region)) return nullptr;
  if (denied_by >= 0 && is_of_the_call(rulings[static_cast<std::size_t>(denied_by)].check.part))
    return &rulings[static_cast<std::size_t>(denied_by)];
  const Ruling* without_region = nullptr;
  for (const Ruling& ruling : rulings) {
    if (ruling.check.part == Part::global_model) without_region = &ruling;
    if (ruling.check.region != region) continue;
    if (ruling.check.part == Part::destination || ruling.denies()) return &ruling;
  }
  return without_region;
}

std::string denial_text(const InferenceCall& call, const Judgement& judgement, const domain::Catalog& catalog) {
  if (judgement.denied_by < 0) {
    const bool known_source = call.target.source < catalog.regions().size();
    return fmt::format(
        "{} because it cannot be called from {}, only from {}",
        not_authorized(call.principal, call.action,
                       call.target.profile != nullptr ? call.target.profile->id : model_of(call.target).id),
        known_source ? catalog.region(call.target.source).name : "an unknown Region",
        callable_from(call.target, catalog));
  }
  const Ruling& ruling = judgement.rulings[static_cast<std::size_t>(judgement.denied_by)];
  return fmt::format("{} {} (Region {})", not_authorized(call.principal, call.action, ruling.check.resource),
                     denial_reason(ruling.decision, call.action), ruling.check.requested_region);
}

}  // namespace portolan::policy
