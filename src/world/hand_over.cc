// SPDX-License-Identifier: Apache-2.0
#include "world/hand_over.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fstream>
#include <optional>
#include <poll.h>
#include <spawn.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "world/program.h"
#include "world/reactor.h"

namespace portolan::world {

using base::Code;
using base::Result;

namespace {

constexpr char variable[] = "PORTOLAN_INHERITED";
constexpr std::string_view version = "1";
constexpr char ready_word = 'r';
constexpr int first_handed_on = STDERR_FILENO + 1;

std::unexpected<base::Error> failed(std::string_view what, int reason) {
  return base::fail(Code::disk, fmt::format("{}: {}", what, std::strerror(reason)));
}

std::optional<int> number(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  int value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

/// Owned from now on, and closed in every program that this one starts. None when it cannot be what it is said to
/// be.
Descriptor believed(std::optional<int> fd, bool (*is_so)(int)) {
  if (!fd || *fd <= STDERR_FILENO || !is_so(*fd)) return Descriptor{};
  ::fcntl(*fd, F_SETFD, FD_CLOEXEC);
  return Descriptor{*fd};
}

bool listens(int fd) {
  int on = 0;
  socklen_t size = sizeof on;
  return ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &size) == 0 && on == 1;
}

bool is_pipe(int fd) {
  struct stat facts{};
  return ::fstat(fd, &facts) == 0 && S_ISFIFO(facts.st_mode);
}

bool is_file(int fd) {
  struct stat facts{};
  return ::fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode);
}

std::optional<Tcp::endpoint> bound_to(int fd) {
  Tcp::endpoint endpoint;
  socklen_t size = static_cast<socklen_t>(endpoint.capacity());
  if (::getsockname(fd, endpoint.data(), &size) != 0 || size > endpoint.capacity()) return std::nullopt;
  endpoint.resize(size);
  return endpoint;
}

}  // namespace

Result<CommandLine> own_command_line() {
  CommandLine command;
  std::ifstream words("/proc/self/cmdline", std::ios::binary);
  for (std::string word; std::getline(words, word, '\0');) command.words.push_back(word);
  // As it was named to the kernel: a link that an upgrade sets anew is followed anew.
  // The kernel hands the address of the name over as a number.
  const char* named = reinterpret_cast<const char*>(::getauxval(AT_EXECFN));  // NOLINT(performance-no-int-to-ptr)
  std::error_code error;
  const std::filesystem::path program = std::filesystem::absolute(named == nullptr ? "" : named, error);
  if (error || command.words.empty() || !std::filesystem::equivalent(program, "/proc/self/exe", error))
    return base::fail(Code::disk, "how this process was started cannot be read from /proc/self");
  command.program = program.string();
  return command;
}

Successor::Successor(pid_t pid, Descriptor ready, std::chrono::milliseconds within)
    : pid_(pid), ready_(std::move(ready)), within_(within), until_(std::chrono::steady_clock::now() + within) {}

Result<std::unique_ptr<Successor>> Successor::start(const CommandLine& command, const std::vector<int>& sockets,
                                                    int lock, std::chrono::milliseconds within) {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return failed("pipe", errno);
  Descriptor ready(ends[0]);
  const Descriptor ready_there(ends[1]);

  // In the successor they are 3, 4 and so on, and everything above is closed. They are copied upwards first, so
  // that none is overwritten before it was moved.
  std::vector<int> handed_on{ready_there.get(), lock};
  handed_on.insert(handed_on.end(), sockets.begin(), sockets.end());
  const int behind = first_handed_on + static_cast<int>(handed_on.size());
  std::vector<Descriptor> copies;
  SpawnOrders orders;
  std::string told = fmt::format("{}={} {}", variable, version, ::getpid());
  for (const int fd : handed_on) {
    const int there = first_handed_on + static_cast<int>(copies.size());
    const Descriptor& copy = copies.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, behind));
    if (!copy.valid()) return failed("a descriptor for the successor", errno);
    posix_spawn_file_actions_adddup2(&orders.files, copy.get(), there);
    told += fmt::format(" {}", there);
  }
  posix_spawn_file_actions_addclosefrom_np(&orders.files, behind);

  std::vector<std::string> words = command.words;  // argv wants writable text
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  std::vector<char*> environment;
  for (char** each = environ; *each != nullptr; ++each) environment.push_back(*each);
  environment.push_back(told.data());
  environment.push_back(nullptr);
  // Signals stay blocked, as they are here: one that comes early waits until the successor asks for it.
  pid_t pid = -1;
  const int reason = posix_spawn(&pid, command.program.c_str(), &orders.files, &orders.attributes, arguments.data(),
                                 environment.data());
  if (reason != 0) return failed(command.program, reason);
  return std::unique_ptr<Successor>{new Successor(pid, std::move(ready), within)};
}

Successor::~Successor() {
  if (state_ != State::ready) end();
}

std::chrono::milliseconds Successor::time_left() const {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until_ - std::chrono::steady_clock::now());
  return std::max(left, std::chrono::milliseconds{0});
}

Successor::State Successor::look() {
  if (state_ != State::starting) return state_;
  char word = 0;
  const ssize_t got = ::read(ready_.get(), &word, 1);
  if (got == 1 && word == ready_word)
    state_ = State::ready;
  else if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR) || time_left().count() == 0)
    state_ = State::failed;
  return state_;
}

std::string Successor::end() {
  if (pid_ < 0) return {};
  const bool late = time_left().count() == 0;
  // One that has ended by itself is not touched by this any more: it says how it ended.
  if (late || state_ != State::failed) ::kill(pid_, SIGKILL);
  int status = 0;
  for (int wait = 0; ::waitpid(pid_, &status, WNOHANG) != pid_; ++wait) {
    if (wait == 100) ::kill(pid_, SIGKILL);  // it has closed the pipe and does not end
    ::usleep(10'000);
  }
  pid_ = -1;
  state_ = State::failed;
  return late ? fmt::format("it was not ready within {} s", within_.count() / 1000) : ending(status);
}

Inheritance Inheritance::take() {
  Inheritance inheritance;
  const char* value = std::getenv(variable);
  if (value == nullptr) return inheritance;
  const std::string kept = value;
  ::unsetenv(variable);
  std::string_view text = kept;
  if (!text.starts_with(version) || !text.substr(version.size()).starts_with(' ')) return inheritance;
  text.remove_prefix(version.size());
  const std::optional<int> predecessor = number(text);
  inheritance.ready_ = believed(number(text), is_pipe);
  inheritance.lock_ = believed(number(text), is_file);
  while (const std::optional<int> fd = number(text)) {
    Descriptor socket = believed(fd, listens);
    if (socket.valid()) inheritance.sockets_.push_back(std::move(socket));
  }
  // Whoever else had set the variable is not the process that started this one.
  if (predecessor && *predecessor > 0 && inheritance.ready_.valid()) inheritance.predecessor_ = *predecessor;
  return inheritance;
}

std::vector<Descriptor> Inheritance::take_sockets(const std::string& address, std::uint16_t port) {
  std::vector<Descriptor> taken;
  ErrorCode error;
  const Tcp::endpoint wanted{asio::ip::make_address(address, error), port};
  if (error || port == 0) return taken;
  const auto fits = [&](const Descriptor& socket) { return bound_to(socket.get()) == wanted; };
  for (Descriptor& socket : sockets_)
    if (fits(socket)) taken.push_back(std::move(socket));
  std::erase_if(sockets_, [](const Descriptor& socket) { return !socket.valid(); });
  return taken;
}

std::unique_ptr<DirectoryLock> Inheritance::take_lock(const std::string& directory) {
  if (!lock_.valid()) return nullptr;
  return inherited_lock(directory, std::move(lock_));
}

void Inheritance::say_ready() {
  sockets_.clear();
  lock_ = Descriptor{};
  // A predecessor that is gone meanwhile is told nothing.
  if (ready_.valid()) (void)!::write(ready_.get(), &ready_word, 1);
  ready_ = Descriptor{};
}

bool Inheritance::predecessor_lives() const {
  // It started this process. When it is gone, another has taken its place as the parent.
  return predecessor_ > 0 && ::getppid() == predecessor_;
}

}  // namespace portolan::world
