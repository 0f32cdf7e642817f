// SPDX-License-Identifier: Apache-2.0
// The settings of quotas, and what must agree between them. Private to the room.
#pragma once

#include "config/setting.h"
#include "config/settings.h"

namespace portolan::config {

/// Adds the limits to the settings of a T that has them, as a member of its base.
template <class T>
void add_limits(Section<T>& section) {
  using domain::Limits;
  constexpr Bounds any_limit{0, 1'000'000'000'000};
  section.whole("requests_per_minute", &Limits::requests_per_minute, any_limit, "Calls a minute; 0 is unlimited.");
  section.whole("tokens_per_minute", &Limits::tokens_per_minute, any_limit,
                "Tokens a minute, counted as Bedrock counts its quotas; 0 is unlimited.");
  section.whole("tokens_per_day", &Limits::tokens_per_day, any_limit,
                "Tokens in any 24 hours, counted alike; 0 is unlimited.");
  section.whole("concurrency", &Limits::concurrency, any_limit, "Calls under way at once; 0 is unlimited.");
  section.whole("requests_burst", &Limits::requests_burst, any_limit,
                "Of requests_per_minute, how many at once; 0 is as many as in a minute.");
  section.whole("tokens_burst", &Limits::tokens_burst, any_limit,
                "Of tokens_per_minute, how many at once; 0 is as many as in a minute.");
}

Section<KeyQuota> key_quota();
Section<ProfileQuota> profile_quota();

/// Limits that contradict one another, and globs that mean nothing.
void check_quotas(Reader& reader, const Place& root, const Draft& draft);

}  // namespace portolan::config
