// SPDX-License-Identifier: Apache-2.0
#include "policy/sentence.h"

#include <fmt/format.h>

namespace portolan::policy {

std::string_view action(const domain::Inference& inference) {
  const bool stream = inference.stream || inference.operation == domain::Operation::invoke_model_stream ||
                      inference.operation == domain::Operation::converse_stream;
  return stream ? "bedrock:InvokeModelWithResponseStream" : "bedrock:InvokeModel";
}

std::string not_authorized(std::string_view principal, std::string_view action, std::string_view resource) {
  return fmt::format("User: {} is not authorized to perform: {} on resource: {}", principal, action, resource);
}

std::string not_authorized(const domain::Principal& principal, const domain::Inference& inference,
                           const domain::Catalog& catalog) {
  const domain::Region* source =
      inference.source < catalog.regions().size() ? &catalog.region(inference.source) : nullptr;
  std::string resource = fmt::format("arn:{}:bedrock:{}:", source != nullptr ? source->partition : "aws",
                                     source != nullptr ? source->name : "");
  if (inference.profile != nullptr) {
    const bool application = inference.profile->kind == domain::ProfileKind::application;
    resource +=
        fmt::format("{}:{}/{}", principal.account_id,
                    application ? "application-inference-profile" : "inference-profile", inference.profile->id);
  } else {
    resource += fmt::format(":foundation-model/{}",
                            inference.model != nullptr ? inference.model->id : std::string{inference.requested});
  }
  return not_authorized(principal.arn, action(inference), resource);
}

std::string denial_reason(const iam::Decision& decision, std::string_view action) {
  const std::string_view kind = iam::name(decision.by.kind);
  const bool takes_an = std::string_view{"aeio"}.contains(kind.front());
  return decision.outcome == iam::Outcome::explicit_deny
             ? fmt::format("with an explicit deny in {} {}", takes_an ? "an" : "a", kind)
             : fmt::format("because no {} allows the {} action", kind, action);
}

}  // namespace portolan::policy
