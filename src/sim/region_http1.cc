// SPDX-License-Identifier: Apache-2.0
#include "sim/region_http1.h"

#include <fmt/format.h>

#include "sim/region_server.h"

namespace portolan::sim {
namespace {

namespace http = boost::beast::http;

constexpr std::uint32_t head_max = 64 * 1024;
constexpr std::size_t pipelined_max = 64 * 1024;

std::string lower(std::string_view text) {
  std::string out{text};
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::string_view view(boost::beast::string_view text) {
  return {text.data(), text.size()};
}

}  // namespace

bool RegionHttp1::receive(std::string_view bytes) {
  unread_ += bytes;
  if (busy_) return unread_.size() <= pipelined_max;
  return parse();
}

bool RegionHttp1::parse() {
  parsing_ = true;
  while (!busy_ && !unread_.empty() && !connection_.closed()) {
    if (!parser_) {
      parser_.emplace();
      parser_->eager(true);
      parser_->header_limit(head_max);
      parser_->body_limit(request_body_max);
      continue_sent_ = false;
    }
    boost::system::error_code failure;
    const std::size_t taken = parser_->put(boost::asio::buffer(unread_), failure);
    unread_.erase(0, taken);
    if (failure && failure != http::error::need_more) {
      parsing_ = false;
      return parse_failed(failure);
    }
    if (parser_->is_done()) {
      begin_request();
      continue;
    }
    if (parser_->is_header_done() && !continue_sent_ && !view(parser_->get()[http::field::expect]).empty()) {
      continue_sent_ = true;
      connection_.queue("HTTP/1.1 100 Continue\r\n\r\n");
      connection_.flush();
    }
    if (taken == 0 || failure == http::error::need_more) break;
  }
  parsing_ = false;
  return true;
}

bool RegionHttp1::parse_failed(boost::system::error_code failure) {
  const int status = failure == http::error::body_limit ? 413 : failure == http::error::header_limit ? 431 : 400;
  connection_.server().counts().count("?", "invalid");
  keep_alive_ = false;
  const std::string body = error_body("The request could not be read: " + failure.message() + ".");
  send_head({.status = status,
             .headers = {{"content-type", "application/json"}, {"x-amzn-errortype", "ValidationException"}},
             .content_length = body.size()});
  send_body(body);
  return false;
}

void RegionHttp1::begin_request() {
  auto& message = parser_->get();
  RegionRequest request{.method = std::string(view(message.method_string())),
                        .target = std::string(view(message.target())),
                        .new_connection = std::exchange(first_, false)};
  for (const auto& field : message)
    request.headers.emplace_back(lower(view(field.name_string())), std::string(view(field.value())));
  request.body = std::move(message.body());
  keep_alive_ = message.keep_alive();
  parser_.reset();
  busy_ = true;
  connection_.server().begin(std::move(request), *this, exchange_);
}

void RegionHttp1::send_head(const ReplyHead& head) {
  chunked_ = !head.content_length.has_value();
  std::string text = fmt::format("HTTP/1.1 {} {}\r\ndate: {}\r\n", head.status,
                                 view(http::obsolete_reason(static_cast<http::status>(head.status))),
                                 connection_.server().http_date());
  for (const auto& [name, value] : head.headers) text.append(name).append(": ").append(value).append("\r\n");
  if (chunked_)
    text += "transfer-encoding: chunked\r\n";
  else
    text += fmt::format("content-length: {}\r\n", *head.content_length);
  if (!keep_alive_) text += "connection: close\r\n";
  text += "\r\n";
  connection_.queue(text);
}

void RegionHttp1::send_body(std::string_view bytes) {
  if (bytes.empty()) return;
  if (chunked_) connection_.queue(fmt::format("{:x}\r\n", bytes.size()));
  connection_.queue(bytes);
  if (chunked_) connection_.queue("\r\n");
}

void RegionHttp1::finish() {
  if (chunked_) connection_.queue("0\r\n\r\n");
  if (!keep_alive_) return connection_.close_when_sent();
  connection_.flush();
  busy_ = false;
  exchange_.reset();
  if (!parsing_ && !parse()) connection_.close_when_sent();
}

void RegionHttp1::abandon() {
  if (exchange_) exchange_->abandon();
}

}  // namespace portolan::sim
