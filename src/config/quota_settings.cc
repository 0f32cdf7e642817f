// SPDX-License-Identifier: Apache-2.0
#include "config/quota_settings.h"

namespace portolan::config {

Section<KeyQuota> key_quota() {
  Section<KeyQuota> quota;
  quota.text("keys", &KeyQuota::keys, any_text,
             "User names of keys, with * and ?; each has these limits of its own, however many keys it has.");
  quota.required();
  add_limits(quota);
  return quota;
}

Section<ProfileQuota> profile_quota() {
  Section<ProfileQuota> quota;
  quota.text("profiles", &ProfileQuota::profiles, profile_glob,
             "Profiles, with * and ?; the tenant's calls of each have these limits of their own.");
  quota.required();
  add_limits(quota);
  return quota;
}

namespace {

void check_limits_agree(Reader& reader, const Place& place, const domain::Limits& limits) {
  if (limits.requests_burst != 0 && limits.requests_per_minute == 0)
    reader.wrong(place.at("requests_burst"), "is of no use without requests_per_minute; set that, or leave it out");
  if (limits.tokens_burst != 0 && limits.tokens_per_minute == 0)
    reader.wrong(place.at("tokens_burst"), "is of no use without tokens_per_minute; set that, or leave it out");
  const std::uint64_t at_once = limits.tokens_burst != 0 ? limits.tokens_burst : limits.tokens_per_minute;
  if (limits.tokens_per_day != 0 && at_once > limits.tokens_per_day)
    reader.wrong(place.at("tokens_per_day"),
                 fmt::format("is less than the {} tokens that may be used at once, so that those could never be; "
                             "raise it, or lower {}",
                             at_once, limits.tokens_burst != 0 ? "tokens_burst" : "tokens_per_minute"));
}

/// A limit of a part that is above that of the whole would never be met.
void check_within(Reader& reader, const Place& place, const domain::Limits& part, const domain::Limits& whole) {
  const auto compare = [&](std::string_view key, std::uint64_t of_part, std::uint64_t of_whole) {
    if (of_whole != 0 && of_part > of_whole)
      reader.wrong(place.at(key), fmt::format("is more than the {} of the whole tenant, so it would never be met; "
                                              "lower it, or leave it out",
                                              of_whole));
  };
  compare("requests_per_minute", part.requests_per_minute, whole.requests_per_minute);
  compare("tokens_per_minute", part.tokens_per_minute, whole.tokens_per_minute);
  compare("tokens_per_day", part.tokens_per_day, whole.tokens_per_day);
  compare("concurrency", part.concurrency, whole.concurrency);
}

void check_says_something(Reader& reader, const Place& place, const domain::Limits& limits) {
  if (limits.unlimited()) reader.wrong(place, "limits nothing; set a limit that is not 0, or leave the entry out");
}

}  // namespace

void check_quotas(Reader& reader, const Place& root, const Draft& draft) {
  for (std::size_t i = 0; i < draft.tenants.size(); ++i) {
    const Tenant& tenant = draft.tenants[i];
    const Place place = root.at("tenants").at(i);
    check_limits_agree(reader, place.at("quota"), tenant.quota);
    const auto check_parts = [&](std::string_view key, const auto& parts) {
      for (std::size_t k = 0; k < parts.size(); ++k) {
        const Place part = place.at(key).at(k);
        check_limits_agree(reader, part, parts[k]);
        check_within(reader, part, parts[k], tenant.quota);
        check_says_something(reader, part, parts[k]);
      }
    };
    check_parts("key_quotas", tenant.key_quotas);
    check_parts("profile_quotas", tenant.profile_quotas);
  }
}

}  // namespace portolan::config
