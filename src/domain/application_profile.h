// SPDX-License-Identifier: Apache-2.0
// An application inference profile: a tenant's own name for a model or for an inference profile, with tags.
// Amazon Bedrock User Guide, "Create an application inference profile".
//
// It is made while the gateway runs, belongs to one account and one source Region, and never changes but for its
// tags. Kept in the data directory (store/profile_store.h); calls use it through a Profile of kind `application`
// (gateway/application_profiles.h).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"

namespace portolan::domain {

/// Key and value; sorted by key, each key once.
using Tags = std::vector<std::pair<std::string, std::string>>;

/// `tags` with those of `more` added, or put in the place of the same key's.
Tags merged(Tags tags, const Tags& more);
/// `tags` without these keys.
Tags without(Tags tags, const std::vector<std::string>& keys);

/// A key that another one equals but for its case; empty: there is none. Policies read keys whatever their case, so
/// of two the one that counts would be a matter of chance.
std::string_view key_in_two_cases(const Tags& tags);

/// How long an id is: "s529qz7ddy06".
inline constexpr std::size_t application_profile_id_length = 12;
/// How many one account may have in one Region (Amazon Bedrock service quotas, "Inference profiles per account").
inline constexpr std::size_t application_profiles_max = 1000;
/// How many tags one may have (AWS General Reference, "Tagging your AWS resources").
inline constexpr std::size_t tags_max = 50;

struct ApplicationProfile {
  std::string id;  // 12 lower-case letters and digits, unique here
  std::string account_id;
  std::string region;  // name of the source Region: where it was made, and where it can be called
  std::string arn;
  std::string name;  // unique in its account and Region
  std::string description;
  std::string copy_from;  // ARN of the model or the inference profile
  Tags tags;
  std::string client_token;  // of the request that made it: the same request again makes no second one
  base::WallTime created{};
  base::WallTime updated{};
};

/// Sorted by id. Each is shared by all snapshots that have it.
using ApplicationProfileList = std::vector<std::shared_ptr<const ApplicationProfile>>;

/// A change of them, as a caller or an operator asks for it. What can be seen without the others is checked.
struct ProfileOrder {
  enum class Kind : std::uint8_t { create, remove, tag, untag };
  Kind kind = Kind::create;
  /// create: what is to be made, but for its times. The others: account, Region and id name the one that is meant.
  ApplicationProfile profile;
  Tags tags;                                        // tag: what is added or put in the place of others
  std::vector<std::string> tag_keys;                // untag: what is taken away
  base::Instant give_up_at = base::Instant::max();  // not begun any more from then on
};

}  // namespace portolan::domain
