// SPDX-License-Identifier: Apache-2.0
#include "config/checks.h"

#include <algorithm>
#include <map>

#include "base/bytes.h"
#include "base/secret.h"
#include "config/glob.h"
#include "config/quota_settings.h"
#include "domain/nearest.h"

namespace portolan::config {
namespace {

constexpr std::size_t master_key_bytes = 32;

/// Notes a value that must occur once; later occurrences are mistakes that name the first. Empty values were
/// missing or unreadable, which has been said already.
class Once {
 public:
  explicit Once(std::string_view what) : what_(what) {}
  void note(Reader& reader, const Place& place, const std::string& value) {
    if (value.empty()) return;
    const auto [first, is_new] = seen_.emplace(value, place.path);
    if (!is_new)
      reader.wrong(place, fmt::format("{} is also that of {}; each must have its own", what_, first->second));
  }

 private:
  std::string what_;
  std::map<std::string, std::string> seen_;
};

void check_plaintext(Reader& reader, const Place& section, const std::string& address, bool allowed) {
  if (is_loopback(address) || allowed) return;
  reader.wrong(section.at("address"),
               fmt::format("{} is not loopback, and this port is not encrypted; use 127.0.0.1, or set "
                           "{}.allow_plaintext: true when the network is trusted",
                           printable(address), section.path));
}

/// Notes what is wrong with a file, at the setting that names it. True when nothing is.
bool check_file(Reader& reader, const Place& place, const base::Result<void>& checked) {
  if (!checked) reader.wrong(place, checked.error().message);
  return checked.has_value();
}

void check_tls(Reader& reader, const Place& place, const Tls& tls, CertificateFiles* files) {
  const bool asks = tls.client_certificates != ClientCertificates::ignored;
  if (asks && tls.client_ca_file.empty() && place.node->find("client_ca") == nullptr)
    reader.wrong(place, "client_ca must say whom callers' certificates come from, since they are asked for");
  if (!asks && !tls.client_ca_file.empty())
    reader.wrong(place.at("client_ca"),
                 "is of no use while client certificates are ignored; set client_certificates to optional or "
                 "required, or leave it out");
  if (files == nullptr) return;
  for (std::size_t i = 0; i < tls.certificates.size(); ++i) {
    const Certificate& pair = tls.certificates[i];
    const Place pair_place = place.at("certificates").at(i);
    if (pair.certificate_file.empty() || pair.private_key_file.empty()) continue;  // said already
    if (check_file(reader, pair_place.at("certificate"), files->certificate(pair.certificate_file)))
      check_file(reader, pair_place.at("private_key"),
                 files->private_key(pair.private_key_file, pair.certificate_file));
  }
  if (asks && !tls.client_ca_file.empty())
    check_file(reader, place.at("client_ca"), files->authorities(tls.client_ca_file));
}

void check_endpoints(Reader& reader, const Place& root, const Draft& draft, CertificateFiles* files) {
  for (const Endpoint& endpoint : draft.endpoints) {
    if (endpoint.ca_file.empty()) continue;
    const Place place = root.at("regions").at(draft.catalog->region(endpoint.region).name).at("ca");
    if (!endpoint.tls && endpoint.port != 0)
      reader.wrong(place, "is of no use for an http:// endpoint; write https://, or leave it out");
    else if (files != nullptr)
      check_file(reader, place, files->authorities(endpoint.ca_file));
  }
}

void check_listeners(Reader& reader, const Place& root, Draft& draft, CertificateFiles* files) {
  const Place listen = root.at("listen");
  const Place admin = root.at("admin");
  check_plaintext(reader, listen, draft.listen.address, draft.listen.allow_plaintext);
  check_plaintext(reader, admin, draft.admin.address, draft.admin.allow_plaintext);
  // Addresses may overlap without being equal (0.0.0.0), so ports differ whatever the address.
  Once port{"this port"};
  const auto text = [](std::uint16_t number) { return number == 0 ? std::string{} : fmt::format("{}", number); };
  port.note(reader, listen.at("port"), text(draft.listen.port));
  if (draft.listen.tls) port.note(reader, listen.at("tls").at("port"), text(draft.listen.tls->port));
  port.note(reader, admin.at("port"), text(draft.admin.port));
  if (!draft.listen.tls) return;
  if (draft.listen.tls->address.empty()) draft.listen.tls->address = draft.listen.address;
  check_tls(reader, listen.at("tls"), *draft.listen.tls, files);
}

void check_limits(Reader& reader, const Place& root, const Draft& draft) {
  if (draft.limits.bodies_bytes_max < draft.limits.body_bytes_max)
    reader.wrong(
        root.at("limits").at("bodies_bytes_max"),
        fmt::format("is less than body_bytes_max ({}), so that the largest body could never be taken; raise "
                    "it, or lower body_bytes_max",
                    draft.limits.body_bytes_max));
}

void check_retry(Reader& reader, const Place& root, const Draft& draft) {
  if (draft.retry.backoff_base > draft.retry.backoff_cap)
    reader.wrong(root.at("retry").at("backoff_base"),
                 fmt::format("is longer than backoff_cap ({}); lower it, or raise the cap",
                             base::format_duration(draft.retry.backoff_cap)));
}

/// What `portolan key init` writes; an unreadable reference was a mistake before.
void check_master_key(Reader& reader, const Place& place, const base::Secret& key) {
  if (key.empty()) return;
  std::string bytes;
  const bool is_key = base::from_base64(key.reveal(), bytes) && bytes.size() == master_key_bytes;
  base::wipe(bytes);
  if (!is_key)
    reader.wrong(place, "must lead to 32 random bytes in base64 (44 characters); `portolan key init` makes them");
}

void check_keys(Reader& reader, const Place& root, const Draft& draft) {
  if (!draft.keys) return;
  check_master_key(reader, root.at("keys").at("master_key"), draft.keys->master_key);
  check_master_key(reader, root.at("keys").at("previous_master_key"), draft.keys->previous_master_key);
}

/// The catalog with the file's profiles. One that was not readable, or is refused here, is left out.
void add_profiles(Reader& reader, const Place& root, Draft& draft) {
  std::vector<domain::ProfileDefinition> sound;
  Once id{"this id"};
  for (std::size_t i = 0; i < draft.profiles.size(); ++i) {
    const domain::ProfileDefinition& profile = draft.profiles[i];
    const Place place = root.at("profiles").at(i);
    id.note(reader, place.at("id"), profile.id);
    const auto has_empty = [](const std::vector<std::string>& names) {
      return std::ranges::any_of(names, [](const std::string& name) { return name.empty(); });
    };
    const bool was_readable = !profile.id.empty() && !profile.model_id.empty() && !profile.destinations.empty() &&
                              !has_empty(profile.destinations) && !has_empty(profile.sources);
    if (!was_readable) continue;
    if (const auto checked = draft.catalog->check(profile); !checked) {
      reader.wrong(place, checked.error().message);
    } else {
      sound.push_back(profile);
    }
  }
  if (auto extended = domain::Catalog::with_profiles(*draft.catalog, sound)) draft.catalog = *std::move(extended);
}

void check_key(Reader& reader, const Place& place, const Key& key, const Listen& listen) {
  if (place.node->kind != Node::Kind::mapping) return;
  const bool has_access_key = place.node->find("access_key_id") != nullptr;
  const bool has_secret = place.node->find("secret_access_key") != nullptr;
  const bool has_hash = place.node->find("api_key_sha256") != nullptr;
  const bool has_certificate = place.node->find("certificate") != nullptr;
  const bool has_pair = has_access_key && has_secret;
  const bool has_half = has_access_key != has_secret;
  if (has_half || has_pair + has_hash + has_certificate != 1)
    reader.wrong(place,
                 fmt::format("key {} must have either access_key_id and secret_access_key, or api_key_sha256, or "
                             "certificate",
                             printable(key.name)));
  const bool asks = listen.tls && listen.tls->client_certificates != ClientCertificates::ignored;
  if (has_certificate && !asks)
    reader.wrong(
        place.at("certificate"),
        "no caller is asked for a certificate; set listen.tls.client_certificates to optional or required");
}

/// Whether one of the profiles in `sources` of it can be served from `reachable`.
bool can_be_served(const domain::Profile& profile, domain::RegionMask reachable) {
  for (const domain::RegionIndex source : profile.sources)
    if (!(profile.destinations_from(source) & reachable).empty()) return true;
  return false;
}

std::string unmatched(const domain::Catalog& catalog, const std::string& glob) {
  if (is_glob(glob))
    return fmt::format("{} matches no profile; the shipped ones begin with us., eu., global. and so on",
                       printable(glob));
  return fmt::format("unknown profile {}{}", printable(glob), domain::did_you_mean(catalog.nearest_profile(glob)));
}

/// The tenant's globs each match something, and something that they match can be served.
void check_reach(Reader& reader, const Place& place, const Draft& draft, const Tenant& tenant) {
  const domain::Catalog& catalog = *draft.catalog;
  bool is_readable = !reader.is_full();
  for (std::size_t i = 0; i < tenant.profiles.size() && !reader.is_full(); ++i) {
    const std::string& glob = tenant.profiles[i];
    const auto names_shipped = [&](const auto& profile) { return glob_matches(glob, profile->id); };
    const auto names_defined = [&](const auto& profile) { return glob_matches(glob, profile.id); };
    if (!glob.empty() && std::ranges::any_of(catalog.profiles(), names_shipped)) continue;
    is_readable = false;
    // A profile of this file that was refused is no second mistake here.
    if (!glob.empty() && std::ranges::none_of(draft.profiles, names_defined))
      reader.wrong(place.at("profiles").at(i), unmatched(catalog, glob));
  }

  domain::RegionMask reachable;
  for (const Endpoint& endpoint : draft.endpoints) reachable.add(endpoint.region);
  if (reachable.empty()) return;  // said already
  domain::RegionMask permitted;
  for (const std::string& name : tenant.regions) {
    is_readable = is_readable && !name.empty();
    if (!name.empty()) permitted.add(catalog.find_region(name));
  }
  if (!tenant.regions.empty()) reachable = reachable & permitted;
  if (!is_readable) return;

  std::vector<std::string_view> empty;
  for (const auto& profile : catalog.profiles()) {
    const auto names_it = [&](const std::string& glob) { return glob_matches(glob, profile->id); };
    if (!tenant.profiles.empty() && std::ranges::none_of(tenant.profiles, names_it)) continue;
    if (can_be_served(*profile, reachable)) return;
    empty.push_back(profile->id);
  }
  const std::size_t shown = std::min<std::size_t>(empty.size(), 3);
  reader.wrong(place,
               fmt::format("no profile of tenant {} has a destination among the Regions left to it ({}); widen "
                           "its regions or profiles, or add an endpoint under regions. Left empty: {}{}",
                           printable(tenant.name), reachable.empty() ? "none" : catalog.names(reachable),
                           fmt::join(empty.begin(), empty.begin() + static_cast<std::ptrdiff_t>(shown), ", "),
                           empty.size() > shown ? fmt::format(" and {} more", empty.size() - shown) : ""));
}

void check_tenants(Reader& reader, const Place& root, Draft& draft) {
  Once name{"this name"};
  Once account{"this account id"};
  Once access_key_id{"this access key id"};
  Once api_key{"this API key"};
  Once certificate{"this certificate name"};
  for (std::size_t i = 0; i < draft.tenants.size(); ++i) {
    Tenant& tenant = draft.tenants[i];
    const Place place = root.at("tenants").at(i);
    name.note(reader, place.at("name"), tenant.name);
    account.note(reader, place.at("account_id"), tenant.account_id);
    Once user{"this name"};
    for (std::size_t k = 0; k < tenant.keys.size(); ++k) {
      Key& key = tenant.keys[k];
      const Place key_place = place.at("keys").at(k);
      for (char& digit : key.api_key_sha256)
        if (digit >= 'A' && digit <= 'F') digit = static_cast<char>(digit - 'A' + 'a');
      user.note(reader, key_place.at("name"), key.name);
      access_key_id.note(reader, key_place.at("access_key_id"), key.access_key_id);
      api_key.note(reader, key_place.at("api_key_sha256"), key.api_key_sha256);
      certificate.note(reader, key_place.at("certificate"), key.certificate_name);
      check_key(reader, key_place, key, draft.listen);
    }
    check_reach(reader, place, draft, tenant);
  }
}

}  // namespace

void check_agreement(Reader& reader, const Place& root, Draft& draft, CertificateFiles* certificates) {
  check_listeners(reader, root, draft, certificates);
  check_endpoints(reader, root, draft, certificates);
  check_limits(reader, root, draft);
  check_retry(reader, root, draft);
  check_keys(reader, root, draft);
  add_profiles(reader, root, draft);
  check_tenants(reader, root, draft);
  check_quotas(reader, root, draft);
}

}  // namespace portolan::config
