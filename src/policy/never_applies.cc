// SPDX-License-Identifier: Apache-2.0
#include "policy/never_applies.h"

#include <algorithm>
#include <fmt/format.h>

#include "iam/arn.h"
#include "iam/known_names.h"
#include "policy/cross_region.h"
#include "policy/lint_subject.h"

namespace portolan::policy {
namespace {

bool is_supplied(std::string_view key_lower) {
  return std::ranges::any_of(supplied_keys(), [&](std::string_view key) {
    return key.ends_with('/') ? key_lower.starts_with(key) : key_lower == key;
  });
}

/// Whether the statement may be meant for calls of models: a Deny for buckets alone protects nothing here anyway.
bool is_of_inference(const iam::Statement& statement) {
  if (!covers_inference(statement)) return false;
  return statement.not_resource ||
         std::ranges::any_of(statement.resources, [](const iam::ResourcePattern& resource) {
           const std::optional<iam::Arn> arn = iam::split_arn(resource.text.written());
           return !arn || iam::like(arn->service, "bedrock");
         });
}

}  // namespace

void note_denies_that_never_apply(const iam::Document& document, std::vector<iam::Notice>& notices) {
  const iam::Context without_keys;
  for (const iam::Statement& statement : document.statements) {
    if (statement.effect != iam::Effect::deny || !is_of_inference(statement)) continue;
    for (const iam::Condition& condition : statement.conditions)
      if (!is_supplied(condition.key_lower) && !condition.holds(without_keys) &&
          iam::doubt_about_condition_key(condition.key).empty())  // else that is told already
        notices.push_back({.place = condition.place,
                           .text = fmt::format("no call here has {}, so this Deny never applies in Portolan, "
                                               "though it may in AWS; do not rely on it here",
                                               condition.key)});
  }
}

}  // namespace portolan::policy
