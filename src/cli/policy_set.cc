// SPDX-License-Identifier: Apache-2.0
#include "cli/policy_set.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>

#include "cli/command.h"
#include "cli/configuration.h"
#include "domain/nearest.h"
#include "iam/known_names.h"
#include "wire/target.h"
#include "world/clock.h"

namespace portolan::cli {
namespace {

using Named = wire::ModelName::Kind;

/// What `name` is of; Code::usage when the type of its ARN is another.
base::Result<policy::Target> target_of(const domain::Catalog& catalog, const wire::ModelName& name) {
  policy::Target target;
  target.profile = name.kind == Named::foundation_model ? nullptr : catalog.find_profile(name.id);
  if (target.profile != nullptr) {
    const bool is_application = target.profile->kind == domain::ProfileKind::application;
    if (name.kind == (is_application ? Named::inference_profile : Named::application_inference_profile))
      return base::fail(base::Code::usage,
                        fmt::format("{} is {} application profile", name.id, is_application ? "an" : "no"));
    target.model = target.profile->model;
    return target;
  }
  if (name.kind == Named::bare || name.kind == Named::foundation_model) target.model = catalog.find_model(name.id);
  if (target.model != nullptr) return target;
  if (name.kind == Named::foundation_model && catalog.find_profile(name.id) != nullptr)
    return base::fail(base::Code::usage,
                      fmt::format("{} is an inference profile; its ARN has the type inference-profile", name.id));
  if (catalog.find_model(name.id) != nullptr)
    return base::fail(base::Code::usage,
                      fmt::format("{} is a model; its ARN has the type foundation-model", name.id));
  std::string near = catalog.nearest_profile(name.id);
  if (near.empty()) near = catalog.nearest_model(name.id);
  return base::fail(base::Code::usage,
                    fmt::format("this is no profile or model of the catalog{}", domain::did_you_mean(near)));
}

}  // namespace

policy::ReadFile files_below(std::string directory) {
  return [directory = std::move(directory)](const std::string& name) -> base::Result<std::string> {
    const std::string path = directory + "/" + name;
    base::Result<std::string> text = read_text(path);
    if (text) return text;
    return base::fail(base::Code::usage, text.error().message.substr(path.size() + 2));  // "PATH: why"
  };
}

base::Result<policy::Organization> read_policy_set(const std::string& directory) {
  policy::LoadedOrganization loaded = policy::load_organization(files_below(directory));
  if (loaded.organization) return *std::move(loaded.organization);
  std::string message = fmt::format("{} is not used: {} {}", directory, loaded.mistakes.size(),
                                    loaded.mistakes.size() == 1 ? "mistake" : "mistakes");
  for (const config::Mistake& mistake : loaded.mistakes)
    message += fmt::format("\n  {}/{}", directory, mistake.text());
  return base::fail(base::Code::config_invalid, std::move(message));
}

base::Result<std::shared_ptr<const domain::Catalog>> catalog_with(const std::string& configuration_file) {
  if (configuration_file.empty()) return domain::Catalog::builtin();
  TRY(config::Config config, read_configuration(configuration_file));
  return std::move(config.catalog);
}

base::Result<std::string> principal_arn_of(const policy::Organization& organization, const std::string& words) {
  if (words.starts_with("arn:")) {
    if (policy::principal_name(words)) return words;
    return base::fail(base::Code::usage,
                      fmt::format("\"{}\" is no ARN of a user, a role or a role's session", words));
  }
  std::vector<std::string_view> arns;
  std::vector<std::string_view> names;
  for (const auto& [arn, principal] : organization.principals) {
    if (principal.is_pattern()) continue;
    names.push_back(policy::principal_name(arn)->name);
    if (names.back() == words) arns.push_back(arn);
  }
  if (arns.size() == 1) return std::string{arns.front()};
  if (arns.empty())
    return base::fail(base::Code::usage, fmt::format("the set has no principal \"{}\"{}", words,
                                                     domain::did_you_mean(domain::nearest_name(words, names))));
  return base::fail(base::Code::usage, fmt::format("there are {} principals \"{}\"; write the ARN, such as {}",
                                                   arns.size(), words, arns.front()));
}

base::Result<std::string> action_named(const std::string& words) {
  static const std::map<std::string_view, std::string_view> operations{
      {"Converse", "InvokeModel"}, {"ConverseStream", "InvokeModelWithResponseStream"}};
  const std::string_view bare = std::string_view{words}.substr(words.starts_with("bedrock:") ? 8 : 0);
  if (const auto known = operations.find(bare); known != operations.end())
    return fmt::format("bedrock:{}", known->second);
  std::string action = words.contains(':') ? words : "bedrock:" + words;
  std::string doubt = iam::doubt_about_action(action);
  if (action.find_first_of("*?") != std::string::npos)
    doubt = fmt::format("'{}' is a pattern; a call is checked for one action, such as InvokeModel", action);
  if (!doubt.empty()) return base::fail(base::Code::usage, "--action: " + doubt);
  return action;
}

base::Result<domain::RegionIndex> region_named(const domain::Catalog& catalog, std::string_view option,
                                               const std::string& words) {
  const domain::RegionIndex region = catalog.find_region(words);
  if (region != domain::region_none) return region;
  return base::fail(base::Code::usage, fmt::format("{} {}: there is no such Region{}", option, words,
                                                   domain::did_you_mean(catalog.nearest_region(words))));
}

base::Result<NamedTarget> target_named(const domain::Catalog& catalog, const std::string& words) {
  const auto refuse = [&](std::string_view why) {
    return base::fail(base::Code::usage, fmt::format("\"{}\": {}", words, why));
  };
  const base::Result<wire::ModelName> name = wire::read_model_name(words);
  if (!name) return refuse(std::string_view{name.error().message}.substr(std::string_view{"modelId: "}.size()));
  base::Result<policy::Target> target = target_of(catalog, *name);
  if (!target) return refuse(target.error().message);
  NamedTarget named{.target = *std::move(target), .account = std::string{name->account}};
  if (!name->region.empty()) {
    TRY(named.target.source, region_named(catalog, "the ARN's Region", std::string{name->region}));
  }
  return named;
}

void CircumstanceOptions::add_options(CLI::App& command) {
  command.add_option("--context", context,
                     "KEY=VALUE, a condition key of the request; given again with the same key: one more value");
  command.add_option("--now", now, "Time of the call, 2026-11-21T23:05:00Z (default: now)");
  command.add_option("--mode", mode, "strict or subset (default: strict for AWS's profiles, subset for your own)")
      ->check(CLI::IsMember({"strict", "subset"}));
}

base::Result<Circumstances> circumstances_of(const CircumstanceOptions& options) {
  Circumstances found;
  found.mode = policy::mode_named(options.mode);
  found.request.secure_transport = true;
  base::WallTime now = world::RealClock().wall();
  if (!options.now.empty() && !base::parse_time(options.now, now))
    return base::fail(base::Code::usage,
                      fmt::format("--now '{}' is not a time; write 2026-11-21T23:05:00Z", options.now));
  found.request.now = now;
  for (const std::string& pair : options.context) {
    const std::size_t equals = pair.find('=');
    if (equals == std::string::npos || equals == 0)
      return base::fail(base::Code::usage,
                        fmt::format("--context '{}' must be KEY=VALUE, such as aws:SourceIp=192.0.2.7", pair));
    const std::string key = pair.substr(0, equals);
    auto& further = found.request.further;
    auto entry = std::ranges::find(further, key, [](const auto& known) { return known.first; });
    if (entry == further.end()) entry = further.insert(further.end(), {key, {}});
    entry->second.push_back(pair.substr(equals + 1));
  }
  return found;
}

std::string place_of(const policy::Policy* policy, const iam::Statement* statement) {
  if (policy == nullptr || statement == nullptr) return "-";
  if (policy->is_managed_by_aws()) return policy->name;
  return fmt::format("{}:{}", policy->name, statement->place.line);
}

std::string destination_names(const domain::Catalog& catalog, const domain::Profile& profile,
                              domain::RegionMask sources, domain::RegionMask destinations) {
  constexpr int names_shown_max = 8;
  domain::RegionMask all;
  for (const domain::RegionIndex source : sources) all = all | profile.destinations_from(source);
  if (destinations.size() > names_shown_max && destinations == all)
    return fmt::format("all {} destinations", all.size());
  return catalog.names(destinations);
}

std::string level_name(iam::PolicyKind kind, std::string_view level) {
  return level.empty() ? std::string{iam::word(kind)} : fmt::format("{} {}", iam::word(kind), level);
}

std::string outcome_words(iam::Outcome outcome) {
  switch (outcome) {
    case iam::Outcome::allowed:
      return "allowed";
    case iam::Outcome::explicit_deny:
      return "explicit deny";
    case iam::Outcome::implicit_deny:
      return "no allow";
  }
  return {};
}

}  // namespace portolan::cli
