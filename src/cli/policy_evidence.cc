// SPDX-License-Identifier: Apache-2.0
#include "cli/policy_evidence.h"

#include <filesystem>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/configuration.h"
#include "cli/policy_set.h"
#include "store/policy_store.h"

namespace portolan::cli {
namespace {

struct NumberedSet {
  std::uint32_t number = 0;
  domain::PolicyFiles files;
};

/// Of a data directory, whether a gateway runs on it or not.
base::Result<NumberedSet> set_kept_in(const std::string& data_dir) {
  const std::string path = data_dir + "/policy.db";
  const auto none = [&] {
    return base::fail(base::Code::usage, data_dir + " has no policies in force; name a set with --policies");
  };
  if (!std::filesystem::exists(path)) return none();
  TRY(const auto store, store::PolicyStore::open(path));
  TRY(const store::VersionNumbers numbers, store->numbers());
  if (numbers.in_force == 0) return none();
  TRY(domain::PolicyBundle bundle, store->bundle(numbers.in_force));
  return NumberedSet{.number = bundle.number, .files = *bundle.files};
}

base::Result<NumberedSet> set_in_force(const AdminClient& admin) {
  TRY(const std::string text, admin.expect("GET", "/api/policy/set"));
  const auto answer = nlohmann::json::parse(text, nullptr, false);
  if (!answer.is_object() || !answer.contains("files"))
    return base::fail(base::Code::internal, "the gateway's answer is no set of policies");
  return NumberedSet{.number = answer.value("version", 0u), .files = answer["files"].get<domain::PolicyFiles>()};
}

base::Result<policy::Organization> loaded(const NumberedSet& set) {
  policy::LoadedOrganization read = policy::load_organization(set.files);
  if (read.organization) return *std::move(read.organization);
  return base::fail(base::Code::config_invalid,
                    fmt::format("version {} cannot be read: {}", set.number, read.mistakes.front().text()));
}

}  // namespace

void EvidenceOptions::add_options(CLI::App& command) {
  trail.add_options(command);
  command.add_option("-c,--config", configuration_file, "Configuration whose own profiles are known too");
  command.add_option("--mode", mode, "strict or subset (default: as each call was judged)")
      ->check(CLI::IsMember({"strict", "subset"}));
}

base::Result<EvidenceBasis> evidence_basis(const EvidenceOptions& options) {
  EvidenceBasis basis;
  if (options.configuration_file.empty()) {
    basis.catalog = domain::Catalog::builtin();
  } else {
    TRY(config::Config config, read_configuration(options.configuration_file));
    basis.catalog = std::move(config.catalog);
    if (config.application_profile_arn == "system") basis.profile_arn = policy::ProfileArn::system;
  }
  if (!options.mode.empty()) basis.mode = policy::mode_named(options.mode);
  if (!options.directory.empty()) {
    TRY(policy::Organization organization, read_policy_set(options.directory));
    basis.organization = std::make_shared<const policy::Organization>(std::move(organization));
    basis.set = options.directory;
    return basis;
  }
  TRY(const NumberedSet set,
      options.trail.data_dir.empty() ? set_in_force(options.trail.admin) : set_kept_in(options.trail.data_dir));
  TRY(policy::Organization organization, loaded(set));
  basis.set = fmt::format("version {} ({}), in force", set.number, organization.version.substr(0, 12));
  basis.organization = std::make_shared<const policy::Organization>(std::move(organization));
  return basis;
}

}  // namespace portolan::cli
