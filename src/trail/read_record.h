// SPDX-License-Identifier: Apache-2.0
// Reading records back as values: the other direction of record.h.
#pragma once

#include <optional>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "domain/recorded_call.h"

namespace portolan::trail {

/// What one record is to whoever judges calls anew.
struct ReadRecord {
  std::optional<base::WallTime> at;  // eventTime
  /// Of a call by a known caller that names a model: one that passed stop 3. Every other record has none: acts of
  /// operators, lists, and what was refused earlier.
  std::optional<domain::RecordedCall> call;
};

/// Code::corrupt for what is no JSON object.
base::Result<ReadRecord> read_record(std::string_view text);

}  // namespace portolan::trail
