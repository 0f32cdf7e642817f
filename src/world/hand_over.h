// SPDX-License-Identifier: Apache-2.0
// Handing what a running process holds on to its successor: the same program as it is on the disk by now, started
// with the same arguments while this one still works.
//
// The successor inherits listening sockets, with the connections that wait in them, and the lock of a directory. An
// environment variable tells it which descriptors those are:
//
//   PORTOLAN_INHERITED="1 PREDECESSOR READY LOCK SOCKET…"
//
// 1 is the version of this text, PREDECESSOR a process id, READY a pipe for the word that it is ready, the others
// are descriptors as well, all decimal. Where a socket listens is asked of the socket. The variable is read once
// and removed, and no program that the successor starts gets any of these.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <sys/types.h>
#include <vector>

#include "base/result.h"
#include "world/disk.h"

namespace portolan::world {

/// How this process was started: the path as it was named then, made absolute, and all its words.
struct CommandLine {
  std::string program;
  std::vector<std::string> words;
};
/// Call at the start, before the file can be replaced and the working directory change. Code::disk.
base::Result<CommandLine> own_command_line();

/// The successor, as its predecessor sees it: starting until it says that it is ready, or fails.
class Successor {
 public:
  /// Starts it; `sockets` and `lock` stay open here too. Real time: `within` is what it may take. Code::disk.
  static base::Result<std::unique_ptr<Successor>> start(const CommandLine& command, const std::vector<int>& sockets,
                                                        int lock, std::chrono::milliseconds within);
  ~Successor();  // unless it is ready: killed and reaped
  Successor(const Successor&) = delete;
  Successor& operator=(const Successor&) = delete;

  pid_t pid() const { return pid_; }
  /// Readable when look() has something new to say.
  int descriptor() const { return ready_.get(); }
  /// Until it is too late.
  std::chrono::milliseconds time_left() const;
  enum class State : std::uint8_t { starting, ready, failed };
  State look();
  /// Ends one that is not ready, however far it is, and says how it ended.
  std::string end();

 private:
  Successor(pid_t pid, Descriptor ready, std::chrono::milliseconds within);

  pid_t pid_;
  Descriptor ready_;
  std::chrono::milliseconds within_;
  std::chrono::steady_clock::time_point until_;
  State state_ = State::starting;
};

/// What this process inherited, as the successor of another. Nothing but sockets that listen and pipes are
/// believed, and no descriptor up to 2. One thread.
class Inheritance {
 public:
  /// Reads the variable and removes it. Before any thread is started.
  static Inheritance take();

  bool has_predecessor() const { return predecessor_ > 0; }
  /// The sockets that listen at this address, which are the caller's from then on. A port 0 has none: it asks for a
  /// port of one's own.
  std::vector<Descriptor> take_sockets(const std::string& address, std::uint16_t port);
  /// The lock of that directory; null when it was not inherited.
  std::unique_ptr<DirectoryLock> take_lock(const std::string& directory);
  /// Tells the predecessor, which then ends; what was not taken by now is closed. At most once.
  void say_ready();
  bool predecessor_lives() const;

 private:
  pid_t predecessor_ = 0;
  Descriptor ready_;
  Descriptor lock_;
  std::vector<Descriptor> sockets_;
};

}  // namespace portolan::world
