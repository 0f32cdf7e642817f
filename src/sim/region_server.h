// SPDX-License-Identifier: Apache-2.0
// One Region as a server on its own loopback address: it listens, judges each request (fault, signature, model,
// quota) and starts its exchange. All on the sandbox's thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "domain/catalog.h"
#include "sim/fault.h"
#include "sim/region_auth.h"
#include "sim/region_connection.h"
#include "sim/region_counts.h"
#include "sim/region_exchange.h"
#include "sim/region_model.h"
#include "sim/region_request.h"
#include "world/clock.h"

namespace portolan::sim {

/// As Bedrock Runtime: InvokeModel takes at most 25,000,000 bytes.
inline constexpr std::size_t request_body_max = 25'000'000;

struct RegionServerOptions {
  RegionTraits traits;
  std::shared_ptr<const domain::Catalog> catalog;  // to resolve profile ids
  std::string account_id;
  std::string access_key_id;
  std::string secret_access_key;
  std::shared_ptr<boost::asio::ssl::context> tls;  // null: plain
};

class RegionServer {
 public:
  RegionServer(boost::asio::io_context& io, RegionServerOptions options, const world::Clock& clock);

  /// Binds and listens; `port` 0 takes a free one. Code::network with the system's reason.
  base::Result<void> listen(const std::string& address, std::uint16_t port);
  /// Closes the listener and every connection.
  void stop();

  const std::string& region() const { return options_.traits.region; }
  const boost::asio::ip::tcp::endpoint& endpoint() const { return endpoint_; }
  RegionCounts& counts() { return counts_; }
  void reset_counts();
  const RegionModel& model() const { return model_; }
  std::vector<std::string> faults() const { return faults_.describe(); }

  /// In force when this returns. Code::network when a refusing Region cannot listen again.
  base::Result<void> put_fault(const Fault& fault);
  base::Result<void> clear_faults();

  /// Judges the request and answers it on `channel`. `slot` is set before the first byte is sent, and stays
  /// null when a fault leaves the request without an answer.
  void begin(RegionRequest request, ReplyChannel& channel, std::shared_ptr<Exchange>& slot);
  /// The same for a body beyond request_body_max, which was not kept.
  void begin_oversized(const RegionRequest& request, ReplyChannel& channel, std::shared_ptr<Exchange>& slot);

  void forget(RegionConnection& connection);
  /// The present time as a Date header has it.
  std::string http_date() const;

 private:
  base::Result<void> open_listener();
  void accept();
  base::Result<void> apply_faults();
  void expire_fault(std::uint64_t id, base::Duration after);
  std::string resolve_model(const std::string& id) const;
  std::shared_ptr<Exchange> start_exchange(ReplyChannel& channel, std::string_view operation,
                                           std::shared_ptr<Exchange>& slot);

  boost::asio::io_context& io_;
  RegionServerOptions options_;
  const world::Clock& clock_;
  RegionModel model_;
  RegionAuth auth_;
  FaultBoard faults_;
  RegionCounts counts_;
  base::Random random_;
  boost::asio::ip::tcp::endpoint endpoint_;
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::ip::tcp::socket placeholder_;  // bound, not listening: holds the address while the Region refuses
  boost::asio::steady_timer accept_pause_;
  std::vector<std::unique_ptr<boost::asio::steady_timer>> expiries_;
  std::unordered_map<RegionConnection*, std::weak_ptr<RegionConnection>> connections_;
  bool stopped_ = false;
};

}  // namespace portolan::sim
