// SPDX-License-Identifier: Apache-2.0
// Any chat request, Converse reply and Converse event: what comes out is JSON, and one event a line.
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "wire/openai.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace portolan;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto request = wire::converse_request(text)) require(nlohmann::json::accept(*request));
  const wire::Completion completion{.id = "chatcmpl-1", .model = std::string(text.substr(0, 40))};
  const bool include_usage = wire::asks_for_usage(text);
  if (const auto chat = wire::chat_completion(text, completion)) require(nlohmann::json::accept(*chat));

  wire::ChatStream stream(completion, include_usage);
  std::string out;
  for (const char* type : {"messageStart", "contentBlockDelta", "messageStop", "metadata"})
    static_cast<void>(stream.on_frame({.message_type = "event", .type = type, .payload = text}, out));
  static_cast<void>(stream.on_frame({.message_type = "exception", .type = text, .payload = text}, out));
  stream.finish({.input_tokens = 1, .known = true}, out);
  std::string_view events = out;
  while (!events.empty()) {
    const auto end = events.find("\n\n");
    require(end != std::string_view::npos && events.starts_with("data: "));
    const auto event = events.substr(6, end - 6);
    events.remove_prefix(end + 2);
    require(event == "[DONE]" ? events.empty() : nlohmann::json::accept(event));
  }
  return 0;
}
