// SPDX-License-Identifier: Apache-2.0
// Boost.Beast's basic_parser as the reference that our head parser is held against: what is accepted must be
// exactly what basic_parser accepts less what we refuse on top, and must be read the same. What is refused on top
// is written down a second time here, over the fields as basic_parser found them.
#pragma once

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "wire/http.h"

namespace portolan::wire {

/// A head as basic_parser read it.
struct ReferenceHead {
  std::string method;
  std::string target;
  int status = 0;
  int minor_version = 0;
  std::vector<std::pair<std::string, std::string>> fields;
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
  bool keep_alive = false;

  /// The values of all fields of that name.
  std::vector<std::string> values(std::string_view wanted) const {
    std::vector<std::string> found;
    for (const auto& [name, value] : fields) {
      if (base::iequals(name, wanted)) found.push_back(value);
    }
    return found;
  }
};

template <bool is_request>
class ReferenceParser final : public boost::beast::http::basic_parser<is_request> {
 public:
  using Text = boost::beast::string_view;
  using Error = boost::beast::error_code;

  /// Reads `bytes`, one whole head. Nothing when basic_parser refuses it.
  std::optional<ReferenceHead> read(std::string_view bytes) {
    this->header_limit(static_cast<std::uint32_t>(bytes.size()));
    this->body_limit(boost::none);
    Error error;
    const std::size_t used = this->put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
    if (error || used != bytes.size() || !this->is_header_done()) return std::nullopt;
    if (const auto length = this->content_length()) head_.content_length = *length;
    head_.chunked = this->chunked();
    head_.keep_alive = this->keep_alive();
    return head_;
  }

 private:
  void on_request_impl(boost::beast::http::verb, Text method, Text target, int version, Error&) override {
    head_.method = method;
    head_.target = target;
    head_.minor_version = version % 10;
  }
  void on_response_impl(int status, Text, int version, Error&) override {
    head_.status = status;
    head_.minor_version = version % 10;
  }
  void on_field_impl(boost::beast::http::field, Text name, Text value, Error&) override {
    head_.fields.emplace_back(name, value);
  }
  void on_header_impl(Error&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, Error&) override {}
  std::size_t on_body_impl(Text body, Error&) override { return body.size(); }
  void on_chunk_header_impl(std::uint64_t, Text, Error&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, Text body, Error&) override { return body.size(); }
  void on_finish_impl(Error&) override {}

  ReferenceHead head_;
};

/// Whether we refuse fields that basic_parser takes: whatever leaves the body's length or the framing in doubt.
inline bool framing_is_refused_on_top(const ReferenceHead& head) {
  const auto lengths = head.values("content-length");
  const auto encodings = head.values("transfer-encoding");
  if (lengths.size() + encodings.size() > 1) return true;
  for (const std::string& length : lengths) {
    if (length.find_first_not_of("0123456789") != std::string::npos) return true;
  }
  for (const std::string& encoding : encodings) {
    if (!base::iequals(encoding, "chunked") || head.minor_version == 0) return true;
  }
  return false;
}

/// The target as it is signed and routed on: of absolute-form what follows the host, which Host must repeat.
inline std::optional<std::string> origin_form(const ReferenceHead& head) {
  if (head.target.starts_with('/') || (head.target == "*" && head.method == "OPTIONS")) return head.target;
  const auto hosts = head.values("host");
  if (hosts.size() != 1 || hosts[0].empty()) return std::nullopt;
  for (const std::string scheme : {"http://", "https://"}) {
    const std::string prefix = scheme + hosts[0] + "/";
    if (base::iequals(head.target.substr(0, prefix.size()), prefix)) return head.target.substr(prefix.size() - 1);
  }
  return std::nullopt;
}

inline bool request_is_refused_on_top(const ReferenceHead& head) {
  if (!origin_form(head)) return true;
  for (const char c : head.target) {
    if (c == '#' || static_cast<unsigned char>(c) >= 0x80) return true;
  }
  const auto hosts = head.values("host");
  if (hosts.size() > 1 || (hosts.empty() && head.minor_version == 1)) return true;
  constexpr std::string_view host_chars =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~%!$&'()*+;=:[]";
  if (!hosts.empty() && hosts[0].find_first_not_of(host_chars) != std::string::npos) return true;
  return !std::ranges::all_of(head.values("expect"),
                              [](const std::string& value) { return base::iequals(value, "100-continue"); });
}

template <bool is_request>
bool is_refused_on_top(std::string_view bytes, const ReferenceHead& head) {
  if (bytes.contains("\r\n ") || bytes.contains("\r\n\t")) return true;
  if (head.fields.size() > headers_max || framing_is_refused_on_top(head)) return true;
  if constexpr (is_request) return request_is_refused_on_top(head);
  return head.status < 100 || head.status > 599 || head.status == 101;
}

inline void check_start_line(const RequestHead& head, const ReferenceHead& reference) {
  CHECK(head.method == reference.method && head.target == origin_form(reference));
  CHECK(head.keep_alive == reference.keep_alive || head.minor_version == 0);
}

inline void check_start_line(const ResponseHead& head, const ReferenceHead& reference) {
  CHECK(head.status == reference.status);
  CHECK(head.keep_alive == reference.keep_alive || head.minor_version == 0 || head.framing == BodyFraming::none);
}

/// `bytes` were read into `head` when `accepted`, else they were refused or more was asked for.
template <bool is_request, class Head>
void check_against_reference(std::string_view bytes, std::size_t head_bytes_max, bool accepted, const Head& head) {
  const std::size_t blank_line = bytes.substr(0, head_bytes_max).find("\r\n\r\n");
  if (blank_line == std::string_view::npos || blank_line + 4 > head_bytes_max) {
    CHECK(!accepted);
    return;
  }
  const std::string_view head_bytes = bytes.substr(0, blank_line + 4);
  const auto reference = ReferenceParser<is_request>().read(head_bytes);
  CHECK(accepted == (reference && !is_refused_on_top<is_request>(head_bytes, *reference)));
  if (!accepted) return;

  check_start_line(head, *reference);
  CHECK(head.head_bytes == head_bytes.size() && head.minor_version == reference->minor_version);
  // basic_parser lets "keep-alive" win over "close" in HTTP/1.0, and trusts a body that cannot be. We close then.
  CHECK(!head.keep_alive || reference->keep_alive);
  CHECK(std::ranges::equal(head.headers, reference->fields, [](const Header& ours, const auto& theirs) {
    return ours.name == theirs.first && ours.value == theirs.second;
  }));
  const bool bodiless =
      !is_request && (reference->status < 200 || reference->status == 204 || reference->status == 304);
  CHECK((head.framing == BodyFraming::chunked) == (reference->chunked && !bodiless));
  CHECK((head.framing == BodyFraming::length) == (reference->content_length.has_value() && !bodiless));
  CHECK(head.content_length == (bodiless ? 0 : reference->content_length.value_or(0)));
}

}  // namespace portolan::wire
