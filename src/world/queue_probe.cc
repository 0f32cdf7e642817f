// SPDX-License-Identifier: Apache-2.0
#include "world/queue_probe.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"

namespace portolan::world {

namespace {
constexpr base::Duration pause = base::milliseconds{10};  // real time between two probes

base::Duration to_world(base::Duration real, const Clock& clock) {
  const double scale = 1e9 / static_cast<double>(clock.to_real(base::seconds{1}).count());
  return base::Duration{static_cast<std::int64_t>(static_cast<double>(real.count()) * scale)};
}
}  // namespace

QueueProbe::QueueProbe(Reactor& reactor, Told told)
    : clock_(reactor.clock),
      told_(std::move(told)),
      descriptor_(reactor.io.get_executor()),
      pause_world_(to_world(pause, reactor.clock)) {
  const int descriptor = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (descriptor < 0) return;  // no descriptor left: nothing is measured, and nothing is held against callers
  ErrorCode error;
  descriptor_.assign(descriptor, error);
  CHECK(!error);
}

void QueueProbe::send(base::Instant now) {
  if (!descriptor_.is_open()) return;
  under_way_ = true;
  sent_at_ = now;
  descriptor_.async_read_some(asio::buffer(&value_, sizeof value_), [this](const ErrorCode& error, std::size_t) {
    if (error) return;  // the reactor ends
    under_way_ = false;
    const base::Instant back = clock_.now();
    next_at_ = back + pause_world_;
    told_(clock_.to_real(back - sent_at_), back);
  });
  const std::uint64_t one = 1;
  const ssize_t written = ::write(descriptor_.native_handle(), &one, sizeof one);
  CHECK(written == sizeof one);  // an eventfd takes a one whenever its counter was read
}

}  // namespace portolan::world
