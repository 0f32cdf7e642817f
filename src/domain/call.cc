// SPDX-License-Identifier: Apache-2.0
#include "domain/call.h"

#include <algorithm>
namespace portolan::domain {

std::string_view name(Stage stage) {
  constexpr std::array<std::string_view, stage_count> names{
      "receive", "identify", "understand", "permit", "reserve", "plan", "attempt", "settle", "record"};
  return names[static_cast<std::size_t>(stage)];
}

namespace {
constexpr std::array<std::string_view, 3> call_classes{"batch", "standard", "critical"};
}

std::string_view name(CallClass call_class) {
  return call_classes[static_cast<std::size_t>(call_class)];
}

std::optional<CallClass> call_class(std::string_view name) {
  const auto found = std::ranges::find(call_classes, name);
  if (found == call_classes.end()) return std::nullopt;
  return static_cast<CallClass>(found - call_classes.begin());
}

std::string_view name(Dialect dialect) {
  return dialect == Dialect::openai ? "openai" : "bedrock";
}

std::string_view event_name(Operation operation) {
  switch (operation) {
    case Operation::invoke_model:
      return "InvokeModel";
    case Operation::invoke_model_stream:
      return "InvokeModelWithResponseStream";
    case Operation::converse:
      return "Converse";
    case Operation::converse_stream:
      return "ConverseStream";
    case Operation::chat_completions:
      return "ChatCompletions";
    case Operation::list_inference_profiles:
      return "ListInferenceProfiles";
    case Operation::get_inference_profile:
      return "GetInferenceProfile";
    case Operation::create_inference_profile:
      return "CreateInferenceProfile";
    case Operation::delete_inference_profile:
      return "DeleteInferenceProfile";
    case Operation::tag_resource:
      return "TagResource";
    case Operation::untag_resource:
      return "UntagResource";
    case Operation::list_tags_for_resource:
      return "ListTagsForResource";
    case Operation::list_foundation_models:
      return "ListFoundationModels";
    case Operation::list_openai_models:
      return "ListModels";
    case Operation::unknown:
      return "Unknown";
  }
  return "Unknown";
}

Dialect dialect(Operation operation) {
  return operation == Operation::chat_completions || operation == Operation::list_openai_models ? Dialect::openai
                                                                                                : Dialect::bedrock;
}

bool runs_model(Operation operation) {
  return operation <= Operation::chat_completions;
}

bool changes_profiles(Operation operation) {
  return operation >= Operation::create_inference_profile && operation <= Operation::untag_resource;
}

std::string_view name(Candidate::Standing standing) {
  switch (standing) {
    case Candidate::Standing::healthy:
      return "healthy";
    case Candidate::Standing::unmeasured:
      return "unmeasured";
    case Candidate::Standing::cooling:
      return "cooling";
    case Candidate::Standing::suspect:
      return "suspect";
    case Candidate::Standing::open:
      return "open";
  }
  return "healthy";
}

std::string_view name(ProfileKind kind) {
  switch (kind) {
    case ProfileKind::geographic:
      return "geographic";
    case ProfileKind::global:
      return "global";
    case ProfileKind::application:
      return "application";
  }
  return "geographic";
}

}  // namespace portolan::domain
