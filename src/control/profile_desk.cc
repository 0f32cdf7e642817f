// SPDX-License-Identifier: Apache-2.0
#include "control/profile_desk.h"

#include <algorithm>
#include <fmt/format.h>

namespace portolan::control {

using base::Code;
using base::Result;
using domain::ApplicationProfile;
using domain::ProfileOrder;

namespace {

/// Each takes a few syncs of the disk: whoever waits behind more than these is better off asking again.
constexpr std::size_t orders_max = 64;

std::unexpected<base::Error> later(std::string_view why) {
  return base::fail(Code::overloaded, std::string(why) + " Try again in a moment.", base::seconds{1});
}

bool is_same_place(const ApplicationProfile& one, const ApplicationProfile& other) {
  return one.account_id == other.account_id && one.region == other.region;
}

/// Whether both ask for the same thing, by the same request.
bool is_same_request(const ApplicationProfile& one, const ApplicationProfile& other) {
  return one.name == other.name && one.description == other.description && one.copy_from == other.copy_from;
}

Result<void> check_keys(const ApplicationProfile& profile) {
  const std::string_view key = domain::key_in_two_cases(profile.tags);
  if (key.empty()) return {};
  return base::fail(Code::invalid_field,
                    fmt::format("tags: {} would have the key {} in two cases, which policies do not tell apart.",
                                profile.arn, key));
}

auto place_of(domain::ApplicationProfileList& profiles, std::string_view id) {
  return std::ranges::lower_bound(profiles, id, {},
                                  [](const auto& profile) -> std::string_view { return profile->id; });
}

}  // namespace

Result<std::unique_ptr<ProfileDesk>> ProfileDesk::open(std::unique_ptr<store::ProfileStore> store,
                                                       const world::Clock& clock, Doors doors) {
  std::unique_ptr<ProfileDesk> desk{new ProfileDesk(std::move(store), clock, std::move(doors))};
  TRY_VOID(desk->read_store());
  desk->worker_ = std::thread([desk = desk.get()] { desk->work(); });
  return desk;
}

ProfileDesk::~ProfileDesk() {
  stop();
}

void ProfileDesk::stop() {
  {
    const std::scoped_lock lock(queue_mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  if (worker_.joinable()) worker_.join();
}

Result<void> ProfileDesk::read_store() {
  TRY(const std::int64_t changes, store_->changes_elsewhere());  // first: what comes after it is followed later
  TRY(std::vector<ApplicationProfile> read, store_->profiles());
  domain::ApplicationProfileList profiles;
  profiles.reserve(read.size());
  for (ApplicationProfile& profile : read)
    profiles.push_back(std::make_shared<const ApplicationProfile>(std::move(profile)));
  profiles_ = std::move(profiles);
  changes_elsewhere_ = changes;
  return {};
}

domain::ApplicationProfileList ProfileDesk::profiles() const {
  const std::scoped_lock lock(mutex_);
  return profiles_;
}

void ProfileDesk::ask(ProfileOrder order, Done done) {
  {
    const std::scoped_lock lock(queue_mutex_);
    if (!ending_ && queue_.size() < orders_max) {
      queue_.push_back({.order = std::move(order), .done = std::move(done)});
      wake_.notify_one();
      return;
    }
  }
  done(later("Too many changes of inference profiles are waiting."));
}

void ProfileDesk::work() {
  std::unique_lock lock(queue_mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return ending_ || !queue_.empty(); });
    if (queue_.empty()) return;
    Waiting next = std::move(queue_.front());
    queue_.pop_front();
    const bool ending = ending_;
    lock.unlock();
    next.done(ending ? later("The gateway ends.") : carry_out(next.order));
    lock.lock();
  }
}

Result<ApplicationProfile> ProfileDesk::carry_out(const ProfileOrder& order) {
  const std::scoped_lock lock(mutex_);
  if (held_) return later("This gateway is being replaced by its successor.");
  if (clock_.now() >= order.give_up_at) return later("Changes of inference profiles take too long.");
  const bool creates = order.kind == ProfileOrder::Kind::create;
  return creates ? create(order.profile) : change(order);
}

Result<ApplicationProfile> ProfileDesk::create(const ApplicationProfile& draft) {
  std::size_t in_place = 0;
  for (const auto& profile : profiles_) {
    if (!is_same_place(*profile, draft)) continue;
    ++in_place;
    if (!draft.client_token.empty() && profile->client_token == draft.client_token) {
      if (is_same_request(*profile, draft)) return *profile;  // tags may have changed since
      return base::fail(Code::conflict, "This clientRequestToken was used for another inference profile.");
    }
    if (profile->name == draft.name)
      return base::fail(Code::conflict,
                        fmt::format("There is an inference profile {} already: {}.", draft.name, profile->arn));
  }
  if (in_place >= domain::application_profiles_max)
    return base::fail(
        Code::too_many_profiles,
        fmt::format("Account {} has {} application inference profiles in {}, and more are not allowed. "
                    "Delete some that are not needed.",
                    draft.account_id, in_place, draft.region));
  TRY_VOID(check_keys(draft));
  ApplicationProfile made = draft;
  made.created = made.updated = clock_.wall();
  TRY_VOID(store_->add(made));
  profiles_.insert(place_of(profiles_, made.id), std::make_shared<const ApplicationProfile>(made));
  TRY_VOID(put_in_force());
  return made;
}

Result<ApplicationProfile> ProfileDesk::change(const ProfileOrder& order) {
  const ApplicationProfile& meant = order.profile;
  const auto found = place_of(profiles_, meant.id);
  if (found == profiles_.end() || (*found)->id != meant.id || !is_same_place(**found, meant))
    return base::fail(Code::unknown_model, fmt::format("There is no inference profile {}.", meant.arn));
  ApplicationProfile after = **found;
  if (order.kind == ProfileOrder::Kind::remove) {
    TRY_VOID(store_->remove(after.id));
    profiles_.erase(found);
  } else {
    after.tags = order.kind == ProfileOrder::Kind::tag ? domain::merged(after.tags, order.tags)
                                                       : domain::without(after.tags, order.tag_keys);
    if (after.tags.size() > domain::tags_max)
      return base::fail(Code::too_many_tags, fmt::format("{} would have {} tags; {} are allowed.", after.arn,
                                                         after.tags.size(), domain::tags_max));
    TRY_VOID(check_keys(after));
    after.updated = clock_.wall();
    TRY_VOID(store_->set_tags(after.id, after.tags, after.updated));
    *found = std::make_shared<const ApplicationProfile>(after);
  }
  TRY_VOID(put_in_force());
  return after;
}

Result<void> ProfileDesk::put_in_force() {
  auto in_force = doors_.publish(profiles_);
  if (!in_force) doors_.log("profiles: " + in_force.error().message);
  return in_force;
}

void ProfileDesk::hold() {
  const std::scoped_lock lock(mutex_);
  held_ = true;
}

void ProfileDesk::go_on() {
  const std::scoped_lock lock(mutex_);
  held_ = false;
}

void ProfileDesk::follow() {
  const std::scoped_lock lock(mutex_);
  const Result<std::int64_t> changes = store_->changes_elsewhere();
  if (!changes || *changes == changes_elsewhere_) return;
  const std::int64_t followed_before = changes_elsewhere_;
  Result<void> followed = read_store();
  if (followed) followed = doors_.publish(profiles_);
  if (followed) return;
  changes_elsewhere_ = followed_before;  // tried again at the next turn
  doors_.log("profiles: the successor's changes are not followed: " + followed.error().message);
}

}  // namespace portolan::control
