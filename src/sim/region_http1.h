// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 at a Region: Beast's parser on the way in, plain text on the way out. One request at a time; what is
// pipelined waits.
#pragma once

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <memory>
#include <optional>
#include <string>

#include "sim/region_connection.h"
#include "sim/region_exchange.h"
#include "sim/region_request.h"

namespace portolan::sim {

class RegionHttp1 final : public RegionProtocol, private ReplyChannel {
 public:
  explicit RegionHttp1(RegionConnection& connection) : connection_(connection) {}

  bool receive(std::string_view bytes) override;
  void abandon() override;

 private:
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;

  bool parse();
  bool parse_failed(boost::system::error_code failure);
  void begin_request();

  void send_head(const ReplyHead& head) override;
  void send_body(std::string_view bytes) override;
  void flush() override { connection_.flush(); }
  void finish() override;
  void close_when_sent() override { connection_.close_when_sent(); }
  void reset() override { connection_.reset(); }
  std::size_t backlog() const override { return connection_.backlog(); }

  RegionConnection& connection_;
  std::string unread_;
  std::optional<Parser> parser_;
  std::shared_ptr<Exchange> exchange_;
  bool busy_ = false;     // a request is being answered
  bool parsing_ = false;  // parse() is on the stack
  bool first_ = true;
  bool keep_alive_ = true;
  bool chunked_ = false;
  bool continue_sent_ = false;
};

}  // namespace portolan::sim
