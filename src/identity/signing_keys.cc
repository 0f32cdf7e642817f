// SPDX-License-Identifier: Apache-2.0
// The cache of signing keys: a few shards, each a hash table under a lock that readers share. A hit costs one
// look-up and the copy of a key; the four HMACs of a miss run outside the lock.
#include <array>
#include <functional>
#include <mutex>
#include <unordered_map>

#include "base/bytes.h"
#include "identity/sigv4.h"

namespace portolan::identity {
namespace {

struct ScopeView {
  std::string_view access_key_id, date, region, service;
  bool operator==(const ScopeView&) const = default;
};

struct Scope {
  std::string access_key_id, date, region, service;
  ScopeView view() const { return {access_key_id, date, region, service}; }
};

struct ScopeHash {
  using is_transparent = void;
  std::size_t operator()(const ScopeView& scope) const {
    const std::hash<std::string_view> hash;
    std::size_t sum = hash(scope.access_key_id);
    for (const std::string_view part : {scope.date, scope.region, scope.service}) sum = sum * 31 + hash(part);
    return sum;
  }
  std::size_t operator()(const Scope& scope) const { return (*this)(scope.view()); }
};

struct ScopeEqual {
  using is_transparent = void;
  static ScopeView view(const ScopeView& scope) { return scope; }
  static ScopeView view(const Scope& scope) { return scope.view(); }
  bool operator()(const auto& a, const auto& b) const { return view(a) == view(b); }
};

struct Entry {
  base::HmacKey key;
  /// Tells a replaced secret from the one the key was made of, should an old configuration's last call arrive late.
  std::size_t secret_hash;
};

constexpr std::size_t shards = 16;

}  // namespace

struct SigningKeys::Shelf {
  struct alignas(64) Shard {
    mutable std::shared_mutex mutex;
    std::unordered_map<Scope, Entry, ScopeHash, ScopeEqual> entries;
  };
  std::array<Shard, shards> parts;
  std::size_t capacity_each = 0;
};

SigningKeys::SigningKeys(std::size_t capacity) : shelf_(std::make_unique<Shelf>()) {
  shelf_->capacity_each = std::max<std::size_t>(1, capacity / shards);
}

SigningKeys::~SigningKeys() = default;

base::HmacKey SigningKeys::get(std::string_view access_key_id, std::string_view secret_access_key,
                               std::string_view date, std::string_view region, std::string_view service) {
  const ScopeView scope{access_key_id, date, region, service};
  const std::size_t secret_hash = std::hash<std::string_view>{}(secret_access_key);
  Shelf::Shard& shard = shelf_->parts[ScopeHash{}(scope) >> 8 & (shards - 1)];
  {
    const std::shared_lock lock(shard.mutex);
    const auto found = shard.entries.find(scope);
    if (found != shard.entries.end() && found->second.secret_hash == secret_hash) return found->second.key;
  }
  const base::HmacKey key = signing_key(secret_access_key, date, region, service);
  const std::unique_lock lock(shard.mutex);
  if (const auto stale = shard.entries.find(scope); stale != shard.entries.end()) shard.entries.erase(stale);
  // Yesterday's keys are never asked for again, and which they are need not be tracked: a full shard starts over,
  // which costs each live key one derivation.
  if (shard.entries.size() >= shelf_->capacity_each) shard.entries.clear();
  shard.entries.try_emplace(
      Scope{std::string{access_key_id}, std::string{date}, std::string{region}, std::string{service}}, key,
      secret_hash);
  return key;
}

std::size_t SigningKeys::size() const {
  std::size_t sum = 0;
  for (const Shelf::Shard& shard : shelf_->parts) {
    const std::shared_lock lock(shard.mutex);
    sum += shard.entries.size();
  }
  return sum;
}

void SigningKeys::clear() {
  for (Shelf::Shard& shard : shelf_->parts) {
    const std::unique_lock lock(shard.mutex);
    shard.entries.clear();
  }
}

}  // namespace portolan::identity
