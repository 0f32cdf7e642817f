// SPDX-License-Identifier: Apache-2.0
#include "world/reactor.h"

#include <algorithm>

#include "base/check.h"

namespace portolan::world {

Deadline::~Deadline() {
  wheel_.remove(*this);
}

void Deadline::arm(base::Instant at) {
  expired_ = false;
  const bool sooner = at < at_;
  at_ = at;
  // Later than before and already in a slot: that slot will put it on. Sooner, or in none: it must move now.
  if (alone() || sooner) wheel_.insert(*this);
}

Wheel::Wheel(asio::io_context& io, const Clock& clock) : clock_(clock), timer_(io.get_executor()) {
  // The smallest world span that takes a tick of real time.
  const double scale = 1e9 / static_cast<double>(clock.to_real(base::seconds{1}).count());
  tick_world_ = base::Duration{std::max<std::int64_t>(
      1, static_cast<std::int64_t>(static_cast<double>(base::Duration{tick}.count()) * scale))};
  current_ = tick_of(clock_.now());
}

Wheel::~Wheel() {
  for (WheelLink& slot : slots_)
    while (!slot.alone()) remove(static_cast<Deadline&>(*slot.next));
}

std::int64_t Wheel::tick_of(base::Instant at) const {
  return at.time_since_epoch() / tick_world_;
}

void Wheel::insert(Deadline& deadline) {
  remove(deadline);
  if (!running_) current_ = tick_of(clock_.now());
  // Rounded up: never early. Beyond one turn of the wheel it waits in the furthest slot and is put on from there.
  const std::int64_t due = tick_of(deadline.at_) + 1;
  const std::int64_t furthest = current_ + static_cast<std::int64_t>(slot_count) - 1;
  const std::int64_t at = std::clamp(due, current_ + 1, furthest);
  WheelLink& slot = slots_[static_cast<std::size_t>(at) % slot_count];
  WheelLink& link = deadline;
  link.previous = slot.previous;
  link.next = &slot;
  slot.previous->next = &link;
  slot.previous = &link;
  ++armed_;
  if (!running_) {
    running_ = true;
    schedule();
  }
}

void Wheel::remove(Deadline& deadline) {
  WheelLink& link = deadline;
  if (link.alone()) return;
  link.previous->next = link.next;
  link.next->previous = link.previous;
  link.previous = link.next = &link;
  --armed_;
}

void Wheel::schedule() {
  // At the edge of the next tick, not one tick from now: turns would drift and deadlines be two ticks late.
  const base::Instant next{tick_world_ * (current_ + 1)};
  timer_.expires_after(std::clamp<base::Duration>(clock_.to_real(next - clock_.now()), base::Duration{1}, tick));
  timer_.async_wait([this](const ErrorCode& error) {
    if (!error) turn();
  });
}

void Wheel::turn() {
  const base::Instant now = clock_.now();
  const std::int64_t until = tick_of(now);
  // After a long sleep of the process one whole turn visits every slot.
  const std::int64_t from = std::max(current_ + 1, until - static_cast<std::int64_t>(slot_count) + 1);
  for (std::int64_t at = from; at <= until; ++at) {
    current_ = at;
    WheelLink& slot = slots_[static_cast<std::size_t>(at) % slot_count];
    // What fires may arm or destroy other deadlines; new ones land in later slots, so this ring only shrinks.
    while (!slot.alone()) {
      Deadline& due = static_cast<Deadline&>(*slot.next);
      remove(due);
      if (due.at_ == base::Instant::max()) continue;  // disarmed since
      if (due.at_ > now) {
        insert(due);
      } else {
        due.at_ = base::Instant::max();
        due.expired_ = true;
        due.on_expired();
      }
    }
  }
  if (armed_ == 0) {
    running_ = false;
    return;
  }
  schedule();
}

Task<void> Signal::wait() {
  if (set_) {
    set_ = false;
    co_return;
  }
  co_await asio::async_initiate<const Resume, void()>(
      [this](auto handler) {
        CHECK(!waiter_);
        waiter_ = [kept = std::move(handler)]() mutable { std::move(kept)(); };
      },
      Resume{});
}

void Signal::set() {
  if (!waiter_) {
    set_ = true;
    return;
  }
  asio::post(executor_, std::exchange(waiter_, nullptr));
}

Task<void> sleep_for(base::Duration world, const Clock& clock) {
  auto executor = co_await asio::this_coro::executor;
  asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>
      timer(executor);
  timer.expires_after(clock.to_real(world));
  ErrorCode error;
  co_await timer.async_wait(into(error));
}

}  // namespace portolan::world
