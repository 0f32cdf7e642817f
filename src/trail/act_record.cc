// SPDX-License-Identifier: Apache-2.0
#include "trail/act_record.h"

#include <nlohmann/json.hpp>

#include "base/json_text.h"

namespace portolan::trail {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t act_text_bytes_max = 1024;  // as in the records of calls

std::string cut(std::string_view text) {
  return std::string(base::cut_text(text, act_text_bytes_max));
}

Json object_of(const std::vector<std::pair<std::string_view, std::string>>& members) {
  Json object = Json::object();
  for (const auto& [name, value] : members) object[std::string(name)] = cut(value);
  return object.empty() ? Json(nullptr) : object;
}

}  // namespace

std::string act_record(const domain::Act& act, std::string_view event_id, std::string_view region) {
  Json asked = object_of(act.asked);
  asked["reason"] = cut(act.why);
  const Json record{
      {"eventVersion", "1.11"},
      {"userIdentity", {{"type", "Unknown"}, {"principalId", "admin-key"}, {"userName", cut(act.by)}}},
      {"eventTime", base::iso8601(std::chrono::floor<base::seconds>(act.at))},
      {"eventSource", "portolan"},
      {"eventName", act.event_name},
      {"awsRegion", region},
      {"sourceIPAddress", cut(act.source_address)},
      {"requestParameters", std::move(asked)},
      {"responseElements", object_of(act.became)},
      {"eventID", event_id},
      {"readOnly", false},
      {"eventType", "AwsServiceEvent"},
      {"managementEvent", true},
      {"eventCategory", "Management"}};
  // Bytes that are no UTF-8 become U+FFFD, as in the records of calls.
  return record.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace portolan::trail
