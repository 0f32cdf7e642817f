// SPDX-License-Identifier: Apache-2.0
#include "sim/region_http2.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "base/check.h"
#include "sim/region_exchange.h"
#include "sim/region_server.h"

namespace portolan::sim {
namespace {

constexpr std::size_t field_block_max = 64 * 1024;
constexpr std::size_t bodies_max = 2 * request_body_max;  // of one connection
constexpr std::uint32_t streams_max = 256;
constexpr std::int32_t stream_window = 1 << 20;
constexpr std::int32_t connection_window = 1 << 24;

std::string_view view(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

nghttp2_nv header(std::string_view name, std::string_view value) {
  // nghttp2 copies both; its C interface just does not say const.
  const auto bytes = [](std::string_view text) {
    return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(text.data()));  // NOLINT
  };
  return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

}  // namespace

/// A request and its reply on one HTTP/2 stream.
class RegionHttp2::Stream final : public ReplyChannel {
 public:
  Stream(RegionHttp2& owner, std::int32_t id) : owner_(owner), id_(id) {}
  ~Stream() override {
    if (exchange) exchange->abandon();
  }

  RegionRequest request;
  std::shared_ptr<Exchange> exchange;
  std::size_t head_size = 0;
  bool oversized = false;

  void send_head(const ReplyHead& head) override {
    const std::string status = std::to_string(head.status);
    const std::string length = head.content_length ? std::to_string(*head.content_length) : "";
    const std::string date = owner_.connection_.server().http_date();
    std::vector<nghttp2_nv> fields = {header(":status", status), header("date", date)};
    for (const auto& [name, value] : head.headers) fields.push_back(header(name, value));
    if (!length.empty()) fields.push_back(header("content-length", length));
    nghttp2_data_provider provider{.source = {.ptr = this}, .read_callback = &Stream::read};
    nghttp2_submit_response(owner_.session_, id_, fields.data(), fields.size(), &provider);
  }
  void send_body(std::string_view bytes) override { out_ += bytes; }
  void flush() override {
    nghttp2_session_resume_data(owner_.session_, id_);
    owner_.pump();
  }
  void finish() override {
    ended_ = true;
    flush();  // may destroy this stream
  }
  void close_when_sent() override {
    RegionConnection& connection = owner_.connection_;
    flush();
    connection.close_when_sent();
  }
  void reset() override { owner_.connection_.reset(); }
  std::size_t backlog() const override { return out_.size() - out_read_ + owner_.connection_.backlog(); }

 private:
  static ssize_t read(nghttp2_session*, std::int32_t, std::uint8_t* to, std::size_t size, std::uint32_t* flags,
                      nghttp2_data_source* source, void*) {
    auto& stream = *static_cast<Stream*>(source->ptr);
    const std::size_t part = std::min(size, stream.out_.size() - stream.out_read_);
    std::memcpy(to, stream.out_.data() + stream.out_read_, part);
    stream.out_read_ += part;
    if (stream.out_read_ == stream.out_.size()) {
      stream.out_.clear();
      stream.out_read_ = 0;
      if (stream.ended_)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
      else if (part == 0)
        return NGHTTP2_ERR_DEFERRED;
    }
    return static_cast<ssize_t>(part);
  }

  RegionHttp2& owner_;
  std::int32_t id_;
  std::string out_;
  std::size_t out_read_ = 0;
  bool ended_ = false;
};

struct RegionHttp2::Callbacks {
  static RegionHttp2& self(void* user) { return *static_cast<RegionHttp2*>(user); }
  static Stream* find(void* user, std::int32_t id) {
    const auto at = self(user).streams_.find(id);
    return at == self(user).streams_.end() ? nullptr : at->second.get();
  }

  static int begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
      self(user).streams_.emplace(frame->hd.stream_id, std::make_unique<Stream>(self(user), frame->hd.stream_id));
    return 0;
  }

  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                       std::size_t name_size, const std::uint8_t* value, std::size_t value_size, std::uint8_t,
                       void* user) {
    Stream* stream = find(user, frame->hd.stream_id);
    if (stream == nullptr) return 0;
    stream->head_size += name_size + value_size + 32;
    if (stream->head_size > field_block_max) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    RegionRequest& request = stream->request;
    const std::string_view field = view(name, name_size);
    const std::string_view text = view(value, value_size);
    if (field == ":method")
      request.method = text;
    else if (field == ":path")
      request.target = text;
    else if (field != ":scheme")
      request.headers.emplace_back(field, text);
    return 0;
  }

  static int on_data(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* bytes, std::size_t size,
                     void* user) {
    Stream* stream = find(user, id);
    if (stream == nullptr || stream->oversized) return 0;
    std::string& body = stream->request.body;
    if (body.size() + size > request_body_max || self(user).bodies_bytes_ + size > bodies_max) {
      stream->oversized = true;
      self(user).bodies_bytes_ -= body.size();
      body = {};
      return 0;
    }
    body += view(bytes, size);
    self(user).bodies_bytes_ += size;
    return 0;
  }

  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    const bool ends = (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
                      (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    Stream* stream = ends ? find(user, frame->hd.stream_id) : nullptr;
    if (stream == nullptr) return 0;
    RegionHttp2& owner = self(user);
    owner.bodies_bytes_ -= stream->request.body.size();
    stream->request.new_connection = std::exchange(owner.first_, false);
    RegionServer& server = owner.connection_.server();
    if (stream->oversized)
      server.begin_oversized(stream->request, *stream, stream->exchange);
    else
      server.begin(std::move(stream->request), *stream, stream->exchange);
    return 0;
  }

  static int on_close(nghttp2_session*, std::int32_t id, std::uint32_t, void* user) {
    RegionHttp2& owner = self(user);
    const auto at = owner.streams_.find(id);
    if (at == owner.streams_.end()) return 0;
    // A request that never ended still counts among the bodies.
    if (at->second->exchange == nullptr)
      owner.bodies_bytes_ -= std::min(owner.bodies_bytes_, at->second->request.body.size());
    owner.streams_.erase(at);
    return 0;
  }
};

RegionHttp2::RegionHttp2(RegionConnection& connection) : connection_(connection) {
  nghttp2_session_callbacks* callbacks = nullptr;
  CHECK(nghttp2_session_callbacks_new(&callbacks) == 0);
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, &Callbacks::begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, &Callbacks::on_header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &Callbacks::on_data);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &Callbacks::on_frame);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, &Callbacks::on_close);
  CHECK(nghttp2_session_server_new(&session_, callbacks, this) == 0);
  nghttp2_session_callbacks_del(callbacks);
  const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, streams_max},
                                             {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, stream_window}};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, connection_window);
}

RegionHttp2::~RegionHttp2() {
  streams_.clear();
  nghttp2_session_del(session_);
}

bool RegionHttp2::receive(std::string_view bytes) {
  receiving_ = true;
  const ssize_t taken =
      nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  receiving_ = false;
  if (connection_.closed()) return true;
  pump();
  if (taken < 0) return false;
  return nghttp2_session_want_read(session_) != 0 || nghttp2_session_want_write(session_) != 0;
}

void RegionHttp2::pump() {
  if (receiving_ || pumping_ || connection_.closed()) return;
  pumping_ = true;
  const std::uint8_t* bytes = nullptr;
  for (ssize_t size = 0; (size = nghttp2_session_mem_send(session_, &bytes)) > 0;)
    connection_.queue(view(bytes, static_cast<std::size_t>(size)));
  pumping_ = false;
  connection_.flush();
}

void RegionHttp2::abandon() {
  for (const auto& [id, stream] : streams_)
    if (stream->exchange) stream->exchange->abandon();
}

}  // namespace portolan::sim
