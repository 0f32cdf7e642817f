// SPDX-License-Identifier: Apache-2.0
// Any body, the four operations: what is taken keeps to the limits that the API has, and reads the same once more
// when it is written down again.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "wire/profile_request.h"

namespace {

using portolan::domain::Operation;
using Json = nlohmann::ordered_json;

void require(bool holds) {
  if (!holds) std::abort();
}

std::string written(Operation operation, const portolan::wire::ProfileRequest& request) {
  Json tags = Json::array();
  for (const auto& [key, value] : request.tags) tags.push_back({{"key", key}, {"value", value}});
  Json body = Json::object();
  if (operation == Operation::create_inference_profile) {
    body["inferenceProfileName"] = request.name;
    body["modelSource"]["copyFrom"] = request.copy_from;
    if (!request.description.empty()) body["description"] = request.description;
    if (!request.client_token.empty()) body["clientRequestToken"] = request.client_token;
    body["tags"] = std::move(tags);
  } else {
    body["resourceARN"] = request.resource_arn;
    if (operation == Operation::tag_resource) body["tags"] = std::move(tags);
    if (operation == Operation::untag_resource) body["tagKeys"] = request.tag_keys;
  }
  return body.dump();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  for (const Operation operation : {Operation::create_inference_profile, Operation::tag_resource,
                                    Operation::untag_resource, Operation::list_tags_for_resource}) {
    const auto request = portolan::wire::read_profile_request(operation, body);
    if (!request) continue;
    require(request->name.size() <= 64 && request->description.size() <= 200 && request->tags.size() <= 200);
    require(std::ranges::is_sorted(request->tags) && request->tag_keys.size() <= 200);
    const auto again = portolan::wire::read_profile_request(operation, written(operation, *request));
    require(again && again->tags == request->tags && again->tag_keys == request->tag_keys &&
            again->name == request->name && again->copy_from == request->copy_from &&
            again->resource_arn == request->resource_arn);
  }
  return 0;
}
