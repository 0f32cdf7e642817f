// SPDX-License-Identifier: Apache-2.0
// A response head must be read the same way however the network cuts it, as Boost.Beast's basic_parser reads it,
// and never promise a body that cannot be.
#include <cstdint>

#include "base/bytes.h"
#include "base/check.h"
#include "wire/http.h"
#include "wire/http_reference_fuzz.h"

namespace {

using namespace portolan;

constexpr std::size_t head_bytes_max = 2048;

void check_accepted(std::string_view bytes, const wire::ResponseHead& head) {
  CHECK(head.head_bytes <= bytes.size() && head.head_bytes <= head_bytes_max);
  CHECK(bytes.substr(0, head.head_bytes).ends_with("\r\n\r\n"));
  CHECK(head.status >= 100 && head.status <= 599 && head.status != 101);
  const bool bodiless = head.status < 200 || head.status == 204 || head.status == 304;
  CHECK(bodiless == (head.framing == wire::BodyFraming::none));
  CHECK(head.framing != wire::BodyFraming::until_close || !head.keep_alive);
  CHECK(head.framing == wire::BodyFraming::length || head.content_length == 0);
  CHECK(head.headers.count("content-length") + head.headers.count("transfer-encoding") <= 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = base::as_text({data, size});
  wire::ResponseHead whole, piecewise;
  std::size_t searched = 0;
  const auto at_once = wire::read_response_head(bytes, head_bytes_max, searched, whole);
  wire::check_against_reference<false>(bytes, head_bytes_max, at_once.value_or(false), whole);

  searched = 0;
  base::Result<bool> by_byte = false;
  for (std::size_t seen = 0; seen <= bytes.size() && by_byte.has_value() && !*by_byte; ++seen) {
    by_byte = wire::read_response_head(bytes.substr(0, seen), head_bytes_max, searched, piecewise);
  }
  CHECK(at_once.has_value() == by_byte.has_value());
  if (!at_once.has_value()) {
    CHECK(at_once.error().message == by_byte.error().message);
    return 0;
  }
  CHECK(*at_once == *by_byte);
  if (!*at_once) return 0;
  check_accepted(bytes, whole);
  CHECK(whole.status == piecewise.status && whole.framing == piecewise.framing);
  CHECK(whole.content_length == piecewise.content_length && whole.keep_alive == piecewise.keep_alive);
  CHECK(whole.head_bytes == piecewise.head_bytes && whole.headers.size() == piecewise.headers.size());
  return 0;
}
