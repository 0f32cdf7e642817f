// SPDX-License-Identifier: Apache-2.0
// The operators' port: who may come in, by which name, and what is refused; and the file that holds its key.
#include "control/admin_server.h"

#include <arpa/inet.h>
#include <array>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace portolan::control {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

const std::string key(64, 'a');

class AdminPort : public ::testing::Test {
 protected:
  void SetUp() override {
    server.route("GET", "/healthz", [](const AdminRequest&) { return AdminReply{.body = "{}"}; }, true);
    server.route("GET", "/api/regions", [](const AdminRequest&) { return AdminReply{.body = "[1]"}; });
    server.route("POST", "/api/sandbox/", [](const AdminRequest& request) {
      return AdminReply{.body = request.method + " " + request.path + " ?" + request.query + " " + request.body};
    });
    server.route("GET", "/api/throws",
                 [](const AdminRequest&) -> AdminReply { throw std::runtime_error("it broke"); });
    ASSERT_TRUE(server.start({.port = 0, .key = key, .host_names = {"ops.example"}}));
  }

  int connect() {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(server.port());
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket, reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
    return socket;
  }
  /// At most five seconds; closes the socket.
  static std::string read_to_the_end(int socket) {
    std::string reply;
    pollfd ready{.fd = socket, .events = POLLIN, .revents = 0};
    while (::poll(&ready, 1, 5000) > 0) {
      char buffer[4096];
      const ssize_t size = ::recv(socket, buffer, sizeof buffer, 0);
      if (size <= 0) break;
      reply.append(buffer, static_cast<std::size_t>(size));
    }
    ::close(socket);
    return reply;
  }
  std::string exchange(std::string_view text) {
    const int socket = connect();
    EXPECT_GE(::send(socket, text.data(), text.size(), MSG_NOSIGNAL), 0);
    return read_to_the_end(socket);
  }
  std::string ask(std::string_view request_line, std::string_view fields, std::string_view body = "") {
    return exchange(std::string(request_line) + " HTTP/1.1\r\nconnection: close\r\n" + std::string(fields) +
                    "content-length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body));
  }
  static std::string with_key(std::string_view more = "", std::string_view host = "localhost") {
    return "host: " + std::string(host) + "\r\nauthorization: Bearer " + key + "\r\n" + std::string(more);
  }

  AdminServer server;
};

TEST_F(AdminPort, OnlyWhatIsOpenIsServedWithoutTheKey) {
  EXPECT_THAT(ask("GET /healthz", "host: localhost\r\n"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(ask("GET /api/regions", "host: localhost\r\n"),
              AllOf(StartsWith("HTTP/1.1 401"), HasSubstr("WWW-Authenticate: Bearer"), Not(HasSubstr("[1]"))));
  EXPECT_THAT(ask("GET /api/regions", with_key()), AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("[1]")));
}

TEST_F(AdminPort, AKeyThatIsNearlyRightIsWrong) {
  for (const std::string& wrong : {"Bearer " + std::string(63, 'a'), "Bearer " + key + "a",
                                   "Bearer " + std::string(63, 'a') + "b", "Basic " + key, key, std::string()})
    EXPECT_THAT(ask("GET /api/regions", "host: localhost\r\nauthorization: " + wrong + "\r\n"),
                StartsWith("HTTP/1.1 401"))
        << wrong;
}

TEST_F(AdminPort, WithoutTheKeyNobodyLearnsWhichPathsExist) {
  EXPECT_THAT(ask("GET /api/nothing", "host: localhost\r\n"), StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(ask("DELETE /api/regions", "host: localhost\r\n"), StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(ask("GET /api/nothing", with_key()), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(ask("DELETE /api/regions", with_key()), StartsWith("HTTP/1.1 405"));
}

TEST_F(AdminPort, IsKnownOnlyByItsOwnNames) {
  for (const char* host :
       {"localhost", "localhost:8081", "127.0.0.1", "127.0.0.1:1", "[::1]:8081", "ops.example:8081"})
    EXPECT_THAT(ask("GET /api/regions", with_key("", host)), StartsWith("HTTP/1.1 200")) << host;
  for (const char* host : {"evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "[::2]", "[", ""})
    EXPECT_THAT(ask("GET /api/regions", with_key("", host)), StartsWith("HTTP/1.1 403")) << host;
  EXPECT_THAT(ask("GET /healthz", ""), StartsWith("HTTP/1.1 403")) << "no host at all";
}

TEST_F(AdminPort, RefusesPagesOfOtherSites) {
  EXPECT_THAT(ask("GET /api/regions", with_key("origin: http://localhost\r\n")), StartsWith("HTTP/1.1 200"));
  for (const char* origin : {"http://evil.example", "null", "http://localhost:1", "http://localhost.evil.example"})
    EXPECT_THAT(ask("GET /api/regions", with_key("origin: " + std::string(origin) + "\r\n")),
                StartsWith("HTTP/1.1 403"))
        << origin;
}

TEST_F(AdminPort, GivesHandlersTheDecodedPathTheQueryAndTheBody) {
  EXPECT_THAT(ask("POST /api/sandbox/us%2deast-1?fault=x%20y", with_key(), "the body"),
              HasSubstr("POST /api/sandbox/us-east-1 ?fault=x%20y the body"));
  EXPECT_THAT(ask("GET /api/%zz", with_key()), StartsWith("HTTP/1.1 400"));
}

TEST_F(AdminPort, ABodyTooLargeIs413) {
  EXPECT_THAT(exchange("POST /api/sandbox/x HTTP/1.1\r\n" + with_key() + "content-length: 67108865\r\n\r\n"),
              StartsWith("HTTP/1.1 413"));
}

TEST_F(AdminPort, AHandlerThatThrowsIs500AndTheServerGoesOn) {
  EXPECT_THAT(ask("GET /api/throws", with_key()), StartsWith("HTTP/1.1 500"));
  EXPECT_THAT(ask("GET /healthz", "host: localhost\r\n"), StartsWith("HTTP/1.1 200"));
}

TEST_F(AdminPort, KeepsTheConnectionForTheNextRequest) {
  const std::string one = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
  const std::string last = "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
  const std::string replies = exchange(one + one + last);
  std::size_t count = 0;
  for (std::size_t at = 0; (at = replies.find("HTTP/1.1 200", at)) != std::string::npos; ++at) ++count;
  EXPECT_EQ(count, 3u);
}

TEST_F(AdminPort, NothingMayBeKeptOrGuessedByABrowser) {
  EXPECT_THAT(ask("GET /healthz", "host: localhost\r\n"),
              AllOf(HasSubstr("Cache-Control: no-store"), HasSubstr("x-content-type-options: nosniff")));
}

TEST_F(AdminPort, WhatIsNotARequestIsToldSo) {
  const std::string host = "host: localhost\r\n";
  for (const std::string& garbage :
       {std::string("complete nonsense\r\n\r\n"), "GET /healthz HTTP/9.9\r\n" + host + "\r\n",
        "GET /healthz HTTP/1.1\r\n" + host + "a b: c\r\n\r\n",
        "POST /healthz HTTP/1.1\r\n" + host + "content-length: -1\r\n\r\n"})
    EXPECT_THAT(exchange(garbage), AllOf(StartsWith("HTTP/1.1 400"), HasSubstr("Connection: close"))) << garbage;
  EXPECT_THAT(exchange("GET /healthz HTTP/1.1\r\n" + host + "x: " + std::string(200'000, 'x')),
              StartsWith("HTTP/1.1 431"));
  EXPECT_THAT(ask("GET /healthz", "host: localhost\r\n"), StartsWith("HTTP/1.1 200"));
}

TEST_F(AdminPort, AnEndInTheMiddleOfARequestEndsTheConnectionAndNothingElse) {
  const int socket = connect();
  constexpr std::string_view half = "GET /healthz HT";
  ASSERT_EQ(::send(socket, half.data(), half.size(), MSG_NOSIGNAL), static_cast<ssize_t>(half.size()));
  ::shutdown(socket, SHUT_WR);
  EXPECT_EQ(read_to_the_end(socket), "");
  EXPECT_THAT(ask("GET /healthz", "host: localhost\r\n"), StartsWith("HTTP/1.1 200"));
}

TEST_F(AdminPort, ASuccessorAnswersOnTheSameSocketAndOldConnectionsEndWithTheirNextAnswer) {
  const auto ask = [](int socket) {
    const std::string request = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
    ::send(socket, request.data(), request.size(), MSG_NOSIGNAL);
  };
  const int kept = connect();
  ask(kept);
  std::array<char, 1024> answer{};
  ASSERT_GT(::recv(kept, answer.data(), answer.size(), 0), 0);
  AdminServer successor;
  successor.route("GET", "/healthz", [](const AdminRequest&) { return AdminReply{.body = "successor"}; }, true);
  ASSERT_TRUE(successor.start({.key = key, .host_names = {}}, world::Descriptor{::dup(server.socket())}));
  EXPECT_EQ(successor.port(), server.port());
  server.give_up();
  ask(kept);
  EXPECT_NE(read_to_the_end(kept).find("onnection: close"), std::string::npos);
  for (int i = 0; i < 5; ++i) {
    const int fresh = connect();
    const std::string request = "GET /healthz HTTP/1.0\r\nhost: localhost\r\n\r\n";
    ::send(fresh, request.data(), request.size(), MSG_NOSIGNAL);
    EXPECT_NE(read_to_the_end(fresh).find("successor"), std::string::npos);
  }
}

TEST_F(AdminPort, APortThatIsTakenIsAConfigurationError) {
  AdminServer other;
  const auto started = other.start({.port = server.port(), .key = key, .host_names = {}});
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, base::Code::config_invalid);
  EXPECT_THAT(started.error().message, HasSubstr(std::to_string(server.port())));
  AdminServer nowhere;
  EXPECT_FALSE(nowhere.start({.address = "localhost", .port = 0, .key = key, .host_names = {}}));
}

class AdminKey : public ::testing::Test {
 protected:
  AdminKey() {
    std::string pattern = (std::filesystem::temp_directory_path() / "portolan-key-XXXXXX").string();
    directory = ::mkdtemp(pattern.data());
  }
  ~AdminKey() override { std::filesystem::remove_all(directory); }
  std::string path() const { return directory + "/admin.key"; }
  void write(std::string_view content, mode_t mode) const {
    std::ofstream(path()) << content;
    ::chmod(path().c_str(), mode);
  }

  std::string directory;
};

TEST_F(AdminKey, IsMadeOnceForTheOwnerAlone) {
  const auto made = admin_key(directory);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_THAT(*made, MatchesRegex("[0-9a-f]{64}"));
  struct stat facts{};
  ASSERT_EQ(::stat(path().c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600u);
  EXPECT_EQ(admin_key(directory).value(), *made);
}

TEST_F(AdminKey, OthersAreDifferent) {
  const std::string made = admin_key(directory).value();
  std::filesystem::remove(path());
  EXPECT_NE(admin_key(directory).value(), made);
}

TEST_F(AdminKey, AFileThatOthersMayReadIsRefusedWithTheRepair) {
  for (const mode_t mode : {0644u, 0604u, 0620u}) {
    write(key, mode);
    const auto refused = admin_key(directory);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, base::Code::disk);
    EXPECT_THAT(refused.error().message, AllOf(HasSubstr(path()), HasSubstr("chmod 600"), Not(HasSubstr(key))));
  }
}

TEST_F(AdminKey, AFileWithoutAKeyIsRefused) {
  for (const std::string& content :
       {std::string(), std::string(63, 'a'), std::string(65, 'a'), std::string(64, 'x'), std::string(400, 'a')}) {
    write(content, 0600);
    const auto refused = admin_key(directory);
    ASSERT_FALSE(refused) << content;
    EXPECT_THAT(refused.error().message, HasSubstr("does not hold a key"));
  }
  write(key + "\r\n", 0600);
  EXPECT_EQ(admin_key(directory).value(), key);
}

TEST_F(AdminKey, ALinkOrAMissingDirectoryIsRefused) {
  std::ofstream(directory + "/elsewhere") << key;
  std::filesystem::create_symlink(directory + "/elsewhere", path());
  EXPECT_FALSE(admin_key(directory));
  EXPECT_FALSE(admin_key(directory + "/missing"));
}

}  // namespace
}  // namespace portolan::control
