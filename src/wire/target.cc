// SPDX-License-Identifier: Apache-2.0
#include "wire/target.h"

#include <algorithm>
#include <array>
#include <span>

#include "base/bytes.h"

namespace portolan::wire {
namespace {

using base::Code;
using domain::Operation;

constexpr std::size_t id_bytes_max = 2048;  // the botocore model of bedrock-runtime, ConversationalModelId

constexpr std::string_view served =
    "POST /model/{id}/{invoke|invoke-with-response-stream|converse|converse-stream}, GET and POST "
    "/inference-profiles, GET and DELETE /inference-profiles/{id}, POST /tagResource, POST /untagResource, POST "
    "/listTagsForResource, GET /foundation-models, POST /v1/chat/completions, GET /v1/models";

constexpr std::string_view model_prefix = "/model/";
constexpr std::string_view profile_prefix = "/inference-profiles/";

struct Route {
  std::string_view name;  // the last segment, or the whole path
  std::string_view method;
  Operation operation;
};

constexpr std::array model_routes{
    Route{"converse", "POST", Operation::converse},
    Route{"converse-stream", "POST", Operation::converse_stream},
    Route{"invoke", "POST", Operation::invoke_model},
    Route{"invoke-with-response-stream", "POST", Operation::invoke_model_stream},
};

constexpr std::array whole_routes{
    Route{"/v1/chat/completions", "POST", Operation::chat_completions},
    Route{"/v1/models", "GET", Operation::list_openai_models},
    Route{"/inference-profiles", "GET", Operation::list_inference_profiles},
    Route{"/inference-profiles", "POST", Operation::create_inference_profile},
    Route{"/tagResource", "POST", Operation::tag_resource},
    Route{"/untagResource", "POST", Operation::untag_resource},
    Route{"/listTagsForResource", "POST", Operation::list_tags_for_resource},
    Route{"/foundation-models", "GET", Operation::list_foundation_models},
};

constexpr std::array profile_routes{
    Route{"", "GET", Operation::get_inference_profile},
    Route{"", "DELETE", Operation::delete_inference_profile},
};

struct Match {
  std::span<const Route> routes;  // of the path, one for each method; empty: the path is not served
  std::string_view raw_id;

  const Route* by(std::string_view method) const {
    const auto found = std::ranges::find(routes, method, &Route::method);
    return found == routes.end() ? nullptr : &*found;
  }
};

/// Those of one path stand together.
template <std::size_t size>
std::span<const Route> find_routes(const std::array<Route, size>& routes, std::string_view name) {
  const auto first = std::ranges::find(routes, name, &Route::name);
  return {first, std::find_if(first, routes.end(), [&](const Route& route) { return route.name != name; })};
}

Match match(std::string_view path) {
  if (path.starts_with(model_prefix)) {
    const std::string_view rest = path.substr(model_prefix.size());
    const std::size_t slash = rest.rfind('/');
    if (slash == std::string_view::npos) return {};
    return {.routes = find_routes(model_routes, rest.substr(slash + 1)), .raw_id = rest.substr(0, slash)};
  }
  if (path.starts_with(profile_prefix)) {
    return {.routes = profile_routes, .raw_id = path.substr(profile_prefix.size())};
  }
  return {.routes = find_routes(whole_routes, path)};
}

bool takes_id(Operation operation) {
  return operation == Operation::get_inference_profile || operation == Operation::delete_inference_profile ||
         (domain::runs_model(operation) && operation != Operation::chat_completions);
}

/// Every character that the AWS models allow in an id or ARN, and those that other providers use in model names.
constexpr bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view{"-._:/@+"}.contains(c);
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= id_bytes_max && std::ranges::all_of(text, is_name_char);
}

base::Result<std::string> read_id(std::string_view raw_id) {
  if (raw_id.size() > 3 * id_bytes_max) {
    return base::fail(Code::malformed_request, "path: the model or profile id is longer than 2048 characters");
  }
  std::string id;
  id.reserve(raw_id.size());
  if (!base::percent_decode(raw_id, id)) {
    return base::fail(Code::malformed_request,
                      "path: the model or profile id holds a '%' without two hexadecimal digits behind it");
  }
  if (id.empty()) return base::fail(Code::malformed_request, "path: the model or profile id is empty");
  if (!is_name(id)) {
    return base::fail(Code::malformed_request,
                      "path: the model or profile id must be 1 to 2048 letters, digits or -._:/@+ after one "
                      "percent-decoding");
  }
  return id;
}

/// A query is decoded later, piece by piece; that it can be is settled here.
bool escapes_are_whole(std::string_view text) {
  constexpr std::string_view hex = "0123456789abcdefABCDEF";
  for (std::size_t i = text.find('%'); i != std::string_view::npos; i = text.find('%', i + 3)) {
    if (text.size() - i < 3 || !hex.contains(text[i + 1]) || !hex.contains(text[i + 2])) return false;
  }
  return true;
}

bool is_account(std::string_view text) {
  return text.size() == 12 && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

/// Lower-case letters, digits and hyphens: partitions, services and Regions.
bool is_arn_word(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

std::unexpected<base::Error> bad_name(std::string_view problem) {
  return base::fail(Code::invalid_field, "modelId: " + std::string(problem));
}

/// Takes what stands before the next ':' off `text`; false when there is no ':'.
bool take_part(std::string_view& text, std::string_view& part) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return false;
  part = text.substr(0, colon);
  text.remove_prefix(colon + 1);
  return true;
}

ModelName::Kind kind_of_resource(std::string_view type) {
  if (type == "foundation-model") return ModelName::Kind::foundation_model;
  if (type == "inference-profile") return ModelName::Kind::inference_profile;
  if (type == "application-inference-profile") return ModelName::Kind::application_inference_profile;
  return ModelName::Kind::other;
}

}  // namespace

base::Result<Target> read_target(std::string_view method, std::string_view target) {
  const std::size_t question = target.find('?');
  Target read{.path = target.substr(0, question)};
  if (question != std::string_view::npos) read.query = target.substr(question + 1);

  const Match found = match(read.path);
  if (found.routes.empty()) {
    return base::fail(Code::unknown_path, "path: this operation is not served; served are " + std::string(served));
  }
  const Route* route = found.by(method);
  if (route == nullptr) {
    std::string allowed;
    for (const Route& each : found.routes) {
      allowed += (allowed.empty() ? "" : ", ") + std::string(domain::event_name(each.operation)) +
                 " is called with " + std::string(each.method);
    }
    return base::fail(Code::method_not_allowed, "method: " + allowed);
  }
  if (!escapes_are_whole(read.query)) {
    return base::fail(Code::malformed_request, "query: a '%' is not followed by two hexadecimal digits");
  }
  read.operation = route->operation;
  if (takes_id(read.operation)) {
    TRY(read.id, read_id(found.raw_id));
  }
  return read;
}

std::string methods_of(std::string_view target) {
  std::string methods;
  for (const Route& route : match(target.substr(0, target.find('?'))).routes)
    methods += (methods.empty() ? "" : ", ") + std::string(route.method);
  return methods;
}

domain::Dialect dialect_of_target(std::string_view target) {
  return target.starts_with("/v1/") ? domain::Dialect::openai : domain::Dialect::bedrock;
}

std::string query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::size_t ampersand = query.find('&');
    const std::string_view pair = query.substr(0, ampersand);
    query = ampersand == std::string_view::npos ? std::string_view{} : query.substr(ampersand + 1);

    const std::size_t equals = pair.find('=');
    std::string key;
    if (!base::percent_decode(pair.substr(0, equals), key) || key != name) continue;
    std::string value;
    if (equals == std::string_view::npos || !base::percent_decode(pair.substr(equals + 1), value)) return {};
    return value;
  }
  return {};
}

base::Result<ModelName> read_model_name(std::string_view text) {
  if (!is_name(text)) return bad_name("a model id, profile id or ARN is 1 to 2048 letters, digits or -._:/@+");
  if (!text.starts_with("arn:")) return ModelName{.kind = ModelName::Kind::bare, .id = text};

  ModelName name;
  std::string_view rest = text.substr(4), partition, service;
  if (!take_part(rest, partition) || !take_part(rest, service) || !take_part(rest, name.region) ||
      !take_part(rest, name.account)) {
    return bad_name("an ARN has the form arn:aws:bedrock:REGION:ACCOUNT:TYPE/ID");
  }
  if (!partition.starts_with("aws") || !is_arn_word(partition))
    return bad_name("the ARN's partition is not one of AWS's");
  if (!is_arn_word(service)) return bad_name("the ARN names no service");
  if (!name.region.empty() && !is_arn_word(name.region)) return bad_name("the ARN's Region is not one");
  if (!name.account.empty() && !is_account(name.account)) return bad_name("the ARN's account is not 12 digits");

  const std::size_t slash = rest.find('/');
  const std::string_view type = rest.substr(0, slash);
  name.kind = service == "bedrock" ? kind_of_resource(type) : ModelName::Kind::other;
  if (name.kind == ModelName::Kind::other) {
    name.id = rest;
    if (rest.empty()) return bad_name("the ARN names no resource");
    return name;
  }
  if (slash != std::string_view::npos) name.id = rest.substr(slash + 1);
  if (name.id.empty() || name.id.contains('/')) {
    return bad_name("the ARN must end in TYPE/ID with one '/'");
  }
  // A foundation model belongs to nobody; profiles belong to an account in a Region.
  const bool owned = name.kind != ModelName::Kind::foundation_model;
  if (owned && (name.region.empty() || name.account.empty())) {
    return bad_name("the ARN of an inference profile names its Region and its account");
  }
  if (!owned && !name.account.empty()) return bad_name("the ARN of a foundation model has an empty account");
  return name;
}

}  // namespace portolan::wire
