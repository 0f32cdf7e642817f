// SPDX-License-Identifier: Apache-2.0
#include "identity/identify.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/bytes.h"
#include "base/json_text.h"

namespace portolan::identity {
namespace {

using base::Code;
using domain::CredentialKind;

constexpr std::string_view missing =
    "Missing Authentication Token: sign the request with AWS Signature Version 4, or send an API key as "
    "\"Authorization: Bearer …\" or \"x-api-key: …\".";

bool starts_with_scheme(std::string_view value, std::string_view scheme) {
  return value.size() > scheme.size() && base::iequals(value.substr(0, scheme.size()), scheme) &&
         value[scheme.size()] == ' ';
}

std::string_view without_blanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// Could a signature of that scope's day be valid now? Keys of any other day are not worth deriving or keeping.
bool day_is_near(std::string_view date, base::WallTime now) {
  const auto number = [date](std::size_t from, std::size_t count) {
    int value = 0;
    for (const char c : date.substr(from, count)) value = value * 10 + (c - '0');
    return value;
  };
  const std::chrono::year_month_day day{std::chrono::year{number(0, 4)},
                                        std::chrono::month{static_cast<unsigned>(number(4, 2))},
                                        std::chrono::day{static_cast<unsigned>(number(6, 2))}};
  if (!day.ok()) return false;
  const auto age = now - std::chrono::sys_days{day};
  return age > -std::chrono::hours{1} && age < std::chrono::hours{25};
}

}  // namespace

base::Result<void> check_expiry(const domain::Principal& principal, base::WallTime now) {
  if (now < principal.expires) return {};
  return base::fail(Code::expired_key,
                    fmt::format("The key {} expired at {}: use its successor, or ask for a new one.",
                                principal.key_id, base::iso8601(principal.expires)));
}

Keyring::Keyring(const config::Config& config, std::span<const domain::IssuedKey> issued)
    : catalog_(config.catalog), nobody_("") {
  std::unordered_map<std::string_view, std::size_t> tenants;
  for (std::size_t index = 0; index < config.tenants.size(); ++index) {
    tenants.emplace(config.tenants[index].name, index);
    for (const config::Key& key : config.tenants[index].keys) add_configured(config.tenants[index], index, key);
  }
  for (const domain::IssuedKey& key : issued) {
    const auto tenant = tenants.find(key.tenant);
    if (!key.revoked && tenant != tenants.end()) add_issued(config.tenants[tenant->second], tenant->second, key);
  }
}

void Keyring::add_configured(const config::Tenant& tenant, std::size_t tenant_index, const config::Key& key) {
  if (!key.access_key_id.empty()) {
    const auto* principal = add(tenant, tenant_index, key.name, CredentialKind::sigv4, key.access_key_id);
    by_access_key_id_.try_emplace(key.access_key_id, principal, key.secret_access_key, nullptr);
  }
  if (!key.certificate_name.empty()) {
    const auto* principal = add(tenant, tenant_index, key.name, CredentialKind::certificate, key.certificate_name);
    by_certificate_name_.try_emplace(key.certificate_name, principal);
  }
  std::string hash;
  if (base::from_hex(key.api_key_sha256, hash) && hash.size() == sizeof(base::Digest)) {
    base::Digest digest;
    std::memcpy(digest.data(), hash.data(), digest.size());
    const auto* principal =
        add(tenant, tenant_index, key.name, CredentialKind::api_key, "api:" + base::to_hex(digest).substr(0, 8));
    by_api_key_hash_.try_emplace(digest, principal, base::Secret{}, nullptr);
  }
}

void Keyring::add_issued(const config::Tenant& tenant, std::size_t tenant_index, const domain::IssuedKey& key) {
  domain::Principal* principal = add(tenant, tenant_index, key.user_name, key.kind, key.id);
  principal->profile_globs = key.profiles;
  principal->expires = key.expires.value_or(base::WallTime::max());
  if (key.kind == CredentialKind::sigv4)
    by_access_key_id_.try_emplace(key.id, principal, key.secret_access_key, key.last_use);
  else
    by_api_key_hash_.try_emplace(key.api_key_sha256, principal, base::Secret{}, key.last_use);
}

domain::Principal* Keyring::add(const config::Tenant& tenant, std::size_t tenant_index,
                                const std::string& user_name, CredentialKind kind, std::string key_id) {
  auto principal = std::make_unique<domain::Principal>();
  principal->arn = fmt::format("arn:aws:iam::{}:user/{}", tenant.account_id, user_name);
  principal->user_name = user_name;
  principal->account_id = tenant.account_id;
  principal->tenant = tenant.name;
  principal->tenant_index = static_cast<std::uint16_t>(tenant_index);
  if (kind == CredentialKind::sigv4) principal->access_key_id = key_id;
  principal->key_id = std::move(key_id);
  principal->kind = kind;
  return principals_.emplace_back(std::move(principal)).get();
}

base::Result<Identity> Keyring::accept(const Credential& credential, domain::RegionIndex source,
                                       base::WallTime now) {
  TRY_VOID(check_expiry(*credential.principal, now));
  return Identity{.principal = credential.principal, .source = source, .last_use = credential.last_use.get()};
}

base::Result<Identity> Keyring::identify(const SignedRequest& request, SigningKeys& signing_keys,
                                         base::WallTime now, std::span<const std::string> certificate_names) const {
  const wire::Header* authorization = nullptr;
  const wire::Header* api_key = nullptr;
  for (const wire::Header& field : *request.headers) {
    const wire::Header** slot = base::iequals(field.name, "authorization") ? &authorization
                                : base::iequals(field.name, "x-api-key")   ? &api_key
                                                                           : nullptr;
    if (slot == nullptr) continue;
    if (*slot != nullptr)
      return base::fail(Code::missing_credentials, fmt::format("The header {} may appear only once.", field.name));
    *slot = &field;
  }
  if (authorization != nullptr) {
    const std::string_view value = without_blanks(authorization->value);
    if (value.starts_with("AWS4-")) return by_signature(request, value, signing_keys, now);
    if (starts_with_scheme(value, "Bearer")) return by_api_key(without_blanks(value.substr(6)), now);
  } else if (api_key != nullptr) {
    return by_api_key(without_blanks(api_key->value), now);
  } else if (!certificate_names.empty()) {
    return by_certificate(certificate_names);
  }
  return base::fail(Code::missing_credentials, std::string{missing});
}

base::Result<Identity> Keyring::by_signature(const SignedRequest& request, std::string_view value,
                                             SigningKeys& signing_keys, base::WallTime now) const {
  TRY(const Authorization authorization, read_authorization(value));
  if (authorization.service != signed_service)
    return base::fail(Code::bad_signature,
                      fmt::format("Credential should be scoped to correct service: '{}', not '{}'.", signed_service,
                                  authorization.service));
  const domain::RegionIndex source = catalog_->find_region(authorization.region);
  if (source == domain::region_none)
    return base::fail(Code::bad_signature, fmt::format("Credential should be scoped to a valid Region, not '{}'.",
                                                       authorization.region));
  // An access key that does not exist costs what a wrong signature costs, but for the derivation of a new key.
  const auto found = by_access_key_id_.find(authorization.access_key_id);
  const bool known = found != by_access_key_id_.end();
  const bool may_pass = known && day_is_near(authorization.date, now);
  const base::HmacKey key =
      may_pass ? signing_keys.get(authorization.access_key_id, found->second.secret_access_key.reveal(),
                                  authorization.date, authorization.region, authorization.service)
               : nobody_;
  auto verified = verify(request, authorization, key, now);
  if (!known)
    return base::fail(Code::unknown_access_key,
                      "The security token included in the request is invalid: this gateway "
                      "knows no such access key id.");
  TRY_VOID(std::move(verified));
  // verify() refuses every day that is not near; were it ever not to, `nobody_` must open nothing.
  if (!may_pass) return base::fail(Code::expired_signature, "Signature expired: its day is not today.");
  return accept(found->second, source, now);
}

base::Result<Identity> Keyring::by_api_key(std::string_view key, base::WallTime now) const {
  const auto found = by_api_key_hash_.find(base::sha256(key));
  if (found == by_api_key_hash_.end())
    return base::fail(Code::bad_api_key, "Authentication failed: Please make sure your API Key is valid.");
  return accept(found->second, domain::region_none, now);
}

base::Result<Identity> Keyring::by_certificate(std::span<const std::string> names) const {
  const domain::Principal* principal = nullptr;
  for (const std::string& name : names) {
    const auto found = by_certificate_name_.find(name);
    if (found == by_certificate_name_.end()) continue;
    if (principal != nullptr && principal->arn != found->second->arn)
      return base::fail(Code::unknown_certificate,
                        "The client certificate has the names of two users of this gateway; it must have one's.");
    if (principal == nullptr) principal = found->second;
  }
  if (principal == nullptr)
    return base::fail(Code::unknown_certificate,
                      fmt::format("No key of this gateway has a name of the client certificate ({}).",
                                  base::cut_text(names.front(), 200)));
  return Identity{.principal = principal, .source = domain::region_none};
}

const domain::Principal* Keyring::find(std::string_view name) const {
  const domain::Principal* by_user_name = nullptr;
  bool ambiguous = false;
  for (const auto& principal : principals_) {
    // Two credentials of one user have one ARN, and rules see the same user in both.
    if (principal->arn == name || principal->key_id == name) return principal.get();
    if (principal->user_name != name) continue;
    ambiguous |= by_user_name != nullptr && by_user_name->arn != principal->arn;
    by_user_name = by_user_name == nullptr ? principal.get() : by_user_name;
  }
  return ambiguous ? nullptr : by_user_name;
}

}  // namespace portolan::identity
