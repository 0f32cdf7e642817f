// SPDX-License-Identifier: Apache-2.0
// A caller's HTTP/1.1 (or 1.0) connection: requests in, one at a time, answers out.
#pragma once

#include <memory>
#include <string_view>

#include "gateway/connection.h"

namespace portolan::gateway {

class Http1Connection final : public Connection, public ReplySink {
 public:
  Http1Connection(Port& port, world::Conduit& conduit);

  /// Serves until the connection ends. `first` are bytes that were read already.
  world::Task<void> run(std::string_view first);
  void drain() override;

  world::Task<bool> send(const ReplyHead& head, std::string_view body) override;
  world::Task<bool> begin(const ReplyHead& head, std::string_view piece) override;
  world::Task<bool> piece(std::string_view bytes) override;
  world::Task<bool> end(std::string_view bytes) override;
  bool gone() const override;
  void waits_on(upstream::Flow* exchange) override;

 private:
  /// While a call waits on a Region: is its caller still there?
  class Lookout final : public world::Deadline {
   public:
    explicit Lookout(Http1Connection& connection)
        : Deadline(connection.port_.reactor.wheel), connection_(connection) {}

   private:
    void on_expired() override { connection_.look(); }
    Http1Connection& connection_;
  };
  void look();

  enum class Got : std::uint8_t { request, refused, closed };
  world::Task<Got> read_head();
  world::Task<Got> read_body();
  world::Task<Got> read_body_of_length();
  world::Task<Got> read_chunked_body();
  world::Task<Got> read_more(base::Instant by);
  world::Task<void> linger();
  void reserve(std::size_t bytes);
  void make_room(std::size_t bytes);
  void refuse(base::Error error) { refused_ = std::move(error); }
  void write_head(const ReplyHead& head, bool streamed, std::size_t content_length);
  world::Task<bool> write(std::string_view first, std::string_view second);

  Port& port_;
  world::Conduit& conduit_;
  PeerFacts peer_;
  std::unique_ptr<char[]> buffer_;
  std::size_t capacity_ = 0;
  std::size_t size_ = 0;      // bytes in the buffer
  std::size_t consumed_ = 0;  // bytes of it that belong to the request in hand
  wire::RequestHead head_;
  std::string chunked_body_;
  BodyShare body_share_;
  std::string_view body_;
  std::optional<base::Error> refused_;
  std::string out_;
  bool idle_ = true;
  bool keep_alive_ = true;
  bool chunked_reply_ = false;
  bool gone_ = false;
  mutable base::Instant looked_at_{};  // when the peer was last known to be there
  bool left_ = false;                  // it ended its sending side and was not waited for
  upstream::Flow* exchange_ = nullptr;
  Lookout lookout_{*this};
};

}  // namespace portolan::gateway
