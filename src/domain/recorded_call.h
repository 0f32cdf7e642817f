// SPDX-License-Identifier: Apache-2.0
// One call that ran a model, or was refused, as its record in the trail tells it: the values that policies are
// judged by, long after the call. Written by trail/record.h, read back by trail/read_record.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "domain/call.h"

namespace portolan::domain {

struct RecordedCall {
  std::string id;
  base::WallTime at{};  // whole seconds
  Operation operation = Operation::unknown;
  bool stream = false;
  std::string principal;  // ARN
  std::string account;    // in whose name the profile was called: 12 digits
  std::string source;     // Region
  std::string profile;    // id; empty: the model by its bare id
  std::string model;      // id
  std::string source_ip;
  /// Nothing when the record does not have it whole: it was longer than a record's texts may be, or no UTF-8.
  std::optional<std::string> user_agent;
  bool secure_transport = false;
  /// Empty: none was asked for. Nothing: the record is of a time when that was not written down.
  std::optional<std::string> service_tier;
  std::string mode;  // "strict", "subset"; empty: the record does not say

  enum class Outcome : std::uint8_t { served, denied, failed } outcome = Outcome::failed;
  std::string denied_by;           // domain::Denial, when stop 4 refused
  std::string inference_region;    // that served; empty when none did
  std::vector<std::string> tried;  // Regions, in order
};

}  // namespace portolan::domain
