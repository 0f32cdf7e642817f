// SPDX-License-Identifier: Apache-2.0
// portolan policy who-can: which principals of a set may run a profile, and where.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/policy.h"
#include "cli/policy_set.h"
#include "cli/text_table.h"
#include "policy/cells.h"

namespace portolan::cli {
namespace {

struct WhoCanOptions {
  std::string directory = "policies", configuration_file;
  std::string profile, region, action = "InvokeModel";
  CircumstanceOptions circumstances;
  bool json = false;
};

struct WhoCanQuestion {
  std::shared_ptr<const domain::Catalog> catalog;
  policy::Organization organization;
  NamedTarget named;                                 // of an ARN: only who is of its account, and from its Region
  domain::RegionIndex region = domain::region_none;  // only who can run there
  policy::CellQuestion cells;
};

/// "nobody" would be true of a Region where the profile never runs, and be read as a decision of the policies.
base::Result<domain::RegionIndex> destination_named(const domain::Catalog& catalog, const domain::Profile& profile,
                                                    const std::string& words) {
  TRY(const domain::RegionIndex region, region_named(catalog, "REGION", words));
  domain::RegionMask destinations;
  for (const domain::RegionIndex source : profile.sources)
    destinations = destinations | profile.destinations_from(source);
  if (destinations.contains(region)) return region;
  return base::fail(base::Code::usage, fmt::format("REGION {}: {} never runs there, whoever calls it, only in {}",
                                                   words, profile.id, catalog.names(destinations)));
}

base::Result<WhoCanQuestion> who_can_question(const WhoCanOptions& options) {
  WhoCanQuestion question;
  TRY(question.catalog, catalog_with(options.configuration_file));
  TRY(question.named, target_named(*question.catalog, options.profile));
  const domain::Profile* profile = question.named.target.profile;
  if (profile == nullptr)
    return base::fail(base::Code::usage,
                      fmt::format("\"{}\" is a model; who-can wants an inference profile, such as "
                                  "us.{}",
                                  options.profile, question.named.target.model->id));
  if (!options.region.empty()) {
    TRY(question.region, destination_named(*question.catalog, *profile, options.region));
  }
  TRY(question.organization, read_policy_set(options.directory));
  TRY(Circumstances circumstances, circumstances_of(options.circumstances));
  TRY(std::string action, action_named(options.action));
  question.cells = {
      .actions = {std::move(action)}, .request = std::move(circumstances.request), .mode = circumstances.mode};
  return question;
}

/// The source Regions from which the same destinations are allowed, by those.
using SourcesByDestinations = std::map<std::uint64_t, domain::RegionMask>;

SourcesByDestinations reach_of(const WhoCanQuestion& question, const std::string& principal) {
  SourcesByDestinations reach;
  const policy::Target& target = question.named.target;
  const std::string& account = question.named.account;
  if (!account.empty() && policy::principal_name(principal)->account != account) return reach;
  policy::visit_cells(question.organization, *question.catalog, principal, policy::Called::of(*target.profile),
                      question.cells, [&](const policy::Cell& cell) {
                        if (target.source != domain::region_none && cell.call.target.source != target.source)
                          return;
                        const domain::RegionMask allowed = cell.judgement.allowed;
                        const bool counts = question.region == domain::region_none
                                                ? !allowed.empty()
                                                : allowed.contains(question.region);
                        if (counts) reach[allowed.bits()].add(cell.call.target.source);
                      });
  return reach;
}

void print_reach_json(const WhoCanQuestion& question, const std::string& principal,
                      const SourcesByDestinations& reach) {
  const domain::Catalog& catalog = *question.catalog;
  for (const auto& [destinations, sources] : reach)
    for (const domain::RegionIndex source : sources) {
      nlohmann::ordered_json row{{"principal", principal}, {"source", catalog.region(source).name}};
      row["regions"] = nlohmann::ordered_json::array();
      for (const domain::RegionIndex region : domain::RegionMask::from_bits(destinations))
        row["regions"].push_back(catalog.region(region).name);
      fmt::print("{}\n", row.dump());
    }
}

int who_can(const WhoCanOptions& options) {
  const auto question = who_can_question(options);
  if (!question) return report(question.error());
  TextTable table{{"PRINCIPAL", "FROM", "MAY RUN IN"}};
  for (const auto& [arn, principal] : question->organization.principals) {
    const SourcesByDestinations reach = reach_of(*question, arn);
    if (options.json) {
      print_reach_json(*question, arn, reach);
      continue;
    }
    for (const auto& [destinations, sources] : reach)
      table.add({arn, question->catalog->names(sources),
                 destination_names(*question->catalog, *question->named.target.profile, sources,
                                   domain::RegionMask::from_bits(destinations))});
  }
  if (options.json) return Exit::done;
  if (table.empty())
    fmt::print("nobody\n");
  else
    fmt::print("{}", table.text());
  return Exit::done;
}

}  // namespace

void add_policy_who_can(CLI::App& policy, int& exit_code) {
  auto options = std::make_shared<WhoCanOptions>();
  CLI::App* command = policy.add_subcommand("who-can", "Say which principals may run a profile, and where");
  command->footer(
      "One line for each principal and the source Regions from which it reaches the same destinations. Root users "
      "are in no set, and left out.\n\n"
      "Example:\n  portolan policy who-can us.anthropic.claude-sonnet-4-5-20250929-v1:0 us-west-2 --policies "
      "examples/policies");
  command->add_option("profile", options->profile, "Inference profile, id or ARN")->required();
  command->add_option("region", options->region, "Only who may run it in this Region");
  command->add_option("--policies", options->directory, "Directory of the set")->capture_default_str();
  command->add_option("-c,--config", options->configuration_file, "Configuration whose own profiles are known too");
  command->add_option("--action", options->action, "InvokeModel, Converse, ConverseStream …")
      ->capture_default_str();
  options->circumstances.add_options(*command);
  command->add_flag("--json", options->json, "One JSON object a line, for each principal and source Region");
  command->callback([options, &exit_code] { exit_code = who_can(*options); });
}

}  // namespace portolan::cli
