// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "control/admin_server.h"
#include "world/descriptors.h"

namespace portolan::control {

using base::Code;
using base::Result;

namespace {

std::unexpected<base::Error> refused(const std::string& path) {
  return base::fail(Code::disk, path + ": " + std::strerror(errno));
}

}  // namespace

Result<std::string> admin_key(const std::string& data_dir) {
  const std::string path = data_dir + "/admin.key";
  const world::Descriptor existing(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (existing.get() >= 0) {
    struct stat facts{};
    if (::fstat(existing.get(), &facts) != 0) return refused(path);
    if ((facts.st_mode & 077) != 0)
      return base::fail(Code::disk, path + " may be read by others; remove it (a new key is made) or chmod 600 it");
    std::array<char, 256> text{};
    const ssize_t size = ::read(existing.get(), text.data(), text.size());
    if (size < 0) return refused(path);
    std::string key(text.data(), static_cast<std::size_t>(size));
    while (!key.empty() && (key.back() == '\n' || key.back() == '\r')) key.pop_back();
    std::string decoded;
    if (key.size() != 64 || !base::from_hex(key, decoded))
      return base::fail(Code::disk,
                        path + " does not hold a key (64 hexadecimal digits); remove it and a new one is made");
    return key;
  }
  if (errno != ENOENT) return refused(path);

  std::array<std::uint8_t, 32> random{};
  if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1)
    return base::fail(Code::internal, "no randomness for the admin key");
  std::string key = base::to_hex(base::Bytes{random.data(), random.size()});
  const world::Descriptor fresh(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  const std::string line = key + "\n";
  if (fresh.get() < 0 || ::write(fresh.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size()) ||
      ::fsync(fresh.get()) != 0)
    return refused(path);
  return key;
}

}  // namespace portolan::control
