// SPDX-License-Identifier: Apache-2.0
// Faults put at random places of healthy organisations: when the reference evaluation confirms that a call is now
// judged otherwise, the linter must find the fault.
#include <algorithm>
#include <array>
#include <functional>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "base/random.h"
#include "policy/cross_region.h"
#include "policy/generate.h"
#include "policy/lint.h"
#include "policy/lint_subject.h"
#include "policy/test_lint_sets.h"

namespace portolan::policy {
namespace {

using base::Random;
using Json = nlohmann::ordered_json;

const domain::Catalog& mutation_catalog() {
  static const auto catalog = domain::Catalog::builtin();
  return *catalog;
}

/// One call by one principal, past one door.
struct Cell {
  std::string principal;
  std::string_view action;
  Target target;
  std::vector<std::string> sessions;
  std::string listener;
};

/// Judges cells of one organisation; those of one principal and door stand together, and share what is in force.
class CellJudge {
 public:
  explicit CellJudge(const Organization& organization) : organization_(organization) {}

  bool allows(const Cell& cell) {
    if (cell.principal != principal_ || cell.sessions != sessions_ || cell.listener != listener_) {
      principal_ = cell.principal;
      sessions_ = cell.sessions;
      listener_ = cell.listener;
      in_force_.reset();
      if (auto found = InForce::of(organization_, principal_, sessions_, listener_))
        in_force_.emplace(*std::move(found));
    }
    if (!in_force_) return false;
    InferenceCall call{.principal = cell.principal, .account = {}, .action = cell.action, .target = cell.target};
    call.request.source_ip = "10.1.2.3";
    call.request.secure_transport = true;
    return judge(call, Mode::strict, organization_, *in_force_, mutation_catalog()).is_allowed();
  }

 private:
  const Organization& organization_;
  std::string principal_;
  std::vector<std::string> sessions_;
  std::string listener_;
  std::optional<InForce> in_force_;
};

/// A healthy organisation with the calls that it allows, and a sample of those that it denies.
struct HealthySet {
  std::string name;
  SetFiles files;
  std::map<std::string, Json> documents;
  std::vector<Cell> allowed;
  std::vector<Cell> denied;
};

void sort_cell(HealthySet& set, CellJudge& healthy, Cell cell, bool is_of_interest) {
  if (healthy.allows(cell))
    set.allowed.push_back(std::move(cell));
  else if (is_of_interest)
    set.denied.push_back(std::move(cell));
}

HealthySet healthy_set(const std::string& name, Random& random) {
  HealthySet set{.name = name, .files = set_files("healthy", name), .documents = {}, .allowed = {}, .denied = {}};
  for (const auto& [file, text] : set.files)
    if (file.ends_with(".json")) set.documents.emplace(file, Json::parse(text));
  const Organization organization = loaded(set.files);
  CellJudge healthy(organization);
  std::string everything;
  for (const auto& [file, text] : set.files) everything += text;

  std::vector<Cell> doors(1);
  for (const auto& [session, policy] : organization.session_policies) doors.push_back({.sessions = {session}});
  for (const auto& [listener, policy] : organization.listeners) doors.push_back({.listener = listener});
  for (const auto& [pattern, principal] : organization.principals) {
    std::string arn = pattern;
    if (arn.ends_with('*')) arn.replace(arn.size() - 1, 1, "7");
    for (const Cell& door : doors)
      for (const std::string_view action : inference_actions_checked) {
        Cell cell{
            .principal = arn, .action = action, .target = {}, .sessions = door.sessions, .listener = door.listener};
        for (const auto& model : mutation_catalog().models())
          for (const domain::RegionIndex region : model->in_region) {
            cell.target = {.profile = nullptr, .model = model.get(), .source = region};
            sort_cell(set, healthy, cell, everything.contains(model->id));
          }
        for (const auto& profile : mutation_catalog().profiles())
          for (const domain::RegionIndex source : profile->sources) {
            cell.target = {.profile = profile.get(), .model = profile->model, .source = source};
            const bool is_near = everything.contains(profile->model->id) &&
                                 everything.contains(mutation_catalog().region(source).name);
            sort_cell(set, healthy, cell, is_near || random.below(100) == 0);
          }
      }
  }
  return set;
}

// ------------------------------------------------------------------------------------------------- the faults

/// What a mutation works on: the documents, and what organization.yaml says.
struct Draft {
  std::map<std::string, Json> documents;
  std::string organization;
};

/// A statement of a document below `folder` that `wanted` takes; null when there is none.
Json* random_statement(Draft& draft, Random& random, std::string_view folder,
                       const std::function<bool(const Json&)>& wanted) {
  std::vector<Json*> found;
  for (auto& [file, document] : draft.documents)
    if (file.starts_with(folder))
      for (Json& statement : document["Statement"])
        if (wanted(statement)) found.push_back(&statement);
  return found.empty() ? nullptr : found[random.below(found.size())];
}

Json* random_document(Draft& draft, Random& random, std::string_view folder) {
  std::vector<Json*> found;
  for (auto& [file, document] : draft.documents)
    if (file.starts_with(folder)) found.push_back(&document);
  return found.empty() ? nullptr : found[random.below(found.size())];
}

bool mentions(const Json& statement, std::string_view text) {
  return statement.dump().contains(text);
}
bool resources_mention(const Json& statement, std::string_view text) {
  return statement.contains("Resource") && mentions(statement["Resource"], text);
}
bool grants_models(const Json& statement) {
  return statement["Effect"] == "Allow" && resources_mention(statement, ":foundation-model/");
}
bool grants_profiles(const Json& statement) {
  return statement["Effect"] == "Allow" && resources_mention(statement, ":inference-profile/");
}

/// Replaces one occurrence of `from` in the statement, or all of them.
void replace(Json& statement, const std::string& from, const std::string& to, Random& random, bool all) {
  std::string text = statement.dump();
  std::vector<std::size_t> places;
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + from.size()))
    places.push_back(at);
  if (places.empty()) return;
  if (!all) places = {places[random.below(places.size())]};
  for (std::size_t i = places.size(); i-- > 0;) text.replace(places[i], from.size(), to);
  statement = Json::parse(text);
}

Json* list_of_regions(Json& statement, const char* op) {
  if (!statement.contains("Condition") || !statement["Condition"].contains(op)) return nullptr;
  Json& block = statement["Condition"][op];
  return block.contains("aws:RequestedRegion") && block["aws:RequestedRegion"].is_array()
             ? &block["aws:RequestedRegion"]
             : nullptr;
}

void erase_value(Json& list, std::string_view value) {
  for (auto i = list.begin(); i != list.end(); ++i)
    if (*i == value) {
      list.erase(i);
      return;
    }
}

void erase_statement(Draft& draft, const Json* statement) {
  for (auto& [file, document] : draft.documents)
    for (auto i = document["Statement"].begin(); i != document["Statement"].end(); ++i)
      if (&*i == statement) {
        document["Statement"].erase(i);
        return;
      }
}

/// A statement at a random place of a random document of `folder`.
bool insert_statement(Draft& draft, Random& random, std::string_view folder, Json statement) {
  Json* document = random_document(draft, random, folder);
  if (document == nullptr) return false;
  Json& statements = (*document)["Statement"];
  statements.insert(statements.begin() + static_cast<std::ptrdiff_t>(random.below(statements.size() + 1)),
                    std::move(statement));
  return true;
}

Json denial(const char* op, Json regions) {
  return {{"Sid", "Inserted"},
          {"Effect", "Deny"},
          {"Action", "bedrock:*"},
          {"Resource", "*"},
          {"Condition", {{op, {{"aws:RequestedRegion", std::move(regions)}}}}}};
}

std::string random_region(Random& random) {
  const auto regions = mutation_catalog().regions();
  return regions[random.below(regions.size())].name;
}

/// A Region that some allowed call asks for.
std::string used_region(const HealthySet& set, Random& random) {
  const Cell& cell = set.allowed[random.below(set.allowed.size())];
  std::vector<std::string> regions{mutation_catalog().region(cell.target.source).name};
  if (cell.target.profile != nullptr && cell.target.profile->kind == domain::ProfileKind::geographic)
    for (const domain::RegionIndex region : cell.target.profile->destinations_from(cell.target.source))
      regions.push_back(mutation_catalog().region(region).name);
  return regions[random.below(regions.size())];
}

struct Fault {
  const char* name;
  std::vector<std::string_view> rules;  // one of which must find it
  /// False when the set has no place for it.
  bool (*put)(Draft& draft, const HealthySet& set, Random& random);
};

bool swap_in_identity(Draft& draft, Random& random, const char* from, const char* to, bool all = true) {
  Json* statement = random_statement(draft, random, "identity/",
                                     [&](const Json& candidate) { return mentions(candidate, from); });
  if (statement == nullptr) return false;
  replace(*statement, from, to, random, all);
  return true;
}

bool drop_unspecified(Draft& draft, const HealthySet&, Random& random) {
  const char* folder = random.below(2) == 0 ? "scps/" : "rcps/";
  Json* statement = random_statement(draft, random, folder, [](const Json& candidate) {
    return candidate["Effect"] == "Deny" && mentions(candidate, "unspecified") &&
           mentions(candidate, "StringNotEquals");
  });
  if (statement == nullptr) return false;
  erase_value(*list_of_regions(*statement, "StringNotEquals"), "unspecified");
  return true;
}

bool deny_unspecified(Draft& draft, const HealthySet&, Random& random) {
  return insert_statement(draft, random, "scps/",
                          denial("StringEquals", Json::array({"af-south-1", "unspecified"})));
}

bool drop_allowed_region(Draft& draft, const HealthySet&, Random& random) {
  const char* folder = random.below(3) != 0 ? "scps/" : "rcps/";
  Json* statement = random_statement(draft, random, folder, [](const Json& candidate) {
    return mentions(candidate, "StringNotEquals") && candidate.contains("Action");
  });
  Json* list = statement == nullptr ? nullptr : list_of_regions(*statement, "StringNotEquals");
  if (list == nullptr) return false;
  std::vector<std::string> regions;
  for (const Json& region : *list)
    if (region != "unspecified") regions.push_back(region);
  erase_value(*list, regions[random.below(regions.size())]);
  return true;
}

bool deny_used_region(Draft& draft, const HealthySet& set, Random& random) {
  Json regions = Json::array({used_region(set, random)});
  if (random.below(2) == 0) regions.push_back(random_region(random));
  return insert_statement(draft, random, "scps/", denial("StringEquals", std::move(regions)));
}

bool attach_control_tower(Draft& draft, const HealthySet& set, Random& random) {
  return insert_statement(
      draft, random, "scps/",
      {{"Sid", "GRREGIONDENY"},
       {"Effect", "Deny"},
       {"NotAction", {"iam:*", "organizations:*", "route53:*", "support:*"}},
       {"Resource", "*"},
       {"Condition",
        {{"StringNotEquals", {{"aws:RequestedRegion", {used_region(set, random), random_region(random)}}}},
         {"ArnNotLike", {{"aws:PrincipalARN", {"arn:*:iam::*:role/AWSControlTowerExecution"}}}}}}});
}

bool drop_models(Draft& draft, const HealthySet&, Random& random) {
  Json* statement = random_statement(draft, random, "identity/", [](const Json& candidate) {
    return grants_models(candidate) && mentions(candidate, "InferenceProfileArn");
  });
  if (statement != nullptr) erase_statement(draft, statement);
  return statement != nullptr;
}

bool drop_one_model(Draft& draft, const HealthySet&, Random& random) {
  Json* statement = random_statement(draft, random, "identity/", [](const Json& candidate) {
    return grants_models(candidate) && mentions(candidate, "InferenceProfileArn") &&
           candidate["Resource"].size() > 1;
  });
  if (statement == nullptr) return false;
  (*statement)["Resource"].erase(random.below((*statement)["Resource"].size()));
  return true;
}

bool drop_profile(Draft& draft, const HealthySet&, Random& random) {
  Json* statement = random_statement(draft, random, "identity/", grants_profiles);
  if (statement != nullptr) erase_statement(draft, statement);
  return statement != nullptr;
}

bool break_arn(Draft& draft, const HealthySet& set, Random& random) {
  const std::string account = set.allowed.front().principal.substr(13, 12);
  switch (random.below(6)) {
    case 0:
      return swap_in_identity(draft, random, "::foundation-model/", "::model/", random.below(2) == 0);
    case 1:
      return swap_in_identity(draft, random, "::foundation-model/", (":" + account + ":foundation-model/").c_str(),
                              random.below(2) == 0);
    case 2:
      return swap_in_identity(draft, random, (account + ":inference-profile/").c_str(), ":inference-profile/");
    case 3:
      return swap_in_identity(draft, random, ":inference-profile/", ":application-inference-profile/",
                              random.below(2) == 0);
    case 4:
      return swap_in_identity(draft, random, ":inference-profile/", ":inference-profiles/", random.below(2) == 0);
    default:
      return swap_in_identity(draft, random, "foundation-model/", "foundation-model/us.", random.below(2) == 0);
  }
}

bool break_key(Draft& draft, const HealthySet&, Random& random) {
  switch (random.below(4)) {
    case 0:
      return swap_in_identity(draft, random, "aws:RequestedRegion", "aws:Region");
    case 1:
      return swap_in_identity(draft, random, "bedrock:InferenceProfileArn", "aws:InferenceProfileArn");
    case 2:
      return swap_in_identity(draft, random, "bedrock:InferenceProfileArn", "bedrock:InferenceProfile");
    default: {
      Json* statement = random_statement(draft, random, "scps/", [](const Json& candidate) {
        return mentions(candidate, "aws:RequestedRegion") && candidate["Effect"] == "Deny";
      });
      if (statement == nullptr) return false;
      replace(*statement, "aws:RequestedRegion", "aws:Region", random, true);
      return true;
    }
  }
}

bool drop_null_guard(Draft& draft, const HealthySet& set, Random& random) {
  Json* statement = random_statement(draft, random, "scps/",
                                     [](const Json& candidate) { return mentions(candidate, "\"Null\""); });
  if (statement != nullptr) {
    (*statement)["Condition"].erase("Null");
    return true;
  }
  const Cell& cell = set.allowed[random.below(set.allowed.size())];
  if (cell.target.profile == nullptr) return false;
  const std::string prefix = cell.target.profile->id.substr(0, cell.target.profile->id.find('.'));
  return insert_statement(
      draft, random, "scps/",
      {{"Sid", "Inserted"},
       {"Effect", "Deny"},
       {"Action", "bedrock:*"},
       {"Resource", "*"},
       {"Condition",
        {{"ArnNotLike",
          {{"bedrock:InferenceProfileArn", "arn:aws:bedrock:*:*:inference-profile/" + prefix + ".*"}}}}}});
}

bool widen_models(Draft& draft, const HealthySet&, Random& random) {
  Json* statement = random_statement(draft, random, "identity/", grants_models);
  if (statement == nullptr) return false;
  (*statement)["Resource"] = random.below(2) == 0 ? Json("*") : Json("arn:aws:bedrock:*::foundation-model/*");
  statement->erase("Condition");
  return true;
}

bool take_foreign_account(Draft& draft, const HealthySet& set, Random& random) {
  if (random.below(4) == 0)
    if (Json* statement = random_statement(draft, random, "listeners/", [](const Json&) { return true; })) {
      (*statement)["Principal"] = {{"AWS", "999900001111"}};
      return true;
    }
  const Cell& cell = set.allowed[random.below(set.allowed.size())];
  return swap_in_identity(draft, random, (cell.principal.substr(13, 12) + ":inference-profile").c_str(),
                          "999900001111:inference-profile", random.below(2) == 0);
}

bool ask_source_region_everywhere(Draft& draft, const HealthySet&, Random& random) {
  const bool profile = random.below(2) == 0;
  Json* statement = random_statement(draft, random, "identity/", [&](const Json& candidate) {
    return profile ? grants_profiles(candidate)
                   : grants_models(candidate) && mentions(candidate, "InferenceProfileArn") &&
                         !mentions(candidate, "RequestedRegion");
  });
  if (statement == nullptr) return false;
  if (profile) {
    const Json& resource = (*statement)["Resource"];
    (*statement)["Condition"]["ArnLike"]["bedrock:InferenceProfileArn"] =
        resource.is_array() ? resource[0] : resource;
  } else {
    const Json& resource = (*statement)["Resource"];
    const std::string first = resource[random.below(resource.size())];
    (*statement)["Condition"]["StringEquals"]["aws:RequestedRegion"] = first.substr(16, first.find("::") - 16);
  }
  return true;
}

bool shadow_grant(Draft& draft, const HealthySet& set, Random& random) {
  const Cell& cell = set.allowed[random.below(set.allowed.size())];
  Json denied = "arn:aws:bedrock:*::foundation-model/" + cell.target.model->id;
  if (cell.target.profile != nullptr && random.below(2) == 0)
    denied = "arn:aws:bedrock:*:*:inference-profile/" + cell.target.profile->id;
  return insert_statement(draft, random, random.below(2) == 0 ? "identity/" : "scps/",
                          {{"Sid", "Inserted"},
                           {"Effect", "Deny"},
                           {"Action", "bedrock:InvokeModel*"},
                           {"Resource", std::move(denied)}});
}

/// The published Global form beside a Geographic grant of the same model.
bool add_global_grant(Draft& draft, const HealthySet& set, Random& random) {
  Json* document = random_document(draft, random, "identity/");
  const std::string text = document == nullptr ? "" : document->dump();
  const auto geographic = std::ranges::find_if(set.allowed, [&](const Cell& cell) {
    return cell.target.profile != nullptr && cell.target.profile->kind == domain::ProfileKind::geographic &&
           text.contains(cell.target.profile->id) && text.contains(cell.principal.substr(13, 12));
  });
  if (geographic == set.allowed.end() || text.contains("global.")) return false;
  const domain::Profile* global = mutation_catalog().find_profile("global." + geographic->target.model->id);
  if (global == nullptr || !global->sources.contains(geographic->target.source)) return false;
  const auto policies =
      generate_identity(mutation_catalog(), {.name = "global",
                                             .account = geographic->principal.substr(13, 12),
                                             .uses = {{global, domain::RegionMask::of(geographic->target.source)}},
                                             .actions = {"bedrock:InvokeModel"}});
  if (!policies) return false;
  const Json grant = Json::parse(policies->front().text);
  for (const Json& statement : grant["Statement"]) (*document)["Statement"].push_back(statement);
  return true;
}

bool mistype_action(Draft& draft, const HealthySet&, Random& random) {
  constexpr std::array wrong = {"bedrock:Converse", "bedrock:InvokeModle", "bedrock:InvokeModels",
                                "bedrok:InvokeModel"};
  const char* to = wrong[random.below(wrong.size())];
  return swap_in_identity(draft, random, "bedrock:InvokeModel", to);
}

bool mistype_name(Draft& draft, const HealthySet& set, Random& random) {
  const Cell& cell = set.allowed[random.below(set.allowed.size())];
  std::string right = random.below(2) == 0 ? used_region(set, random) : cell.target.model->id;
  std::string wrong = right;
  const std::size_t at =
      3 + random.below(wrong.size() - 4);  // not in the first letters, which may tell a geography
  if (wrong[at] == wrong[at + 1]) return false;
  std::swap(wrong[at], wrong[at + 1]);
  if (mutation_catalog().find_region(wrong) != domain::region_none ||
      mutation_catalog().find_model(wrong) != nullptr)
    return false;
  return swap_in_identity(draft, random, right.c_str(), wrong.c_str(), random.below(2) == 0);
}

bool put_wildcard_into_equals(Draft& draft, const HealthySet&, Random& random) {
  Json* statement = random_statement(draft, random, "identity/", [](const Json& candidate) {
    return candidate.contains("Condition") && candidate["Condition"].contains("StringEquals") &&
           candidate["Condition"]["StringEquals"].contains("bedrock:InferenceProfileArn");
  });
  if (statement == nullptr) return false;
  Json& pin = (*statement)["Condition"]["StringEquals"]["bedrock:InferenceProfileArn"];
  std::string text = pin.dump();
  const std::size_t region = text.find("bedrock:") + 8;
  text.replace(region, text.find(':', region) - region, "*");
  pin = Json::parse(text);
  return true;
}

bool unpin_models(Draft& draft, const HealthySet&, Random& random) {
  Json* statement = random_statement(draft, random, "identity/", [](const Json& candidate) {
    return grants_models(candidate) && mentions(candidate, "InferenceProfileArn");
  });
  if (statement == nullptr) return false;
  if (random.below(2) == 0 && (*statement)["Condition"].contains("StringEquals")) {
    const Json block = (*statement)["Condition"]["StringEquals"];
    (*statement)["Condition"].erase("StringEquals");
    (*statement)["Condition"]["ForAllValues:StringEquals"] = block;
  } else {
    statement->erase("Condition");
  }
  return true;
}

bool cut_door(Draft& draft, const HealthySet&, Random& random) {
  constexpr std::array folders = {"boundaries/", "sessions/", "listeners/"};
  const char* folder = folders[random.below(folders.size())];
  Json* statement = random_statement(draft, random, folder, [](const Json&) { return true; });
  if (statement == nullptr) return false;
  const Json& resource = (*statement)["Resource"];
  if (resource == "*")
    (*statement)["Resource"] =
        random.below(2) == 0 ? "arn:aws:bedrock:*::foundation-model/*" : "arn:aws:bedrock:*:*:inference-profile/*";
  else if (resource.is_array() && resource.size() > 1)
    (*statement)["Resource"].erase(random.below(resource.size()));
  else
    erase_statement(draft, statement);
  return true;
}

bool detach_full_access(Draft& draft, const HealthySet&, Random& random) {
  constexpr std::string_view listed = "[FullAWSAccess, ";
  if (const std::size_t at = draft.organization.find(listed); at != std::string::npos) {
    draft.organization.replace(at, listed.size(), "[");
    return true;
  }
  Json* statement = random_statement(draft, random, "scps/", [](const Json& candidate) {
    return candidate["Effect"] == "Allow" && mentions(candidate, "bedrock:*");
  });
  if (statement == nullptr) return false;
  replace(*statement, "bedrock:*", random.below(2) == 0 ? "bedrock-agentcore:*" : "bedrock:List*", random, true);
  return true;
}

const std::vector<Fault> faults = {
    {"unspecified dropped from a list of allowed Regions", {"global-blocked-by-region-deny"}, drop_unspecified},
    {"unspecified denied among Regions", {"global-blocked-by-region-deny"}, deny_unspecified},
    {"an allowed Region dropped",
     {"destination-blocked-by-region-deny", "grant-shadowed-by-deny"},
     drop_allowed_region},
    {"a Region in use denied", {"destination-blocked-by-region-deny", "grant-shadowed-by-deny"}, deny_used_region},
    {"the Region deny of Control Tower", {"control-tower-region-deny"}, attach_control_tower},
    {"the models of a profile dropped", {"profile-without-models"}, drop_models},
    {"one model ARN dropped", {"profile-without-models"}, drop_one_model},
    {"the profile dropped", {"models-without-profile"}, drop_profile},
    {"an ARN of a wrong form", {"wrong-arn-type"}, break_arn},
    {"a wrong condition key", {"wrong-condition-key"}, break_key},
    {"a Null guard dropped", {"missing-null-guard"}, drop_null_guard},
    {"models widened to all", {"wildcard-models"}, widen_models},
    {"an account that is not the caller's", {"foreign-account"}, take_foreign_account},
    {"a condition that a resource cannot meet", {"never-matches"}, ask_source_region_everywhere},
    {"a grant shadowed by a denial", {"grant-shadowed-by-deny"}, shadow_grant},
    {"a Global grant beside a Geographic one", {"global-beside-geographic"}, add_global_grant},
    {"a mistyped action", {"unknown-action"}, mistype_action},
    {"a mistyped Region or model", {"unknown-name", "wrong-arn-type"}, mistype_name},
    {"a wildcard under StringEquals", {"wildcard-in-equals"}, put_wildcard_into_equals},
    {"models not pinned", {"models-not-pinned", "set-operator-on-single-value"}, unpin_models},
    {"a door that lets a part pass", {"part-of-a-call"}, cut_door},
    {"FullAWSAccess detached", {"level-without-allow"}, detach_full_access},
};

SetFiles files_of(const HealthySet& set, const Draft& draft) {
  SetFiles files = set.files;
  files.insert_or_assign(std::string(organization_file), draft.organization);
  for (const auto& [file, document] : draft.documents) files.insert_or_assign(file, document.dump(1));
  return files;
}

/// The call that the mutant judges otherwise than the healthy set; nothing when there is none.
std::optional<Cell> changed_cell(const HealthySet& set, const Organization& mutant) {
  CellJudge judge_of_mutant(mutant);
  for (const Cell& cell : set.allowed)
    if (!judge_of_mutant.allows(cell)) return cell;
  for (const Cell& cell : set.denied)
    if (judge_of_mutant.allows(cell)) return cell;
  return std::nullopt;
}

TEST(LintMutation, FindsFaultsAtRandomPlacesOfHealthyOrganisations) {
  constexpr int rounds = 8;
  Random random(20261122);
  int confirmed = 0;
  std::map<std::string, int> confirmed_of;
  std::map<std::string, int> found_of;
  int missed = 0;
  std::string first_misses;
  for (const std::string& name : set_names("healthy")) {
    const HealthySet set = healthy_set(name, random);
    ASSERT_FALSE(set.allowed.empty()) << name;
    for (int round = 0; round < rounds; ++round)
      for (const Fault& fault : faults) {
        Draft draft{.documents = set.documents, .organization = set.files.find(organization_file)->second};
        if (!fault.put(draft, set, random)) continue;
        const LoadedOrganization mutant = load_organization(files_of(set, draft));
        if (!mutant.organization) continue;  // AWS would not store it
        const std::optional<Cell> cell = changed_cell(set, *mutant.organization);
        if (!cell) continue;
        ++confirmed;
        ++confirmed_of[fault.name];
        const std::vector<Finding> findings = lint(*mutant.organization, mutation_catalog());
        const bool is_found = std::ranges::any_of(findings, [&](const Finding& finding) {
          return std::ranges::find(fault.rules, finding.rule) != fault.rules.end();
        });
        if (is_found) {
          ++found_of[fault.name];
          continue;
        }
        ++missed;
        if (missed <= 12)
          first_misses += name + ": " + fault.name + "; " + cell->principal + " " +
                          (cell->target.profile != nullptr ? cell->target.profile->id : cell->target.model->id) +
                          " from " + mutation_catalog().region(cell->target.source).name + "\n" +
                          in_words(findings) + "\n";
      }
  }
  EXPECT_GE(confirmed, 1'000);
  EXPECT_LE(missed * 100, confirmed) << missed << " of " << confirmed << " missed, among them:\n" << first_misses;
  for (const Fault& fault : faults) {
    EXPECT_GE(confirmed_of[fault.name], 5) << fault.name << " is hardly tried";
    RecordProperty(fault.name, found_of[fault.name]);
  }
  RecordProperty("confirmed", confirmed);
  RecordProperty("missed", missed);
}

}  // namespace
}  // namespace portolan::policy
