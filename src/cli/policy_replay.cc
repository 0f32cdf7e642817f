// SPDX-License-Identifier: Apache-2.0
// portolan policy replay: recorded calls of the trail, judged by a candidate set of policies.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/policy.h"
#include "cli/policy_evidence.h"
#include "cli/text_table.h"
#include "policy/replay_summary.h"

namespace portolan::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string where_in_set(const policy::ReplayCause& cause) {
  if (cause.document.empty()) return "-";
  return cause.line == 0 ? cause.document : fmt::format("{}:{}", cause.document, cause.line);
}

Json json_of(const policy::ReplayCause& cause) {
  Json json{{"kind", cause.kind}};
  if (!cause.region.empty()) json["region"] = cause.region;
  if (!cause.level.empty()) json["level"] = cause.level;
  json["statement"] = cause.statement.empty() ? Json(nullptr) : Json(cause.statement);
  json["file"] = cause.document.empty() ? Json(nullptr) : Json(cause.document);
  json["line"] = cause.line == 0 ? Json(nullptr) : Json(cause.line);
  return json;
}

Json json_of(const domain::RecordedCall& call, const policy::ReplayedCall& replayed) {
  Json json{{"call", call.id},
            {"time", base::iso8601(call.at)},
            {"principal", call.principal},
            {"action", replayed.action},
            {call.profile.empty() ? "model" : "profile", call.profile.empty() ? call.model : call.profile},
            {"source", call.source},
            {"was", policy::name(call.outcome)}};
  if (!call.inference_region.empty()) json["served_in"] = call.inference_region;
  json["would_be"] = policy::name(replayed.verdict);
  if (replayed.mode) json["mode"] = policy::name(*replayed.mode);
  json["allowed"] = replayed.allowed;
  if (!replayed.causes.empty()) json["causes"] = Json::array();
  for (const policy::ReplayCause& cause : replayed.causes) json["causes"].push_back(json_of(cause));
  if (!replayed.needs.empty()) json["needs"] = replayed.needs;
  return json;
}

Json json_of(const policy::ReplaySummary& summary, const TrailSeen& seen) {
  Json json{{"calls", summary.calls()},
            {"served", summary.served()},
            {"served_denied", summary.served_denied()},
            {"served_elsewhere", summary.served_moved()},
            {"pruned", summary.pruned()},
            {"denied_allowed", summary.denied_allowed()},
            {"undecidable", summary.undecidable()},
            {"records", seen.coverage.records()}};
  if (seen.coverage.first()) {
    json["from"] = base::iso8601(*seen.coverage.first());
    json["until"] = base::iso8601(*seen.coverage.last());
  }
  json["evidence"] = seen.text();
  return {{"summary", std::move(json)}};
}

std::string decided_by(const policy::ReplayGroup& group) {
  if (!group.needs.empty()) return fmt::format("needs {}", fmt::join(group.needs, ", "));
  if (group.cause.kind == "unnamed") return "the set does not name this principal";
  if (group.cause.kind.empty()) return "-";
  std::string by = group.cause.kind + (group.cause.level.empty() ? "" : " " + group.cause.level);
  return group.cause.statement.empty() ? "no allow in " + by : by + ", " + group.cause.statement;
}

void print_for_people(const policy::ReplaySummary& summary, const TrailSeen& seen, const EvidenceBasis& basis) {
  TextTable table{{"CALLS", "WERE", "WOULD BE", "PRINCIPAL", "ACTION", "CALLED", "FROM", "REGIONS", "BY", "WHERE"}};
  for (const auto& [group, count] : summary.groups())
    table.add({std::to_string(count), group.was, group.would_be, group.principal, group.action, group.called,
               group.source, group.regions.empty() ? "-" : group.regions, decided_by(group),
               where_in_set(group.cause)});
  if (!table.empty()) fmt::print("{}\n", table.text());
  for (const std::string& line : seen.text()) fmt::print("{}\n", line);
  fmt::print("{} calls judged by {}; {} of them were served\n", summary.calls(), basis.set, summary.served());
  fmt::print("of those that were served: {} would be denied, {} served in another Region\n",
             summary.served_denied(), summary.served_moved());
  fmt::print("of all: {} pruned, {} allowed that policies denied, {} undecidable\n", summary.pruned(),
             summary.denied_allowed(), summary.undecidable());
}

int replay(const EvidenceOptions& options) {
  const auto basis = evidence_basis(options);
  if (!basis) return report(basis.error());
  policy::Replay judge(basis->organization, basis->catalog,
                       {.mode = basis->mode, .profile_arn = basis->profile_arn});
  policy::ReplaySummary summary;
  const auto seen = read_trail(options.trail, [&](const trail::ReadRecord& record) {
    if (!record.call) return;
    const policy::ReplayedCall replayed = judge.judge(*record.call);
    summary.add(*record.call, replayed);
    if (options.json) fmt::print("{}\n", json_of(*record.call, replayed).dump());
  });
  if (!seen) return report(seen.error());
  if (options.json)
    fmt::print("{}\n", json_of(summary, *seen).dump());
  else
    print_for_people(summary, *seen, *basis);
  return summary.served_denied() + summary.undecidable() > 0 ? Exit::finding : Exit::done;
}

}  // namespace

void add_policy_replay(CLI::App& policy, int& exit_code) {
  auto options = std::make_shared<EvidenceOptions>();
  CLI::App* command =
      policy.add_subcommand("replay", "Judge the recorded calls of the trail by a candidate set of policies");
  command->footer(
      "Says which calls the set would have denied or pruned, and by which statement. A call is undecidable where "
      "its record lacks something that the set reads, and for calls by application profiles; what is lacking is "
      "named. Exit code 1: a call that was served would be denied, or one is undecidable.\n\n"
      "Example:\n  portolan policy replay --policies ./policies --since 7d");
  command->add_option("--policies", options->directory, "Directory of the candidate set")->required();
  options->add_options(*command);
  command->add_flag("--json", options->json, "One JSON object a line, for each call, and a summary at the end");
  command->callback([options, &exit_code] { exit_code = replay(*options); });
}

}  // namespace portolan::cli
