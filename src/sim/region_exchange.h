// SPDX-License-Identifier: Apache-2.0
// One request's life at a Region: the reply goes out token by token at the pace of the Region model, bent by the
// faults that hit it. The same for HTTP/1.1 and HTTP/2, which implement ReplyChannel. All on the sandbox's thread.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/fault.h"
#include "sim/region_counts.h"
#include "sim/region_dialect.h"
#include "sim/region_model.h"
#include "world/clock.h"

namespace portolan::sim {

struct ReplyHead {
  int status = 200;
  std::vector<std::pair<std::string_view, std::string>> headers;  // names in lower case
  std::optional<std::size_t> content_length;                      // absent: the length is not known yet
};

/// Where a reply goes. After finish(), close_when_sent() or reset() the caller must not use it again.
class ReplyChannel {
 public:
  virtual ~ReplyChannel() = default;
  virtual void send_head(const ReplyHead& head) = 0;
  /// One chunk of a reply of unknown length, or a part of the body.
  virtual void send_body(std::string_view bytes) = 0;
  /// Hands what was given so far to the network.
  virtual void flush() = 0;
  /// The reply is complete.
  virtual void finish() = 0;
  /// Closes the connection once everything given has been sent, with no end of the reply.
  virtual void close_when_sent() = 0;
  /// Resets the connection at once.
  virtual void reset() = 0;
  /// Bytes given that the network has not taken yet.
  virtual std::size_t backlog() const = 0;
};

/// What an exchange uses of its Region. All outlive it.
struct RegionParts {
  const world::Clock& clock;
  RegionModel& model;
  RegionCounts& counts;
};

class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(const boost::asio::any_io_executor& executor, RegionParts parts, ReplyChannel& channel,
           std::string operation, std::string request_id);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  /// Answers with an error after `delay` of world time.
  void refuse(Refusal refusal, base::Duration delay);
  /// Answers an admitted request.
  void answer(RegionOperation operation, Generation generation, FaultPlan plan);
  /// The caller has gone: nothing more is sent, the place is freed.
  void abandon();

 private:
  using RealTime = std::chrono::steady_clock::time_point;

  void wait_until(RealTime at, void (Exchange::*then)());
  /// Runs `then` at due_, `real` from now; at once when that is zero.
  void begin_after(base::Duration real, void (Exchange::*then)());
  base::Duration slowed(base::Duration duration) const;
  void send_refusal();
  void begin_stream();
  void continue_stream();
  void send_whole();
  void end_generation(std::string_view outcome);
  AnswerFacts facts() const;
  ReplyHead success_head(std::string_view content_type) const;

  boost::asio::steady_timer timer_;
  RegionParts parts_;
  ReplyChannel* channel_;  // null once the reply has ended or the caller has gone
  std::string operation_name_;
  std::string request_id_;
  Refusal refusal_;
  RegionOperation operation_ = RegionOperation::converse;
  std::optional<Generation> generation_;  // until settled
  FaultPlan plan_;
  AnswerFacts facts_;
  std::string model_;
  std::uint32_t tokens_sent_ = 0;
  RealTime due_;              // of the next token, or of the reply
  base::Duration latency_{};  // world time in the Region so far
  base::Duration first_token_{};
  bool stalled_ = false;
};

}  // namespace portolan::sim
