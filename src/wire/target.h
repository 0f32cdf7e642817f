// SPDX-License-Identifier: Apache-2.0
// From method and request target to the operation and the model's name.
//
// Clients encode model ids and ARNs in three ways (":" and "/" as %3A and %2F, only "/" encoded, or both raw), so
// the operation is recognised by the last path segment and all between "/model/" and it is the id, percent-decoded
// once. Signatures are checked on the raw target, never on what this returns.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "domain/call.h"

namespace portolan::wire {

struct Target {
  domain::Operation operation = domain::Operation::unknown;
  std::string id;          // model or profile id or ARN, decoded; empty where the operation takes none
  std::string_view path;   // raw, up to "?"
  std::string_view query;  // raw, after "?"
};

/// Code::unknown_path (the message lists what is served), Code::method_not_allowed (naming the right one),
/// Code::malformed_request. Paths are compared exactly as received: no normalising, no trailing slash.
base::Result<Target> read_target(std::string_view method, std::string_view target);

/// The methods that the path of `target` is served with, as `allow` lists them; empty when it is not served.
std::string methods_of(std::string_view target);

/// The dialect in which to answer even when the operation is unknown: /v1/… is OpenAI's, all else Bedrock's.
domain::Dialect dialect_of_target(std::string_view target);

/// The value of `name` in a raw query string, decoded; empty when absent. The first of that name counts; '+' is
/// itself.
std::string query_value(std::string_view query, std::string_view name);

/// What an id or ARN names, without looking it up: "arn:aws:bedrock:us-east-1:111122223333:inference-profile/us.x"
/// gives kind inference_profile, region "us-east-1", account "111122223333", id "us.x". A bare id gives kind bare.
/// For any other resource the id is its type and name together. A foundation model's account is empty, and its
/// Region may be. Views point into `text`.
struct ModelName {
  enum class Kind : std::uint8_t {
    bare,
    foundation_model,
    inference_profile,
    application_inference_profile,
    other
  };
  Kind kind = Kind::bare;
  std::string_view region;
  std::string_view account;
  std::string_view id;
};
/// Code::invalid_field naming modelId.
base::Result<ModelName> read_model_name(std::string_view text);

}  // namespace portolan::wire
