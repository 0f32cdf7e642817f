// SPDX-License-Identifier: Apache-2.0
// portolan policy unused: grants that no recorded call used, and the policies without them.
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/policy.h"
#include "cli/policy_evidence.h"
#include "cli/policy_set.h"
#include "cli/text_table.h"
#include "policy/unused.h"

namespace portolan::cli {
namespace {

using Json = nlohmann::ordered_json;

struct UnusedCommand {
  EvidenceOptions evidence;
  std::string principal, output;
};

struct UnusedAnswer {
  EvidenceBasis basis;
  TrailSeen seen;
  policy::Uses uses;
  policy::Unused unused;
  std::vector<policy::TightenedPolicy> tightened;
};

base::Result<UnusedAnswer> answer_of(const UnusedCommand& command) {
  if (!command.principal.empty() && !command.output.empty())
    return base::fail(base::Code::usage,
                      "--output writes a set for all principals; leave --principal out, or --output");
  TRY(EvidenceBasis basis, evidence_basis(command.evidence));
  policy::UnusedOptions options{.principal = {}, .mode = basis.mode, .profile_arn = basis.profile_arn};
  if (!command.principal.empty()) {
    TRY(const std::string arn, principal_arn_of(*basis.organization, command.principal));
    const policy::Principal* entry = basis.organization->find_principal(arn);
    if (entry == nullptr) return base::fail(base::Code::usage, "the set has no entry for " + arn);
    options.principal = entry->arn;
  }
  policy::Uses uses(basis.catalog, basis.mode);
  TRY(TrailSeen seen, read_trail(command.evidence.trail, [&](const trail::ReadRecord& record) {
        if (record.call) uses.add(*record.call);
      }));
  policy::Unused unused = policy::find_unused(*basis.organization, uses, options);
  std::vector<policy::TightenedPolicy> tightened = policy::tighten(*basis.organization, unused);
  return UnusedAnswer{.basis = std::move(basis),
                      .seen = std::move(seen),
                      .uses = std::move(uses),
                      .unused = std::move(unused),
                      .tightened = std::move(tightened)};
}

/// Into a directory that is not there yet, or empty.
base::Result<void> write_set(const UnusedAnswer& answer, const std::string& directory) {
  namespace fs = std::filesystem;
  std::error_code failure;
  if (fs::exists(directory, failure) && !fs::is_empty(directory, failure))
    return base::fail(base::Code::usage, directory + " is not empty; name a directory that is not there yet");
  TRY(const auto files, policy::tightened_files(*answer.basis.organization, answer.tightened));
  for (const auto& [name, text] : files) {
    const fs::path path = fs::path(directory) / name;
    fs::create_directories(path.parent_path(), failure);
    std::ofstream file(path, std::ios::binary);
    if (!(file << text).flush()) return base::fail(base::Code::disk, path.string() + " cannot be written");
  }
  return {};
}

std::string where_in_set(const policy::StatementUse& use) {
  return place_of(use.policy.get(), &use.statement());
}

std::vector<std::string> evidence_text(const UnusedAnswer& answer) {
  std::vector<std::string> lines = answer.seen.text();
  lines.push_back(
      fmt::format("{} calls in it asked a Region; held against {}", answer.uses.calls(), answer.basis.set));
  for (const auto& [what, calls] : answer.uses.not_in_catalog())
    lines.push_back(fmt::format("{} calls are no evidence: they need {}", calls, what));
  return lines;
}

Json region_list(const domain::Catalog& catalog, domain::RegionMask mask) {
  Json names = Json::array();
  for (const domain::RegionIndex region : mask) names.push_back(catalog.region(region).name);
  return names;
}

Json json_of(const domain::Catalog& catalog, const policy::UnusedGrant& grant) {
  return {{"unused",
           {{"principal", grant.principal},
            {"action", grant.action},
            {grant.called.profile != nullptr ? "profile" : "model", grant.called.id()},
            {"calls", grant.calls},
            {"sources", region_list(catalog, grant.sources)},
            {"destinations", region_list(catalog, grant.destinations)},
            {"granted_by", grant.granted_by}}}};
}

Json json_of(const policy::StatementUse& use) {
  return {{"statement",
           {{"file", use.policy->name},
            {"line", use.statement().place.line},
            {"kind", iam::word(use.policy->document.kind)},
            {"statement", policy::statement_words(use.policy.get(), &use.statement())},
            {"calls", use.calls},
            {"last", use.calls == 0 ? Json(nullptr) : Json(base::iso8601(use.last))}}}};
}

Json json_of(const domain::Catalog& catalog, const policy::DeniedByNow& denied) {
  return {{"denied_by_now",
           {{"principal", denied.cell.principal},
            {"action", denied.cell.action},
            {denied.cell.is_profile ? "profile" : "model", denied.cell.called},
            {"source", catalog.region(denied.cell.source).name},
            {"calls", denied.use.calls},
            {"last", base::iso8601(denied.use.last)}}}};
}

void print_json(const UnusedAnswer& answer) {
  const domain::Catalog& catalog = *answer.basis.catalog;
  const trail::Coverage& coverage = answer.seen.coverage;
  Json evidence{{"set", answer.basis.set},
                {"calls", answer.uses.calls()},
                {"records", coverage.records()},
                {"from", base::iso8601(*coverage.first())},
                {"until", base::iso8601(*coverage.last())},
                {"text", evidence_text(answer)}};
  if (answer.seen.since) evidence["since"] = base::iso8601(*answer.seen.since);
  if (answer.seen.begins) evidence["trail_begins"] = base::iso8601(*answer.seen.begins);
  fmt::print("{}\n", Json{{"evidence", std::move(evidence)}}.dump());
  for (const policy::UnusedGrant& grant : answer.unused.grants) fmt::print("{}\n", json_of(catalog, grant).dump());
  for (const policy::StatementUse& use : answer.unused.statements) fmt::print("{}\n", json_of(use).dump());
  for (const std::string& principal : answer.unused.never_called)
    fmt::print("{}\n", Json{{"never_called", principal}}.dump());
  for (const policy::DeniedByNow& denied : answer.unused.denied_by_now)
    fmt::print("{}\n", json_of(catalog, denied).dump());
  for (const policy::TightenedPolicy& policy : answer.tightened)
    fmt::print("{}\n", Json{{"tightened",
                             {{"file", policy.name},
                              {"document", policy.text.empty() ? Json(nullptr) : Json::parse(policy.text)},
                              {"notes", policy.notes}}}}
                           .dump());
}

/// Up to three, and how many more.
std::string some_names(const std::vector<std::string>& names) {
  constexpr std::size_t shown_max = 3;
  if (names.size() <= shown_max) return fmt::format("{}", fmt::join(names, ", "));
  return fmt::format("{} and {} more", fmt::join(names.begin(), names.begin() + shown_max, ", "),
                     names.size() - shown_max);
}

std::string region_words(const domain::Catalog& catalog, domain::RegionMask mask) {
  std::vector<std::string> names;
  for (const domain::RegionIndex region : mask) names.push_back(catalog.region(region).name);
  return names.empty() ? "-" : some_names(names);
}

/// What was used in part row by row; what was not used at all with its like in one.
void print_grants(const UnusedAnswer& answer) {
  const domain::Catalog& catalog = *answer.basis.catalog;
  TextTable table{{"PRINCIPAL", "ACTION", "CALLED", "CALLS", "NEVER CALLED FROM", "NEVER RAN IN", "GRANTED BY"}};
  struct Together {
    std::vector<std::string> called;
    domain::RegionMask sources, destinations;
  };
  std::map<std::tuple<std::string, std::string, std::string>, Together> not_at_all;
  for (const policy::UnusedGrant& grant : answer.unused.grants) {
    const std::string by = grant.granted_by.empty() ? "-" : fmt::format("{}", fmt::join(grant.granted_by, ", "));
    if (grant.calls == 0) {
      Together& together = not_at_all[{grant.principal, grant.action, by}];
      together.called.push_back(grant.called.id());
      together.sources = together.sources | grant.sources;
      together.destinations = together.destinations | grant.destinations;
      continue;
    }
    table.add({grant.principal, grant.action, grant.called.id(), std::to_string(grant.calls),
               region_words(catalog, grant.sources), region_words(catalog, grant.destinations), by});
  }
  for (const auto& [who, together] : not_at_all)
    table.add({std::get<0>(who), std::get<1>(who), some_names(together.called), "0",
               region_words(catalog, together.sources), region_words(catalog, together.destinations),
               std::get<2>(who)});
  fmt::print("{}", table.empty() ? "every grant was used\n" : table.text());
}

void print_statements(const policy::Unused& unused) {
  for (const policy::StatementUse& use : unused.statements)
    if (use.calls == 0)
      fmt::print("no call used {} ({}, {})\n", where_in_set(use),
                 policy::statement_words(use.policy.get(), &use.statement()), iam::name(use.policy->document.kind));
  for (const std::string& principal : unused.never_called) fmt::print("no call was made by {}\n", principal);
}

void print_denied(const UnusedAnswer& answer) {
  for (const policy::DeniedByNow& denied : answer.unused.denied_by_now)
    fmt::print("{} calls of {} by {} from {} are denied by these policies already, and not granted anew\n",
               denied.use.calls, denied.cell.called, denied.cell.principal,
               answer.basis.catalog->region(denied.cell.source).name);
}

void print_for_people(const UnusedAnswer& answer, const std::string& output) {
  print_grants(answer);
  print_statements(answer.unused);
  print_denied(answer);
  for (const policy::TightenedPolicy& policy : answer.tightened) {
    if (policy.text.empty()) {
      fmt::print("\n{}: nothing of it was used; it can be detached\n", policy.name);
      continue;
    }
    fmt::print("\n{}, tightened:\n", policy.name);
    for (const std::string& note : policy.notes) fmt::print("note: {}\n", note);
    fmt::print("{}", policy.text);
  }
  fmt::print("\nevidence:\n");
  for (const std::string& line : evidence_text(answer)) fmt::print("  {}\n", line);
  if (!output.empty()) fmt::print("{} has the set with these policies\n", output);
}

int unused(const UnusedCommand& command) {
  const auto answer = answer_of(command);
  if (!answer) return report(answer.error());
  if (answer->uses.cells().empty())
    return report(Exit::finding, fmt::format("no call of that time asked a Region, so nothing can be said to be "
                                             "unused: {}",
                                             fmt::join(evidence_text(*answer), "; ")));
  // A set without the grants of calls that could not be held against it would deny them.
  if (!command.output.empty() && !answer->uses.not_in_catalog().empty())
    return report(
        Exit::finding,
        fmt::format("nothing was written: some calls could not be held against the set, and a tightened one "
                    "might deny them: {}",
                    fmt::join(evidence_text(*answer), "; ")));
  if (!command.output.empty())
    if (const auto written = write_set(*answer, command.output); !written) return report(written.error());
  if (command.evidence.json)
    print_json(*answer);
  else
    print_for_people(*answer, command.output);
  return Exit::done;
}

}  // namespace

void add_policy_unused(CLI::App& policy, int& exit_code) {
  auto options = std::make_shared<UnusedCommand>();
  CLI::App* command = policy.add_subcommand(
      "unused", "Say which grants no recorded call used, and write the policies without them");
  command->footer(
      "Judged by the calls of the trail that asked a Region. Of a time without a trail nothing is known, which is "
      "said; exit code 1: there is no such call at all. The tightened policies grant a part of what the present "
      "ones "
      "do: hold them against the trail with `portolan policy replay` before they are applied.\n\n"
      "Example:\n  portolan policy unused --since 30d --output ./policies-tightened");
  command->add_option("--policies", options->evidence.directory,
                      "Directory of the set (default: the one in force)");
  options->evidence.add_options(*command);
  command->add_option("--principal", options->principal, "Only this user or role, by ARN or name");
  command->add_option("--output", options->output, "Write the whole set, with the tightened policies, there");
  command->add_flag("--json", options->evidence.json,
                    "One JSON object a line: evidence, unused, statement, never_called, denied_by_now, tightened");
  command->callback([options, &exit_code] { exit_code = unused(*options); });
}

}  // namespace portolan::cli
