// SPDX-License-Identifier: Apache-2.0
#include "cli/enforced_policies.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

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

// Two processes of a rolling restart agree by this file: the predecessor writes the number of the newest change
// that is in force in it. It looks for changes every few milliseconds (hand_over.cc).
constexpr std::chrono::seconds follows_within{2};
constexpr std::chrono::milliseconds look_again_after{2};

std::string followed_file(const std::string& data_dir) {
  return data_dir + "/policy.followed";
}

void say_followed(const std::string& data_dir, std::int64_t change) {
  const std::string file = followed_file(data_dir);
  std::error_code failure;
  if ((std::ofstream(file + ".new") << change << "\n").flush())
    std::filesystem::rename(file + ".new", file, failure);
  if (failure) log("policy: " + file + " cannot be written: " + failure.message());
}

Result<void> await_predecessor(const std::string& data_dir, const world::Inheritance& inherited,
                               std::int64_t change) {
  const auto until = std::chrono::steady_clock::now() + follows_within;
  while (inherited.predecessor_lives()) {
    std::int64_t followed = -1;
    if ((std::ifstream(followed_file(data_dir)) >> followed) && followed >= change) return {};
    if (std::chrono::steady_clock::now() >= until)
      return base::fail(base::Code::internal,
                        "the predecessor of this gateway, which still finishes calls, has not said that it is in "
                        "force there too");
    std::this_thread::sleep_for(look_again_after);
  }
  return {};
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
                                                              const std::function<gateway::Gateway&()>& gateway,
                                                              const world::Inheritance& inherited) {
  TRY(auto store, store::PolicyStore::open(data_dir + "/policy.db"));
  control::PolicyDesk::Doors doors{
      .now = [&clock] { return clock.wall(); },
      .admit_profile = [gateway](const std::string& profile) -> Result<void> {
        const std::shared_ptr<const gateway::Snapshot> now_serving = gateway().snapshot();
        const domain::Catalog& catalog = now_serving->catalog;
        const auto is_it = [&](const auto& entry) { return entry.made->id == profile; };
        if (catalog.find_profile(profile) != nullptr ||
            std::ranges::any_of(now_serving->applications->all(), is_it))
          return {};
        return base::fail(base::Code::usage, "there is no inference profile " + profile +
                                                 domain::did_you_mean(catalog.nearest_profile(profile)));
      },
      .admit_policies = [](const domain::PolicyFiles& files) -> Result<std::string> {
        TRY(PolicySet set, checked_set(policy::load_organization(files), "the set"));
        return std::move(set.hash);
      },
      .publish = [gateway](const domain::PolicyStanding& standing) { return gateway().use_rules(standing); },
      .record = [gateway](const domain::Act& act) { return gateway().record(act); },
      .log = log,
      .say_followed = [data_dir](std::int64_t change) { say_followed(data_dir, change); },
      .await_predecessor =
          [data_dir, &inherited](std::int64_t change) { return await_predecessor(data_dir, inherited, change); }};
  TRY(auto desk, control::PolicyDesk::open(std::move(store), std::move(doors)));
  if (inherited.has_predecessor()) desk->hold();
  const domain::PolicyStanding standing = desk->standing();
  for (const domain::Freeze& freeze : standing.freezes)
    log("frozen: " + describe(freeze) + ", by " + freeze.by + ": " + freeze.why);
  return desk;
}

}  // namespace portolan::cli
