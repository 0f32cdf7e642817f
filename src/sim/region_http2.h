// SPDX-License-Identifier: Apache-2.0
// HTTP/2 at a Region, prior knowledge over plain TCP: an nghttp2 server session on the connection's bytes.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <nghttp2/nghttp2.h>

#include "sim/region_connection.h"

namespace portolan::sim {

class RegionHttp2 final : public RegionProtocol {
 public:
  explicit RegionHttp2(RegionConnection& connection);
  ~RegionHttp2() override;
  RegionHttp2(const RegionHttp2&) = delete;
  RegionHttp2& operator=(const RegionHttp2&) = delete;

  bool receive(std::string_view bytes) override;
  void abandon() override;

 private:
  class Stream;
  friend class Stream;
  struct Callbacks;
  friend struct Callbacks;

  /// Moves what nghttp2 has to send into the connection and flushes it. A no-op inside receive(), which ends with
  /// it: nghttp2 must not be asked to send from its own callbacks.
  void pump();

  RegionConnection& connection_;
  nghttp2_session* session_ = nullptr;
  std::map<std::int32_t, std::unique_ptr<Stream>> streams_;
  std::size_t bodies_bytes_ = 0;  // of requests still arriving
  bool receiving_ = false;
  bool pumping_ = false;
  bool first_ = true;
};

}  // namespace portolan::sim
