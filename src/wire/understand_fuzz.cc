// SPDX-License-Identifier: Apache-2.0
// Any body, every operation: never a read behind its padding, and never a body taken for JSON that is none. The
// last is compared with another parser where the two agree on the rules.
#include <cstdint>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>

#include "wire/understand.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace portolan;
  // The first byte fills the padding: what lies behind a body must not matter.
  if (size == 0) return 0;
  const std::size_t body_size = size - 1;
  const std::unique_ptr<char[]> bytes(new char[body_size + wire::body_padding]);
  if (body_size != 0) std::memcpy(bytes.get(), data + 1, body_size);
  std::memset(bytes.get() + body_size, data[0], wire::body_padding);
  const std::string_view body(bytes.get(), body_size);

  wire::BodyReader reader;
  bool is_json = false;
  for (const auto operation :
       {domain::Operation::invoke_model, domain::Operation::invoke_model_stream, domain::Operation::converse,
        domain::Operation::converse_stream, domain::Operation::chat_completions}) {
    is_json = reader.understand(operation, body).has_value() || is_json;
    is_json = reader.usage(operation, body).known || is_json;
  }
  // The other parser refuses lone surrogates, which RFC 8259 leaves open; and numbers beyond a double, which are
  // JSON.
  if (is_json && !body.contains("\\u")) {
    try {
      static_cast<void>(nlohmann::json::parse(body));
    } catch (const nlohmann::json::out_of_range&) {
    }
  }
  return 0;
}
