// SPDX-License-Identifier: Apache-2.0
#include "policy/generate.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <nlohmann/json.hpp>

#include "domain/nearest.h"

namespace portolan::policy {
namespace {

using base::Code;
using base::fail;
using base::Result;
using domain::Catalog;
using domain::Profile;
using domain::ProfileKind;
using domain::RegionIndex;
using domain::RegionMask;
using Json = nlohmann::ordered_json;

/// Sources of one profile that need the same models: what one group of statements grants.
struct SourceGroup {
  const Profile* profile = nullptr;
  RegionMask sources;
  RegionMask models;  // where the model must be allowed: the source itself (it is asked first) and the destinations
};

/// What is the same in all statements of one order.
struct Writing {
  const Catalog& catalog;
  const std::string& account;
  Json action;

  const std::string& partition(RegionMask mask) const { return catalog.region(*mask.begin()).partition; }

  std::string profile_arn(std::string_view region, std::string_view partition_name, const Profile& profile) const {
    return fmt::format("arn:{}:bedrock:{}:{}:inference-profile/{}", partition_name, region, account, profile.id);
  }
  std::vector<std::string> profile_arns(const SourceGroup& group) const {
    std::vector<std::string> arns;
    for (const RegionIndex region : group.sources)
      arns.push_back(profile_arn(catalog.region(region).name, catalog.region(region).partition, *group.profile));
    return arns;
  }
  std::vector<std::string> names(RegionMask mask) const {
    std::vector<std::string> found;
    for (const RegionIndex region : mask) found.push_back(catalog.region(region).name);
    return found;
  }
};

std::string model_arn(std::string_view partition, std::string_view region, const domain::Model& model) {
  return fmt::format("arn:{}:bedrock:{}::foundation-model/{}", partition, region, model.id);
}

/// A single value is written without brackets, as AWS does.
Json one_or_list(const std::vector<std::string>& values) {
  return values.size() == 1 ? Json(values.front()) : Json(values);
}

Json allow(const Writing& writing, std::string_view sid, std::vector<std::string> resources, Json condition) {
  Json statement{{"Sid", sid}, {"Effect", "Allow"}, {"Action", writing.action}, {"Resource", std::move(resources)}};
  if (!condition.empty()) statement["Condition"] = std::move(condition);
  return statement;
}

using Statements = std::vector<Json>;

/// Bedrock User Guide, "Geographic cross-Region inference": the profile, and the models through it alone.
Statements geographic_statements(const Writing& writing, const SourceGroup& group) {
  const std::vector<std::string> profiles = writing.profile_arns(group);
  std::vector<std::string> models;
  for (const RegionIndex region : group.models)
    models.push_back(model_arn(writing.catalog.region(region).partition, writing.catalog.region(region).name,
                               *group.profile->model));
  return {allow(writing, "GrantGeoCrisInferenceProfileAccess", profiles, {}),
          allow(writing, "GrantGeoCrisModelAccess", models,
                {{"StringEquals", {{"bedrock:InferenceProfileArn", one_or_list(profiles)}}}})};
}

/// Bedrock User Guide, "Global cross-Region inference": the profile and the model in the source Region, and the
/// model without a Region, for which aws:RequestedRegion is "unspecified".
Statements global_statements(const Writing& writing, const SourceGroup& group) {
  const std::vector<std::string> profiles = writing.profile_arns(group);
  const Json pinned = one_or_list(profiles);
  const Json sources = one_or_list(writing.names(group.sources));
  const std::string& partition = writing.partition(group.sources);
  const domain::Model& model = *group.profile->model;
  std::vector<std::string> models;
  for (const RegionIndex region : group.sources)
    models.push_back(model_arn(partition, writing.catalog.region(region).name, model));
  return {
      allow(writing, "GrantGlobalCrisInferenceProfileRegionAccess", profiles,
            {{"StringEquals", {{"aws:RequestedRegion", sources}}}}),
      allow(writing, "GrantGlobalCrisInferenceProfileInRegionModelAccess", models,
            {{"StringEquals", {{"aws:RequestedRegion", sources}, {"bedrock:InferenceProfileArn", pinned}}}}),
      allow(writing, "GrantGlobalCrisInferenceProfileGlobalModelAccess", {model_arn(partition, "", model)},
            {{"StringEquals", {{"aws:RequestedRegion", "unspecified"}, {"bedrock:InferenceProfileArn", pinned}}}})};
}

Statements statements_of(const Writing& writing, const SourceGroup& group) {
  return group.profile->kind == ProfileKind::global ? global_statements(writing, group)
                                                    : geographic_statements(writing, group);
}

/// The short form: `*` in place of the Regions. What keeps it as narrow is that profiles are usable in the source
/// Regions only (aws:RequestedRegion of the check on the profile), and models only through these profiles.
Statements merged_statements(const Writing& writing, const std::vector<const Profile*>& profiles,
                             RegionMask sources, bool global) {
  const std::string& partition = writing.partition(sources);
  std::vector<std::string> profile_arns;
  std::vector<std::string> models;
  std::vector<std::string> models_without_region;
  for (const Profile* profile : profiles) {
    profile_arns.push_back(writing.profile_arn("*", partition, *profile));
    models.push_back(model_arn(partition, "*", *profile->model));
    models_without_region.push_back(model_arn(partition, "", *profile->model));
  }
  const Json pinned{{"bedrock:InferenceProfileArn", one_or_list(profile_arns)}};
  Statements statements{
      allow(writing, global ? "GrantGlobalCrisInferenceProfileRegionAccess" : "GrantGeoCrisInferenceProfileAccess",
            profile_arns, {{"StringEquals", {{"aws:RequestedRegion", one_or_list(writing.names(sources))}}}}),
      allow(writing, global ? "GrantGlobalCrisInferenceProfileInRegionModelAccess" : "GrantGeoCrisModelAccess",
            std::move(models), {{"ArnLike", pinned}})};
  if (global)
    statements.push_back(allow(writing, "GrantGlobalCrisInferenceProfileGlobalModelAccess",
                               std::move(models_without_region),
                               {{"StringEquals", {{"aws:RequestedRegion", "unspecified"}}}, {"ArnLike", pinned}}));
  return statements;
}

Json document_of(const std::vector<Statements>& groups) {
  Json statements = Json::array();
  std::map<std::string, int> uses_of_sid;  // a Sid is unique within its policy
  for (const Statements& group : groups)
    for (Json statement : group) {
      const std::string sid = statement["Sid"];
      if (const int use = ++uses_of_sid[sid]; use > 1) statement["Sid"] = sid + std::to_string(use);
      statements.push_back(std::move(statement));
    }
  return {{"Version", "2012-10-17"}, {"Statement", std::move(statements)}};
}

/// As IAM counts: no white space. (No value written here has any.)
std::size_t characters(const std::vector<Statements>& groups) {
  return document_of(groups).dump().size();
}

bool fits(const std::vector<Statements>& groups) {
  return characters(groups) <= managed_policy_characters_max;
}

/// Fills one document after the other, in the order given.
std::vector<std::vector<Statements>> packed(const std::vector<Statements>& groups) {
  std::vector<std::vector<Statements>> documents;
  for (const Statements& group : groups) {
    if (!documents.empty()) {
      documents.back().push_back(group);
      if (fits(documents.back())) continue;
      documents.back().pop_back();
    }
    documents.push_back({group});
  }
  return documents;
}

/// Halves a group by its sources until each piece fits into a document of its own.
Result<> add_pieces(const Writing& writing, const SourceGroup& group, std::vector<Statements>& pieces) {
  Statements whole = statements_of(writing, group);
  if (fits({whole})) {
    pieces.push_back(std::move(whole));
    return {};
  }
  if (group.sources.size() == 1)
    return fail(Code::usage,
                fmt::format("profile {} from {} has {} destinations, too many for one policy that "
                            "writes each out: allow it to be merged",
                            group.profile->id, writing.catalog.names(group.sources), group.models.size()));
  SourceGroup halves[2] = {group, group};
  int taken = 0;
  for (const RegionIndex region : group.sources) halves[taken++ < group.sources.size() / 2].sources.remove(region);
  TRY_VOID(add_pieces(writing, halves[1], pieces));
  return add_pieces(writing, halves[0], pieces);
}

/// One group of statements for each set of sources of a kind; a set that is too long by itself is split by profile.
std::vector<Statements> merged(const Writing& writing, const std::vector<ProfileUse>& uses) {
  struct Merge {
    RegionMask sources;
    bool global;
    std::vector<const Profile*> profiles;
  };
  std::vector<Merge> merges;
  for (const ProfileUse& use : uses) {
    const bool global = use.profile->kind == ProfileKind::global;
    const auto same = std::ranges::find_if(
        merges, [&](const Merge& merge) { return merge.sources == use.sources && merge.global == global; });
    if (same == merges.end())
      merges.push_back({use.sources, global, {use.profile}});
    else
      same->profiles.push_back(use.profile);
  }
  std::vector<Statements> groups;
  for (const Merge& merge : merges) {
    std::vector<const Profile*> together;
    for (const Profile* profile : merge.profiles) {
      together.push_back(profile);
      if (together.size() == 1 || fits({merged_statements(writing, together, merge.sources, merge.global)}))
        continue;
      together.pop_back();
      groups.push_back(merged_statements(writing, together, merge.sources, merge.global));
      together = {profile};
    }
    groups.push_back(merged_statements(writing, together, merge.sources, merge.global));
  }
  return groups;
}

std::vector<SourceGroup> grouped(const ProfileUse& use) {
  std::vector<SourceGroup> groups;
  for (const RegionIndex source : use.sources) {
    const RegionMask models = use.profile->destinations_from(source) | RegionMask::of(source);
    // For a Global profile the list of destinations plays no part: the third statement stands for all of them.
    const auto same = std::ranges::find_if(groups, [&](const SourceGroup& group) {
      return use.profile->kind == ProfileKind::global || group.models == models;
    });
    if (same == groups.end())
      groups.push_back({use.profile, RegionMask::of(source), models});
    else
      same->sources.add(source);
  }
  return groups;
}

Result<> check_order(const Catalog& catalog, const IdentityOrder& order) {
  if (order.account.size() != 12 ||
      !std::ranges::all_of(order.account, [](unsigned char c) { return std::isdigit(c); }))
    return fail(Code::usage, fmt::format("account \"{}\": 12 digits are expected", order.account));
  if (order.uses.empty()) return fail(Code::usage, "a profile is needed");
  if (order.actions.empty()) return fail(Code::usage, "an action is needed");
  for (const std::string& action : order.actions) TRY_VOID(check_inference_action(action));
  for (const ProfileUse& use : order.uses) {
    if (use.sources.empty())
      return fail(Code::usage, fmt::format("profile {}: a source Region is needed; it can be called in {}",
                                           use.profile->id, catalog.names(use.profile->sources)));
    if (const RegionMask strangers = use.sources - use.profile->sources; !strangers.empty())
      return fail(Code::usage, fmt::format("profile {} cannot be called in {}; it can be in {}", use.profile->id,
                                           catalog.names(strangers), catalog.names(use.profile->sources)));
    const std::string& partition = catalog.region(*use.sources.begin()).partition;
    for (const RegionIndex source : use.sources)
      if (catalog.region(source).partition != partition)
        return fail(Code::usage, fmt::format("profile {}: {} and {} are in different partitions, which no account "
                                             "spans: make a policy for each",
                                             use.profile->id, catalog.region(*use.sources.begin()).name,
                                             catalog.region(source).name));
  }
  return {};
}

std::string describe(const Catalog& catalog, const IdentityOrder& order) {
  std::vector<std::string> uses;
  for (const ProfileUse& use : order.uses)
    uses.push_back(fmt::format("{} from {}", use.profile->id, catalog.names(use.sources)));
  constexpr std::size_t description_characters_max = 1'000;  // IAM's own limit
  std::string text = fmt::format("Inference through {}", fmt::join(uses, "; "));
  if (text.size() > description_characters_max)
    text = fmt::format("Inference through {} profiles, {} to {}", order.uses.size(), order.uses.front().profile->id,
                       order.uses.back().profile->id);
  return text;
}

std::string pretty(const Json& document) {
  return document.dump(2) + "\n";
}

constexpr std::array<std::string_view, 3> inference_actions = {
    "bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream", "bedrock:InvokeModel*"};

}  // namespace

Result<> check_inference_action(std::string_view action) {
  if (std::ranges::find(inference_actions, action) != inference_actions.end()) return {};
  if (action == "bedrock:Converse" || action == "bedrock:ConverseStream")
    return fail(Code::usage,
                fmt::format("{} is no action: it is authorised by {}", action,
                            action == "bedrock:Converse" ? inference_actions[0] : inference_actions[1]));
  const std::vector<std::string_view> known(inference_actions.begin(), inference_actions.end());
  return fail(Code::usage, fmt::format("{} is no action of inference through a profile ({}){}", action,
                                       fmt::join(inference_actions, ", "),
                                       domain::did_you_mean(domain::nearest_name(std::string(action), known))));
}

Result<std::vector<GeneratedPolicy>> generate_identity(const Catalog& catalog, const IdentityOrder& order) {
  TRY_VOID(check_order(catalog, order));
  const Writing writing{catalog, order.account, one_or_list(order.actions)};

  std::vector<Statements> groups;
  for (const ProfileUse& use : order.uses)
    for (const SourceGroup& group : grouped(use)) groups.push_back(statements_of(writing, group));
  std::vector<std::string> notes;
  if (!fits(groups)) {
    const std::size_t written_out = characters(groups);
    if (order.when_too_long == WhenTooLong::merge) {
      groups = merged(writing, order.uses);
      notes.push_back(
          fmt::format("written out it has {} characters and IAM stores {}: Regions are merged into `*`, "
                      "and the models stay pinned to the profiles",
                      written_out, managed_policy_characters_max));
    } else {
      groups.clear();
      for (const ProfileUse& use : order.uses)
        for (const SourceGroup& group : grouped(use)) TRY_VOID(add_pieces(writing, group, groups));
    }
  }
  const std::vector<std::vector<Statements>> documents = packed(groups);
  if (!std::ranges::all_of(documents, fits))
    return fail(Code::usage,
                "the policy is too long for IAM even when it is merged: fewer actions make it shorter");
  if (documents.size() > 1)
    notes.push_back(fmt::format(
        "{} policies, to be attached together (a role has 10 by default, 20 in newer accounts)", documents.size()));

  std::vector<GeneratedPolicy> policies;
  for (const std::vector<Statements>& document : documents) {
    const std::string number = policies.empty() ? "" : fmt::format("-{}", policies.size() + 1);
    policies.push_back({.kind = iam::PolicyKind::identity,
                        .name = order.name + number,
                        .description = describe(catalog, order),
                        .text = pretty(document_of(document)),
                        .notes = {}});
  }
  policies.front().notes = std::move(notes);
  return policies;
}

}  // namespace portolan::policy
