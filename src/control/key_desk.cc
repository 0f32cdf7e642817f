// SPDX-License-Identifier: Apache-2.0
#include "control/key_desk.h"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "control/key_text.h"

namespace portolan::control {

using base::Code;
using base::Result;
using domain::CredentialKind;
using domain::IssuedKey;
using Json = nlohmann::ordered_json;

namespace {

constexpr std::chrono::seconds write_uses_every{60};
constexpr std::size_t events_shown_max = 1000;
constexpr std::string_view overlap_default = "24h";
constexpr int id_draws_max = 4;

AdminReply answer(const Json& json) {
  return {.status = 200, .content_type = "application/json", .body = json.dump()};
}

AdminReply refusal(const base::Error& error) {
  const bool asked_wrongly = error.code == Code::usage || error.code == Code::config_invalid;
  return admin_error(asked_wrongly ? 400 : 500, error.message);
}

AdminReply no_such_key(const std::string& id) {
  return admin_error(404,
                     fmt::format("there is no key {}; `portolan key list` lists them (those of the configuration "
                                 "file are changed there)",
                                 id));
}

AdminReply being_replaced() {
  return admin_error(503, "this gateway is being replaced by its successor; ask again in a moment");
}

Json time_or_null(const std::optional<base::WallTime>& at) {
  return at ? Json(base::iso8601(*at)) : Json(nullptr);
}

std::string_view state_of(const IssuedKey& key, base::WallTime now) {
  if (key.revoked) return "revoked";
  if (key.expires && now >= *key.expires) return "expired";
  return key.replaced_by.empty() ? "active" : "retiring";
}

Json describe(const IssuedKey& key, base::WallTime now) {
  return {{"id", key.id},
          {"kind", key.kind == CredentialKind::sigv4 ? "access-key" : "api-key"},
          {"tenant", key.tenant},
          {"name", key.user_name},
          {"profiles", key.profiles},
          {"state", state_of(key, now)},
          {"created", base::iso8601(key.created)},
          {"expires", time_or_null(key.expires)},
          {"revoked", time_or_null(key.revoked)},
          {"replaced_by", key.replaced_by.empty() ? Json(nullptr) : Json(key.replaced_by)},
          {"last_used", time_or_null(key.last_use->at())}};
}

/// With the secret: the one time that it is told, so that whoever asked gets it even when it is not yet in force.
AdminReply handed_over(const IssuedKey& key, const std::string& api_key, const Result<void>& in_force,
                       base::WallTime now) {
  Json json = describe(key, now);
  if (!in_force) json["warning"] = in_force.error().message;
  if (key.kind == CredentialKind::sigv4) {
    json["access_key_id"] = key.id;
    json["secret_access_key"] = key.secret_access_key.reveal();
  } else {
    json["api_key"] = api_key;
  }
  return answer(json);
}

}  // namespace

Result<std::unique_ptr<KeyDesk>> KeyDesk::open(std::unique_ptr<store::KeyStore> store, Doors doors) {
  std::unique_ptr<KeyDesk> desk{new KeyDesk(std::move(store), std::move(doors))};
  TRY_VOID(desk->read_store());
  desk->writer_ = std::thread([desk = desk.get()] { desk->write_uses_each_minute(); });
  return desk;
}

KeyDesk::~KeyDesk() {
  {
    const std::scoped_lock lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  if (writer_.joinable()) writer_.join();
}

std::vector<IssuedKey> KeyDesk::keys() const {
  const std::scoped_lock lock(mutex_);
  return keys_;
}

/// The keys as they are in the store; those that were known keep their live counter of uses.
Result<void> KeyDesk::read_store() {
  TRY(std::vector<IssuedKey> keys, store_->keys());
  std::unordered_map<std::string_view, std::shared_ptr<domain::LastUse>> live;
  for (const IssuedKey& key : keys_) live.emplace(key.id, key.last_use);
  for (IssuedKey& key : keys) {
    if (const auto at = key.last_use->at()) written_uses_[key.id] = *at;
    if (const auto known = live.find(key.id); known != live.end()) key.last_use = known->second;
  }
  keys_ = std::move(keys);
  return {};
}

/// After a change of the store and of the copy. The store is not read for it: a key of it that does not open must
/// not keep another one from being revoked. The log hears of the change even when a reactor is slow to.
Result<void> KeyDesk::put_in_force(const std::string& told) {
  doors_.log(told);
  auto in_force = doors_.publish(keys_);
  if (!in_force) doors_.log(told + ": " + in_force.error().message);
  return in_force;
}

IssuedKey* KeyDesk::find(const std::string& id) {
  const auto found = std::ranges::find(keys_, id, &IssuedKey::id);
  return found != keys_.end() ? &*found : nullptr;
}

AdminReply KeyDesk::list() const {
  const std::scoped_lock lock(mutex_);
  const base::WallTime now = doors_.now();
  Json keys = Json::array();
  for (const IssuedKey& key : keys_) keys.push_back(describe(key, now));
  return answer({{"keys", std::move(keys)}});
}

AdminReply KeyDesk::history() const {
  const std::scoped_lock lock(mutex_);
  const auto events = store_->history(events_shown_max);
  if (!events) return refusal(events.error());
  Json list = Json::array();
  for (const store::KeyEvent& event : *events)
    list.push_back({{"time", base::iso8601(event.at)},
                    {"action", event.action},
                    {"key", event.key_id},
                    {"detail", event.detail}});
  return answer({{"events", std::move(list)}});
}

/// Draws the secret and the id, and adds the key, in place of another or beside the rest.
Result<IssuedKey> KeyDesk::add_new(IssuedKey draft, const IssuedKey* replaces, base::WallTime until,
                                   std::string& api_key) {
  for (int draw = 0;; ++draw) {
    TRY(api_key, draw_secret(draft));
    if (find(draft.id) == nullptr) break;
    if (draw == id_draws_max) return base::fail(Code::internal, "no free key id was found");
  }
  TRY_VOID(replaces != nullptr ? store_->replace(replaces->id, until, draft) : store_->add(draft));
  draft.last_use = std::make_shared<domain::LastUse>();
  return draft;
}

AdminReply KeyDesk::create(std::string_view body) {
  const std::scoped_lock lock(mutex_);
  if (held_) return being_replaced();
  const base::WallTime now = doors_.now();
  Result<IssuedKey> draft = read_order(body, now);
  if (!draft) return refusal(draft.error());
  if (const auto admitted = doors_.admit(*draft); !admitted) return refusal(admitted.error());
  std::string api_key;
  const Result<IssuedKey> made = add_new(*std::move(draft), nullptr, now, api_key);
  if (!made) return refusal(made.error());
  keys_.push_back(*made);
  const auto in_force = put_in_force(
      fmt::format("key create: {} for user {} of tenant {}, {}", made->id, made->user_name, made->tenant,
                  made->expires ? "expires " + base::iso8601(*made->expires) : "never expires"));
  AdminReply reply = handed_over(*made, api_key, in_force, now);
  base::wipe(api_key);
  return reply;
}

AdminReply KeyDesk::rotate(const std::string& id, std::string_view body) {
  const std::scoped_lock lock(mutex_);
  if (held_) return being_replaced();
  const base::WallTime now = doors_.now();
  IssuedKey* old = find(id);
  if (old == nullptr) return no_such_key(id);
  const Result<Rotation> asked = read_rotation(body, overlap_default, now);
  if (!asked) return refusal(asked.error());
  if (old->expires && now >= *old->expires)
    return admin_error(400,
                       fmt::format("key {} expired at {}; create a new one", id, base::iso8601(*old->expires)));
  IssuedKey successor{.kind = old->kind,
                      .tenant = old->tenant,
                      .user_name = old->user_name,
                      .profiles = old->profiles,
                      .created = now,
                      .expires = asked->expires};
  // Without a date of its own the successor lives as long as the old key was meant to.
  if (!successor.expires && old->expires) successor.expires = now + (*old->expires - old->created);
  const base::WallTime until = now + std::chrono::floor<base::microseconds>(asked->overlap);
  std::string api_key;
  const Result<IssuedKey> made = add_new(std::move(successor), old, until, api_key);
  if (!made) return refusal(made.error());
  old->replaced_by = made->id;
  old->expires = std::min(old->expires.value_or(until), until);
  keys_.push_back(*made);
  const auto in_force = put_in_force(fmt::format("key rotate: {} takes the place of {}, which is valid until {}",
                                                 made->id, id, base::iso8601(until)));
  AdminReply reply = handed_over(*made, api_key, in_force, now);
  base::wipe(api_key);
  return reply;
}

AdminReply KeyDesk::revoke(const std::string& id) {
  const std::scoped_lock lock(mutex_);
  if (held_) return being_replaced();
  IssuedKey* key = find(id);
  if (key == nullptr) return no_such_key(id);
  const base::WallTime now = doors_.now();
  // Of a key that is revoked already the revocation is put in force once more: a first try may have failed there.
  if (!key->revoked) {
    if (const auto revoked = store_->revoke(id, now); !revoked) return refusal(revoked.error());
    key->revoked = now;
    key->secret_access_key = {};
  }
  if (const auto in_force = put_in_force("key revoke: " + id); !in_force) return refusal(in_force.error());
  return answer(describe(*key, now));
}

void KeyDesk::mount(AdminServer& admin) {
  admin.route("GET", "/api/keys", [this](const AdminRequest&) { return list(); });
  admin.route("POST", "/api/keys", [this](const AdminRequest& request) { return create(request.body); });
  admin.route("GET", "/api/keys/history", [this](const AdminRequest&) { return history(); });
  admin.route("POST", "/api/keys/", [this](const AdminRequest& request) {
    constexpr std::string_view prefix = "/api/keys/";
    const std::string_view rest = std::string_view{request.path}.substr(prefix.size());
    const std::size_t slash = rest.find('/');
    const std::string id{rest.substr(0, slash)};
    const std::string_view verb = slash == std::string_view::npos ? "" : rest.substr(slash + 1);
    if (verb == "rotate") return rotate(id, request.body);
    if (verb == "revoke") return revoke(id);
    return admin_error(404, "POST /api/keys/ID/rotate or /api/keys/ID/revoke is meant");
  });
}

Result<void> KeyDesk::accepts(const store::MasterKeys& master_keys) {
  const std::scoped_lock lock(mutex_);
  return store_->accepts(master_keys);
}

Result<void> KeyDesk::use(store::MasterKeys master_keys) {
  const std::scoped_lock lock(mutex_);
  TRY(const std::size_t sealed, store_->use(std::move(master_keys), doors_.now()));
  if (sealed > 0)
    doors_.log(fmt::format("key rotate-master: {} secrets are sealed under {} now; keys.previous_master_key may go",
                           sealed, store_->master_key_id()));
  return {};
}

void KeyDesk::hold() {
  const std::scoped_lock lock(mutex_);
  held_ = true;
}

void KeyDesk::go_on() {
  const std::scoped_lock lock(mutex_);
  held_ = false;
}

/// With the lock held. A failure costs a date in a list, and is told.
void KeyDesk::write_uses() {
  std::vector<std::pair<std::string, base::WallTime>> uses;
  for (const IssuedKey& key : keys_) {
    const auto at = key.last_use->at();
    if (!at) continue;
    const auto written = written_uses_.find(key.id);
    if (written == written_uses_.end() || written->second != *at) uses.emplace_back(key.id, *at);
  }
  if (const auto noted = store_->note_uses(uses); !noted)
    return doors_.log("the last uses of keys were not written down: " + noted.error().message);
  for (const auto& [id, at] : uses) written_uses_[id] = at;
}

void KeyDesk::write_uses_each_minute() {
  std::unique_lock lock(mutex_);
  while (!ending_) {
    wake_.wait_for(lock, write_uses_every, [this] { return ending_; });
    write_uses();
  }
}

}  // namespace portolan::control
