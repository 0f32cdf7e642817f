// SPDX-License-Identifier: Apache-2.0
// What a running gateway does when a signal tells it something, a rolling restart above all (SIGUSR2).
//
// In order: the trail is handed over and keys are held; the successor starts with the sockets and the lock, reads
// its configuration, opens everything, accepts, and says that it is ready; only then this process gives up its
// sockets and drains. Until then nothing is lost by a successor that fails: it is ended, and all is as before.
#include <array>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <thread>
#include <unistd.h>

#include "cli/command.h"
#include "cli/running_gateway.h"
#include "world/service_notice.h"

namespace portolan::cli {

using base::Result;

namespace {

// Longer than reading a large trail's indexes takes; real time.
constexpr std::chrono::seconds successor_ready_within{60};
constexpr std::chrono::milliseconds follow_every{5};

/// The signals that were blocked, as something to wait for beside others.
world::Descriptor signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR2}) sigaddset(&set, signal);
  return world::Descriptor{::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)};
}

/// The next signal; 0 when something else came first: `also` became readable, or the time is over.
int wait_for_signal(const world::Descriptor& signals, const world::Successor* also) {
  std::array<pollfd, 2> watched{pollfd{.fd = signals.get(), .events = POLLIN, .revents = 0},
                                pollfd{.fd = -1, .events = POLLIN, .revents = 0}};
  int timeout_ms = -1;
  if (also != nullptr) {
    watched[1].fd = also->descriptor();
    timeout_ms = static_cast<int>(also->time_left().count());
  }
  (void)::poll(watched.data(), watched.size(), timeout_ms);
  signalfd_siginfo told{};
  if (::read(signals.get(), &told, sizeof told) != sizeof told) return 0;
  return static_cast<int>(told.ssi_signo);
}

}  // namespace

int RunningGateway::run_until_told(const std::function<Result<config::Config>()>& reload,
                                   const std::optional<world::CommandLine>& command) {
  const world::Descriptor told = signals();
  if (!told.valid()) return report(Exit::finding, "signals cannot be waited for on this system");
  // A successor's predecessor tells systemd, which believes nobody else.
  if (inherited_.has_predecessor())
    inherited_.say_ready();
  else
    world::notify_service("READY=1");
  policy_desk_->go_on();
  profile_desk_->go_on();
  bool reload_later = false;
  for (;;) {
    const int signal = wait_for_signal(told, successor_.get());
    if (signal == SIGTERM || signal == SIGINT) {
      if (successor_ != nullptr) give_up_successor("told to stop before the successor served; it is given up");
      log(std::string(signal == SIGTERM ? "SIGTERM" : "SIGINT") + ": draining");
      world::notify_service("STOPPING=1");
      return drain();
    }
    if (signal == SIGUSR2) start_successor(command);
    // A successor may have read the configuration already: whoever serves in the end reads it again.
    if (signal == SIGHUP) reload_later = true;
    if (successor_ != nullptr && successor_is_ready()) {
      log(fmt::format("SIGUSR2: process {} serves from now on; draining", successor_->pid()));
      world::notify_service(fmt::format("MAINPID={}\nREADY=1", successor_->pid()));
      if (reload_later) ::kill(successor_->pid(), SIGHUP);
      admin_.give_up();
      return drain();
    }
    if (successor_ == nullptr && std::exchange(reload_later, false)) reload_now(reload);
  }
}

void RunningGateway::start_successor(const std::optional<world::CommandLine>& command) {
  if (!command) return log("SIGUSR2: only `portolan serve` can be replaced while it runs");
  if (successor_ != nullptr) return log("SIGUSR2: refused, a successor is starting already");
  if (inherited_.predecessor_lives())
    return log("SIGUSR2: refused, the predecessor of this gateway still drains; try again once it has ended");
  if (const auto started = start_successor(*command); !started)
    return log("SIGUSR2: no successor was started, and nothing has changed. " + started.error().message);
  log(fmt::format("SIGUSR2: starting {} as process {}", command->program, successor_->pid()));
}

Result<void> RunningGateway::start_successor(const world::CommandLine& command) {
  TRY_VOID(gateway_->hand_over());
  if (key_desk_ != nullptr) key_desk_->hold();
  policy_desk_->hold();
  policy_desk_->follow();
  profile_desk_->hold();
  std::vector<int> sockets = gateway_->sockets();
  sockets.push_back(admin_.socket());
  auto successor = world::Successor::start(command, sockets, gateway_->trail_lock(), successor_ready_within);
  if (!successor) {
    gateway_->take_back();
    if (key_desk_ != nullptr) key_desk_->go_on();
    policy_desk_->go_on();
    profile_desk_->go_on();
    return base::fail(std::move(successor).error());
  }
  successor_ = *std::move(successor);
  return {};
}

/// When it has failed, everything is as it was before it was started.
bool RunningGateway::successor_is_ready() {
  switch (successor_->look()) {
    case world::Successor::State::ready:
      return true;
    case world::Successor::State::failed:
      give_up_successor("the successor has failed, and this gateway goes on as before");
      return false;
    case world::Successor::State::starting:
      return false;
  }
  return false;
}

void RunningGateway::give_up_successor(const std::string& why) {
  const std::string how = successor_->end();
  successor_.reset();
  gateway_->take_back();
  if (key_desk_ != nullptr) key_desk_->go_on();
  policy_desk_->go_on();
  profile_desk_->go_on();
  write_admin_url();
  log(fmt::format("SIGUSR2: {}: {}", why, how));
}

int RunningGateway::drain() {
  // Orders go to the successor by now, and bind the calls that end here too.
  std::jthread following;
  if (successor_ != nullptr)
    following = std::jthread([this](const std::stop_token& ended) {
      for (; !ended.stop_requested(); std::this_thread::sleep_for(follow_every)) {
        policy_desk_->follow();
        profile_desk_->follow();
      }
    });
  const bool whole = gateway_->drain();
  admin_.stop();
  log(whole ? "stopped, every call was finished" : "stopped; calls that outlived deadlines.drain were cut off");
  return whole ? Exit::done : Exit::finding;
}

}  // namespace portolan::cli
