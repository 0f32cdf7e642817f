// SPDX-License-Identifier: Apache-2.0
#include "world/service_notice.h"

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <gtest/gtest.h>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "world/descriptors.h"

namespace portolan::world {
namespace {

/// What arrives at a socket of that name when "READY=1" is told; '@' begins an abstract one.
std::string told_at(const std::string& name) {
  const Descriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, name.data(), name.size());
  if (name[0] == '@') address.sun_path[0] = '\0';
  EXPECT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address),
                   static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size())),
            0);
  ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
  notify_service("READY=1");
  ::unsetenv("NOTIFY_SOCKET");
  char text[64];
  const ssize_t got = ::recv(socket.get(), text, sizeof text, 0);
  return got < 0 ? "" : std::string(text, static_cast<std::size_t>(got));
}

TEST(ServiceNotice, ArrivesAtAPathAndInTheAbstractNamespace) {
  const std::string path = ::testing::TempDir() + "notice_" + std::to_string(::getpid());
  EXPECT_EQ(told_at(path), "READY=1");
  ::unlink(path.c_str());
  EXPECT_EQ(told_at("@portolan_notice_" + std::to_string(::getpid())), "READY=1");
}

TEST(ServiceNotice, NobodyListeningIsNoError) {
  ::setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1);
  notify_service("READY=1");
  ::setenv("NOTIFY_SOCKET", std::string(300, '/').c_str(), 1);
  notify_service("READY=1");
  ::unsetenv("NOTIFY_SOCKET");
  notify_service("READY=1");
}

}  // namespace
}  // namespace portolan::world
