// SPDX-License-Identifier: Apache-2.0
// What a successor gets and believes. `/bin/sh` stands in for one; whole hand-overs are in tests/process.
#include "world/hand_over.h"

#include <arpa/inet.h>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace portolan::world {
namespace {

using State = Successor::State;

struct Listening {
  Listening() : socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any), 0);
    EXPECT_EQ(::listen(socket.get(), 8), 0);
    socklen_t size = sizeof any;
    ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&any), &size);
    port = ntohs(any.sin_port);
  }
  Descriptor socket;
  std::uint16_t port = 0;
};

class HandOver : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = ::testing::TempDir() + "hand_over_" + std::to_string(::getpid());
    std::filesystem::create_directories(directory_);
    lock_ = real_disk()->lock(directory_).value();
  }
  void TearDown() override {
    lock_.reset();
    std::filesystem::remove_all(directory_);
    ::unsetenv("PORTOLAN_INHERITED");
  }

  Inheritance take(const std::string& text) {
    ::setenv("PORTOLAN_INHERITED", text.c_str(), 1);
    return Inheritance::take();
  }
  base::Result<std::unique_ptr<Successor>> start(const std::string& script, std::chrono::milliseconds within) {
    return Successor::start({.program = "/bin/sh", .words = {"sh", "-c", script, directory_}},
                            {listening_.socket.get()}, lock_->descriptor(), within);
  }
  static State outcome(Successor& successor) {
    while (successor.look() == State::starting) {
      pollfd told{.fd = successor.descriptor(), .events = POLLIN, .revents = 0};
      ::poll(&told, 1, static_cast<int>(successor.time_left().count()));
    }
    return successor.look();
  }
  std::string written() const {
    std::ifstream file(directory_ + "/out");
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::string directory_;
  std::unique_ptr<DirectoryLock> lock_;
  Listening listening_;
};

TEST_F(HandOver, TheSuccessorGetsThePipeTheLockAndTheSocketsAndNothingElse) {
  const Descriptor ours(::open("/dev/null", O_RDONLY));  // not even closed on exec
  auto started = start("echo $PORTOLAN_INHERITED >$0/out; cd /proc/self/fd; echo [3-9] >>$0/out; echo r >&3",
                       std::chrono::seconds{10});
  ASSERT_TRUE(started) << started.error().message;
  EXPECT_EQ(outcome(**started), State::ready);
  EXPECT_EQ(written().substr(0, written().find('\n')), "1 " + std::to_string(::getpid()) + " 3 4 5");
  // The shell may have opened the folder itself.
  EXPECT_TRUE(written().contains("3 4 5")) << written();
  EXPECT_FALSE(written().contains(" 7")) << written();
}

TEST_F(HandOver, OneThatEndsHasFailedAndSaysHow) {
  auto started = start("exit 7", std::chrono::seconds{10});
  ASSERT_TRUE(started);
  EXPECT_EQ(outcome(**started), State::failed);
  EXPECT_EQ((*started)->end(), "it ended with exit code 7");
}

TEST_F(HandOver, OneThatIsNotReadyInTimeIsEnded) {
  auto started = start("sleep 60 >&- 2>&-", std::chrono::milliseconds{100});
  ASSERT_TRUE(started);
  const pid_t pid = (*started)->pid();
  EXPECT_EQ(outcome(**started), State::failed);
  EXPECT_EQ((*started)->end(), "it was not ready within 0 s");
  EXPECT_NE(::kill(pid, 0), 0) << "it is reaped";
}

TEST_F(HandOver, AProgramThatIsNotThereIsAnError) {
  const auto started = Successor::start({.program = directory_ + "/none", .words = {"none"}}, {},
                                        lock_->descriptor(), std::chrono::seconds{1});
  ASSERT_FALSE(started);
  EXPECT_TRUE(started.error().message.contains("/none")) << started.error().message;
}

TEST_F(HandOver, SocketsAreFoundByTheirAddress) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const Descriptor read_end(ends[0]);
  Listening other;
  const int first = ::dup(listening_.socket.get());
  const int second = ::dup(listening_.socket.get());
  const int third = ::dup(other.socket.get());
  Inheritance inherited = take("1 " + std::to_string(::getppid()) + " " + std::to_string(ends[1]) + " " +
                               std::to_string(::dup(lock_->descriptor())) + " " + std::to_string(first) + " " +
                               std::to_string(second) + " " + std::to_string(third));
  EXPECT_EQ(std::getenv("PORTOLAN_INHERITED"), nullptr);
  EXPECT_TRUE(inherited.predecessor_lives());
  EXPECT_TRUE(inherited.take_sockets("127.0.0.2", listening_.port).empty());
  EXPECT_TRUE(inherited.take_sockets("127.0.0.1", 0).empty());
  const auto taken = inherited.take_sockets("127.0.0.1", listening_.port);
  ASSERT_EQ(taken.size(), 2u);
  EXPECT_NE(::fcntl(taken[0].get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_TRUE(inherited.take_sockets("127.0.0.1", listening_.port).empty());

  EXPECT_EQ(inherited.take_lock("/tmp"), nullptr) << "not the lock of that directory";
  inherited.say_ready();
  char word = 0;
  EXPECT_EQ(::read(read_end.get(), &word, 1), 1);
  EXPECT_EQ(::fcntl(third, F_GETFD), -1) << "what nobody took is closed";
}

TEST_F(HandOver, TheLockTravelsAndLastsAsLongAsACopyOfIt) {
  auto inherited = inherited_lock(directory_, Descriptor{::dup(lock_->descriptor())});
  ASSERT_NE(inherited, nullptr);
  lock_.reset();
  EXPECT_FALSE(real_disk()->lock(directory_)) << "the successor has it";
  inherited.reset();
  EXPECT_TRUE(real_disk()->lock(directory_));
}

TEST_F(HandOver, WhatIsNotWhatItIsSaidToBeIsNotBelieved) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const Descriptor read_end(ends[0]);
  const Descriptor write_end(ends[1]);
  const Descriptor connecting(::socket(AF_INET, SOCK_STREAM, 0));
  const std::string pipe = std::to_string(ends[1]);
  for (const std::string& text : std::vector<std::string>{
           "", "nonsense", "2 1 3 4 5", "1 x " + pipe, "1 1 0 1 2",
           "1 " + std::to_string(::getpid()) + " " + std::to_string(connecting.get()) + " " + pipe + " " + pipe,
           "1 -5 99999 99999 99999", "1 99999999999999999999 3"}) {
    Inheritance inherited = take(text);
    EXPECT_FALSE(inherited.has_predecessor()) << text;
    EXPECT_FALSE(inherited.predecessor_lives()) << text;
    EXPECT_EQ(inherited.take_lock(directory_), nullptr) << text;
  }
  EXPECT_NE(::fcntl(0, F_GETFD), -1) << "standard input is nobody's to take";
  EXPECT_NE(::fcntl(ends[1], F_GETFD), -1) << "and what was not believed is left alone";
}

TEST(OwnCommandLine, NamesTheProgramByAPathThatLasts) {
  const auto command = own_command_line();
  ASSERT_TRUE(command) << command.error().message;
  EXPECT_TRUE(command->program.starts_with('/')) << command->program;
  EXPECT_TRUE(std::filesystem::equivalent(command->program, "/proc/self/exe"));
  EXPECT_FALSE(command->words.empty());
}

}  // namespace
}  // namespace portolan::world
