// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <filesystem>
#include <fmt/format.h>
#include <openssl/rand.h>

#include "base/bytes.h"
#include "control/admin_server.h"
#include "world/private_file.h"

namespace portolan::control {

using base::Code;
using base::Result;

namespace {

constexpr std::size_t digits = 64;

/// The key that the file holds, or an empty string when there is no file.
Result<std::string> existing_key(const std::string& path) {
  std::error_code ignored;
  const auto kind = std::filesystem::symlink_status(path, ignored).type();
  if (kind == std::filesystem::file_type::not_found) return std::string{};
  if (kind == std::filesystem::file_type::symlink) return base::fail(Code::disk, path + " is a link; remove it");
  const auto text = world::read_private(path, digits + 2);
  if (!text)
    return base::fail(Code::disk,
                      fmt::format("{}: {}; or remove it, and a new key is made", path, text.error().message));
  std::string key{text->reveal()};
  while (!key.empty() && (key.back() == '\n' || key.back() == '\r')) key.pop_back();
  std::string decoded;
  if (key.size() == digits && base::from_hex(key, decoded)) return key;
  return base::fail(Code::disk,
                    path + " does not hold a key (64 hexadecimal digits); remove it and a new one is made");
}

}  // namespace

Result<std::string> admin_key(const std::string& data_dir) {
  const std::string path = data_dir + "/admin.key";
  TRY(std::string existing, existing_key(path));
  if (!existing.empty()) return existing;
  std::array<std::uint8_t, 32> random{};
  if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1)
    return base::fail(Code::internal, "no randomness for the admin key");
  std::string key = base::to_hex(base::Bytes{random.data(), random.size()});
  TRY(const bool made, world::write_private_once(path, key + "\n"));
  if (!made) return existing_key(path);  // another start was faster
  return key;
}

}  // namespace portolan::control
