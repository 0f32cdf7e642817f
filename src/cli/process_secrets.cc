// SPDX-License-Identifier: Apache-2.0
#include "cli/process_secrets.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "world/program.h"

namespace portolan::cli {

using base::Code;
using base::Result;
using base::Secret;

namespace {

/// A descriptor that closes itself.
struct Open {
  int descriptor;
  ~Open() {
    if (descriptor >= 0) ::close(descriptor);
  }
};

Result<void> check_mode(const struct stat& facts) {
  if (!S_ISREG(facts.st_mode)) return base::fail(Code::disk, "it is not a regular file");
  const mode_t others = S_IRWXG | S_IRWXO;
  const mode_t accepted = facts.st_uid == 0 ? S_IRGRP : 0;
  if ((facts.st_mode & others & ~accepted) == 0) return {};
  return base::fail(Code::disk, fmt::format("others than its owner may use it (mode {:04o}); chmod 600 it",
                                            static_cast<unsigned>(facts.st_mode) & 07777u));
}

}  // namespace

Result<void> check_owner_only(const std::string& path) {
  struct stat facts{};
  if (::stat(path.c_str(), &facts) != 0) return base::fail(Code::disk, std::strerror(errno));
  return check_mode(facts);
}

std::optional<Secret> ProcessSecrets::environment(const std::string& name) const {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return Secret{value};
}

Result<Secret> ProcessSecrets::file(const std::string& path) const {
  // Without O_NONBLOCK a FIFO would hold the start for ever.
  const Open file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  struct stat facts{};
  if (file.descriptor < 0 || ::fstat(file.descriptor, &facts) != 0)
    return base::fail(Code::disk, std::strerror(errno));
  TRY_VOID(check_mode(facts));
  std::string text(config::secret_bytes_max + 3, '\0');  // the longest secret, a line end, and one byte too many
  const ssize_t size = ::read(file.descriptor, text.data(), text.size());
  if (size < 0) return base::fail(Code::disk, std::strerror(errno));
  text.resize(static_cast<std::size_t>(size));
  return Secret::taken_from(text);
}

Result<Secret> ProcessSecrets::command(const std::vector<std::string>& words) const {
  return world::output_of(words);
}

}  // namespace portolan::cli
