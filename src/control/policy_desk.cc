// SPDX-License-Identifier: Apache-2.0
#include "control/policy_desk.h"

#include <algorithm>
#include <fmt/format.h>
#include <limits>
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
constexpr std::string_view by_configuration = "configuration";  // who put the directory's set in force

AdminReply policy_answer(const Json& json) {
  return {.status = 200,
          .content_type = "application/json",
          .body = json.dump(-1, ' ', false, Json::error_handler_t::replace)};
}

AdminReply policy_refusal(const base::Error& error) {
  const bool asked_wrongly = error.code == Code::usage || error.code == Code::config_invalid;
  return admin_error(asked_wrongly ? 400 : 500, error.message);
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

/// An order to apply.
struct Application {
  domain::PolicyFiles files;
  std::string by, why;
  bool for_all = true;
  unsigned share_percent = 0;  // unless for all; 0: a shadow
};

Result<Application> read_application(const Json& json) {
  Application asked;
  TRY(asked.by, read_line(json, "by", by_bytes_max));
  TRY(asked.why, read_line(json, "why", why_bytes_max));
  const auto files = json.find("files");
  if (files == json.end() || !files->is_object())
    return base::fail(Code::usage, "files: an object of names and texts is expected");
  for (const auto& [name, text] : files->items()) {
    if (!text.is_string()) return base::fail(Code::usage, "files: " + name + " is no text");
    asked.files.emplace(name, text.get<std::string>());
  }
  const auto shadow = json.find("shadow");
  const auto share = json.find("share_percent");
  if (shadow != json.end() && *shadow == true) asked.for_all = false;
  if (share == json.end()) return asked;
  const bool fits = share->is_number_unsigned() && *share >= 1 && *share <= 99;
  if (!fits || !asked.for_all)
    return base::fail(Code::usage, "share_percent: 1 to 99 is expected, and no shadow beside it");
  asked.for_all = false;
  asked.share_percent = share->get<unsigned>();
  return asked;
}

std::string version_text(std::uint32_t number) {
  return number == 0 ? "no policies" : fmt::format("version {}", number);
}

Json json_of(const std::optional<domain::PolicyBundle>& bundle) {
  if (!bundle) return nullptr;
  return {{"version", bundle->number}, {"hash", bundle->hash}};
}

/// As the trail has it.
std::vector<std::pair<std::string_view, std::string>> became(const domain::PolicyStanding& standing) {
  std::vector<std::pair<std::string_view, std::string>> members{
      {"policyVersion", standing.in_force ? std::to_string(standing.in_force->number) : "0"},
      {"policyHash", standing.in_force ? standing.in_force->hash : ""}};
  if (!standing.candidate) return members;
  members.emplace_back("candidateVersion", std::to_string(standing.candidate->number));
  members.emplace_back("candidateHash", standing.candidate->hash);
  members.emplace_back("candidateSharePercent", std::to_string(standing.share_percent));
  return members;
}

}  // namespace

Result<std::unique_ptr<PolicyDesk>> PolicyDesk::open(std::unique_ptr<store::PolicyStore> store, Doors doors) {
  std::unique_ptr<PolicyDesk> desk{new PolicyDesk(std::move(store), std::move(doors))};
  TRY(desk->changes_elsewhere_, desk->store_->changes_elsewhere());
  TRY_VOID(desk->read_store());
  return desk;
}

Result<void> PolicyDesk::read_store() {
  TRY(standing_.freezes, store_->freezes());
  TRY(numbers_, store_->numbers());
  TRY(standing_, standing_of(numbers_));
  return {};
}

/// With the freezes as they are.
Result<domain::PolicyStanding> PolicyDesk::standing_of(const store::VersionNumbers& numbers) const {
  domain::PolicyStanding standing{.freezes = standing_.freezes, .share_percent = numbers.share_percent};
  const auto bundle = [this](std::uint32_t number) -> Result<std::optional<domain::PolicyBundle>> {
    if (number == 0) return std::nullopt;
    TRY(domain::PolicyBundle found, store_->bundle(number));
    return found;
  };
  TRY(standing.in_force, bundle(numbers.in_force));
  TRY(standing.candidate, bundle(numbers.candidate));
  return standing;
}

domain::PolicyStanding PolicyDesk::standing() const {
  const std::scoped_lock lock(mutex_);
  return standing_;
}

Result<bool> PolicyDesk::adopt(const domain::PolicyFiles& files, const std::string& hash,
                               const std::string& directory) {
  const std::scoped_lock lock(mutex_);
  if (numbers_.directory_hash == hash) return false;
  const std::string why = "loaded from " + directory;
  const base::WallTime now = doors_.now();
  TRY(const std::uint32_t number,
      store_->add({.hash = hash, .since = now, .by = std::string(by_configuration), .why = why}, files));
  store::VersionNumbers after{.in_force = number,
                              .previous = number == numbers_.in_force ? numbers_.previous : numbers_.in_force,
                              .directory_hash = hash};
  TRY(domain::PolicyStanding standing, standing_of(after));
  TRY_VOID(store_->put(after, {.at = now,
                               .action = "load",
                               .by = std::string(by_configuration),
                               .why = why,
                               .detail = version_text(number)}));
  numbers_ = std::move(after);
  standing_ = std::move(standing);
  return true;
}

void PolicyDesk::publish_adopted(const std::string& directory) {
  const std::scoped_lock lock(mutex_);
  std::vector<std::string> warnings;
  if (const auto in_force = doors_.publish(standing_); !in_force) warnings.push_back(in_force.error().message);
  const domain::Act act{.event_name = "LoadPolicies",
                        .at = doors_.now(),
                        .by = std::string(by_configuration),
                        .why = "loaded from " + directory,
                        .source_address = {},
                        .asked = {},
                        .became = became(standing_)};
  (void)told(act, "policy load: " + version_text(numbers_.in_force) + " from " + directory, std::move(warnings));
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
  for (const Freeze& freeze : standing_.freezes) freezes.push_back(json_of(freeze));
  Json json{{"freezes", std::move(freezes)},
            {"in_force", json_of(standing_.in_force)},
            {"candidate", json_of(standing_.candidate)}};
  if (standing_.candidate) {
    json["candidate"]["shadow"] = standing_.share_percent == 0;
    json["candidate"]["share_percent"] = standing_.share_percent;
  }
  if (!warnings.empty()) json["warnings"] = warnings;
  return policy_answer(json);
}

AdminReply PolicyDesk::versions() const {
  const std::scoped_lock lock(mutex_);
  const auto rows = store_->versions();
  if (!rows) return policy_refusal(rows.error());
  Json list = Json::array();
  for (const store::VersionRow& row : *rows)
    list.push_back({{"version", row.number},
                    {"hash", row.hash},
                    {"since", base::iso8601(std::chrono::floor<base::seconds>(row.since))},
                    {"by", row.by},
                    {"why", row.why},
                    {"state", row.number == numbers_.in_force    ? "in force"
                              : row.number == numbers_.candidate ? numbers_.share_percent == 0 ? "shadow" : "share"
                                                                 : ""}});
  return policy_answer({{"versions", std::move(list)}});
}

AdminReply PolicyDesk::set() const {
  const std::scoped_lock lock(mutex_);
  if (!standing_.in_force) return admin_error(404, "no policies are in force; name a set with --policies");
  const domain::PolicyBundle& bundle = *standing_.in_force;
  return policy_answer({{"version", bundle.number}, {"hash", bundle.hash}, {"files", *bundle.files}});
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
  std::erase_if(standing_.freezes, [&](const Freeze& before) { return before.same_target(*freeze); });
  standing_.freezes.push_back(*freeze);
  std::vector<std::string> warnings;
  if (const auto in_force = doors_.publish(standing_); !in_force) warnings.push_back(in_force.error().message);
  const auto kept = store_->freeze(*freeze);
  if (!kept)
    warnings.push_back("in force, but not durable, so that a restart would forget it: " + kept.error().message);
  await_predecessor(kept.has_value(), warnings);
  return told(*freeze, "FreezeInference", from, std::move(warnings));
}

AdminReply PolicyDesk::unfreeze(std::string_view order, const std::string& from) {
  const std::scoped_lock lock(mutex_);
  if (held_) return gateway_is_being_replaced();
  const Result<Freeze> lift = read_order(order);
  if (!lift) return policy_refusal(lift.error());
  const auto found =
      std::ranges::find_if(standing_.freezes, [&](const Freeze& freeze) { return freeze.same_target(*lift); });
  if (found == standing_.freezes.end()) return admin_error(404, describe(*lift) + " is not frozen");
  // One that could not be made durable is not in the store: that it is gone is all that is wanted.
  if (const auto lifted = store_->unfreeze(*lift); !lifted && lifted.error().code != Code::usage)
    return policy_refusal(lifted.error());
  standing_.freezes.erase(found);
  std::vector<std::string> warnings;
  if (const auto in_force = doors_.publish(standing_); !in_force) warnings.push_back(in_force.error().message);
  await_predecessor(true, warnings);
  return told(*lift, "UnfreezeInference", from, std::move(warnings));
}

AdminReply PolicyDesk::told(const Freeze& freeze, std::string_view event_name, const std::string& from,
                            std::vector<std::string> warnings) {
  domain::Act act{.event_name = event_name,
                  .at = freeze.since,
                  .by = freeze.by,
                  .why = freeze.why,
                  .source_address = from,
                  .asked = {{"scope", std::string(name(freeze.scope))}},
                  .became = {}};
  if (!freeze.profile.empty()) act.asked.emplace_back("inferenceProfileIdentifier", freeze.profile);
  return told(act,
              fmt::format("policy {}: {}, by {}: {}", event_name == "FreezeInference" ? "freeze" : "unfreeze",
                          describe(freeze), freeze.by, freeze.why),
              std::move(warnings));
}

/// To the log, to the trail, and to whoever asked.
AdminReply PolicyDesk::told(const domain::Act& act, const std::string& line, std::vector<std::string> warnings) {
  doors_.log(line);
  if (const auto recorded = doors_.record(act); !recorded)
    warnings.push_back("it is not in the trail: " + recorded.error().message);
  for (const std::string& warning : warnings) doors_.log("policy: " + warning);
  return status_now(warnings);
}

AdminReply PolicyDesk::apply(std::string_view order, const std::string& from) {
  const std::scoped_lock lock(mutex_);
  if (held_) return gateway_is_being_replaced();
  const Json json = Json::parse(order, nullptr, false);
  if (!json.is_object()) return admin_error(400, "a JSON object is expected");
  const Result<Application> asked = read_application(json);
  if (!asked) return policy_refusal(asked.error());
  const Result<std::string> hash = doors_.admit_policies(asked->files);
  if (!hash) return policy_refusal(hash.error());
  const base::WallTime now = doors_.now();
  const auto number = store_->add({.hash = *hash, .since = now, .by = asked->by, .why = asked->why}, asked->files);
  if (!number) return policy_refusal(number.error());
  store::VersionNumbers after = numbers_;
  if (asked->for_all) {
    after.candidate = after.share_percent = 0;
    if (*number != after.in_force) after.previous = after.in_force;
    after.in_force = *number;
  } else {
    after.candidate = *number;
    after.share_percent = asked->share_percent;
  }
  const std::string how = asked->for_all              ? ""
                          : asked->share_percent == 0 ? " as a shadow"
                                                      : fmt::format(" for {} % of calls", asked->share_percent);
  return change(
      after,
      {.at = now, .action = "apply", .by = asked->by, .why = asked->why, .detail = version_text(*number) + how},
      "ApplyPolicies", from);
}

AdminReply PolicyDesk::rollback(std::string_view order, const std::string& from) {
  const std::scoped_lock lock(mutex_);
  if (held_) return gateway_is_being_replaced();
  const Json json = Json::parse(order, nullptr, false);
  if (!json.is_object()) return admin_error(400, "a JSON object is expected");
  const Result<std::string> by = read_line(json, "by", by_bytes_max);
  if (!by) return policy_refusal(by.error());
  const Result<std::string> why = read_line(json, "why", why_bytes_max);
  if (!why) return policy_refusal(why.error());
  store::VersionNumbers after = numbers_;
  after.candidate = after.share_percent = 0;
  std::string detail = "the candidate is taken back";
  const auto version = json.find("version");
  if (version != json.end() || numbers_.candidate == 0) {
    if (version != json.end() && (!version->is_number_unsigned() || version->get<std::uint64_t>() > UINT32_MAX))
      return admin_error(400, "version: a whole number is expected");
    const std::uint32_t to = version != json.end() ? version->get<std::uint32_t>() : numbers_.previous;
    if (to == numbers_.in_force)
      return admin_error(400, version != json.end() ? version_text(to) + ": this is in force already"
                                                    : "nothing else was in force before: name a version");
    after.previous = numbers_.in_force;
    after.in_force = to;
    detail = "to " + version_text(to);
  }
  return change(after, {.at = doors_.now(), .action = "rollback", .by = *by, .why = *why, .detail = detail},
                "RollBackPolicies", from);
}

/// Durable first: a version that takes rules away must not come back with a restart.
AdminReply PolicyDesk::change(const store::VersionNumbers& after, const store::PolicyEvent& event,
                              std::string_view event_name, const std::string& from) {
  const Result<domain::PolicyStanding> standing = standing_of(after);
  if (!standing) return policy_refusal(standing.error());
  if (const auto kept = store_->put(after, event); !kept) return policy_refusal(kept.error());
  std::vector<std::string> warnings;
  if (const auto in_force = doors_.publish(*standing); !in_force) {
    if (in_force.error().code == Code::config_invalid) {
      // A set that an earlier version of the program took, and this one does not: what was in force stays.
      (void)store_->put(numbers_, {.at = event.at,
                                   .action = "refuse",
                                   .by = event.by,
                                   .why = event.why,
                                   .detail = event.detail + ", which cannot be used any more"});
      return policy_refusal(in_force.error());
    }
    warnings.push_back(in_force.error().message);
  }
  numbers_ = after;
  standing_ = *standing;
  await_predecessor(true, warnings);
  const domain::Act act{.event_name = event_name,
                        .at = event.at,
                        .by = event.by,
                        .why = event.why,
                        .source_address = from,
                        .asked = {{"change", event.detail}},
                        .became = became(standing_)};
  return told(act, fmt::format("policy {}: {}, by {}: {}", event.action, event.detail, event.by, event.why),
              std::move(warnings));
}

void PolicyDesk::mount(AdminServer& admin) {
  admin.route("GET", "/api/policy", [this](const AdminRequest&) { return status(); });
  admin.route("GET", "/api/policy/history", [this](const AdminRequest&) { return history(); });
  admin.route("GET", "/api/policy/set", [this](const AdminRequest&) { return set(); });
  admin.route("POST", "/api/policy/freeze",
              [this](const AdminRequest& request) { return freeze(request.body, request.peer_address); });
  admin.route("GET", "/api/policy/versions", [this](const AdminRequest&) { return versions(); });
  admin.route("POST", "/api/policy/apply",
              [this](const AdminRequest& request) { return apply(request.body, request.peer_address); });
  admin.route("POST", "/api/policy/rollback",
              [this](const AdminRequest& request) { return rollback(request.body, request.peer_address); });
  admin.route("POST", "/api/policy/unfreeze",
              [this](const AdminRequest& request) { return unfreeze(request.body, request.peer_address); });
}

void PolicyDesk::hold() {
  const std::scoped_lock lock(mutex_);
  held_ = true;
  has_said_followed_ = false;
}

void PolicyDesk::go_on() {
  const std::scoped_lock lock(mutex_);
  held_ = false;
}

void PolicyDesk::follow() {
  const std::scoped_lock lock(mutex_);
  const Result<void> followed = follow_now();
  const std::string failure = followed ? std::string{} : followed.error().message;
  if (!followed && failure != follow_failure_)
    doors_.log("policy: the successor's orders are not followed yet: " + failure);
  follow_failure_ = failure;
}

Result<void> PolicyDesk::follow_now() {
  TRY(const std::int64_t changes, store_->changes_elsewhere());
  const bool has_changed = changes != changes_elsewhere_;
  if (!has_changed && has_said_followed_) return {};
  // Before what it stands for is read, so that more may be in force than is said, and never less.
  TRY(const std::int64_t newest, store_->newest_change());
  if (has_changed) {
    TRY_VOID(read_store());
    TRY_VOID(doors_.publish(standing_));
    doors_.log("policy: what the successor was ordered is in force here too");
  }
  changes_elsewhere_ = changes;
  has_said_followed_ = true;
  doors_.say_followed(newest);
  return {};
}

/// `is_kept`: the predecessor can read the change in the store.
void PolicyDesk::await_predecessor(bool is_kept, std::vector<std::string>& warnings) {
  const Result<std::int64_t> change = is_kept ? store_->newest_change() : std::numeric_limits<std::int64_t>::max();
  const Result<void> followed = change ? doors_.await_predecessor(*change) : base::fail(change.error());
  if (!followed) warnings.push_back(followed.error().message);
}

}  // namespace portolan::control
