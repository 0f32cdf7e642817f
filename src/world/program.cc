// SPDX-License-Identifier: Apache-2.0
#include "world/program.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace portolan::world {
namespace {

using base::Code;
using base::Result;
using std::chrono::steady_clock;

constexpr std::string_view our_variables = "PORTOLAN_";

std::vector<char*> handed_on_environment() {
  std::vector<char*> kept;
  for (char** variable = environ; *variable != nullptr; ++variable)
    if (!std::string_view{*variable}.starts_with(our_variables)) kept.push_back(*variable);
  kept.push_back(nullptr);
  return kept;
}

/// Starts the program as the leader of a process group of its own, its standard output on `output`.
int spawn(const std::vector<std::string>& words, int output, pid_t& child) {
  SpawnOrders orders;
  posix_spawn_file_actions_addopen(&orders.files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&orders.files, output, STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&orders.files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addclosefrom_np(&orders.files, STDERR_FILENO + 1);
  sigset_t none;
  sigset_t ignored_here;
  sigemptyset(&none);
  sigemptyset(&ignored_here);
  sigaddset(&ignored_here, SIGPIPE);
  posix_spawnattr_setsigmask(&orders.attributes, &none);  // ours waits for SIGTERM and SIGHUP in its own way
  posix_spawnattr_setsigdefault(&orders.attributes, &ignored_here);
  posix_spawnattr_setpgroup(&orders.attributes, 0);
  posix_spawnattr_setflags(&orders.attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  std::vector<std::string> copies = words;  // argv wants writable text
  std::vector<char*> arguments;
  for (std::string& word : copies) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  std::vector<char*> environment = handed_on_environment();
  return posix_spawn(&child, copies.front().c_str(), &orders.files, &orders.attributes, arguments.data(),
                     environment.data());
}

/// Reads to the end of `output`, unless there is too much, or `until` comes first.
Result<void> read_all(int output, std::string& text, const ProgramLimits& limits, steady_clock::time_point until) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - steady_clock::now());
    pollfd readable{.fd = output, .events = POLLIN, .revents = 0};
    const int ready = left.count() > 0 ? ::poll(&readable, 1, static_cast<int>(left.count())) : 0;
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0)
      return base::fail(Code::disk, fmt::format("it did not end within {} ms", limits.within.count()));
    const std::size_t before = text.size();
    // The buffer was reserved whole: text that moves leaves a copy behind.
    text.resize(limits.output_bytes_max + 1);
    const ssize_t got = ::read(output, text.data() + before, text.size() - before);
    text.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got == 0) return {};
    if (got < 0 && errno != EINTR) return base::fail(Code::disk, std::strerror(errno));
    if (text.size() > limits.output_bytes_max)
      return base::fail(Code::disk, fmt::format("it writes more than {} bytes", limits.output_bytes_max));
  }
}

/// Waits until the child has ended, which may be long after it closed its output. Leaves it to be reaped, so that
/// its number stays its own.
Result<void> wait_for(pid_t child, const ProgramLimits& limits, steady_clock::time_point until) {
  for (;;) {
    siginfo_t ended{};
    if (::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOHANG | WNOWAIT) != 0 && errno != EINTR)
      return base::fail(Code::disk, std::strerror(errno));
    if (ended.si_pid == child) return {};
    if (steady_clock::now() >= until)
      return base::fail(Code::disk, fmt::format("it did not end within {} ms", limits.within.count()));
    std::this_thread::sleep_for(std::chrono::milliseconds{2});
  }
}

}  // namespace

SpawnOrders::SpawnOrders() {
  posix_spawn_file_actions_init(&files);
  posix_spawnattr_init(&attributes);
}

SpawnOrders::~SpawnOrders() {
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
}

std::string ending(int status) {
  if (WIFEXITED(status)) return fmt::format("it ended with exit code {}", WEXITSTATUS(status));
  return fmt::format("signal {} ended it", WTERMSIG(status));
}

Result<base::Secret> output_of(const std::vector<std::string>& words, ProgramLimits limits) {
  const auto until = steady_clock::now() + limits.within;
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return base::fail(Code::disk, std::strerror(errno));
  pid_t child = -1;
  const int failure = spawn(words, ends[1], child);
  ::close(ends[1]);
  if (failure != 0) {
    ::close(ends[0]);
    return base::fail(Code::disk, std::strerror(failure));
  }

  std::string text;
  text.reserve(limits.output_bytes_max + 1);
  Result<void> said = read_all(ends[0], text, limits, until);
  ::close(ends[0]);
  if (said) said = wait_for(child, limits, until);
  ::kill(-child, SIGKILL);  // also what it may have left running
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (said && (!WIFEXITED(status) || WEXITSTATUS(status) != 0)) said = base::fail(Code::disk, ending(status));
  base::Secret secret = base::Secret::taken_from(text);
  if (!said) return std::unexpected(std::move(said).error());
  return secret;
}

}  // namespace portolan::world
