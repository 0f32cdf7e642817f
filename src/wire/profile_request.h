// SPDX-License-Identifier: Apache-2.0
// The bodies of the operations that change application inference profiles, and their limits.
// Amazon Bedrock API reference: CreateInferenceProfile, TagResource, UntagResource, ListTagsForResource.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "domain/application_profile.h"
#include "domain/call.h"

namespace portolan::wire {

/// Longer bodies are not read; the longest that says something is 200 tags with every character escaped.
inline constexpr std::size_t profile_body_bytes_max = std::size_t{512} << 10;

/// What a body says. Each operation fills in its own members.
struct ProfileRequest {
  // create
  std::string name;
  std::string description;
  std::string client_token;
  std::string copy_from;  // an ARN, not looked at yet
  // tag, untag, list
  std::string resource_arn;
  domain::Tags tags;                  // create, tag
  std::vector<std::string> tag_keys;  // untag
};

/// `operation` is one of the four. Members that the API does not have are passed over, as AWS does.
/// Code::malformed_request (not a JSON object); Code::invalid_field in AWS's words: "1 validation error detected:
/// Value at 'inferenceProfileName' failed to satisfy constraint: …"; Code::body_too_large.
base::Result<ProfileRequest> read_profile_request(domain::Operation operation, std::string_view body);

}  // namespace portolan::wire
