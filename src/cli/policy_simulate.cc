// SPDX-License-Identifier: Apache-2.0
// portolan policy simulate: one call judged by a set of policies, check by check and level by level; or any
// requests, each with its own policies, as lines of JSON.
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fmt/format.h>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/configuration.h"
#include "cli/policy.h"
#include "cli/policy_set.h"
#include "cli/text_table.h"
#include "domain/nearest.h"
#include "iam/request_text.h"
#include "policy/cells.h"

namespace portolan::cli {
namespace {

using nlohmann::ordered_json;
using policy::Check;
using policy::Ruling;

struct SimulateOptions {
  std::string directory = "policies", configuration_file;
  std::string principal, action = "InvokeModel", profile, source;
  std::vector<std::string> session_policies, add, remove;
  std::string listener, requests;
  CircumstanceOptions circumstances;
  bool json = false;
};

/// Everything that one simulation is about. Members refer to those above them.
struct Simulation {
  std::shared_ptr<const domain::Catalog> catalog;
  policy::Organization organization;
  std::string principal, action;
  Circumstances circumstances;
  policy::Target target;
};

base::Result<iam::PolicyKind> attached_kind(std::string_view word) {
  std::vector<std::string_view> words;
  for (std::size_t i = 0; i < iam::policy_kind_count; ++i) {
    const auto kind = static_cast<iam::PolicyKind>(i);
    if (kind == iam::PolicyKind::resource) continue;
    if (iam::word(kind) == word) return kind;
    words.push_back(iam::word(kind));
  }
  return base::fail(base::Code::usage, fmt::format("--add: \"{}\" is no kind of policy{}", word,
                                                   domain::did_you_mean(domain::nearest_name(word, words))));
}

/// --add KIND:TARGET=FILE
base::Result<policy::Change> change_of(const policy::Organization& organization, const std::string& words) {
  const std::size_t colon = words.find(':');
  const std::size_t equals = words.rfind('=');
  if (colon == std::string::npos || equals == std::string::npos || equals <= colon + 1 ||
      equals + 1 == words.size())
    return base::fail(base::Code::usage,
                      fmt::format("--add '{}' must be KIND:TARGET=FILE, such as scp:root=new.json or "
                                  "identity:alice=new.json",
                                  words));
  policy::Change change;
  TRY(change.kind, attached_kind(std::string_view{words}.substr(0, colon)));
  change.target = words.substr(colon + 1, equals - colon - 1);
  if (change.kind == iam::PolicyKind::identity || change.kind == iam::PolicyKind::permission_boundary) {
    TRY(change.target, principal_arn_of(organization, change.target));
  }
  const std::string file = words.substr(equals + 1);
  TRY(const std::string text, read_text(file));
  std::vector<iam::Notice> notices;
  base::Result<iam::Document> document = iam::parse_document(text, change.kind, notices);
  if (!document) return base::fail(base::Code::usage, file + ": " + document.error().message);
  for (const iam::Notice& notice : notices)
    report(Exit::done, fmt::format("{}:{}:{}: {}", file, notice.place.line, notice.place.column, notice.text));
  change.policy =
      std::make_shared<const policy::Policy>(policy::Policy{.name = file, .document = *std::move(document)});
  return change;
}

base::Result<Simulation> simulation_of(const SimulateOptions& options) {
  Simulation simulation;
  TRY(simulation.catalog, catalog_with(options.configuration_file));
  TRY(NamedTarget named, target_named(*simulation.catalog, options.profile));
  simulation.target = std::move(named.target);
  if (!options.source.empty()) {
    TRY(const domain::RegionIndex source, region_named(*simulation.catalog, "--source", options.source));
    if (simulation.target.source != domain::region_none && simulation.target.source != source)
      return base::fail(base::Code::usage,
                        fmt::format("--source {}: the ARN names {}, and a profile is called where it is",
                                    options.source, simulation.catalog->region(simulation.target.source).name));
    simulation.target.source = source;
  }
  if (simulation.target.source == domain::region_none)
    return base::fail(base::Code::usage, "--source is needed: the Region that the call is made in");
  TRY(simulation.organization, read_policy_set(options.directory));
  for (const std::string& name : options.remove) {
    TRY(simulation.organization, policy::without_policy(simulation.organization, name));
  }
  for (const std::string& words : options.add) {
    TRY(const policy::Change change, change_of(simulation.organization, words));
    TRY(simulation.organization, policy::with_policy(simulation.organization, change));
  }
  TRY(simulation.principal, principal_arn_of(simulation.organization, options.principal));
  const std::string_view account = policy::principal_name(simulation.principal)->account;
  if (!named.account.empty() && named.account != account)
    return base::fail(base::Code::usage,
                      fmt::format("--profile: the ARN names account {}, and the caller is of {}; "
                                  "profiles are called in the caller's own account",
                                  named.account, account));
  TRY(simulation.action, action_named(options.action));
  TRY(simulation.circumstances, circumstances_of(options.circumstances));
  return simulation;
}

/// What decided, in the members that every row of the answer has.
void add_by(ordered_json& row, iam::Outcome outcome, iam::PolicyKind kind, std::string_view level,
            const policy::Policy* by, const iam::Statement* statement) {
  row["decision"] = iam::name(outcome);
  row["kind"] = iam::word(kind);
  row["level"] = level.empty() ? ordered_json{} : ordered_json(level);
  const bool is_known = by != nullptr && statement != nullptr;
  row["statement"] = is_known ? ordered_json(policy::statement_words(by, statement)) : ordered_json{};
  row["file"] = is_known ? ordered_json(by->name) : ordered_json{};
  row["line"] = is_known && !by->is_managed_by_aws() ? ordered_json(statement->place.line) : ordered_json{};
}

void add_ruling(ordered_json& row, const Ruling& ruling) {
  add_by(row, ruling.decision.outcome, ruling.decision.by.kind, ruling.level, ruling.policy, ruling.statement);
}

std::vector<iam::Step> levels_of(const policy::InferenceCall& call, const Check& check,
                                 const policy::Organization& organization, const policy::InForce& in_force) {
  const iam::Context context = policy::context_of(call, check, organization, in_force);
  return iam::explain(
      in_force.policies(),
      {.principal = call.principal, .action = call.action, .resource = check.resource, .context = &context});
}

/// A destination of a Global call that no explicit deny prunes may be used, though no Allow names it.
iam::Outcome outcome_for_call(const Ruling& ruling) {
  return ruling.denies() ? ruling.decision.outcome : iam::Outcome::allowed;
}

ordered_json names_of(const domain::Catalog& catalog, domain::RegionMask mask) {
  ordered_json names = ordered_json::array();
  for (const domain::RegionIndex region : mask) names.push_back(catalog.region(region).name);
  return names;
}

ordered_json answer_of(const Simulation& simulation, const policy::InferenceCall& call,
                       const policy::InForce& in_force, const policy::Judgement& judgement) {
  const domain::Catalog& catalog = *simulation.catalog;
  const auto denied_by = static_cast<std::size_t>(judgement.denied_by);
  ordered_json answer;
  answer["decision"] = judgement.is_allowed()    ? iam::name(iam::Outcome::allowed)
                       : judgement.denied_by < 0 ? iam::name(iam::Outcome::implicit_deny)
                                                 : iam::name(judgement.rulings[denied_by].decision.outcome);
  answer["mode"] = policy::name(judgement.mode);
  answer["principal"] = call.principal;
  answer["action"] = call.action;
  answer["profile"] = call.target.profile != nullptr ? call.target.profile->id : call.target.model->id;
  answer["source"] = catalog.region(call.target.source).name;
  answer["allowed"] = names_of(catalog, judgement.allowed);
  answer["pruned"] = names_of(catalog, judgement.pruned);
  answer["message"] =
      judgement.is_allowed() ? ordered_json{} : ordered_json(policy::denial_text(call, judgement, catalog));
  answer["regions"] = ordered_json::array();
  for (const domain::RegionIndex region : judgement.destinations) {
    ordered_json row{{"region", catalog.region(region).name}};
    add_ruling(row, *judgement.ruling_for(region));
    answer["regions"].push_back(std::move(row));
  }
  answer["checks"] = ordered_json::array();
  for (const Ruling& ruling : judgement.rulings) {
    ordered_json row{{"check", policy::name(ruling.check.part)},
                     {"resource", ruling.check.resource},
                     {"requested_region", ruling.check.requested_region}};
    add_ruling(row, ruling);
    row["levels"] = ordered_json::array();
    for (const iam::Step& view : levels_of(call, ruling.check, simulation.organization, in_force)) {
      ordered_json level;
      add_by(level, view.outcome, view.by.kind, in_force.level(view.by), in_force.policy(view.by),
             in_force.statement(view.by));
      level["waived"] = view.waived;
      row["levels"].push_back(std::move(level));
    }
    answer["checks"].push_back(std::move(row));
  }
  return answer;
}

/// What is checked, in people's words.
std::string check_words(Check::Part part) {
  return part == Check::Part::profile ? "profile" : "model";
}

/// The check that people want to see level by level: what denied the call, else what pruned a destination, else the
/// last one.
const Ruling& telling_ruling(const policy::Judgement& judgement) {
  if (judgement.denied_by >= 0) return judgement.rulings[static_cast<std::size_t>(judgement.denied_by)];
  for (const Ruling& ruling : judgement.rulings)
    if (ruling.denies()) return ruling;
  return judgement.rulings.back();
}

void print_levels(const Simulation& simulation, const policy::InferenceCall& call, const policy::InForce& in_force,
                  const Ruling& ruling) {
  fmt::print("\nlevel by level, {} in {}:\n", ruling.check.resource, ruling.check.requested_region);
  TextTable table{{}, 2};
  for (const iam::Step& view : levels_of(call, ruling.check, simulation.organization, in_force)) {
    const policy::Policy* by = in_force.policy(view.by);
    const iam::Statement* statement = in_force.statement(view.by);
    const bool is_decider = view.outcome != iam::Outcome::allowed && !view.waived &&
                            view.by.kind == ruling.decision.by.kind && view.by.level == ruling.decision.by.level;
    table.add({is_decider ? "=>" : "", std::string{iam::word(view.by.kind)}, std::string{in_force.level(view.by)},
               view.outcome == iam::Outcome::allowed         ? "allows"
               : view.outcome == iam::Outcome::explicit_deny ? "denies"
               : view.waived                                 ? "has no allow, and none is needed"
                                                             : "has no allow",
               statement == nullptr || by->is_managed_by_aws() ? "" : policy::statement_words(by, statement),
               statement == nullptr ? "" : place_of(by, statement)});
  }
  fmt::print("{}", table.text());
}

void print_answer(const Simulation& simulation, const policy::InferenceCall& call, const policy::InForce& in_force,
                  const policy::Judgement& judgement) {
  const domain::Catalog& catalog = *simulation.catalog;
  fmt::print("{} asks for {}\n{} from {}, {} mode\n", call.principal, call.action,
             call.target.profile != nullptr ? call.target.profile->id : call.target.model->id,
             catalog.region(call.target.source).name, policy::name(judgement.mode));
  if (!judgement.rulings.empty()) {
    TextTable table{{"CHECK", "REGION", "DECISION", "BY", "STATEMENT", "WHERE"}};
    for (const Ruling& ruling : judgement.rulings)
      table.add(
          {check_words(ruling.check.part), ruling.check.requested_region, outcome_words(outcome_for_call(ruling)),
           ruling.denies() == (ruling.decision.outcome != iam::Outcome::allowed)
               ? level_name(ruling.decision.by.kind, ruling.level)
               : "not denied",
           policy::statement_words(ruling.policy, ruling.statement), place_of(ruling.policy, ruling.statement)});
    fmt::print("\n{}", table.text());
    print_levels(simulation, call, in_force, telling_ruling(judgement));
  }
  if (!judgement.is_allowed())
    fmt::print("\ndenied: {}\n", policy::denial_text(call, judgement, catalog));
  else if (judgement.pruned.empty())
    fmt::print("\nallowed in {}\n", catalog.names(judgement.allowed));
  else
    fmt::print("\nallowed in {}; pruned: {}\n", catalog.names(judgement.allowed), catalog.names(judgement.pruned));
}

/// A line of `in` is a request, a line of the standard output its answer, written when no further line is waiting:
/// so a program may send one and wait. Exit::usage when a line was not understood.
int answer_requests(std::istream& in) {
  iam::RequestLines requests;
  int exit_code = Exit::done;
  for (std::string line; std::getline(in, line);) {
    if (line.empty()) continue;
    const std::string answer = requests.answer(line);
    if (answer.starts_with(R"({"error":)")) exit_code = Exit::usage;
    fmt::print("{}\n", answer);
    if (in.rdbuf()->in_avail() <= 0) std::fflush(stdout);
  }
  return exit_code;
}

int answer_requests(const std::string& file) {
  if (file == "-") {
    std::ios::sync_with_stdio(false);  // else in_avail() knows of nothing
    return answer_requests(std::cin);
  }
  std::ifstream in(file);
  if (!in) return report(Exit::usage, fmt::format("{}: {}", file, std::strerror(errno)));
  return answer_requests(in);
}

int simulate(const SimulateOptions& options) {
  if (!options.requests.empty()) return answer_requests(options.requests);
  if (options.principal.empty() || options.profile.empty())
    return report(Exit::usage, "--principal and --profile are needed, or --requests");
  const auto simulation = simulation_of(options);
  if (!simulation) return report(simulation.error());
  const policy::InferenceCall call{.principal = simulation->principal,
                                   .account = {},
                                   .action = simulation->action,
                                   .target = simulation->target,
                                   .request = simulation->circumstances.request};
  const auto in_force =
      policy::InForce::of(simulation->organization, call.principal, options.session_policies, options.listener);
  if (!in_force) return report(in_force.error());
  const policy::Judgement judgement = policy::judge(call, simulation->circumstances.mode_of(call.target.profile),
                                                    simulation->organization, *in_force, *simulation->catalog);
  if (options.json)
    fmt::print("{}\n", answer_of(*simulation, call, *in_force, judgement).dump());
  else
    print_answer(*simulation, call, *in_force, judgement);
  return judgement.is_allowed() ? Exit::done : Exit::finding;
}

}  // namespace

void add_policy_simulate(CLI::App& policy, int& exit_code) {
  auto options = std::make_shared<SimulateOptions>();
  CLI::App* command = policy.add_subcommand("simulate", "Judge one call by a set of policies, before it is made");
  command->footer(
      "Every check that the call consists of, with the statement that decides it, then the levels of the check "
      "that "
      "decides the call.\n\n"
      "Examples:\n  portolan policy simulate --policies examples/policies --principal alice --profile "
      "us.anthropic.claude-sonnet-4-5-20250929-v1:0 --source us-east-1\n"
      "  portolan policy simulate … --add scp:root=new.json        (what if it were attached)\n"
      "  portolan policy simulate … --remove scps/regions.json     (what if it were not)\n"
      "  portolan policy simulate --requests - <requests.jsonl     (any action, resource and policies)\n\n"
      "Exit code 0: allowed. 1: denied. 2: the question cannot be read. With --requests 0: every line was "
      "answered, "
      "also with a denial. 2: a line was not understood; its answer says why.");
  command->add_option("--policies", options->directory, "Directory of the set")->capture_default_str();
  command->add_option("-c,--config", options->configuration_file, "Configuration whose own profiles are known too");
  command->add_option("--principal", options->principal, "ARN, or the name of a user or role of the set");
  command->add_option("--action", options->action, "InvokeModel, Converse, ConverseStream …")
      ->capture_default_str();
  command->add_option("--profile,--model", options->profile, "Inference profile or model, id or ARN");
  command->add_option("--source", options->source, "Region the call is made in");
  command->add_option("--session-policy", options->session_policies, "Name of a policy passed with the session");
  command->add_option("--listener", options->listener, "Name of the listener that takes the call");
  options->circumstances.add_options(*command);
  command->add_option(
      "--add", options->add,
      "KIND:TARGET=FILE, a document to attach first: scp or rcp to root, a unit's path or an account; "
      "identity or boundary to a principal; session or listener to a name");
  command->add_option("--remove", options->remove, "A document of the set to detach first, by its file");
  command->add_option(
      "--requests", options->requests,
      "A file of requests, or - for the standard input: a JSON object a line, with principal, action, "
      "resource, context and the policies, answered with one line each");
  command->add_flag("--json", options->json, "One JSON object");
  command->callback([options, &exit_code] { exit_code = simulate(*options); });
}

}  // namespace portolan::cli
