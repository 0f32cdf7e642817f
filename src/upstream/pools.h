// SPDX-License-Identifier: Apache-2.0
// A reactor's connections to the Regions: kept after use, newest first, one pool for each Region.
//
// A kept connection may have been closed by the Region meanwhile. When a reused one fails before the first byte of
// an answer, the request is sent once more on a new connection to the same Region; only a failure on a new one
// counts.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "upstream/destinations.h"
#include "upstream/transport.h"
#include "world/conduit.h"

namespace portolan::upstream {

/// For metrics; written by one reactor, read by any thread.
struct PoolCounts {
  std::atomic<std::uint64_t> connects{0};
  std::atomic<std::uint64_t> connects_failed{0};
  std::atomic<std::uint64_t> reuses{0};
  std::atomic<std::int64_t> open{0};
};

class Pools final : public Transport {
 public:
  explicit Pools(world::Reactor& reactor);
  ~Pools() override;

  /// Takes the destinations of a (new) configuration. Kept connections to one that changed are closed.
  void set_destinations(const Destinations& destinations);

  FlowPointer open(domain::RegionIndex region) override;
  void warm(domain::RegionIndex region) override;
  const PoolCounts& counts(domain::RegionIndex region) const { return pools_[region].counts; }

 private:
  class Lane;
  struct Pool {
    Destination destination;
    std::uint32_t generation = 0;  // of the destination: a connection to an older one is not kept
    std::vector<std::unique_ptr<Lane>> idle;
    base::Instant warmed_at{};
    bool warming = false;
    PoolCounts counts;
  };
  void keep(std::unique_ptr<Lane> lane);
  world::Task<void> warm_up(domain::RegionIndex region);

  world::Reactor& reactor_;
  std::array<Pool, domain::regions_max> pools_;
};

}  // namespace portolan::upstream
