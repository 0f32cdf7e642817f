// SPDX-License-Identifier: Apache-2.0
// What a Region may answer: status, type, wait and body of an error; frames of a stream. Whatever it sends, the
// error that a caller gets is JSON, and a stream is only complete with an event that says so.
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "wire/errors.h"
#include "wire/stream_watch.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

std::string_view take_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(text.size(), line.size() + 1));
  return line;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace portolan;
  if (size < 2) return 0;
  const int status = data[0] << 8 | data[1];
  std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::string_view type = take_line(text);
  const std::string_view wait = take_line(text);

  wire::Headers headers;
  if (!type.empty()) headers.add("X-Amzn-ErrorType", type);
  headers.add(status % 2 == 0 ? "retry-after" : "x-amz-retry-after", wait);
  const base::Error error = wire::upstream_error(status, headers, text);
  require(!error.message.empty() && error.message.size() <= 1024);
  require(error.retry_after >= base::Duration{} && error.retry_after <= std::chrono::hours{24});
  for (const auto dialect : {domain::Dialect::bedrock, domain::Dialect::openai}) {
    require(nlohmann::json::accept(wire::error_reply(error, dialect).body));
    std::string out;
    wire::append_stream_error(out, error, dialect);
    require(!out.empty());
  }

  const std::string native = R"({"bytes":")" + base::to_base64(base::as_bytes(text)) + "\"}";
  for (const auto operation : {domain::Operation::converse_stream, domain::Operation::invoke_model_stream}) {
    wire::StreamWatch watch(operation);
    for (const std::string_view payload : {text, std::string_view(native)})
      for (const std::string_view event : {type, std::string_view("chunk"), std::string_view("messageStop")})
        static_cast<void>(watch.see({.message_type = "event", .type = event, .payload = payload}));
    const bool may_end = operation == domain::Operation::invoke_model_stream || type == "metadata";
    require(may_end || !watch.complete());
    require(!watch.see({.message_type = wait == "event" ? "" : wait, .type = type, .payload = text}).has_value());
  }
  return 0;
}
