// SPDX-License-Identifier: Apache-2.0
// One reactor per core: an io_context, its thread, and a coarse timer wheel. The only header that names Asio's
// types.
//
// Connections stay on the reactor that accepted them; nothing in a reactor is touched by another thread but through
// post(). Coroutines are Task<T>: named functions, one co_await to a statement.
//
// Deadlines come from the wheel, not from a steady_timer an operation: arming one is a store, and only waits that
// really run out cost anything (a timer for each operation was measured at 4 µs a request).
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/result.h"
#include "world/clock.h"

namespace portolan::world {

namespace asio = boost::asio;
using ErrorCode = boost::system::error_code;
using Executor = asio::io_context::executor_type;
using Tcp = asio::ip::tcp;
using Socket = asio::basic_stream_socket<Tcp, Executor>;

template <class T = void>
using Task = asio::awaitable<T, Executor>;
using Resume = asio::use_awaitable_t<Executor>;

/// The completion token of every awaited operation: the error goes into `error`, nothing throws.
inline auto into(ErrorCode& error) {
  return asio::redirect_error(Resume{}, error);
}

class Wheel;

/// A place in one of the wheel's slots: a ring of links that the slot itself closes.
struct WheelLink {
  WheelLink* previous = this;
  WheelLink* next = this;
  bool alone() const { return next == this; }
};

/// A point in world time at which something waiting is given up. Owned by what waits; armed and disarmed at will;
/// after it ran out expired() is true until it is armed anew. on_expired() runs on the reactor's thread and
/// typically cancels a socket's operations.
class Deadline : private WheelLink {
 public:
  explicit Deadline(Wheel& wheel) : wheel_(wheel) {}
  virtual ~Deadline();
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  void arm(base::Instant at);
  void disarm() { at_ = base::Instant::max(); }
  bool expired() const { return expired_; }

 protected:
  virtual void on_expired() = 0;

 private:
  friend class Wheel;
  Wheel& wheel_;
  base::Instant at_ = base::Instant::max();
  bool expired_ = false;
};

/// Slots of a few milliseconds of real time; a deadline fires at most one slot late, never early. A deadline that
/// was moved later stays in its slot and is put further on when the slot comes round, so that re-arming costs
/// nothing.
class Wheel {
 public:
  Wheel(asio::io_context& io, const Clock& clock);
  ~Wheel();
  const Clock& clock() const { return clock_; }

 private:
  friend class Deadline;
  static constexpr std::size_t slot_count = 1024;
  static constexpr std::chrono::milliseconds tick{5};

  void insert(Deadline& deadline);
  void remove(Deadline& deadline);
  void turn();
  void schedule();
  std::int64_t tick_of(base::Instant at) const;

  const Clock& clock_;
  asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>
      timer_;
  std::vector<WheelLink> slots_{slot_count};
  base::Duration tick_world_;  // one tick in world time
  std::int64_t current_ = 0;   // the last tick that was turned
  std::size_t armed_ = 0;
  bool running_ = false;
};

/// A wait for something that another coroutine of the same reactor brings about. One waiter at a time.
class Signal {
 public:
  explicit Signal(Executor executor) : executor_(executor) {}
  /// Returns at the next set(), or at once when set() came since the last wait.
  Task<void> wait();
  void set();

 private:
  Executor executor_;
  std::move_only_function<void()> waiter_;
  bool set_ = false;
};

/// Suspends for a span of world time.
Task<void> sleep_for(base::Duration world, const Clock& clock);

struct Reactor {
  Reactor(std::uint32_t index_, const Clock& clock_) : index(index_), clock(clock_), io(1), wheel(io, clock_) {}
  std::uint32_t index;
  const Clock& clock;
  asio::io_context io;
  Wheel wheel;
};

}  // namespace portolan::world
