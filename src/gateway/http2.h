// SPDX-License-Identifier: Apache-2.0
// A caller's HTTP/2 connection, over TLS (ALPN h2) or plain TCP with prior knowledge, on nghttp2.
//
// The AWS SDK for JavaScript speaks h2c to http:// endpoints and opens one connection for each call in flight, so
// many connections with one stream are the common case. One coroutine reads; whoever has produced output writes,
// and while a write is under way others only add to what it will take next.
//
// What a hostile peer may cost is bounded: streams by limits.streams_max, calls of streams that were reset counted
// in; frames that carry nothing by a FrameAllowance; a request by deadlines.head as in HTTP/1.1; an answer that is
// not taken, because a window stays shut or the socket full, by deadlines.chunk.
#pragma once

#include <memory>
#include <nghttp2/nghttp2.h>
#include <string>
#include <string_view>
#include <unordered_map>

#include "gateway/connection.h"
#include "gateway/frame_allowance.h"

namespace portolan::gateway {

/// The client connection preface; the first bytes of every HTTP/2 connection.
inline constexpr std::string_view http2_preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

class Http2Connection final : public Connection, public std::enable_shared_from_this<Http2Connection> {
 public:
  Http2Connection(Port& port, std::shared_ptr<world::Conduit> conduit);
  ~Http2Connection() override;

  /// Serves until the connection ends and its last stream's call is over. `first` are bytes that were read already.
  world::Task<void> run(std::string_view first);
  void drain() override;

 private:
  class Stream;
  friend class Stream;
  struct Callbacks;
  /// Looks after streams that stand still.
  class Lookout final : public world::Deadline {
   public:
    explicit Lookout(Http2Connection& connection)
        : Deadline(connection.port_.reactor.wheel), connection_(connection) {}

   private:
    void on_expired() override { connection_.look(); }
    Http2Connection& connection_;
  };

  world::Task<void> flush();
  world::Task<void> serve(std::shared_ptr<Stream> stream);
  void dispatch(Stream& stream);
  void look_at(base::Instant at);
  void look();
  void flush_soon();
  void take_no_more();
  void calm();
  void fail();
  world::Task<void> close_if_drained();

  Port& port_;
  std::shared_ptr<world::Conduit> conduit_;
  PeerFacts peer_;
  nghttp2_session* session_ = nullptr;
  std::unordered_map<std::int32_t, std::shared_ptr<Stream>> streams_;
  std::string out_;
  bool writing_ = false;
  base::Instant write_began_{};
  std::uint32_t uploads_ = 0;  // streams whose request is not complete
  std::uint32_t calls_ = 0;    // not yet over, those of streams that were reset included
  FrameAllowance allowance_;
  base::Instant look_at_ = base::Instant::max();
  Lookout lookout_{*this};
  bool failed_ = false;
  base::Instant last_goaway_at_ = base::Instant::max();  // max: it does not drain
  bool closing_ = false;                                 // when the last stream is over
  bool calmed_ = false;
};

}  // namespace portolan::gateway
