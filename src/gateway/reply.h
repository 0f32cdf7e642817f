// SPDX-License-Identifier: Apache-2.0
// What a call is answered, and where the answer goes.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "upstream/transport.h"
#include "wire/http.h"
#include "world/reactor.h"

namespace portolan::gateway {

/// Status and fields of an answer. Framing fields (content-length, transfer-encoding, connection, date) are the
/// sink's. Values are views: whoever fills it keeps them alive until the sink took them.
class ReplyHead {
 public:
  int status = 200;
  /// Close the connection after this answer (HTTP/1.1); the request's framing cannot be trusted any more.
  bool close = false;

  void add(std::string_view name, std::string_view value) {
    if (size_ < fields_.size()) fields_[size_++] = {name, value};
  }
  const wire::Header* begin() const { return fields_.data(); }
  const wire::Header* end() const { return fields_.data() + size_; }
  std::size_t size() const { return size_; }

 private:
  std::array<wire::Header, 16> fields_;
  std::size_t size_ = 0;
};

/// Takes one answer: either send(), or begin(), piece()… and end(). Every function returns false once the caller is
/// gone; what follows is then ignored. One coroutine at a time.
class ReplySink {
 public:
  virtual ~ReplySink() = default;
  /// A whole answer.
  virtual world::Task<bool> send(const ReplyHead& head, std::string_view body) = 0;
  /// A streamed answer: the head goes out with the first piece.
  virtual world::Task<bool> begin(const ReplyHead& head, std::string_view piece) = 0;
  virtual world::Task<bool> piece(std::string_view bytes) = 0;
  /// The last bytes (may be none) and the end that tells the caller that the answer is whole.
  virtual world::Task<bool> end(std::string_view bytes) = 0;
  /// True when the caller is known to have gone.
  virtual bool gone() const = 0;
  /// The call waits on this exchange from now on, null: on none. It is abandoned when the caller is found to have
  /// gone, which an HTTP/2 connection is told and an HTTP/1.1 connection looks for while the wait lasts.
  virtual void waits_on(upstream::Flow* exchange) = 0;
};

}  // namespace portolan::gateway
