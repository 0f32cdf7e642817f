// SPDX-License-Identifier: Apache-2.0
#include "world/program.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace portolan::world {
namespace {

using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

std::string text_of(const std::vector<std::string>& words, ProgramLimits limits = {}) {
  const auto output = output_of(words, limits);
  return output ? std::string{output->reveal()} : "failed: " + output.error().message;
}

std::string shell(const std::string& script, ProgramLimits limits = {}) {
  return text_of({"/bin/sh", "-c", script}, limits);
}

TEST(Program, GivesWhatItWrote) {
  EXPECT_EQ(text_of({"/bin/echo", "a  b"}), "a  b\n");
  EXPECT_EQ(text_of({"/bin/true"}), "");
}

TEST(Program, TakesItsWordsAsTheyStand) {
  EXPECT_EQ(text_of({"/bin/echo", "$(id)", "*", "'x'"}), "$(id) * 'x'\n");
}

TEST(Program, SaysWhyItCannotBeStarted) {
  EXPECT_EQ(text_of({"/nowhere/vault"}), "failed: No such file or directory");
  EXPECT_EQ(text_of({"/etc/passwd"}), "failed: Permission denied");
}

TEST(Program, RefusesTheOutputOfAProgramThatFailed) {
  EXPECT_EQ(shell("echo half; exit 3"), "failed: it ended with exit code 3");
  EXPECT_EQ(shell("echo half; kill -9 $$"), "failed: signal 9 ended it");
}

TEST(Program, EndsAtItsDeadlineWithAllItStarted) {
  const std::string mark = testing::TempDir() + "program_test_" + std::to_string(::getpid());
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(shell("(sleep 1; touch " + mark + ") & sleep 60", {.within = 200ms}),
            "failed: it did not end within 200 ms");
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 5s);
  std::this_thread::sleep_for(1200ms);
  EXPECT_NE(::access(mark.c_str(), F_OK), 0) << "a grandchild outlived the deadline";
}

TEST(Program, EndsAtItsDeadlineThoughItsOutputIsClosed) {
  EXPECT_EQ(shell("exec >&-; sleep 60", {.within = 200ms}), "failed: it did not end within 200 ms");
}

TEST(Program, IsStoppedWhenItWritesTooMuch) {
  EXPECT_EQ(shell("printf 12345", {.output_bytes_max = 5}), "12345");
  EXPECT_EQ(shell("printf 123456", {.output_bytes_max = 5}), "failed: it writes more than 5 bytes");
  EXPECT_EQ(text_of({"/usr/bin/yes"}), "failed: it writes more than 65536 bytes");
}

TEST(Program, GetsNeitherOurVariablesNorOurDescriptorsNorOurSignals) {
  ::setenv("PORTOLAN_ADMIN_KEY", "hunter2", 1);
  ::setenv("VAULT_ADDR", "https://vault", 1);
  const std::string environment = text_of({"/usr/bin/env"});
  EXPECT_THAT(environment, HasSubstr("VAULT_ADDR=https://vault"));
  EXPECT_THAT(environment, Not(HasSubstr("hunter2")));

  const int inheritable = ::open("/dev/null", O_RDONLY);  // without O_CLOEXEC, as a library might
  ASSERT_GT(inheritable, 2);
  const std::string descriptors = shell("ls /proc/$$/fd");
  ::close(inheritable);
  EXPECT_THAT(descriptors, Not(HasSubstr(std::to_string(inheritable) + "\n")));

  sigset_t blocked;
  sigset_t before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &blocked, &before);
  const std::string mask = shell("grep SigBlk /proc/self/status");
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  EXPECT_THAT(mask, HasSubstr("0000000000000000"));
}

TEST(Program, DropsWhatItSaysOnStandardError) {
  EXPECT_EQ(shell("echo hunter2 >&2; echo out"), "out\n");
  EXPECT_EQ(shell("echo hunter2 >&2; exit 1"), "failed: it ended with exit code 1");
}

}  // namespace
}  // namespace portolan::world
