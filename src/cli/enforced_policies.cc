// SPDX-License-Identifier: Apache-2.0
#include "cli/enforced_policies.h"

#include <filesystem>

#include "cli/command.h"
#include "cli/configuration.h"
#include "domain/nearest.h"
#include "policy/organization.h"

namespace portolan::cli {

using base::Result;

namespace {

Result<PolicySet> checked_set(policy::LoadedOrganization loaded, const std::string& what) {
  if (loaded.organization)
    return PolicySet{.files = std::move(loaded.organization->files),
                     .hash = std::move(loaded.organization->version)};
  std::string message = what + " cannot be enforced: " + std::to_string(loaded.mistakes.size()) +
                        (loaded.mistakes.size() == 1 ? " mistake" : " mistakes");
  for (const config::Mistake& mistake : loaded.mistakes) message += "\n  " + mistake.text();
  return base::fail(base::Code::config_invalid, std::move(message));
}

}  // namespace

Result<PolicySet> read_policies(const std::string& directory) {
  return checked_set(policy::load_organization([&](const std::string& file) {
                       return read_text((std::filesystem::path(directory) / file).string());
                     }),
                     directory);
}

Result<std::unique_ptr<control::PolicyDesk>> open_policy_desk(const std::string& data_dir,
                                                              const world::Clock& clock,
                                                              const std::function<gateway::Gateway&()>& gateway) {
  TRY(auto store, store::PolicyStore::open(data_dir + "/policy.db"));
  control::PolicyDesk::Doors doors{
      .now = [&clock] { return clock.wall(); },
      .admit_profile = [gateway](const std::string& profile) -> Result<void> {
        const std::shared_ptr<const gateway::Snapshot> now_serving = gateway().snapshot();
        const domain::Catalog& catalog = now_serving->catalog;
        if (catalog.find_profile(profile) != nullptr) return {};
        return base::fail(base::Code::usage, "there is no inference profile " + profile +
                                                 domain::did_you_mean(catalog.nearest_profile(profile)));
      },
      .admit_policies = [](const domain::PolicyFiles& files) -> Result<std::string> {
        TRY(PolicySet set, checked_set(policy::load_organization(files), "the set"));
        return std::move(set.hash);
      },
      .publish = [gateway](const domain::PolicyStanding& standing) { return gateway().use_rules(standing); },
      .record = [gateway](const domain::Act& act) { return gateway().record(act); },
      .log = log};
  TRY(auto desk, control::PolicyDesk::open(std::move(store), std::move(doors)));
  const domain::PolicyStanding standing = desk->standing();
  for (const domain::Freeze& freeze : standing.freezes)
    log("frozen: " + describe(freeze) + ", by " + freeze.by + ": " + freeze.why);
  return desk;
}

}  // namespace portolan::cli
