// SPDX-License-Identifier: Apache-2.0
// portolan policy generate: policies from the catalog, as the tools that deploy them want them.
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fstream>

#include "cli/command.h"
#include "cli/policy.h"
#include "cli/policy_set.h"
#include "domain/nearest.h"
#include "policy/generate.h"
#include "policy/generate_package.h"

namespace portolan::cli {
namespace {

using base::Code;
using base::fail;
using base::Result;

struct GenerateOptions {
  std::vector<std::string> profiles, sources, actions, targets, allowed;
  std::string account, deny, name, format = "json", home_region, when_too_long = "merge", output, config;
  bool stream = false, allow_global = false;
};

/// The sources that `words` name, of those where the profile can be called; "all" names them all.
Result<domain::RegionMask> source_mask(const domain::Catalog& catalog, const domain::Profile& profile,
                                       const std::vector<std::string>& words) {
  domain::RegionMask mask;
  for (const std::string& word : words) {
    if (word == "all") return profile.sources;
    const domain::RegionIndex region = catalog.find_region(word);
    if (region == domain::region_none)
      return fail(Code::usage, fmt::format("--source {}: there is no such Region{}", word,
                                           domain::did_you_mean(catalog.nearest_region(word))));
    mask.add(region);
  }
  return mask;
}

Result<std::vector<policy::GeneratedPolicy>> identity_policies(const domain::Catalog& catalog,
                                                               const GenerateOptions& options) {
  policy::IdentityOrder order{
      .name = options.name.empty() ? "bedrock-inference" : options.name,
      .account = options.account,
      .uses = {},
      .actions = options.actions,
      .when_too_long = options.when_too_long == "split" ? policy::WhenTooLong::split : policy::WhenTooLong::merge};
  if (order.actions.empty()) order.actions.emplace_back("bedrock:InvokeModel");
  if (options.stream) order.actions.emplace_back("bedrock:InvokeModelWithResponseStream");
  for (const std::string& id : options.profiles) {
    const domain::Profile* profile = catalog.find_profile(id);
    if (profile == nullptr)
      return fail(Code::usage, fmt::format("--profile {}: there is no such profile{}", id,
                                           domain::did_you_mean(catalog.nearest_profile(id))));
    TRY(const domain::RegionMask sources, source_mask(catalog, *profile, options.sources));
    order.uses.push_back({.profile = profile, .sources = sources});
  }
  return generate_identity(catalog, order);
}

Result<std::vector<policy::GeneratedPolicy>> guardrail_policies(const domain::Catalog& catalog,
                                                                const GenerateOptions& options) {
  if (!options.profiles.empty() || !options.sources.empty() || !options.account.empty() || options.stream ||
      !options.actions.empty())
    return fail(Code::usage,
                "--deny writes an SCP, which grants nothing: --profile, --source, --account, --action "
                "and --stream belong to the policy of a principal");
  policy::GuardrailOrder order{.name = options.name.empty() ? "deny-" + options.deny : options.name,
                               .denies = policy::Guardrail::cross_region,
                               .regions = options.allowed,
                               .allow_global = options.allow_global};
  if (options.deny == "global") order.denies = policy::Guardrail::global;
  if (options.deny == "regions") order.denies = policy::Guardrail::regions;
  TRY(policy::GeneratedPolicy guardrail, generate_guardrail(catalog, order));
  return std::vector{std::move(guardrail)};
}

Result<> write_file(const std::filesystem::path& path, const std::string& text) {
  std::error_code failure;
  std::filesystem::create_directories(path.parent_path(), failure);
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) return fail(Code::usage, fmt::format("{} cannot be written", path.string()));
  return {};
}

Result<> generate(const GenerateOptions& options) {
  // It becomes the name of files and of resources in AWS.
  constexpr std::string_view name_characters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
  constexpr std::size_t name_characters_max = 100;  // IAM: 128; a number may follow
  if (options.name.size() > name_characters_max ||
      options.name.find_first_not_of(name_characters) != std::string::npos)
    return fail(Code::usage, fmt::format("--name {}: up to {} letters, digits, '-' and '_' are expected",
                                         options.name, name_characters_max));
  if (options.deny.empty() == options.profiles.empty())
    return fail(Code::usage,
                "generate: --profile PROFILE for the policy of a principal, or --deny WHAT for an SCP");
  if (options.deny.empty() && (!options.allowed.empty() || options.allow_global))
    return fail(Code::usage, "--allow and --allow-global belong to --deny regions");
  TRY(const std::shared_ptr<const domain::Catalog> catalog, catalog_with(options.config));
  TRY(const std::vector<policy::GeneratedPolicy> policies,
      options.deny.empty() ? identity_policies(*catalog, options) : guardrail_policies(*catalog, options));
  if (!options.home_region.empty() && catalog->find_region(options.home_region) == domain::region_none)
    return fail(Code::usage, fmt::format("--home-region {}: there is no such Region{}", options.home_region,
                                         domain::did_you_mean(catalog->nearest_region(options.home_region))));

  policy::PackageOrder order{.form = policy::PackageForm::json,
                             .targets = options.targets,
                             .account = options.account,
                             .home_region = options.home_region};
  if (options.format == "cfct") order.form = policy::PackageForm::control_tower;
  if (options.format == "terraform") order.form = policy::PackageForm::terraform;
  TRY(const std::vector<policy::PackageFile> files, package(policies, order));

  if (options.output.empty()) {
    if (files.size() > 1)
      return fail(Code::usage,
                  fmt::format("these are {} files: --output DIR says where to put them", files.size()));
    fmt::print("{}", files.front().text);
  } else {
    for (const policy::PackageFile& file : files) {
      const std::filesystem::path path = std::filesystem::path(options.output) / file.path;
      TRY_VOID(write_file(path, file.text));
      fmt::print("{}\n", path.string());
    }
  }
  for (const policy::GeneratedPolicy& policy : policies)
    for (const std::string& note : policy.notes) fmt::print(stderr, "note: {}\n", note);
  return {};
}

}  // namespace

void add_policy_generate(CLI::App& group, int& exit_code) {
  auto options = std::make_shared<GenerateOptions>();
  CLI::App* command = group.add_subcommand("generate", "Write the least policy for a profile, or an SCP");
  command->footer(
      "Examples:\n"
      "  portolan policy generate --profile us.anthropic.claude-sonnet-4-5-20250929-v1:0 --source us-east-1 \\\n"
      "    --account 111122223333 --stream\n"
      "  portolan policy generate --deny regions --allow eu-central-1,eu-west-1 --format cfct \\\n"
      "    --target Workloads --home-region eu-west-1 --output package\n\n"
      "What a reader of the policy should know is written to the standard error.\n"
      "Exit code 0: written. 2: the order contradicts itself or the catalog.");
  command->add_option("--profile", options->profiles, "Inference profile that may be called; repeat for several")
      ->delimiter(',');
  command->add_option("--source", options->sources, "Regions it is called in, or `all` of the profile's")
      ->delimiter(',');
  command->add_option("--account", options->account, "Account of the caller, 12 digits");
  command->add_option("--action", options->actions, "Action to allow (default: bedrock:InvokeModel)")
      ->delimiter(',');
  command->add_flag("--stream", options->stream, "Allow streamed calls too");
  command->add_option("--when-too-long", options->when_too_long, "Beyond 6,144 characters: merge Regions, or split")
      ->check(CLI::IsMember({"merge", "split"}))
      ->capture_default_str();
  command->add_option("--deny", options->deny, "Write an SCP that denies this instead")
      ->check(CLI::IsMember({"cross-region", "global", "regions"}));
  command->add_option("--allow", options->allowed, "With --deny regions: where Bedrock may be used")
      ->delimiter(',');
  command->add_flag("--allow-global", options->allow_global, "With --deny regions: leave Global profiles usable");
  command->add_option("--format", options->format, "AWS JSON, Customizations for Control Tower, or Terraform")
      ->check(CLI::IsMember({"json", "cfct", "terraform"}))
      ->capture_default_str();
  command->add_option("--target", options->targets, "What to attach it to: roles; for an SCP units or their ids")
      ->delimiter(',');
  command->add_option("--home-region", options->home_region, "Home Region of Control Tower");
  command->add_option("--name", options->name, "Name of the policy and its files");
  command->add_option("--output", options->output, "Directory to write the files to (default: standard output)");
  command->add_option("-c,--config", options->config, "Configuration whose own profiles may be named");
  command->callback([options, &exit_code] {
    if (const auto done = generate(*options); !done) exit_code = report(done.error());
  });
}

}  // namespace portolan::cli
