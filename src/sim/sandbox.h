// SPDX-License-Identifier: Apache-2.0
// The sandbox: every Region of the catalog as a real HTTP server on a loopback address of its own (127.77.0.1,
// 127.77.0.2 …), behaving like Bedrock Runtime there. It shares no code with the gateway where it checks the
// boundary: its HTTP, its SigV4 check and its counts are its own.
//
// What it does not pretend: a model that can only be called through a profile may be called by its bare id here,
// since a gateway in front calls each destination Region by model id; tools, images, documents and stop sequences
// are not acted on; nothing is generated, the words are drawn from a seed.
//
// One thread of its own serves all Regions. The public functions may be called from any other thread; they wait for
// it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "domain/catalog.h"
#include "sim/fault.h"
#include "sim/region_quota.h"
#include "sim/throwaway_ca.h"
#include "world/clock.h"

namespace portolan::sim {

struct SandboxOptions {
  std::shared_ptr<const domain::Catalog> catalog;
  /// Where the caller (the gateway) stands: round trips are from there.
  domain::RegionIndex from = 0;
  /// Must outlive the sandbox. Latencies and refills are in its world time, signatures and fault durations in wall
  /// time.
  const world::Clock* clock = nullptr;
  /// The first two numbers of the addresses.
  std::string address_prefix = "127.77";
  /// The same for every Region; 0: a free one for each.
  std::uint16_t port = 0;
  std::uint64_t seed = 1;
  /// The only credentials that the Regions accept.
  std::string account_id = "999900001111";
  std::string access_key_id;
  std::string secret_access_key;
  /// Of each (Region, model). 0: no limit.
  QuotaLimits quota;
  RefillLaw refill_law = RefillLaw::bucket;
  /// Answers in progress at once in one Region; 0: no limit and no slowing with load.
  std::uint32_t capacity = 0;
  /// False: everything is answered at once, for benchmarks of what stands in front.
  bool latency = true;
  /// Regions speak TLS, each with a certificate for its address and for bedrock-runtime.REGION.amazonaws.com, from
  /// an authority of this sandbox alone.
  bool tls = false;
};

struct SandboxEndpoint {
  domain::RegionIndex region = domain::region_none;
  std::string address;
  std::uint16_t port = 0;
};

class Sandbox {
 public:
  /// Every Region listens when this returns. Code::network names the address that could not be taken; Code::usage
  /// an option that makes no sense.
  static base::Result<std::unique_ptr<Sandbox>> start(SandboxOptions options);
  ~Sandbox();
  Sandbox(const Sandbox&) = delete;
  Sandbox& operator=(const Sandbox&) = delete;

  /// In catalog order.
  const std::vector<SandboxEndpoint>& endpoints() const;
  /// Who vouches for the Regions; null when they speak no TLS.
  const ThrowawayCa* authority() const;

  /// In force when this returns. Code::usage for an unknown Region or model, with the nearest known name.
  base::Result<void> fault(std::string_view region, const Fault& fault);
  /// Clears one Region, or all.
  base::Result<void> clear(std::optional<std::string_view> region = std::nullopt);

  /// {"regions": {"us-east-1": {"connections_accepted": …, "requests": {"Converse": {"served": …}}, …}}}: what each
  /// Region itself saw since the start or the last reset (region_counts.h).
  std::string counts_json();
  /// {"regions": [{"region": …, "address": …, "port": …, "faults": […], …}]}
  std::string regions_json();
  void reset_counts();

  struct Reply {
    int status = 200;
    std::string body;  // JSON
  };
  /// The routes that an admin server mounts; the caller has authorised the request.
  ///   GET  /api/sandbox/regions        regions_json()
  ///   GET  /api/sandbox/counts         counts_json()
  ///   POST /api/sandbox/counts/reset
  ///   POST /api/sandbox/fault          {"region", "kind", "args": [text…], "share": 0..1, "for": "10s"}
  ///   POST /api/sandbox/clear          {"region"}, or {} for all
  /// 400 with {"error": …} for a body that makes no sense, 404 and 405 for other routes.
  Reply handle(std::string_view method, std::string_view path, std::string_view body);

  /// Closes every listener and connection. Idempotent; the destructor does it too.
  void stop();

 private:
  struct Impl;
  explicit Sandbox(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace portolan::sim
