// SPDX-License-Identifier: Apache-2.0
// portolan policy diff: who may run what where under one set of policies, and no longer or only under another.
#include <fmt/format.h>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "cli/command.h"
#include "cli/policy.h"
#include "cli/policy_set.h"
#include "cli/text_table.h"
#include "policy/cells.h"

namespace portolan::cli {
namespace {

using policy::CellChange;

struct DiffOptions {
  std::string before, after, configuration_file;
  CircumstanceOptions circumstances;
  bool json = false;
};

struct DiffAnswer {
  std::shared_ptr<const domain::Catalog> catalog;
  std::vector<CellChange> changes;
  std::vector<policy::DoorChange> doors;
};

base::Result<DiffAnswer> diff_of(const DiffOptions& options) {
  DiffAnswer answer;
  TRY(answer.catalog, catalog_with(options.configuration_file));
  TRY(const policy::Organization before, read_policy_set(options.before));
  TRY(const policy::Organization after, read_policy_set(options.after));
  TRY(Circumstances circumstances, circumstances_of(options.circumstances));
  policy::CellQuestion question;
  question.request = std::move(circumstances.request);
  question.mode = circumstances.mode;
  answer.changes = policy::changed_cells(before, after, *answer.catalog, question);
  answer.doors = policy::changed_doors(before, after);
  return answer;
}

/// What denies, in the set that does: "explicit deny, scp root, scps/regions.json:4 DenyOutside".
std::string why_denied(const CellChange& change) {
  std::string why = fmt::format("{}, {}", outcome_words(change.outcome), level_name(change.kind, change.level));
  if (!change.document.empty()) why += fmt::format(", {}", change.document);
  if (change.line != 0) why += fmt::format(":{}", change.line);
  if (!change.sid.empty()) why += fmt::format(" {}", change.sid);
  return why;
}

void print_changes_json(const DiffAnswer& answer) {
  const domain::Catalog& catalog = *answer.catalog;
  for (const CellChange& change : answer.changes) {
    nlohmann::ordered_json row{
        {"change", change.is_granted ? "granted" : "withdrawn"},
        {"principal", change.principal},
        {"action", change.action},
        {"profile", change.called.profile == nullptr ? nlohmann::ordered_json{}
                                                     : nlohmann::ordered_json(change.called.profile->id)},
        {"model", change.called.model->id},
        {"source", catalog.region(change.source).name},
        {"region", catalog.region(change.destination).name},
        {"decision", iam::name(change.outcome)},
        {"kind", iam::word(change.kind)},
        {"level", change.level},
        {"statement", change.sid},
        {"file", change.document},
        {"line", change.line}};
    fmt::print("{}\n", row.dump());
  }
  for (const policy::DoorChange& door : answer.doors)
    fmt::print("{}\n",
               nlohmann::ordered_json{{"change", "not_judged"}, {"kind", iam::word(door.kind)}, {"name", door.name}}
                   .dump());
}

/// One line for all changes that differ only in their action, source and destination.
void print_changes(const DiffAnswer& answer) {
  struct Regions {
    policy::Called called;
    domain::RegionMask sources, destinations;
    std::set<std::string> actions;
  };
  using Key = std::tuple<std::string, std::string, bool, std::string>;  // principal, profile or model, granted, why
  std::map<Key, Regions> lines;
  for (const CellChange& change : answer.changes) {
    Regions& line = lines[{change.principal, change.called.id(), change.is_granted, why_denied(change)}];
    line.called = change.called;
    line.sources.add(change.source);
    line.destinations.add(change.destination);
    line.actions.insert(change.action);
  }
  TextTable table{{"", "PRINCIPAL", "PROFILE OR MODEL", "IN", "FROM", "DENIED BY"}};
  for (const auto& [key, line] : lines) {
    const auto& [principal, id, is_granted, why] = key;
    const std::string only = line.actions.size() > 1 ? "" : fmt::format(" (only {})", *line.actions.begin());
    table.add({is_granted ? "+" : "-", principal, id,
               line.called.profile == nullptr
                   ? answer.catalog->names(line.destinations)
                   : destination_names(*answer.catalog, *line.called.profile, line.sources, line.destinations),
               answer.catalog->names(line.sources),
               fmt::format("{}: {}{}", is_granted ? "before" : "now", why, only)});
  }
  if (!table.empty()) fmt::print("{}", table.text());
  for (const policy::DoorChange& door : answer.doors)
    fmt::print("not judged: the {} \"{}\" changes; ask with `policy simulate --{} {}`\n", iam::name(door.kind),
               door.name, door.kind == iam::PolicyKind::session ? "session-policy" : "listener", door.name);
}

int diff(const DiffOptions& options) {
  const auto answer = diff_of(options);
  if (!answer) return report(answer.error());
  const bool is_same = answer->changes.empty() && answer->doors.empty();
  if (options.json) {
    print_changes_json(*answer);
  } else if (is_same) {
    fmt::print("no cell changes\n");
  } else {
    print_changes(*answer);
  }
  return is_same ? Exit::done : Exit::finding;
}

}  // namespace

void add_policy_diff(CLI::App& policy, int& exit_code) {
  auto options = std::make_shared<DiffOptions>();
  CLI::App* command =
      policy.add_subcommand("diff", "Say who may run what where under one set and not under another");
  command->footer(
      "Judges every principal of either set with every profile of the catalog, and every model that can be called "
      "by "
      "its bare id, from each of its source Regions. Calls with session policies or through a listener are not "
      "judged: "
      "a line for each of these policies that changes says so. Root users are in no set, and left out.\n\n"
      "Example:\n  portolan policy diff policies policies-to-be\n\n"
      "A line with + is granted by NEW alone, one with - by OLD alone. Exit code 0: nothing changes. 1: something "
      "does.");
  command->add_option("old", options->before, "Directory of the set to compare with")->required();
  command->add_option("new", options->after, "Directory of the set that may take its place")->required();
  command->add_option("-c,--config", options->configuration_file, "Configuration whose own profiles are known too");
  options->circumstances.add_options(*command);
  command->add_flag("--json", options->json, "One JSON object a line, for each cell that changes");
  command->callback([options, &exit_code] { exit_code = diff(*options); });
}

}  // namespace portolan::cli
