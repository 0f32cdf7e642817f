// SPDX-License-Identifier: Apache-2.0
// Any text at all must load or be refused, and every refusal must point into the file.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "config/config.h"

namespace {

using namespace portolan;

class ConstantSecrets : public config::Secrets {
 public:
  std::optional<base::Secret> environment(const std::string& name) const override {
    return name == "UNSET" ? std::nullopt : std::optional{base::Secret{"constant"}};
  }
  base::Result<base::Secret> file(const std::string& path) const override {
    if (path == "absent") return base::fail(base::Code::disk, "no such file");
    return base::Secret{"constant\n"};
  }
  base::Result<base::Secret> command(const std::vector<std::string>& words) const override {
    CHECK(!words.empty());
    return base::Secret{"constant\n"};
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  const config::Loaded loaded = config::load(text, "fuzz.yaml", ConstantSecrets{});
  CHECK(loaded.config.has_value() == loaded.mistakes.empty());
  for (const config::Mistake& mistake : loaded.mistakes) {
    CHECK(mistake.line >= 1);
    CHECK(mistake.column >= 1);
    CHECK(!mistake.what.empty());
    CHECK(mistake.text().starts_with("fuzz.yaml:"));
  }
  if (loaded.config) {
    CHECK(loaded.config->source_region != domain::region_none);
    CHECK(!loaded.config->endpoints.empty());
    CHECK(!loaded.config->tenants.empty());
    CHECK(!loaded.config->account.secret_access_key.empty());
  }
  return 0;
}
