// SPDX-License-Identifier: Apache-2.0
#include "gateway/http1.h"

#include <algorithm>
#include <cstring>

namespace portolan::gateway {

using base::Code;
using world::ErrorCode;
using world::Task;

namespace {
constexpr std::size_t first_capacity = 8 * 1024;      // most requests fit; grown for those that do not
constexpr std::size_t kept_capacity_max = 64 * 1024;  // a larger buffer is given back after its request
constexpr std::size_t believed_bytes = 64 * 1024;     // of a length that is announced: more room when it has come
constexpr unsigned empty_lines_max = 4;               // before a request
// A look at the socket is a system call. A peer that was heard of a moment ago is taken to be there still.
constexpr base::Duration look_pause = base::milliseconds{10};
constexpr base::Duration look_every = base::milliseconds{250};  // while a call waits on a Region
}  // namespace

std::string_view Port::date() {
  const base::WallTime now = reactor.clock.wall();
  const std::int64_t now_s = std::chrono::floor<base::seconds>(now).time_since_epoch().count();
  if (now_s != date_s_) {
    date_s_ = now_s;
    date_ = wire::http_date(now);
  }
  return date_;
}

base::Error Port::no_room_for_body() const {
  return base::error(Code::overloaded,
                     "The bodies of other requests take all the memory that limits.bodies_bytes_max allows (" +
                         std::to_string(config().limits.bodies_bytes_max) + " bytes). Try again in a moment.",
                     base::seconds{1});
}

Http1Connection::Http1Connection(Port& port, world::Conduit& conduit)
    : port_(port), conduit_(conduit), peer_(conduit), body_share_(port.occupancy) {}

/// A request of which a part has come has its own deadline, and write_head says the rest.
void Http1Connection::drain() {
  if (idle_ && size_ == 0) conduit_.give_up_at(port_.reactor.clock.now() + drain_grace);
}

Task<void> Http1Connection::run(std::string_view first) {
  reserve(std::max(first_capacity, first.size() + wire::body_padding));
  std::memcpy(buffer_.get(), first.data(), first.size());
  size_ = first.size();
  while (keep_alive_ && !gone_) {
    head_.clear();
    body_ = {};
    refused_.reset();
    consumed_ = 0;
    Got got = co_await read_head();
    if (got == Got::request) got = co_await read_body();
    if (got == Got::closed) break;
    idle_ = false;
    if (got == Got::refused || !head_.keep_alive) keep_alive_ = false;
    port_.counters.bytes_in.fetch_add(consumed_, std::memory_order_relaxed);
    looked_at_ = port_.reactor.clock.now();

    Request request{.method = head_.method,
                    .target = head_.target,
                    .headers = &head_.headers,
                    .body = body_,
                    .host = head_.headers.value("host"),
                    .peer_address = peer_.address,
                    .http_version = head_.minor_version == 0 ? "1.0" : "1.1",
                    .tls_version = peer_.tls_version,
                    .tls_cipher = peer_.tls_cipher,
                    .certificate_names = peer_.certificate_names,
                    .refused = std::move(refused_)};
    co_await port_.journey.serve(request, *this);

    // What follows belongs to the next request.
    std::memmove(buffer_.get(), buffer_.get() + consumed_, size_ - consumed_);
    size_ -= consumed_;
    if (capacity_ > kept_capacity_max && size_ < first_capacity / 2) {
      capacity_ = 0;
      reserve(first_capacity);
    }
    chunked_body_ = {};
    body_share_.give_back();
    idle_ = true;
    if (got == Got::refused && !gone_) co_await linger();
  }
  if (!gone_) co_await conduit_.shut_down();
}

/// A caller that is still sending what was refused would lose the answer to a reset if we closed now (RFC 9112
/// section 9.6): what it sends is read and dropped for a moment.
Task<void> Http1Connection::linger() {
  co_await conduit_.shut_down();
  conduit_.give_up_at(port_.reactor.clock.now() + linger_max);
  ErrorCode error;
  while (!error) {
    const auto room = world::asio::buffer(buffer_.get(), capacity_);
    co_await conduit_.read_some(room, error);
  }
}

/// Grows the buffer, keeping its bytes. Views into it die: whoever holds some reads the head again.
void Http1Connection::reserve(std::size_t bytes) {
  if (bytes <= capacity_) return;
  auto larger = std::make_unique_for_overwrite<char[]>(bytes);
  if (size_ > 0) std::memcpy(larger.get(), buffer_.get(), size_);
  buffer_ = std::move(larger);
  capacity_ = bytes;
}

/// The same once the head was read: its views are made anew.
void Http1Connection::make_room(std::size_t bytes) {
  if (bytes <= capacity_) return;
  reserve(bytes);
  std::size_t searched = 0;
  (void)wire::read_request_head({buffer_.get(), size_}, capacity_, searched, head_);
}

Task<Http1Connection::Got> Http1Connection::read_more(base::Instant by) {
  conduit_.give_up_at(by);
  ErrorCode error;
  const auto room = world::asio::buffer(buffer_.get() + size_, capacity_ - wire::body_padding - size_);
  const std::size_t got = co_await conduit_.read_some(room, error);
  conduit_.no_deadline();
  if (!error) {
    size_ += got;
    co_return Got::request;
  }
  if (!conduit_.timed_out() || size_ == 0) co_return Got::closed;
  refuse(base::error(Code::request_timeout, "The request was not complete within the time allowed."));
  co_return Got::refused;
}

Task<Http1Connection::Got> Http1Connection::read_head() {
  const std::shared_ptr<const Snapshot> snapshot = port_.journey.snapshot();  // a reload may come while we wait
  const config::Config& config = snapshot->config;
  const std::size_t head_bytes_max = config.limits.head_bytes_max;
  std::size_t searched = 0;
  base::Instant by{};  // for the whole head, from its first byte on
  for (unsigned skipped = 0;;) {
    // RFC 9112 2.2: an empty line before the request is skipped, an endless row of them is not.
    for (; size_ >= 2 && searched == 0 && buffer_[0] == '\r' && buffer_[1] == '\n' && skipped < empty_lines_max;
         ++skipped) {
      size_ -= 2;
      std::memmove(buffer_.get(), buffer_.get() + 2, size_);
    }
    const auto parsed = wire::read_request_head({buffer_.get(), size_}, head_bytes_max, searched, head_);
    if (!parsed) {
      consumed_ = size_;
      refuse(parsed.error());
      head_.headers.clear();
      co_return Got::refused;
    }
    if (*parsed) break;
    if (size_ + wire::body_padding >= capacity_)
      reserve(std::min(capacity_ * 2, head_bytes_max + 1) + wire::body_padding);
    const base::Instant now = port_.reactor.clock.now();
    if (size_ > 0 && by == base::Instant{}) by = now + config.deadlines.head;
    const base::Duration idle_max = port_.draining ? drain_grace : config.deadlines.idle;
    const Got more = co_await read_more(size_ == 0 ? now + idle_max : by);
    if (more != Got::request) {
      consumed_ = size_;
      co_return more;
    }
  }
  idle_ = false;
  consumed_ = head_.head_bytes;
  co_return Got::request;
}

Task<Http1Connection::Got> Http1Connection::read_body() {
  const std::uint64_t body_bytes_max = port_.config().limits.body_bytes_max;
  if (head_.framing == wire::BodyFraming::length && head_.content_length > body_bytes_max) {
    refuse(base::error(Code::body_too_large, "The request body has " + std::to_string(head_.content_length) +
                                                 " bytes; at most " + std::to_string(body_bytes_max) +
                                                 " are allowed."));
    consumed_ = size_;
    co_return Got::refused;
  }
  if (head_.expects_continue && head_.framing != wire::BodyFraming::none) {
    if (!co_await write("HTTP/1.1 100 Continue\r\n\r\n", {})) co_return Got::closed;
  }
  switch (head_.framing) {
    case wire::BodyFraming::length:
      co_return co_await read_body_of_length();
    case wire::BodyFraming::chunked:
      co_return co_await read_chunked_body();
    default:
      co_return Got::request;
  }
}

Task<Http1Connection::Got> Http1Connection::read_body_of_length() {
  const std::shared_ptr<const Snapshot> snapshot = port_.journey.snapshot();
  const config::Config& config = snapshot->config;
  const std::size_t whole = head_.head_bytes + head_.content_length;
  const base::Instant by = port_.reactor.clock.now() + config.deadlines.head + transfer_time(head_.content_length);
  // Room and account grow as the body comes: a length that is only announced takes no memory.
  make_room(std::min(whole + wire::body_padding, believed_bytes));
  while (size_ < whole) {
    if (size_ + wire::body_padding == capacity_) make_room(std::min(whole + wire::body_padding, capacity_ * 2));
    const Got more = co_await read_more(by);
    if (more != Got::request) co_return more;
    if (!body_share_.grow_to(size_, config.limits.bodies_bytes_max)) {
      refuse(port_.no_room_for_body());
      consumed_ = size_;
      co_return Got::refused;
    }
  }
  body_ = {buffer_.get() + head_.head_bytes, head_.content_length};
  consumed_ = whole;
  co_return Got::request;
}

Task<Http1Connection::Got> Http1Connection::read_chunked_body() {
  const std::shared_ptr<const Snapshot> snapshot = port_.journey.snapshot();
  const config::Config& config = snapshot->config;
  const base::Instant began = port_.reactor.clock.now();
  wire::ChunkedReader chunks;
  std::size_t at = head_.head_bytes;
  for (;;) {
    std::string_view input{buffer_.get() + at, size_ - at};
    while (!input.empty() && !chunks.done()) {
      const auto piece = chunks.next(input);
      if (!piece) {
        refuse(base::error(Code::malformed_request, piece.error().message));
        consumed_ = size_;
        co_return Got::refused;
      }
      if (chunked_body_.size() + piece->size() > config.limits.body_bytes_max) {
        refuse(base::error(Code::body_too_large, "The request body is longer than the " +
                                                     std::to_string(config.limits.body_bytes_max) +
                                                     " bytes allowed."));
        consumed_ = size_;
        co_return Got::refused;
      }
      chunked_body_.append(*piece);
      if (!body_share_.grow_to(chunked_body_.size(), config.limits.bodies_bytes_max)) {
        refuse(port_.no_room_for_body());
        consumed_ = size_;
        co_return Got::refused;
      }
    }
    at = size_ - input.size();
    if (chunks.done()) break;
    size_ = at = head_.head_bytes;  // all of it was taken apart: its room can be used again
    if (capacity_ - wire::body_padding <= size_) make_room(capacity_ * 2);
    const Got more = co_await read_more(began + config.deadlines.head + transfer_time(chunked_body_.size()));
    if (more != Got::request) co_return more;
  }
  chunked_body_.reserve(chunked_body_.size() + wire::body_padding);
  body_ = chunked_body_;
  consumed_ = at;
  co_return Got::request;
}

bool Http1Connection::gone() const {
  if (gone_ || left_) return true;
  const base::Instant now = port_.reactor.clock.now();
  if (now - looked_at_ < look_pause) return false;
  looked_at_ = now;
  return conduit_.peer_reset();
}

/// Left armed after the wait: most calls are over before it runs out, and arming it anew then costs a store.
void Http1Connection::waits_on(upstream::Flow* exchange) {
  exchange_ = exchange;
  if (exchange != nullptr) lookout_.arm(port_.reactor.clock.now() + look_every);
}

/// Whoever closes a connection ends its sending side first, and the kernel does not tell that from a caller that
/// will send no more but still reads: after this long, both count as gone. The latter reads why.
void Http1Connection::look() {
  if (exchange_ == nullptr) return;
  if (!conduit_.peer_closed()) {
    lookout_.arm(port_.reactor.clock.now() + look_every);
    return;
  }
  left_ = true;
  keep_alive_ = false;
  exchange_->abandon();
}

void Http1Connection::write_head(const ReplyHead& head, bool streamed, std::size_t content_length) {
  if (head.close || port_.draining) keep_alive_ = false;
  chunked_reply_ = streamed && head_.minor_version == 1;
  if (streamed && !chunked_reply_) keep_alive_ = false;
  out_.clear();
  wire::append_status_line(out_, head.status);
  wire::append_field(out_, "date", port_.date());
  for (const wire::Header& field : head) wire::append_field(out_, field.name, field.value);
  if (chunked_reply_) wire::append_field(out_, "transfer-encoding", "chunked");
  if (!streamed) wire::append_field(out_, "content-length", std::uint64_t{content_length});
  if (!keep_alive_)
    wire::append_field(out_, "connection", "close");
  else if (head_.minor_version == 0)
    wire::append_field(out_, "connection", "keep-alive");
  wire::append_blank_line(out_);
}

Task<bool> Http1Connection::write(std::string_view first, std::string_view second) {
  if (gone_) co_return false;
  port_.counters.bytes_out.fetch_add(first.size() + second.size(), std::memory_order_relaxed);
  conduit_.give_up_at(port_.reactor.clock.now() + port_.config().deadlines.chunk +
                      transfer_time(first.size() + second.size()));
  ErrorCode error;
  const bool written = co_await conduit_.write(first, second, error);
  conduit_.no_deadline();
  if (!written) gone_ = true;
  co_return written;
}

Task<bool> Http1Connection::send(const ReplyHead& head, std::string_view body) {
  write_head(head, false, body.size());
  if (head_.method == "HEAD") body = {};
  return write(out_, body);
}

Task<bool> Http1Connection::begin(const ReplyHead& head, std::string_view piece) {
  write_head(head, true, 0);
  if (piece.empty()) return write(out_, {});
  if (!chunked_reply_) return write(out_, piece);
  wire::append_chunk_size(out_, piece.size());
  out_.append(piece);
  out_ += "\r\n";
  return write(out_, {});
}

Task<bool> Http1Connection::piece(std::string_view bytes) {
  if (!chunked_reply_) return write(bytes, {});
  out_.clear();
  wire::append_chunk_size(out_, bytes.size());
  out_.append(bytes);
  out_ += "\r\n";
  return write(out_, {});
}

Task<bool> Http1Connection::end(std::string_view bytes) {
  if (!chunked_reply_) return write(bytes, {});
  out_.clear();
  if (!bytes.empty()) {
    wire::append_chunk_size(out_, bytes.size());
    out_.append(bytes);
    out_ += "\r\n";
  }
  out_ += "0\r\n\r\n";
  return write(out_, {});
}

}  // namespace portolan::gateway
