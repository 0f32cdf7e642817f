// SPDX-License-Identifier: Apache-2.0
#include "world/core_dumps.h"

#include <fcntl.h>
#include <string_view>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace portolan::world {
namespace {

constexpr std::string_view elf_headers_only = "0x10";

bool set_filter() {
  const int file = ::open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);
  if (file < 0) return false;
  const ssize_t written = ::write(file, elf_headers_only.data(), elf_headers_only.size());
  ::close(file);
  return written == static_cast<ssize_t>(elf_headers_only.size());
}

}  // namespace

bool keep_memory_out_of_core_dumps() {
  if (set_filter()) return true;
  const rlimit none{};
  return ::setrlimit(RLIMIT_CORE, &none) == 0 && ::prctl(PR_SET_DUMPABLE, 0) == 0;
}

}  // namespace portolan::world
