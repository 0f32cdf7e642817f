// SPDX-License-Identifier: Apache-2.0
// Follows a Bedrock event stream that passes by: when it is complete, what it used, whether it ended in an
// exception.
//
// Only the frames that can matter are parsed; token deltas are recognised by their type and skipped.
#pragma once

#include <string>

#include "base/result.h"
#include "domain/call.h"
#include "wire/event_stream.h"

namespace portolan::wire {

class StreamWatch {
 public:
  explicit StreamWatch(domain::Operation operation) : operation_(operation) {}

  /// Looks at one frame. An exception frame gives the Error it means (remedy and code as the error table says);
  /// a frame of a known type whose payload cannot be read gives Code::upstream_malformed. Frames of unknown types
  /// pass.
  base::Result<void> see(const Frame& frame);

  /// The frame that ends a good stream was seen: `metadata` for ConverseStream; for InvokeModelWithResponseStream
  /// the native event that carries amazon-bedrock-invocationMetrics.
  bool complete() const { return complete_; }
  /// What was said so far; Usage::known once the final counts were there.
  const domain::Usage& usage() const { return usage_; }
  std::string_view stop_reason() const { return stop_reason_; }

 private:
  base::Result<void> see_converse_event(const Frame& frame);
  base::Result<void> see_chunk(const Frame& frame);

  domain::Operation operation_;
  domain::Usage usage_;
  std::string stop_reason_;
  bool complete_ = false;
};

}  // namespace portolan::wire
