// SPDX-License-Identifier: Apache-2.0
#include "gateway/snapshot.h"

namespace portolan::gateway {

Snapshot::Snapshot(config::Config config_, quota::Allowances& allowances, std::span<const domain::IssuedKey> issued,
                   std::shared_ptr<const policy::Rules> rules_,
                   std::shared_ptr<const ApplicationProfiles> applications_)
    : config(std::move(config_)),
      catalog(*config.catalog),
      keyring(config, issued),
      permissions(config),
      quotas(config, keyring.principals(), allowances),
      rules(std::move(rules_)),
      applications(std::move(applications_)) {
  if (applications == nullptr)
    applications = std::make_shared<const ApplicationProfiles>(domain::ApplicationProfileList{}, config.catalog);
  for (const config::Tenant& tenant : config.tenants) {
    modes.push_back(policy::mode_named(tenant.policy_mode));
    call_classes.push_back(domain::call_class(tenant.call_class).value_or(domain::CallClass::standard));
  }
  for (const config::Endpoint& endpoint : config.endpoints) {
    reachable.add(endpoint.region);
    hosts[endpoint.region] = endpoint.host_header;
  }
}

namespace {

base::Result<policy::PolicyVersionPointer> compile_version(const std::optional<domain::PolicyBundle>& bundle,
                                                           const config::Config& config,
                                                           const policy::Rules& before) {
  if (!bundle) return policy::PolicyVersionPointer{};
  const auto profile_arn =
      config.application_profile_arn == "system" ? policy::ProfileArn::system : policy::ProfileArn::application;
  for (const policy::PolicyVersionPointer& version : {before.in_force(), before.candidate().version})
    if (version != nullptr && version->number == bundle->number && version->policies.catalog() == config.catalog &&
        version->policies.profile_arn() == profile_arn)
      return version;
  policy::LoadedOrganization loaded = policy::load_organization(*bundle->files);
  if (loaded.organization)
    return std::make_shared<const policy::PolicyVersion>(
        bundle->number, std::make_shared<const policy::Organization>(*std::move(loaded.organization)),
        config.catalog, profile_arn);
  std::string message = "version " + std::to_string(bundle->number) + " of the policies cannot be used:";
  for (const config::Mistake& mistake : loaded.mistakes) message += "\n  " + mistake.text();
  return base::fail(base::Code::config_invalid, std::move(message));
}

}  // namespace

base::Result<std::shared_ptr<const policy::Rules>> compile_rules(std::uint64_t epoch,
                                                                 const domain::PolicyStanding& standing,
                                                                 const config::Config& config,
                                                                 const policy::Rules& before) {
  TRY(policy::PolicyVersionPointer in_force, compile_version(standing.in_force, config, before));
  TRY(policy::PolicyVersionPointer candidate, compile_version(standing.candidate, config, before));
  return std::make_shared<const policy::Rules>(
      epoch, standing.freezes, std::move(in_force),
      policy::Candidate{.version = std::move(candidate), .share_percent = standing.share_percent});
}

}  // namespace portolan::gateway
