// SPDX-License-Identifier: Apache-2.0
#include "gateway/http2.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/bytes.h"

namespace portolan::gateway {

using base::Code;
using world::ErrorCode;
using world::Task;

namespace {
constexpr std::int32_t window_bytes = 1 << 20;        // for each stream's upload
constexpr std::size_t output_bytes_max = 256 * 1024;  // what a slow reader may leave with us before its call waits
constexpr std::size_t write_bytes = 64 * 1024;        // gathered for one write
constexpr std::size_t read_bytes = 16 * 1024;

}  // namespace

/// One stream: a request, its call and its answer.
class Http2Connection::Stream final : public ReplySink {
 public:
  Stream(Http2Connection& connection, std::int32_t id)
      : connection_(connection),
        id_(id),
        began_(connection.port_.reactor.clock.now()),
        body_share_(connection.port_.occupancy),
        drained_(connection.port_.reactor.io.get_executor()) {}

  Task<bool> send(const ReplyHead& head, std::string_view body) override {
    submit(head, body, true, body.size());
    return push();
  }
  Task<bool> begin(const ReplyHead& head, std::string_view bytes) override {
    submit(head, bytes, false, std::nullopt);
    return push();
  }
  Task<bool> piece(std::string_view bytes) override {
    output_.append(bytes);
    nghttp2_session_resume_data(connection_.session_, id_);
    return push();
  }
  Task<bool> end(std::string_view bytes) override {
    output_.append(bytes);
    ended_ = true;
    nghttp2_session_resume_data(connection_.session_, id_);
    return push();
  }
  bool gone() const override { return closed_ || connection_.failed_; }
  void waits_on(upstream::Flow* exchange) override { exchange_ = exchange; }

 private:
  friend class Http2Connection;
  friend struct Http2Connection::Callbacks;

  void submit(const ReplyHead& head, std::string_view body, bool whole, std::optional<std::size_t> content_length);
  Task<bool> push();
  ssize_t pull(std::uint8_t* to, std::size_t size, std::uint32_t* flags);
  bool add_header(std::string_view name, std::string_view value, std::size_t bytes_max);
  void read_headers();
  void close();
  void take_body(std::string_view bytes);
  base::Instant look(base::Instant now);
  std::size_t pending() const { return output_.size() - taken_; }

  Http2Connection& connection_;
  std::int32_t id_;
  // the request
  std::string block_;                                           // names and values, one after another
  std::vector<std::pair<std::uint32_t, std::uint32_t>> spans_;  // lengths of name and value
  wire::Headers headers_;
  std::string_view method_, path_, authority_;
  std::string body_;
  base::Instant began_;
  BodyShare body_share_;
  std::optional<base::Error> refused_;
  bool dispatched_ = false;
  // the answer
  std::string output_;
  std::size_t taken_ = 0;  // of output_, by nghttp2
  std::uint64_t taken_in_all_ = 0;
  std::uint64_t owed_ = 0;                        // what must have been taken of it in all by owed_by_
  base::Instant owed_by_ = base::Instant::max();  // max: nothing is owed
  bool ended_ = false;
  bool closed_ = false;
  world::Signal drained_;
  upstream::Flow* exchange_ = nullptr;  // what its call waits on
};

bool Http2Connection::Stream::add_header(std::string_view name, std::string_view value, std::size_t bytes_max) {
  if (block_.size() + name.size() + value.size() > bytes_max || spans_.size() == wire::headers_max) {
    refused_ = base::error(Code::head_too_large, "The request head is larger than " + std::to_string(bytes_max) +
                                                     " bytes or " + std::to_string(wire::headers_max) + " fields.");
    return false;
  }
  block_.append(name).append(value);
  spans_.emplace_back(static_cast<std::uint32_t>(name.size()), static_cast<std::uint32_t>(value.size()));
  return true;
}

/// Turns the gathered block into views; it does not grow any more.
void Http2Connection::Stream::read_headers() {
  std::string_view rest = block_;
  for (const auto& [name_size, value_size] : spans_) {
    const std::string_view name = rest.substr(0, name_size);
    const std::string_view value = rest.substr(name_size, value_size);
    rest.remove_prefix(name_size + value_size);
    if (name == ":method")
      method_ = value;
    else if (name == ":path")
      path_ = value;
    else if (name == ":authority")
      authority_ = value;
    // Clients sign ":authority" under that very name, so it stays among the fields; the other pseudo-fields do not.
    if (!name.starts_with(':') || name == ":authority") headers_.add(name, value);
  }
}

ssize_t Http2Connection::Stream::pull(std::uint8_t* to, std::size_t size, std::uint32_t* flags) {
  const std::size_t there = std::min(size, output_.size() - taken_);
  if (there == 0 && !ended_) return NGHTTP2_ERR_DEFERRED;
  std::memcpy(to, output_.data() + taken_, there);
  taken_ += there;
  taken_in_all_ += there;
  if (there > 0) connection_.allowance_.earn(2);
  if (taken_ == output_.size()) {
    output_.clear();
    taken_ = 0;
    if (ended_) *flags |= NGHTTP2_DATA_FLAG_EOF;
    drained_.set();
  }
  return static_cast<ssize_t>(there);
}

void Http2Connection::Stream::submit(const ReplyHead& head, std::string_view body, bool whole,
                                     std::optional<std::size_t> content_length) {
  if (gone()) return;
  output_.assign(method_ == "HEAD" ? std::string_view{} : body);
  ended_ = whole;
  char status[4];
  std::snprintf(status, sizeof status, "%03d", head.status);
  const std::string length = content_length ? std::to_string(*content_length) : std::string{};
  std::array<nghttp2_nv, 20> fields;
  std::size_t count = 0;
  const auto add = [&](std::string_view name, std::string_view value) {
    // nghttp2 takes mutable pointers and copies from them.
    fields[count++] = {reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
                       reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
                       NGHTTP2_NV_FLAG_NONE};
  };
  add(":status", {status, 3});
  add("date", connection_.port_.date());
  for (const wire::Header& field : head) add(field.name, field.value);
  if (content_length) add("content-length", length);
  nghttp2_data_provider provider{};
  provider.source.ptr = this;
  provider.read_callback = [](nghttp2_session*, std::int32_t, std::uint8_t* to, std::size_t size,
                              std::uint32_t* flags, nghttp2_data_source* source,
                              void*) { return static_cast<Stream*>(source->ptr)->pull(to, size, flags); };
  nghttp2_submit_response(connection_.session_, id_, fields.data(), count, &provider);
}

Task<bool> Http2Connection::Stream::push() {
  connection_.port_.counters.bytes_out.fetch_add(pending(), std::memory_order_relaxed);
  co_await connection_.flush();
  if (!gone() && pending() > 0)
    connection_.look_at(connection_.port_.reactor.clock.now() + connection_.port_.config().deadlines.chunk);
  while (!gone() && pending() > output_bytes_max) {
    co_await drained_.wait();
    co_await connection_.flush();
  }
  co_return !gone();
}

/// Reset, or answered whole, or its connection was lost: whatever waits for it need not wait.
void Http2Connection::Stream::close() {
  closed_ = true;
  drained_.set();
  if (exchange_ != nullptr) exchange_->abandon();
}

void Http2Connection::Stream::take_body(std::string_view bytes) {
  const config::Limits& limits = connection_.port_.config().limits;
  const std::size_t size = body_.size() + bytes.size();
  if (size > limits.body_bytes_max) {
    refused_ = base::error(Code::body_too_large, "The request body is longer than the " +
                                                     std::to_string(limits.body_bytes_max) + " bytes allowed.");
  } else if (!body_share_.grow_to(size, limits.bodies_bytes_max)) {
    refused_ = connection_.port_.no_room_for_body();
  } else {
    body_.append(bytes);
    return;
  }
  body_ = {};
  body_share_.give_back();
}

/// What stands still too long ends. When to look again; max: nothing is waited for.
base::Instant Http2Connection::Stream::look(base::Instant now) {
  const config::Deadlines& deadlines = connection_.port_.config().deadlines;
  if (!dispatched_) {
    const base::Instant by = began_ + deadlines.head + transfer_time(body_.size());
    if (now < by) return by;
    refused_ = base::error(Code::request_timeout, "The request was not complete within the time allowed.");
    connection_.dispatch(*this);
  }
  if (pending() == 0) {
    owed_by_ = base::Instant::max();
    return owed_by_;
  }
  if (now >= owed_by_ && taken_in_all_ < owed_) {
    // A window that stays shut, or a trickle: like an HTTP/1.1 caller that does not read, it counts as gone.
    nghttp2_submit_rst_stream(connection_.session_, NGHTTP2_FLAG_NONE, id_, NGHTTP2_CANCEL);
    owed_by_ = base::Instant::max();
    return owed_by_;
  }
  if (now >= owed_by_ || owed_by_ == base::Instant::max()) {
    owed_ = taken_in_all_ + pending();
    owed_by_ = now + deadlines.chunk;
  }
  return owed_by_;
}

struct Http2Connection::Callbacks {
  static Http2Connection& of(void* user_data) { return *static_cast<Http2Connection*>(user_data); }

  static Stream* find(Http2Connection& connection, std::int32_t id) {
    const auto found = connection.streams_.find(id);
    return found == connection.streams_.end() ? nullptr : found->second.get();
  }

  /// Of any frame, as soon as its nine bytes are there.
  static int begin_frame(nghttp2_session*, const nghttp2_frame_hd* head, void* user_data) {
    Http2Connection& connection = of(user_data);
    const bool carries =
        head->type == NGHTTP2_HEADERS || head->type == NGHTTP2_CONTINUATION ||
        (head->type == NGHTTP2_DATA && (head->length > 0 || (head->flags & NGHTTP2_FLAG_END_STREAM) != 0));
    if (!carries && !connection.allowance_.spend(connection.port_.reactor.clock)) connection.calm();
    return 0;
  }

  static int frame_sent(nghttp2_session* session, const nghttp2_frame* frame, void* user_data) {
    Http2Connection& connection = of(user_data);
    if (frame->hd.type == NGHTTP2_RST_STREAM) {
      const bool is_fault = frame->rst_stream.error_code != NGHTTP2_NO_ERROR;
      if (is_fault && !connection.allowance_.spend(connection.port_.reactor.clock)) connection.calm();
    } else if (frame->hd.type == NGHTTP2_DATA && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 &&
               nghttp2_session_get_stream_remote_close(session, frame->hd.stream_id) == 0) {
      // Answered before the request was complete: the rest of it is not wanted (RFC 9113 section 8.1).
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
    }
    return 0;
  }

  static int begin_headers(nghttp2_session* session, const nghttp2_frame* frame, void* user_data) {
    Http2Connection& connection = of(user_data);
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    // A stream that was reset does not count for nghttp2 any more, its call does until it is over (CVE-2023-44487).
    if (connection.calls_ + connection.uploads_ >= connection.port_.config().limits.streams_max)
      return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_REFUSED_STREAM);
    ++connection.uploads_;
    connection.streams_.emplace(frame->hd.stream_id, std::make_shared<Stream>(connection, frame->hd.stream_id));
    return 0;
  }

  static int header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                    const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user_data) {
    Http2Connection& connection = of(user_data);
    Stream* stream = find(connection, frame->hd.stream_id);
    // Trailers carry nothing that decides; they are read and dropped.
    if (stream == nullptr || frame->headers.cat != NGHTTP2_HCAT_REQUEST || stream->refused_) return 0;
    stream->add_header(base::as_text({name, name_size}), base::as_text({value, value_size}),
                       connection.port_.config().limits.head_bytes_max);
    return 0;
  }

  static int data_chunk(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data, std::size_t size,
                        void* user_data) {
    Http2Connection& connection = of(user_data);
    connection.port_.counters.bytes_in.fetch_add(size, std::memory_order_relaxed);
    Stream* stream = find(connection, id);
    if (stream == nullptr || stream->refused_ || stream->dispatched_) return 0;
    stream->take_body(base::as_text({data, size}));
    if (stream->refused_) connection.dispatch(*stream);
    return 0;
  }

  static int frame_received(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    Http2Connection& connection = of(user_data);
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
    Stream* stream = find(connection, frame->hd.stream_id);
    if (stream == nullptr) return 0;
    const bool complete = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (complete || stream->refused_) connection.dispatch(*stream);
    return 0;
  }

  static int stream_closed(nghttp2_session*, std::int32_t id, std::uint32_t, void* user_data) {
    Http2Connection& connection = of(user_data);
    const auto found = connection.streams_.find(id);
    if (found == connection.streams_.end()) return 0;
    if (!found->second->dispatched_) --connection.uploads_;
    found->second->close();
    connection.streams_.erase(found);
    return 0;
  }
};

Http2Connection::Http2Connection(Port& port, std::shared_ptr<world::Conduit> conduit)
    : port_(port), conduit_(std::move(conduit)), peer_(*conduit_), allowance_(port.reactor.clock.now()) {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, Callbacks::begin_frame);
  nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, Callbacks::frame_sent);
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, Callbacks::begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, Callbacks::header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, Callbacks::data_chunk);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, Callbacks::frame_received);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, Callbacks::stream_closed);
  nghttp2_option* option = nullptr;
  nghttp2_option_new(&option);
  // Its own bounds, said here so that they are known: acknowledgements that wait to be sent, entries of one
  // SETTINGS, CONTINUATION frames of one header block (CVE-2024-28182), resets at once and a second
  // (CVE-2023-44487).
  nghttp2_option_set_max_outbound_ack(option, 1000);
  nghttp2_option_set_max_settings(option, 32);
  nghttp2_option_set_max_continuations(option, 8);
  // Far beyond FrameAllowance, which is to speak first: nghttp2 calls a flood an internal error, and counts none.
  nghttp2_option_set_stream_reset_rate_limit(option, 10 * FrameAllowance::burst, 10 * FrameAllowance::per_second);
  nghttp2_session_server_new2(&session_, callbacks, this, option);
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  const std::array<nghttp2_settings_entry, 3> settings{{
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, port.config().limits.streams_max},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<std::uint32_t>(window_bytes)},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(port.config().limits.head_bytes_max)},
  }};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, 4 * window_bytes);
}

Http2Connection::~Http2Connection() {
  nghttp2_session_del(session_);
}

/// GOAWAY with the highest stream id: begin no more, what is on its way is served (RFC 9113 section 6.8).
void Http2Connection::drain() {
  if (failed_) return;
  nghttp2_submit_shutdown_notice(session_);
  last_goaway_at_ = port_.reactor.clock.now() + drain_grace;
  look_at(last_goaway_at_);
  flush_soon();
}

/// GOAWAY with the last stream that was taken: none that comes later is served.
void Http2Connection::take_no_more() {
  closing_ = true;
  last_goaway_at_ = base::Instant::max();
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_),
                        NGHTTP2_NO_ERROR, nullptr, 0);
}

void Http2Connection::flush_soon() {
  world::asio::co_spawn(port_.reactor.io, flush(), [self = shared_from_this()](std::exception_ptr) {});
}

void Http2Connection::look_at(base::Instant at) {
  if (at >= look_at_ || failed_) return;
  look_at_ = at;
  lookout_.arm(at);
}

void Http2Connection::look() {
  look_at_ = base::Instant::max();
  if (failed_) return;
  const base::Instant now = port_.reactor.clock.now();
  const base::Duration chunk = port_.config().deadlines.chunk;
  if (writing_ && now - write_began_ >= chunk) {
    fail();
    return;
  }
  if (now >= last_goaway_at_) take_no_more();
  base::Instant next = std::min(last_goaway_at_, writing_ ? write_began_ + chunk : base::Instant::max());
  for (const auto& [id, stream] : streams_) next = std::min(next, stream->look(now));
  if (next != base::Instant::max()) look_at(next);
  flush_soon();
}

/// The peer sends what no client needs: told so, and closed (RFC 9113 section 10.5).
void Http2Connection::calm() {
  if (calmed_) return;
  calmed_ = true;
  port_.counters.connections_flooding.fetch_add(1, std::memory_order_relaxed);
  nghttp2_session_terminate_session(session_, NGHTTP2_ENHANCE_YOUR_CALM);
}

/// Not while a write is under way: the last stream's end may be in it.
Task<void> Http2Connection::close_if_drained() {
  if (!closing_ || failed_ || !streams_.empty() || writing_) co_return;
  failed_ = true;
  co_await conduit_->shut_down();
  conduit_->close();
}

/// The connection is lost: no call of it can be answered any more.
void Http2Connection::fail() {
  failed_ = true;
  conduit_->close();
  for (auto& [id, stream] : streams_) stream->close();
}

Task<void> Http2Connection::run(std::string_view first) {
  const std::shared_ptr<Http2Connection> self = shared_from_this();
  const auto input = std::make_unique_for_overwrite<char[]>(read_bytes);
  std::string_view received = first;
  for (;;) {
    if (!received.empty()) {
      const ssize_t used = nghttp2_session_mem_recv(session_, base::as_bytes(received).data(), received.size());
      if (used < 0) {
        // A protocol error: what nghttp2 has to say about it (GOAWAY) still goes out.
        co_await flush();
        break;
      }
    }
    co_await flush();
    if (calmed_) break;
    if (uploads_ > 0) look_at(port_.reactor.clock.now() + port_.config().deadlines.head);
    if (failed_ || (nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0)) break;
    if (closing_ && streams_.empty()) break;
    // Any progress of the connection puts its deadline off; with calls in flight their own deadlines count.
    conduit_->give_up_at(port_.reactor.clock.now() +
                         (streams_.empty() ? port_.config().deadlines.idle
                                           : port_.config().deadlines.total + port_.config().deadlines.chunk));
    ErrorCode error;
    const std::size_t got = co_await conduit_->read_some(world::asio::buffer(input.get(), read_bytes), error);
    if (error) break;
    received = {input.get(), got};
  }
  if (!failed_ && !writing_) co_await conduit_->shut_down();
  // Closing on what a flood has still sent would reset the connection before its peer reads why.
  conduit_->give_up_at(port_.reactor.clock.now() + linger_max);
  for (ErrorCode error; calmed_ && !failed_ && !error;)
    co_await conduit_->read_some(world::asio::buffer(input.get(), read_bytes), error);
  fail();
  streams_.clear();
}

Task<void> Http2Connection::flush() {
  if (writing_ || failed_) co_return;
  writing_ = true;
  while (!failed_) {
    out_.clear();
    while (out_.size() < write_bytes) {
      const std::uint8_t* data = nullptr;
      const ssize_t size = nghttp2_session_mem_send(session_, &data);
      if (size <= 0) break;
      out_.append(base::as_text({data, static_cast<std::size_t>(size)}));
    }
    if (out_.empty()) break;
    write_began_ = port_.reactor.clock.now();
    look_at(write_began_ + port_.config().deadlines.chunk);
    ErrorCode error;
    const bool written = co_await conduit_->write(out_, error);
    if (!written) fail();
  }
  writing_ = false;
  co_await close_if_drained();
}

void Http2Connection::dispatch(Stream& stream) {
  if (stream.dispatched_) return;
  stream.dispatched_ = true;
  --uploads_;
  ++calls_;
  stream.read_headers();
  stream.body_.reserve(stream.body_.size() + wire::body_padding);
  world::asio::co_spawn(port_.reactor.io, serve(streams_.at(stream.id_)),
                        [self = shared_from_this()](std::exception_ptr) {});
}

Task<void> Http2Connection::serve(std::shared_ptr<Stream> stream) {
  // Two names for one host: whoever stands before or behind us might believe the other (RFC 9113 section 8.3.1).
  const std::string_view host = stream->headers_.value("host");
  if (!stream->refused_ && !host.empty() && !stream->authority_.empty() && !base::iequals(host, stream->authority_))
    stream->refused_ = base::error(Code::malformed_request, "host and :authority name different hosts.");
  Request request{.method = stream->method_,
                  .target = stream->path_,
                  .headers = &stream->headers_,
                  .body = stream->body_,
                  .host = stream->authority_.empty() ? host : stream->authority_,
                  .peer_address = peer_.address,
                  .http_version = "2",
                  .tls_version = peer_.tls_version,
                  .tls_cipher = peer_.tls_cipher,
                  .certificate_names = peer_.certificate_names,
                  .refused = std::move(stream->refused_)};
  co_await port_.journey.serve(request, *stream);
  stream->body_ = {};  // the stream may live on until its answer is taken
  stream->body_share_.give_back();
  --calls_;
  co_await close_if_drained();
}

}  // namespace portolan::gateway
