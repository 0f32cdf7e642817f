// SPDX-License-Identifier: Apache-2.0
// Arbitrary requests against the signature reader and verifier.
//
// Input: lines. First the Authorization value, then "METHOD PATH?QUERY", then "name:value" until an empty line; the
// rest is the body. Beyond not crashing: nothing unsigned is ever accepted, and a request whose signature we make
// ourselves from the same SignedHeaders is accepted unless a rule (not the arithmetic) refuses it.
#include <cstdint>
#include <cstdlib>

#include "identity/test_request.h"

namespace portolan::identity {
namespace {

std::string_view take_line(std::string_view& rest) {
  const std::size_t end = std::min(rest.find('\n'), rest.size());
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return line;
}

void run(std::string_view input) {
  base::WallTime now;
  base::parse_time("20261121T230507Z", now);

  TestRequest call;
  call.authorization = take_line(input);
  const std::string_view start_line = take_line(input);
  const std::size_t space = std::min(start_line.find(' '), start_line.size());
  const std::string_view target = start_line.substr(std::min(space + 1, start_line.size()));
  const std::size_t mark = std::min(target.find('?'), target.size());
  call.method = start_line.substr(0, space);
  call.path = target.substr(0, mark);
  call.query = target.substr(std::min(mark + 1, target.size()));
  while (!input.empty()) {
    const std::string_view line = take_line(input);
    if (line.empty()) break;
    const std::size_t colon = std::min(line.find(':', 1), line.size());
    if (!call.add(line.substr(0, colon), line.substr(std::min(colon + 1, line.size())))) break;
  }
  call.body = input;

  const auto parts = read_authorization(call.authorization);
  if (!parts) return;
  const SignedRequest request = call.request();
  const base::HmacKey key = signing_key(call.secret_access_key, parts->date, parts->region, parts->service);
  const auto verdict = verify(request, *parts, key, now);
  const std::string canonical = canonical_request(request, parts->signed_headers);

  // The date that verify() takes; other forms are out of this check's reach.
  std::string date;
  for (const wire::Header& field : call.headers)
    if (base::iequals(field.name, "x-amz-date")) date = field.value;
  if (date.size() != 16) return;
  const std::string expected = base::to_hex(key.mac(string_to_sign(date, parts->scope, canonical)));
  if (verdict && expected != parts->signature) std::abort();
  if (!verdict && expected == parts->signature && verdict.error().message.starts_with("The request signature we"))
    std::abort();

  Authorization ours = *parts;
  ours.signature = expected;
  const auto signed_by_us = verify(request, ours, key, now);
  if (!signed_by_us && signed_by_us.error().message.starts_with("The request signature we")) std::abort();
}

}  // namespace
}  // namespace portolan::identity

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  portolan::identity::run(portolan::base::as_text({data, size}));
  return 0;
}
