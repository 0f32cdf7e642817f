// SPDX-License-Identifier: Apache-2.0
#include "control/policy_desk.h"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace portolan::control {

using base::Code;
using base::Result;
using domain::Freeze;
using Json = nlohmann::ordered_json;

namespace {

constexpr std::size_t policy_events_shown_max = 1000;
constexpr std::size_t by_bytes_max = 128;
constexpr std::size_t why_bytes_max = 1024;

AdminReply policy_answer(const Json& json) {
  return {.status = 200,
          .content_type = "application/json",
          .body = json.dump(-1, ' ', false, Json::error_handler_t::replace)};
}

AdminReply policy_refusal(const base::Error& error) {
  return admin_error(error.code == Code::usage ? 400 : 500, error.message);
}

AdminReply gateway_is_being_replaced() {
  return admin_error(503, "this gateway is being replaced by its successor; ask again in a moment");
}

Json json_of(const Freeze& freeze) {
  return {{"scope", name(freeze.scope)},
          {"profile", freeze.profile.empty() ? Json(nullptr) : Json(freeze.profile)},
          {"since", base::iso8601(std::chrono::floor<base::seconds>(freeze.since))},
          {"by", freeze.by},
          {"why", freeze.why}};
}

/// A line of text that goes into the log, the trail and answers to callers. Code::usage.
Result<std::string> read_line(const Json& order, const char* member, std::size_t bytes_max) {
  const auto found = order.find(member);
  const std::string* text = found == order.end() ? nullptr : found->get_ptr<const std::string*>();
  const bool fits =
      text != nullptr && !text->empty() && text->size() <= bytes_max &&
      std::ranges::none_of(*text, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; });
  if (fits) return *text;
  return base::fail(Code::usage, fmt::format("{}: one line of 1 to {} bytes is expected", member, bytes_max));
}

}  // namespace

Result<std::unique_ptr<PolicyDesk>> PolicyDesk::open(std::unique_ptr<store::PolicyStore> store, Doors doors) {
  std::unique_ptr<PolicyDesk> desk{new PolicyDesk(std::move(store), std::move(doors))};
  TRY(desk->freezes_, desk->store_->freezes());
  return desk;
}

std::vector<Freeze> PolicyDesk::freezes() const {
  const std::scoped_lock lock(mutex_);
  return freezes_;
}

Result<Freeze> PolicyDesk::read_order(std::string_view order) const {
  const Json json = Json::parse(order, nullptr, false);
  if (!json.is_object()) return base::fail(Code::usage, "a JSON object is expected");
  TRY(const std::string scope_name, read_line(json, "scope", by_bytes_max));
  const auto scope = domain::freeze_scope(scope_name);
  if (!scope) return base::fail(Code::usage, "scope: global, cross-region, profile or all is expected");
  Freeze freeze{.scope = *scope, .since = doors_.now()};
  if (*scope == domain::FreezeScope::profile) {
    TRY(freeze.profile, read_line(json, "profile", why_bytes_max));
  }
  TRY(freeze.by, read_line(json, "by", by_bytes_max));
  TRY(freeze.why, read_line(json, "why", why_bytes_max));
  return freeze;
}

AdminReply PolicyDesk::status() const {
  const std::scoped_lock lock(mutex_);
  return status_now({});
}

AdminReply PolicyDesk::status_now(const std::vector<std::string>& warnings) const {
  Json freezes = Json::array();
  for (const Freeze& freeze : freezes_) freezes.push_back(json_of(freeze));
  Json json{{"freezes", std::move(freezes)}};
  if (!warnings.empty()) json["warnings"] = warnings;
  return policy_answer(json);
}

AdminReply PolicyDesk::history() const {
  const std::scoped_lock lock(mutex_);
  const auto events = store_->history(policy_events_shown_max);
  if (!events) return policy_refusal(events.error());
  Json list = Json::array();
  for (const store::PolicyEvent& event : *events)
    list.push_back({{"time", base::iso8601(event.at)},
                    {"action", event.action},
                    {"by", event.by},
                    {"why", event.why},
                    {"detail", event.detail}});
  return policy_answer({{"events", std::move(list)}});
}

AdminReply PolicyDesk::freeze(std::string_view order, const std::string& from) {
  const std::scoped_lock lock(mutex_);
  if (held_) return gateway_is_being_replaced();
  const Result<Freeze> freeze = read_order(order);
  if (!freeze) return policy_refusal(freeze.error());
  if (freeze->scope == domain::FreezeScope::profile)
    if (const auto known = doors_.admit_profile(freeze->profile); !known) return policy_refusal(known.error());
  std::erase_if(freezes_, [&](const Freeze& before) { return before.same_target(*freeze); });
  freezes_.push_back(*freeze);
  std::vector<std::string> warnings;
  if (const auto in_force = doors_.publish(freezes_); !in_force) warnings.push_back(in_force.error().message);
  if (const auto kept = store_->freeze(*freeze); !kept)
    warnings.push_back("in force, but not durable, so that a restart would forget it: " + kept.error().message);
  return told(*freeze, "FreezeInference", from, std::move(warnings));
}

AdminReply PolicyDesk::unfreeze(std::string_view order, const std::string& from) {
  const std::scoped_lock lock(mutex_);
  if (held_) return gateway_is_being_replaced();
  const Result<Freeze> lift = read_order(order);
  if (!lift) return policy_refusal(lift.error());
  const auto found =
      std::ranges::find_if(freezes_, [&](const Freeze& freeze) { return freeze.same_target(*lift); });
  if (found == freezes_.end()) return admin_error(404, describe(*lift) + " is not frozen");
  // One that could not be made durable is not in the store: that it is gone is all that is wanted.
  if (const auto lifted = store_->unfreeze(*lift); !lifted && lifted.error().code != Code::usage)
    return policy_refusal(lifted.error());
  freezes_.erase(found);
  std::vector<std::string> warnings;
  if (const auto in_force = doors_.publish(freezes_); !in_force) warnings.push_back(in_force.error().message);
  return told(*lift, "UnfreezeInference", from, std::move(warnings));
}

/// To the log, to the trail, and to whoever asked.
AdminReply PolicyDesk::told(const Freeze& freeze, std::string_view event_name, const std::string& from,
                            std::vector<std::string> warnings) {
  doors_.log(fmt::format("policy {}: {}, by {}: {}", event_name == "FreezeInference" ? "freeze" : "unfreeze",
                         describe(freeze), freeze.by, freeze.why));
  domain::Act act{.event_name = event_name,
                  .at = freeze.since,
                  .by = freeze.by,
                  .why = freeze.why,
                  .source_address = from,
                  .asked = {{"scope", std::string(name(freeze.scope))}},
                  .became = {}};
  if (!freeze.profile.empty()) act.asked.emplace_back("inferenceProfileIdentifier", freeze.profile);
  if (const auto recorded = doors_.record(act); !recorded)
    warnings.push_back("it is not in the trail: " + recorded.error().message);
  for (const std::string& warning : warnings) doors_.log("policy: " + warning);
  return status_now(warnings);
}

void PolicyDesk::mount(AdminServer& admin) {
  admin.route("GET", "/api/policy", [this](const AdminRequest&) { return status(); });
  admin.route("GET", "/api/policy/history", [this](const AdminRequest&) { return history(); });
  admin.route("POST", "/api/policy/freeze",
              [this](const AdminRequest& request) { return freeze(request.body, request.peer_address); });
  admin.route("POST", "/api/policy/unfreeze",
              [this](const AdminRequest& request) { return unfreeze(request.body, request.peer_address); });
}

void PolicyDesk::hold() {
  const std::scoped_lock lock(mutex_);
  held_ = true;
}

void PolicyDesk::go_on() {
  const std::scoped_lock lock(mutex_);
  held_ = false;
}

}  // namespace portolan::control
