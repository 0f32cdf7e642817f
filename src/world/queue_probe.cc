// SPDX-License-Identifier: Apache-2.0
#include "world/queue_probe.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"

namespace portolan::world {

namespace {

constexpr base::Duration pause = base::milliseconds{10};

base::Instant real_time() {
  return base::Instant{std::chrono::steady_clock::now().time_since_epoch()};
}

}  // namespace

QueueProbe::QueueProbe(Reactor& reactor, Told told)
    : told_(std::move(told)), descriptor_(reactor.io.get_executor()) {
  const int descriptor = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (descriptor < 0) return;  // no descriptor left: nothing is measured, and nothing is held against callers
  ErrorCode error;
  descriptor_.assign(descriptor, error);
  CHECK(!error);
}

base::Instant QueueProbe::ask() {
  const base::Instant now = real_time();
  if (!under_way_ && now >= next_at_) send(now);
  return now;
}

void QueueProbe::send(base::Instant real_now) {
  if (!descriptor_.is_open()) return;
  under_way_ = true;
  sent_at_ = real_now;
  descriptor_.async_read_some(asio::buffer(&value_, sizeof value_), [this](const ErrorCode& error, std::size_t) {
    if (error) return;  // the reactor ends
    under_way_ = false;
    const base::Instant back = real_time();
    next_at_ = back + pause;
    told_(back - sent_at_, back);
  });
  const std::uint64_t one = 1;
  const ssize_t written = ::write(descriptor_.native_handle(), &one, sizeof one);
  CHECK(written == sizeof one);  // an eventfd takes a one whenever its counter was read
}

}  // namespace portolan::world
