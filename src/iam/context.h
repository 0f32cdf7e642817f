// SPDX-License-Identifier: Apache-2.0
// What a request says about itself: the condition keys with their values.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace portolan::iam {

/// Keys ignore case. A key that is absent and a key without values are the same; a key whose value is the empty
/// string is there. A value; one thread at a time.
class Context {
 public:
  /// Replaces the values of `key`.
  void set(std::string_view key, std::string value);
  void set(std::string_view key, std::vector<std::string> values);

  /// The values, or an empty span when the request does not have the key. `key_lower` must be lower-case.
  std::span<const std::string> find(std::string_view key_lower) const;

 private:
  std::vector<std::pair<std::string, std::vector<std::string>>> entries_;  // sorted by lower-case key
};

}  // namespace portolan::iam
