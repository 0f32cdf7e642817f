// SPDX-License-Identifier: Apache-2.0
// A request must be read the same way however the network cuts it: head and chunked body, whole against byte by
// byte. Its head must be read as Boost.Beast's basic_parser reads it, or refused.
#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/check.h"
#include "wire/http.h"
#include "wire/http_reference_fuzz.h"

namespace {

using namespace portolan;

constexpr std::size_t head_bytes_max = 2048;

void check_same(const wire::RequestHead& a, const wire::RequestHead& b) {
  CHECK(a.method == b.method && a.target == b.target && a.minor_version == b.minor_version);
  CHECK(a.framing == b.framing && a.content_length == b.content_length && a.head_bytes == b.head_bytes);
  CHECK(a.keep_alive == b.keep_alive && a.expects_continue == b.expects_continue);
  CHECK(a.headers.size() == b.headers.size());
  for (std::size_t i = 0; i < a.headers.size(); ++i) {
    CHECK(a.headers.begin()[i].name == b.headers.begin()[i].name);
    CHECK(a.headers.begin()[i].value == b.headers.begin()[i].value);
  }
}

/// What must hold of any head that was accepted.
void check_accepted(std::string_view bytes, const wire::RequestHead& head) {
  CHECK(head.head_bytes <= bytes.size() && head.head_bytes <= head_bytes_max);
  CHECK(bytes.substr(0, head.head_bytes).ends_with("\r\n\r\n"));
  CHECK(bytes.substr(0, head.head_bytes).find("\r\n\r\n") == head.head_bytes - 4);
  CHECK(head.target.starts_with('/') || (head.target == "*" && head.method == "OPTIONS"));
  CHECK(head.headers.count("host") <= 1 && head.headers.count("content-length") <= 1);
  CHECK(head.headers.count("content-length") + head.headers.count("transfer-encoding") <= 1);
  CHECK((head.framing == wire::BodyFraming::chunked) == (head.headers.find("transfer-encoding") != nullptr));
  CHECK((head.framing == wire::BodyFraming::length) == (head.headers.find("content-length") != nullptr));
  std::size_t lines = 0;
  for (const char c : bytes.substr(0, head.head_bytes)) {
    CHECK(c != '\0');
    lines += c == '\n' ? 1 : 0;
  }
  CHECK(lines == head.headers.size() + 2);  // no line was hidden from us, none was made of two
  for (const wire::Header& field : head.headers) {
    CHECK(!field.name.empty() && field.name.find_first_of(" \t\r\n:") == std::string_view::npos);
    CHECK(field.value.find_first_of("\r\n") == std::string_view::npos);
    CHECK(field.value.empty() || (field.value.data() >= bytes.data() &&
                                  field.value.data() + field.value.size() <= bytes.data() + head.head_bytes));
  }
}

std::optional<wire::RequestHead> check_head(std::string_view bytes) {
  wire::RequestHead whole, piecewise;
  std::size_t searched = 0;
  const auto at_once = wire::read_request_head(bytes, head_bytes_max, searched, whole);
  CHECK(searched <= bytes.size());
  wire::check_against_reference<true>(bytes, head_bytes_max, at_once.value_or(false), whole);

  searched = 0;
  base::Result<bool> by_byte = false;
  for (std::size_t size = 0; size <= bytes.size() && by_byte.has_value() && !*by_byte; ++size) {
    by_byte = wire::read_request_head(bytes.substr(0, size), head_bytes_max, searched, piecewise);
  }
  CHECK(at_once.has_value() == by_byte.has_value());
  if (!at_once.has_value()) {
    CHECK(at_once.error().code == by_byte.error().code && at_once.error().message == by_byte.error().message);
    return std::nullopt;
  }
  CHECK(*at_once == *by_byte);
  if (!*at_once) return std::nullopt;
  check_same(whole, piecewise);
  check_accepted(bytes, whole);
  return whole;
}

struct Unchunked {
  std::string payload;
  std::size_t consumed = 0;
  bool done = false;
  bool refused = false;
};

Unchunked unchunk(std::string_view bytes, std::size_t piece_bytes) {
  Unchunked result;
  wire::ChunkedReader reader;
  while (result.consumed < bytes.size() && !reader.done()) {
    std::string_view piece = bytes.substr(result.consumed, piece_bytes);
    while (!piece.empty() && !reader.done()) {
      const std::size_t before = piece.size();
      const auto payload = reader.next(piece);
      if (!payload) {
        result.refused = true;
        return result;
      }
      CHECK(piece.size() < before);  // it always moves on
      result.payload += *payload;
      result.consumed += before - piece.size();
    }
  }
  result.done = reader.done();
  return result;
}

void check_chunked(std::string_view bytes) {
  const Unchunked whole = unchunk(bytes, bytes.size());
  const Unchunked by_byte = unchunk(bytes, 1);
  CHECK(whole.refused == by_byte.refused && whole.done == by_byte.done);
  CHECK(whole.payload == by_byte.payload);
  CHECK(whole.refused || whole.consumed == by_byte.consumed);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = portolan::base::as_text({data, size});
  const auto head = check_head(bytes);
  if (head && head->framing == portolan::wire::BodyFraming::chunked) check_chunked(bytes.substr(head->head_bytes));
  if (!head) check_chunked(bytes);
  return 0;
}
