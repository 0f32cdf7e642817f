// SPDX-License-Identifier: Apache-2.0
// Targets and model names: what is accepted is clean, and encoding an accepted id again names the same thing.
// The input is a method, a space and a target; the rest of the line is read as a model name too.
#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/check.h"
#include "wire/target.h"

namespace {

using namespace portolan;

void check_target(std::string_view method, std::string_view target) {
  (void)wire::dialect_of_target(target);
  const auto read = wire::read_target(method, target);
  if (!read.has_value()) {
    const base::Code code = read.error().code;
    CHECK(code == base::Code::unknown_path || code == base::Code::method_not_allowed ||
          code == base::Code::malformed_request);
    return;
  }
  CHECK(read->operation != domain::Operation::unknown);
  CHECK(target.starts_with(read->path) && target.ends_with(read->query));
  CHECK(!read->path.contains('?'));
  for (const char c : read->id) CHECK(static_cast<unsigned char>(c) > 0x20 && static_cast<unsigned char>(c) < 0x7f);
  for (const std::string_view name : {"type", "maxResults", ""}) {
    CHECK(wire::query_value(read->query, name).size() <= read->query.size());
  }
  if (read->id.empty()) return;
  std::string again = "/model/";
  base::percent_encode(read->id, again);
  again += "/converse";
  const auto second = wire::read_target("POST", again);
  CHECK(second.has_value() && second->id == read->id);
}

void check_name(std::string_view text) {
  const auto name = wire::read_model_name(text);
  if (!name.has_value()) {
    CHECK(name.error().code == base::Code::invalid_field);
    return;
  }
  CHECK(!name->id.empty() && text.ends_with(name->id));
  CHECK(name->account.empty() || name->account.size() == 12);
  if (name->kind == wire::ModelName::Kind::bare) CHECK(name->id == text && name->region.empty());
  if (name->kind == wire::ModelName::Kind::inference_profile)
    CHECK(!name->region.empty() && !name->account.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = base::as_text({data, size});
  const std::size_t space = bytes.find(' ');
  check_target(bytes.substr(0, space), space == std::string_view::npos ? bytes : bytes.substr(space + 1));
  check_name(space == std::string_view::npos ? bytes : bytes.substr(space + 1));
  return 0;
}
