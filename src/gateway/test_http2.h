// SPDX-License-Identifier: Apache-2.0
// For tests: a caller that speaks HTTP/2 on a blocking socket, on nghttp2's client side; and one that writes frames
// by itself, for what no decent client sends.
#pragma once

#include <nghttp2/nghttp2.h>

#include "base/bytes.h"
#include "gateway/http2.h"
#include "gateway/test_gateway.h"

namespace portolan::gateway::testing {

using Fields = std::vector<std::pair<std::string, std::string>>;

inline Fields request_fields(std::string_view path, std::string_view method = "POST") {
  return {{":method", std::string(method)},     {":scheme", "http"},
          {":authority", "gateway.test"},       {":path", std::string(path)},
          {"content-type", "application/json"}, {"authorization", "Bearer alice-key"}};
}
inline std::string converse_path() {
  return "/model/" + std::string(sonnet) + "/converse";
}

/// Views into `fields`.
inline std::vector<nghttp2_nv> name_values(const Fields& fields) {
  std::vector<nghttp2_nv> list;
  const auto bytes = [](const std::string& text) {
    return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
  };
  for (const auto& [name, value] : fields)
    list.push_back({bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
  return list;
}

/// Waits at most five seconds for anything.
class Http2Caller {
 public:
  struct Reply {
    int status = 0;
    std::map<std::string, std::string> fields;
    std::string body;
    bool ended = false;                  // whole
    std::optional<std::uint32_t> error;  // the stream was closed with this; NGHTTP2_NO_ERROR when all went well
  };
  struct Goaway {
    std::int32_t last_stream = 0;
    std::uint32_t error = 0;
  };

  /// `window`: what each stream may be sent before take() is called; 0: no limit is noticed.
  explicit Http2Caller(std::uint16_t port, std::uint32_t window = 0) : socket_(port) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_option* option = nullptr;
    nghttp2_option_new(&option);
    nghttp2_option_set_no_auto_window_update(option, window > 0);
    nghttp2_session_client_new2(&session_, callbacks, this, option);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    const nghttp2_settings_entry settings{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window > 0 ? window : 1u << 24};
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, &settings, 1);
    nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, 1 << 30);
  }
  ~Http2Caller() { nghttp2_session_del(session_); }
  Http2Caller(const Http2Caller&) = delete;
  Http2Caller& operator=(const Http2Caller&) = delete;

  std::int32_t post(std::string_view path, std::string_view body) { return request(request_fields(path), body); }
  std::int32_t converse() { return post(converse_path(), say_hello); }
  /// With `open` the body goes on: more() adds to it.
  std::int32_t request(const Fields& fields, std::string_view body, bool open = false) {
    const auto upload = std::make_shared<Upload>(Upload{std::string(body), open, {}});
    nghttp2_data_provider provider{};
    provider.source.ptr = upload.get();
    provider.read_callback = read_upload;
    const std::vector<nghttp2_nv> list = name_values(fields);
    const bool no_body = body.empty() && !open;
    const std::int32_t id =
        nghttp2_submit_request(session_, nullptr, list.data(), list.size(), no_body ? nullptr : &provider, nullptr);
    EXPECT_GT(id, 0);
    uploads_[id] = upload;
    replies_[id];
    return id;
  }
  void more(std::int32_t id, std::string_view bytes, bool open, const Fields& trailers = {}) {
    uploads_[id]->bytes += bytes;
    uploads_[id]->open = open;
    uploads_[id]->trailers = trailers;
    nghttp2_session_resume_data(session_, id);
  }
  void reset(std::int32_t id, std::uint32_t error = NGHTTP2_CANCEL) {
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, error);
  }
  void ping() { nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr); }
  /// Lets the peer send that much more on a stream.
  void take(std::int32_t id, std::size_t bytes) { nghttp2_session_consume(session_, id, bytes); }

  bool flush() {
    for (;;) {
      const std::uint8_t* data = nullptr;
      const ssize_t size = nghttp2_session_mem_send(session_, &data);
      if (size <= 0) return size == 0;
      if (!socket_.send(base::as_text({data, static_cast<std::size_t>(size)}))) return false;
    }
  }
  template <class Condition>
  bool until(Condition condition) {
    while (flush(), !condition()) {
      const std::string bytes = socket_.some();
      if (bytes.empty()) return false;
      if (nghttp2_session_mem_recv(session_, base::as_bytes(bytes).data(), bytes.size()) < 0) return false;
    }
    return true;
  }
  bool until_ended(std::int32_t id) {
    return until([&] { return replies_[id].ended || replies_[id].error; }) && replies_[id].ended;
  }
  bool until_closed(std::int32_t id) {
    return until([&] { return replies_[id].error.has_value(); });
  }
  /// True when the gateway closed the connection.
  bool until_connection_closes() {
    until([] { return false; });
    return socket_.closed();
  }
  const Reply& reply(std::int32_t id) { return replies_[id]; }
  const std::optional<Goaway>& goaway() const { return goaway_; }
  int pongs() const { return pongs_; }
  std::uint32_t peers_streams_max() const {
    return nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
  }

 private:
  struct Upload {
    std::string bytes;
    bool open = false;
    Fields trailers;
  };
  static Http2Caller& of(void* self) { return *static_cast<Http2Caller*>(self); }
  static ssize_t read_upload(nghttp2_session* session, std::int32_t id, std::uint8_t* to, std::size_t size,
                             std::uint32_t* flags, nghttp2_data_source* source, void*) {
    Upload& upload = *static_cast<Upload*>(source->ptr);
    if (upload.bytes.empty() && upload.open) return NGHTTP2_ERR_DEFERRED;
    const std::size_t taken = std::min(size, upload.bytes.size());
    std::memcpy(to, upload.bytes.data(), taken);
    upload.bytes.erase(0, taken);
    if (!upload.bytes.empty() || upload.open) return static_cast<ssize_t>(taken);
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (!upload.trailers.empty()) {
      *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      const std::vector<nghttp2_nv> list = name_values(upload.trailers);
      nghttp2_submit_trailer(session, id, list.data(), list.size());
    }
    return static_cast<ssize_t>(taken);
  }
  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                       std::size_t name_size, const std::uint8_t* value, std::size_t value_size, std::uint8_t,
                       void* self) {
    Reply& reply = of(self).replies_[frame->hd.stream_id];
    const std::string text(base::as_text({value, value_size}));
    if (base::as_text({name, name_size}) == ":status")
      reply.status = std::stoi(text);
    else
      reply.fields[std::string(base::as_text({name, name_size}))] = text;
    return 0;
  }
  static int on_data(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data, std::size_t size,
                     void* self) {
    of(self).replies_[id].body += base::as_text({data, size});
    return 0;
  }
  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* self) {
    Http2Caller& caller = of(self);
    const bool ack = (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0;
    if (frame->hd.type == NGHTTP2_GOAWAY)
      caller.goaway_ = Goaway{frame->goaway.last_stream_id, frame->goaway.error_code};
    if (frame->hd.type == NGHTTP2_PING && ack) ++caller.pongs_;
    const bool carries = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (carries && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
      caller.replies_[frame->hd.stream_id].ended = true;
    return 0;
  }
  static int on_close(nghttp2_session*, std::int32_t id, std::uint32_t error, void* self) {
    of(self).replies_[id].error = error;
    return 0;
  }

  Caller socket_;
  nghttp2_session* session_ = nullptr;
  std::map<std::int32_t, std::shared_ptr<Upload>> uploads_;
  std::map<std::int32_t, Reply> replies_;
  std::optional<Goaway> goaway_;
  int pongs_ = 0;
};

/// Frames by hand.
class RawHttp2 {
 public:
  struct Frame {
    std::uint8_t type = 0;
    std::uint8_t flags = 0;
    std::int32_t stream = 0;
    std::string payload;
    /// Of GOAWAY and RST_STREAM.
    std::uint32_t error() const {
      const std::size_t at = type == NGHTTP2_GOAWAY ? 4 : 0;
      std::uint32_t code = 0;
      for (std::size_t i = 0; i < 4; ++i) code = code << 8 | static_cast<std::uint8_t>(payload.at(at + i));
      return code;
    }
  };

  explicit RawHttp2(std::uint16_t port) : own_(std::in_place, port), socket_(*own_) {
    nghttp2_hd_deflate_new(&deflater_, 4096);
    socket_.send(std::string(http2_preface) + frame(NGHTTP2_SETTINGS, 0, 0, ""));
  }
  /// On a socket of the test's, whose streams the gateway may send `window` bytes.
  RawHttp2(Caller& socket, std::uint32_t window) : socket_(socket) {
    nghttp2_hd_deflate_new(&deflater_, 4096);
    socket_.send(std::string(http2_preface) +
                 frame(NGHTTP2_SETTINGS, 0, 0, std::string("\0\4", 2) + number(window)) +
                 frame(NGHTTP2_WINDOW_UPDATE, 0, 0, number(window)));
  }
  ~RawHttp2() { nghttp2_hd_deflate_del(deflater_); }
  RawHttp2(const RawHttp2&) = delete;
  RawHttp2& operator=(const RawHttp2&) = delete;

  static std::string frame(std::uint8_t type, std::uint8_t flags, std::int32_t stream, std::string_view payload) {
    const auto byte = [](std::size_t value) { return static_cast<char>(static_cast<unsigned char>(value & 0xff)); };
    const auto id = static_cast<std::size_t>(stream);
    std::string bytes{byte(payload.size() >> 16),
                      byte(payload.size() >> 8),
                      byte(payload.size()),
                      static_cast<char>(type),
                      static_cast<char>(flags),
                      byte(id >> 24),
                      byte(id >> 16),
                      byte(id >> 8),
                      byte(id)};
    return bytes.append(payload);
  }
  static std::string number(std::uint32_t value) {
    std::string bytes;
    for (int shift = 24; shift >= 0; shift -= 8)
      bytes += static_cast<char>(static_cast<unsigned char>(value >> shift));
    return bytes;
  }
  /// A header block, compressed; blocks are sent in the order of these calls.
  std::string block(const Fields& fields) {
    const std::vector<nghttp2_nv> list = name_values(fields);
    std::string bytes(nghttp2_hd_deflate_bound(deflater_, list.data(), list.size()), '\0');
    const ssize_t size = nghttp2_hd_deflate_hd(deflater_, reinterpret_cast<std::uint8_t*>(bytes.data()),
                                               bytes.size(), list.data(), list.size());
    bytes.resize(static_cast<std::size_t>(size));
    return bytes;
  }
  /// A request without a body, or the beginning of one with it.
  bool headers(std::int32_t stream, const Fields& fields, bool end) {
    const auto flags = static_cast<std::uint8_t>(NGHTTP2_FLAG_END_HEADERS | (end ? NGHTTP2_FLAG_END_STREAM : 0));
    return send(frame(NGHTTP2_HEADERS, flags, stream, block(fields)));
  }
  bool send(std::string_view bytes) { return socket_.send(bytes); }

  /// The next frame that is none of the connection's own settings, window updates or acknowledgements; none once
  /// the connection ends.
  std::optional<Frame> next() {
    for (;;) {
      while (received_.size() < 9 || received_.size() < 9 + length()) {
        const std::string more = socket_.some();
        if (more.empty()) return std::nullopt;
        received_ += more;
      }
      const auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(received_[i]); };
      Frame frame{.type = at(3),
                  .flags = at(4),
                  .stream = at(5) << 24 | at(6) << 16 | at(7) << 8 | at(8),
                  .payload = received_.substr(9, length())};
      received_.erase(0, 9 + length());
      const bool own =
          frame.type == NGHTTP2_SETTINGS || frame.type == NGHTTP2_WINDOW_UPDATE || frame.type == NGHTTP2_PING;
      if (!own) return frame;
    }
  }
  /// The next frame of that type, others are passed over.
  std::optional<Frame> next_of(std::uint8_t type) {
    for (;;) {
      std::optional<Frame> frame = next();
      if (!frame || frame->type == type) return frame;
    }
  }
  bool until_connection_closes() {
    while (next()) {
    }
    return socket_.closed();
  }

 private:
  std::size_t length() const {
    const auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(received_[i]); };
    return static_cast<std::size_t>(at(0) << 16 | at(1) << 8 | at(2));
  }

  std::optional<Caller> own_;
  Caller& socket_;
  nghttp2_hd_deflater* deflater_ = nullptr;
  std::string received_;
};

}  // namespace portolan::gateway::testing
