// SPDX-License-Identifier: Apache-2.0
#include "world/private_file.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "world/descriptors.h"

namespace portolan::world {

using base::Code;
using base::Result;
using base::Secret;

namespace {

Result<void> check_mode(const struct stat& facts) {
  if (!S_ISREG(facts.st_mode)) return base::fail(Code::disk, "it is not a regular file");
  const mode_t others = S_IRWXG | S_IRWXO;
  const mode_t accepted = facts.st_uid == 0 ? S_IRGRP : 0;
  if ((facts.st_mode & others & ~accepted) == 0) return {};
  return base::fail(Code::disk, fmt::format("others than its owner may use it (mode {:04o}); chmod 600 it",
                                            static_cast<unsigned>(facts.st_mode) & 07777u));
}

std::unexpected<base::Error> write_failed(const std::string& path) {
  return base::fail(Code::disk, fmt::format("{}: {}", path, std::strerror(errno)));
}

bool write_through(int file, std::string_view text) {
  return ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(file) == 0;
}

constexpr int flags_to_write = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW;

}  // namespace

Result<void> check_owner_only(const std::string& path) {
  struct stat facts{};
  if (::stat(path.c_str(), &facts) != 0) return base::fail(Code::disk, std::strerror(errno));
  return check_mode(facts);
}

Result<Secret> read_private(const std::string& path, std::size_t bytes_max) {
  // Without O_NONBLOCK a FIFO would hold the start for ever.
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  struct stat facts{};
  if (!file.valid() || ::fstat(file.get(), &facts) != 0) return base::fail(Code::disk, std::strerror(errno));
  TRY_VOID(check_mode(facts));
  std::string text(bytes_max + 1, '\0');
  const ssize_t size = ::read(file.get(), text.data(), text.size());
  if (size < 0) return base::fail(Code::disk, std::strerror(errno));
  text.resize(static_cast<std::size_t>(size));
  return Secret::taken_from(text);
}

Result<void> write_private(const std::string& path, std::string_view text) {
  const Descriptor file{::open(path.c_str(), flags_to_write | O_TRUNC, 0600)};
  if (!file.valid() || !write_through(file.get(), text)) return write_failed(path);
  return {};
}

Result<bool> write_private_once(const std::string& path, std::string_view text) {
  const Descriptor file{::open(path.c_str(), flags_to_write | O_EXCL, 0600)};
  if (!file.valid() && errno == EEXIST) return false;
  if (!file.valid()) return write_failed(path);
  if (write_through(file.get(), text)) return true;
  const auto failed = write_failed(path);
  ::unlink(path.c_str());  // half a key would be taken for one that must not be replaced
  return failed;
}

}  // namespace portolan::world
