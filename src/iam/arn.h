// SPDX-License-Identifier: Apache-2.0
// Amazon Resource Names: "arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE". AWS General Reference, "Amazon Resource
// Names".
#pragma once

#include <optional>
#include <string_view>

namespace portolan::iam {

/// The parts as they are written, wildcards and all. Views into the text.
struct Arn {
  std::string_view partition;
  std::string_view service;
  std::string_view region;    // empty: of all Regions, as everything of IAM
  std::string_view account;   // empty: of nobody's account, as foundation models
  std::string_view resource;  // all the rest, colons included
};

/// Nothing for a text that does not begin with "arn:" or has fewer than six parts. Does not look into the parts.
constexpr std::optional<Arn> split_arn(std::string_view text) {
  const auto take = [&text](std::string_view& part) {
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) return false;
    part = text.substr(0, colon);
    text.remove_prefix(colon + 1);
    return true;
  };
  std::string_view prefix;
  Arn arn;
  if (!take(prefix) || prefix != "arn" || !take(arn.partition) || !take(arn.service) || !take(arn.region) ||
      !take(arn.account))
    return std::nullopt;
  arn.resource = text;
  return arn;
}

}  // namespace portolan::iam
