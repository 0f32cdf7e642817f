// SPDX-License-Identifier: Apache-2.0
#include "upstream/pools.h"

#include <algorithm>
#include <cstring>

namespace portolan::upstream {

using base::Code;
using base::Result;
using world::ErrorCode;
using world::Task;

namespace {
constexpr std::size_t buffer_bytes = 16 * 1024;  // a reply's head must fit; bodies stream through
constexpr std::size_t idle_max = 1024;           // for each Region and reactor
constexpr base::Duration idle_age_max = base::seconds{60};
constexpr base::Duration warm_pause = base::seconds{5};
}  // namespace

/// A connection to a Region and the exchange that is on it.
class Pools::Lane final : public Flow {
 public:
  Lane(Pools& pools, domain::RegionIndex region) : pools_(pools), region_(region) {}
  ~Lane() override {
    if (conduit_ != nullptr) pool().counts.open.fetch_sub(1, std::memory_order_relaxed);
  }

  Task<Result<const wire::ResponseHead*>> start(Outgoing outgoing, base::Duration connect,
                                                base::Instant by) override;
  Task<Result<std::string_view>> next(base::Instant by) override;
  bool sent() const override { return sent_; }
  void abandon() override;
  void release(bool reusable) override;

  domain::RegionIndex region() const { return region_; }
  Task<Result<void>> connect(base::Duration within);
  bool connected() const { return conduit_ != nullptr; }
  base::Instant kept_at() const { return kept_at_; }
  void kept(base::Instant at) { kept_at_ = at; }
  void reuse() { reused_ = true; }
  /// Whatever arrived while nobody asked is no answer to the next request.
  bool usable() { return conduit_ != nullptr && generation_ == pool().generation && conduit_->is_quiet(); }
  bool is_current() { return generation_ == pool().generation; }

 private:
  Pool& pool() { return pools_.pools_[region_]; }
  Task<Result<const wire::ResponseHead*>> exchange(Outgoing outgoing, base::Instant by);
  Task<Result<void>> fill(base::Instant by);
  base::Error lost(const ErrorCode& error, Code otherwise) const;
  void disconnect();

  Pools& pools_;
  domain::RegionIndex region_;
  std::unique_ptr<world::Conduit> conduit_;
  world::Conduit* connecting_ = nullptr;  // what connect() waits for
  std::unique_ptr<char[]> buffer_;
  std::size_t begin_ = 0;  // unread bytes are [begin_, end_)
  std::size_t end_ = 0;
  wire::ResponseHead head_;
  wire::ChunkedReader chunks_;
  std::uint64_t body_left_ = 0;
  base::Instant kept_at_{};
  std::uint32_t generation_ = 0;
  bool reused_ = false;
  bool sent_ = false;
  bool any_byte_ = false;
  bool body_done_ = false;
  bool abandoned_ = false;
};

Task<Result<void>> Pools::Lane::connect(base::Duration within) {
  const Destination destination = pool().destination;  // a reload may change it while we wait
  generation_ = pool().generation;
  world::Reactor& reactor = pools_.reactor_;
  pool().counts.connects.fetch_add(1, std::memory_order_relaxed);
  world::Socket socket(reactor.io.get_executor());
  auto conduit = std::make_unique<world::Conduit>(reactor, std::move(socket));
  conduit->give_up_at(reactor.clock.now() + within);
  connecting_ = conduit.get();
  ErrorCode error;
  co_await conduit->socket().async_connect(destination.address, world::into(error));
  Result<void> connected;
  if (error) {
    connected = base::fail(Code::upstream_refused, destination.name + ": connect: " + error.message());
  } else {
    conduit->prepare();
    if (destination.tls != nullptr && !abandoned_)
      connected = co_await conduit->connect_tls(*destination.tls, destination.host);
    if (!connected) connected.error().message.insert(0, destination.name + ": ");
  }
  connecting_ = nullptr;
  if (abandoned_) co_return base::fail(lost(error, Code::upstream_refused));
  if (!connected) {
    pool().counts.connects_failed.fetch_add(1, std::memory_order_relaxed);
    if (error == world::asio::error::no_descriptors)
      co_return base::fail(Code::overloaded,
                           "The gateway has no file descriptor left for a connection to a Region. Try again in a "
                           "moment.",
                           base::seconds{1});
    if (conduit->timed_out())
      co_return base::fail(Code::upstream_connect_timeout,
                           destination.name + ": no connection within " + base::format_duration(within));
    co_return connected;
  }
  conduit->no_deadline();
  conduit_ = std::move(conduit);
  if (buffer_ == nullptr) buffer_ = std::make_unique_for_overwrite<char[]>(buffer_bytes);
  begin_ = end_ = 0;
  reused_ = false;
  pool().counts.open.fetch_add(1, std::memory_order_relaxed);
  co_return Result<void>{};
}

void Pools::Lane::abandon() {
  abandoned_ = true;
  if (connecting_ != nullptr) connecting_->cancel();
  if (conduit_ != nullptr) conduit_->cancel();
}

void Pools::Lane::disconnect() {
  if (conduit_ == nullptr) return;
  conduit_->close();
  conduit_.reset();
  pool().counts.open.fetch_sub(1, std::memory_order_relaxed);
}

Task<Result<const wire::ResponseHead*>> Pools::Lane::start(Outgoing outgoing, base::Duration connect_within,
                                                           base::Instant by) {
  if (!connected()) {
    CO_TRY_VOID(co_await connect(connect_within));
  }
  auto reply = co_await exchange(outgoing, by);
  if (reply || !reused_ || any_byte_ || reply.error().code != Code::upstream_cut) co_return reply;
  // The Region had closed the kept connection: that says nothing about how it is now.
  disconnect();
  CO_TRY_VOID(co_await connect(connect_within));
  co_return co_await exchange(outgoing, by);
}

Task<Result<const wire::ResponseHead*>> Pools::Lane::exchange(Outgoing outgoing, base::Instant by) {
  if (outgoing.clearance != nullptr) CO_TRY_VOID(outgoing.clearance->ask());
  begin_ = end_ = 0;
  any_byte_ = false;
  body_done_ = false;
  chunks_ = wire::ChunkedReader();
  conduit_->give_up_at(by);
  ErrorCode error;
  sent_ = true;
  const bool written = co_await conduit_->write(outgoing.head, outgoing.body, error);
  if (!written) co_return base::fail(lost(error, Code::upstream_cut));

  std::size_t searched = 0;
  for (;;) {
    CO_TRY_VOID(co_await fill(by));
    CO_TRY(const bool whole,
           wire::read_response_head({buffer_.get() + begin_, end_ - begin_}, buffer_bytes, searched, head_));
    if (!whole) {
      if (end_ == buffer_bytes)
        co_return base::fail(Code::upstream_malformed, "the reply's head is longer than 16 KiB");
      continue;
    }
    begin_ += head_.head_bytes;
    if (head_.status >= 200) break;
    searched = 0;  // an interim reply: the real one follows
    std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  body_left_ = head_.framing == wire::BodyFraming::length ? head_.content_length : 0;
  body_done_ = head_.framing == wire::BodyFraming::none ||
               (head_.framing == wire::BodyFraming::length && head_.content_length == 0);
  co_return &head_;
}

/// Reads more behind what is unread, or waits for it.
Task<Result<void>> Pools::Lane::fill(base::Instant by) {
  ErrorCode error;
  if (abandoned_) co_return base::fail(lost(error, Code::caller_gone));
  conduit_->give_up_at(by);
  const auto room = world::asio::buffer(buffer_.get() + end_, buffer_bytes - end_);
  const std::size_t got = co_await conduit_->read_some(room, error);
  conduit_->no_deadline();
  if (error) co_return base::fail(lost(error, Code::upstream_cut));
  any_byte_ = true;
  end_ += got;
  co_return Result<void>{};
}

base::Error Pools::Lane::lost(const ErrorCode& error, Code otherwise) const {
  if (abandoned_) return base::error(Code::caller_gone, "The caller closed the connection.");
  if (conduit_->timed_out()) return base::error(Code::upstream_silent, "nothing came within the time allowed");
  if (error == world::asio::error::eof) return base::error(otherwise, "the connection was closed");
  return base::error(otherwise, error.message());
}

Task<Result<std::string_view>> Pools::Lane::next(base::Instant by) {
  for (;;) {
    if (body_done_) co_return std::string_view{};
    if (begin_ == end_) {
      begin_ = end_ = 0;
      auto filled = co_await fill(by);
      if (!filled) {
        const bool at_end = head_.framing == wire::BodyFraming::until_close &&
                            filled.error().code == Code::upstream_cut &&
                            filled.error().message == "the connection was closed";
        if (!at_end) co_return base::fail(std::move(filled).error());
        body_done_ = true;
        continue;
      }
    }
    std::string_view unread{buffer_.get() + begin_, end_ - begin_};
    std::string_view piece = unread;
    switch (head_.framing) {
      case wire::BodyFraming::none:
        break;
      case wire::BodyFraming::until_close:
        unread = {};
        break;
      case wire::BodyFraming::length:
        piece = unread.substr(0, std::min<std::uint64_t>(unread.size(), body_left_));
        body_left_ -= piece.size();
        body_done_ = body_left_ == 0;
        unread.remove_prefix(piece.size());
        break;
      case wire::BodyFraming::chunked: {
        CO_TRY(piece, chunks_.next(unread));
        body_done_ = chunks_.done();
        break;
      }
    }
    begin_ = end_ - unread.size();
    if (!piece.empty()) co_return piece;
  }
}

void Pools::Lane::release(bool reusable) {
  std::unique_ptr<Lane> self{this};
  // Bytes beyond the reply, or a Region that wants to close: not to be used again.
  if (!reusable || abandoned_ || conduit_ == nullptr || !body_done_ || !head_.keep_alive || begin_ != end_) return;
  if (head_.framing == wire::BodyFraming::until_close) return;
  sent_ = false;
  pools_.keep(std::move(self));
}

Pools::Pools(world::Reactor& reactor) : reactor_(reactor) {}
Pools::~Pools() = default;

void Pools::set_destinations(const Destinations& destinations) {
  for (std::size_t i = 0; i < pools_.size(); ++i) {
    Pool& pool = pools_[i];
    const bool same = pool.destination.same_as(destinations[i]);
    pool.destination = destinations[i];
    if (same) continue;
    pool.idle.clear();
    ++pool.generation;
  }
}

FlowPointer Pools::open(domain::RegionIndex region) {
  Pool& pool = pools_[region];
  const base::Instant now = reactor_.clock.now();
  while (!pool.idle.empty()) {
    std::unique_ptr<Lane> lane = std::move(pool.idle.back());
    pool.idle.pop_back();
    // The newest is last; when it is too old, all are.
    if (now - lane->kept_at() > idle_age_max) {
      pool.idle.clear();
      break;
    }
    if (!lane->usable()) continue;
    lane->reuse();
    pool.counts.reuses.fetch_add(1, std::memory_order_relaxed);
    return FlowPointer{lane.release()};
  }
  return FlowPointer{std::make_unique<Lane>(*this, region).release()};
}

void Pools::keep(std::unique_ptr<Lane> lane) {
  Pool& pool = pools_[static_cast<std::size_t>(lane->region())];
  if (pool.idle.size() >= idle_max || !lane->is_current()) return;
  lane->kept(reactor_.clock.now());
  pool.idle.push_back(std::move(lane));
}

void Pools::warm(domain::RegionIndex region) {
  Pool& pool = pools_[region];
  if (pool.warming || pool.destination.address.port() == 0) return;
  const base::Instant now = reactor_.clock.now();
  if (now - pool.warmed_at < warm_pause) return;
  pool.warmed_at = now;
  // The oldest is first: it is the one that would be missing.
  while (!pool.idle.empty() && !pool.idle.back()->usable()) pool.idle.pop_back();
  if (!pool.idle.empty()) {
    pool.idle.back()->kept(now);
    return;
  }
  pool.warming = true;
  world::asio::co_spawn(reactor_.io, warm_up(region), world::asio::detached);
}

Task<void> Pools::warm_up(domain::RegionIndex region) {
  auto lane = std::make_unique<Lane>(*this, region);
  const auto connected = co_await lane->connect(base::seconds{1});
  pools_[region].warming = false;
  if (connected) keep(std::move(lane));
}

}  // namespace portolan::upstream
