// SPDX-License-Identifier: Apache-2.0
#include "world/descriptors.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace portolan::world {

namespace {
int open_spare() {
  return ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}
}  // namespace

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

std::size_t descriptors_max() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  return static_cast<std::size_t>(limit.rlim_cur);
}

SpareDescriptor::SpareDescriptor() : spare_(open_spare()) {}

SpareDescriptor::~SpareDescriptor() {
  if (spare_ >= 0) ::close(spare_);
}

bool SpareDescriptor::turn_away_one(int listening, std::string_view farewell) {
  if (spare_ >= 0) ::close(spare_);
  const int taken = ::accept4(listening, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (taken >= 0) {
    // Told before it is asked: what it has sent is unread, and closing may cut the answer off. It is the best there
    // is without a descriptor to wait on.
    (void)::send(taken, farewell.data(), farewell.size(), MSG_NOSIGNAL);
    ::shutdown(taken, SHUT_WR);
    ::close(taken);
  }
  spare_ = open_spare();
  return taken >= 0;
}

}  // namespace portolan::world
