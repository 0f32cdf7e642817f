// SPDX-License-Identifier: Apache-2.0
#include "trail/read_record.h"

#include <nlohmann/json.hpp>

#include "trail/record.h"

namespace portolan::trail {
namespace {

using domain::Operation;
using domain::RecordedCall;
using nlohmann::json;

const json& member_of(const json& object, const char* name) {
  static const json nothing;
  if (!object.is_object()) return nothing;
  const auto found = object.find(name);
  return found == object.end() ? nothing : *found;
}

std::string text_of(const json& object, const char* name) {
  const auto* text = member_of(object, name).get_ptr<const std::string*>();
  return text != nullptr ? *text : std::string{};
}

Operation operation_of(std::string_view event_name) {
  for (auto number = std::uint8_t{0}; number < static_cast<std::uint8_t>(Operation::unknown); ++number)
    if (const auto operation = static_cast<Operation>(number); domain::event_name(operation) == event_name)
      return operation;
  return Operation::unknown;
}

RecordedCall::Outcome outcome_named(std::string_view word) {
  if (word == name(Outcome::served)) return RecordedCall::Outcome::served;
  return word == name(Outcome::denied) ? RecordedCall::Outcome::denied : RecordedCall::Outcome::failed;
}

/// As it was sent, when that can be told.
std::optional<std::string> whole(std::string text) {
  constexpr std::string_view replacement = "\xEF\xBF\xBD";  // stands for bytes that are no UTF-8
  if (may_be_cut(text) || text.contains(replacement)) return std::nullopt;
  return text;
}

void read_way(const json& ours, RecordedCall& call) {
  call.stream = member_of(ours, "stream") == true;
  call.profile = text_of(ours, "profile");
  call.mode = text_of(ours, "policyMode");
  call.denied_by = text_of(ours, "deniedBy");
  call.outcome = outcome_named(text_of(ours, "outcome"));
  // Written since the mode is.
  if (!call.mode.empty()) call.service_tier = whole(text_of(ours, "serviceTier"));
  for (const json& attempt : member_of(ours, "attempts")) call.tried.push_back(text_of(attempt, "region"));
}

}  // namespace

base::Result<ReadRecord> read_record(std::string_view text) {
  const json record = json::parse(text, nullptr, false);
  if (!record.is_object()) return base::fail(base::Code::corrupt, "a record of the trail is no JSON object");
  ReadRecord read;
  if (base::WallTime at; base::parse_time(text_of(record, "eventTime"), at)) read.at = at;
  const json& identity = member_of(record, "userIdentity");
  const json& ours = member_of(record, "portolan");
  RecordedCall call{.id = text_of(record, "requestID"),
                    .operation = operation_of(text_of(record, "eventName")),
                    .principal = text_of(identity, "arn"),
                    .account = text_of(identity, "accountId"),
                    .source = text_of(record, "awsRegion"),
                    .model = text_of(ours, "model"),
                    .source_ip = text_of(record, "sourceIPAddress"),
                    .user_agent = whole(text_of(record, "userAgent")),
                    .secure_transport = record.contains("tlsDetails"),
                    .inference_region = text_of(member_of(record, "additionalEventData"), "inferenceRegion")};
  if (!read.at || !domain::runs_model(call.operation) || call.principal.empty() || call.model.empty()) return read;
  call.at = *read.at;
  read_way(ours, call);
  read.call = std::move(call);
  return read;
}

}  // namespace portolan::trail
