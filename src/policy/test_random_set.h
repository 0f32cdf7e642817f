// SPDX-License-Identifier: Apache-2.0
// For tests: random sets of policies and random calls, of the kind that finds where two evaluators differ. One seed
// rebuilds all; a set can be made smaller statement by statement.
#pragma once

#include <array>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/random.h"
#include "policy/compiled.h"

namespace portolan::policy::testing {

using Json = nlohmann::json;

/// Statements of one document, and where it is attached: "root", "prod" (a unit), an account, or a principal.
struct Attached {
  iam::PolicyKind kind = iam::PolicyKind::identity;
  std::string target;
  std::vector<Json> statements;
};

struct RandomSet {
  std::vector<Attached> documents;

  std::string text() const {
    std::string all;
    for (const Attached& document : documents)
      all += std::string(iam::name(document.kind)) + " at " + document.target + ": " +
             Json{{"Version", "2012-10-17"}, {"Statement", document.statements}}.dump() + "\n";
    return all;
  }
};

inline constexpr std::array<std::string_view, 5> random_principals{
    "arn:aws:iam::111122223333:user/alice", "arn:aws:iam::111122223333:user/bob",
    "arn:aws:iam::111122223333:role/app", "arn:aws:iam::222233334444:user/carol",
    "arn:aws:iam::222233334444:user/nobody"};

class RandomPolicies {
 public:
  explicit RandomPolicies(std::uint64_t seed) : random_(seed) {}

  RandomSet set() {
    RandomSet made;
    for (const char* target : {"root", "prod", "111122223333", "222233334444"}) {
      if (random_.below(10) > 0) made.documents.push_back(allow_all(iam::PolicyKind::service_control, target));
      if (random_.below(2) == 0)
        made.documents.push_back(document(iam::PolicyKind::service_control, target, 1 + random_.below(3)));
    }
    for (std::size_t i = 0; i + 1 < random_principals.size(); ++i) {
      const std::string target{random_principals[i]};
      if (random_.below(3) > 0) made.documents.push_back(allow_all(iam::PolicyKind::identity, target));
      made.documents.push_back(document(iam::PolicyKind::identity, target, 1 + random_.below(4)));
      if (random_.below(4) == 0) {
        made.documents.push_back(document(iam::PolicyKind::permission_boundary, target, 2));
        made.documents.back().statements.push_back(
            {{"Effect", "Allow"}, {"Action", "bedrock:*"}, {"Resource", "*"}});
      }
    }
    return made;
  }

  base::Random& random() { return random_; }
  template <class T, std::size_t n>
  const T& pick(const std::array<T, n>& all) {
    return all[random_.below(n)];
  }

 private:
  static Attached allow_all(iam::PolicyKind kind, std::string target) {
    return {.kind = kind,
            .target = std::move(target),
            .statements = {{{"Effect", "Allow"}, {"Action", "*"}, {"Resource", "*"}}}};
  }
  Attached document(iam::PolicyKind kind, std::string target, std::uint64_t statements) {
    Attached made{.kind = kind, .target = std::move(target), .statements = {}};
    for (std::uint64_t i = 0; i < statements; ++i) made.statements.push_back(statement());
    return made;
  }
  Json statement() {
    static constexpr std::array<const char*, 5> actions{"*", "bedrock:*", "bedrock:InvokeModel",
                                                        "bedrock:InvokeModelWithResponseStream", "s3:GetObject"};
    static constexpr std::array<const char*, 9> resources{
        "*",
        "arn:aws:bedrock:*::foundation-model/*",
        "arn:aws:bedrock:us-east-2::foundation-model/*",
        "arn:aws:bedrock:::foundation-model/*",
        "arn:aws:bedrock:*:*:inference-profile/us.*",
        "arn:aws:bedrock:*:*:inference-profile/global.*",
        "arn:aws:bedrock:us-east-1:111122223333:inference-profile/*",
        "arn:aws:bedrock:*::foundation-model/anthropic.${aws:PrincipalTag/family, 'claude'}*",
        "arn:aws:s3:::bucket/${aws:username}/*"};
    Json made{{"Effect", random_.below(2) == 0 ? "Deny" : "Allow"}};
    made[random_.below(6) == 0 ? "NotAction" : "Action"] = pick(actions);
    made[random_.below(6) == 0 ? "NotResource" : "Resource"] = pick(resources);
    Json conditions = Json::object();
    for (std::uint64_t n = random_.below(4); n > 0; --n) add_condition(conditions);
    if (!conditions.empty()) made["Condition"] = conditions;
    return made;
  }
  void add_condition(Json& conditions) {
    struct Row {
      const char* op;
      const char* key;
      std::vector<const char*> values;
    };
    static const std::vector<Row> rows{
        {"StringEquals", "aws:RequestedRegion", {"us-east-1", "us-west-2"}},
        {"StringNotEquals", "aws:RequestedRegion", {"us-east-1", "us-east-2", "unspecified"}},
        {"StringLike", "aws:RequestedRegion", {"us-*"}},
        {"ArnLike", "bedrock:InferenceProfileArn", {"arn:aws:bedrock:*:*:inference-profile/us.*"}},
        {"ArnNotLike", "bedrock:InferenceProfileArn", {"arn:aws:bedrock:*:*:inference-profile/us.*"}},
        {"Null", "bedrock:InferenceProfileArn", {"true"}},
        {"StringEquals", "aws:PrincipalTag/team", {"red"}},
        {"StringNotEqualsIfExists", "aws:PrincipalTag/team", {"red"}},
        {"StringEquals", "aws:username", {"alice", "carol"}},
        {"StringLike", "aws:PrincipalArn", {"arn:aws:iam::*:role/*"}},
        {"StringEquals", "aws:PrincipalOrgID", {"o-exampleorgid"}},
        {"IpAddress", "aws:SourceIp", {"10.0.0.0/8", "192.0.2.7"}},
        {"NotIpAddress", "aws:SourceIp", {"10.0.0.0/8"}},
        {"Null", "aws:SourceIp", {"false"}},
        {"StringLike", "aws:UserAgent", {"*sdk*"}},
        {"StringNotLike", "aws:UserAgent", {"${aws:username}*"}},
        {"StringEquals", "aws:username", {"${aws:UserAgent}"}},
        {"StringEquals", "aws:RequestedRegion", {"${aws:UserAgent, 'us-east-1'}"}},
        {"Bool", "aws:SecureTransport", {"true"}},
        {"BoolIfExists", "aws:SecureTransport", {"false"}},
        {"StringEquals", "bedrock:ServiceTier", {"priority"}},
        {"ForAllValues:StringEquals", "bedrock:ServiceTier", {"priority", "flex"}},
        {"DateGreaterThan", "aws:CurrentTime", {"2026-11-22T12:00:00Z"}},
        {"NumericLessThan", "aws:EpochTime", {"1795400000"}},
        {"Null", "aws:TokenIssueTime", {"true"}},
    };
    const Row& row = rows[random_.below(rows.size())];
    conditions[row.op][row.key] = row.values;
  }

  base::Random random_;
};

/// The set as an Organization: two accounts, one of them in the unit prod; carol is known by a pattern.
inline std::shared_ptr<const Organization> organization_of(const RandomSet& set) {
  auto made = std::make_shared<Organization>();
  made->id = "o-exampleorgid";
  made->root_id = "r-examp";
  made->units["prod"] = {.path = "prod", .id = "ou-examp-11112222", .attached = {}};
  made->accounts["111122223333"] = {.id = "111122223333", .name = "one", .unit = "prod", .attached = {}};
  made->accounts["222233334444"] = {.id = "222233334444", .name = "two", .unit = "", .attached = {}};
  for (std::string arn : {"arn:aws:iam::111122223333:user/alice", "arn:aws:iam::111122223333:user/bob",
                          "arn:aws:iam::111122223333:role/app", "arn:aws:iam::222233334444:user/car*"})
    made->principals[arn] = Principal{.arn = arn, .tags = {}, .identity = {}, .boundary = nullptr};
  made->principals["arn:aws:iam::111122223333:user/alice"].tags = {{"team", "red"}};
  made->principals["arn:aws:iam::111122223333:user/bob"].tags = {{"team", "blue"}, {"family", "sonnet"}};
  std::vector<iam::Notice> nothing;
  const auto everything = std::make_shared<const Policy>(
      "RCPFullAWSAccess",
      iam::parse_document(
          R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]})",
          iam::PolicyKind::resource_control, nothing)
          .value());
  made->root.resource_control.push_back(everything);
  for (auto& [path, unit] : made->units) unit.attached.resource_control.push_back(everything);
  for (auto& [id, owner] : made->accounts) owner.attached.resource_control.push_back(everything);
  for (const Attached& document : set.documents) {
    std::vector<iam::Notice> notices;
    auto parsed = iam::parse_document(Json{{"Version", "2012-10-17"}, {"Statement", document.statements}}.dump(),
                                      document.kind, notices);
    if (!parsed) {
      ADD_FAILURE() << parsed.error().message << "\n" << set.text();
      continue;
    }
    const auto policy = std::make_shared<const Policy>("p.json", *std::move(parsed));
    if (document.kind == iam::PolicyKind::service_control) {
      Attachments& attached = document.target == "root"   ? made->root
                              : document.target == "prod" ? made->units.find("prod")->second.attached
                                                          : made->accounts.find(document.target)->second.attached;
      attached.service_control.push_back(policy);
      continue;
    }
    const bool is_carol = document.target.ends_with("/carol");
    Principal& principal =
        made->principals.find(is_carol ? "arn:aws:iam::222233334444:user/car*" : document.target)->second;
    if (document.kind == iam::PolicyKind::identity)
      principal.identity.push_back(policy);
    else
      principal.boundary = policy;
  }
  return made;
}

}  // namespace portolan::policy::testing
