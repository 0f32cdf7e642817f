// SPDX-License-Identifier: Apache-2.0
#include "gateway/recorder.h"

namespace portolan::gateway {

using base::Code;
using base::Result;

Result<std::unique_ptr<Recorder>> Recorder::open(trail::TrailOptions options, world::Disk& disk,
                                                 std::vector<world::Reactor*> reactors) {
  std::unique_ptr<Recorder> recorder{new Recorder(std::move(reactors))};
  TRY(recorder->trail_,
      trail::Trail::open(std::move(options), disk,
                         [recorder = recorder.get()](std::span<trail::Entry*> group) { recorder->report(group); }));
  return recorder;
}

world::Task<Result<void>> Recorder::durable(std::string json, std::uint32_t reactor) {
  Waiting waiting;
  waiting.entry.json = std::move(json);
  waiting.entry.reactor = reactor;
  waiting.entry.waiter = &waiting;
  bool taken = true;
  co_await world::asio::async_initiate<const world::Resume, void()>(
      [this, &waiting, &taken](auto handler) {
        // Kept before the entry is handed over: from then on the writer may report it at any moment.
        waiting.resume = [kept = std::move(handler)]() mutable { std::move(kept)(); };
        taken = trail_->append(&waiting.entry);
        if (!taken) world::asio::post(reactors_[waiting.entry.reactor]->io, std::move(waiting.resume));
      },
      world::Resume{});
  if (!taken || waiting.entry.failed)
    co_return base::fail(Code::unrecordable,
                         "The call could not be recorded, so it is not answered. Try again later.");
  co_return Result<void>{};
}

void Recorder::report(std::span<trail::Entry*> group) {
  // Sorted first, then posted: a reactor that was woken destroys its entries while another's are still to be told.
  std::vector<std::vector<Waiting*>> woken(reactors_.size());
  for (trail::Entry* entry : group) woken[entry->reactor].push_back(static_cast<Waiting*>(entry->waiter));
  for (std::size_t reactor = 0; reactor < reactors_.size(); ++reactor) {
    if (woken[reactor].empty()) continue;
    world::asio::post(reactors_[reactor]->io, [waits = std::move(woken[reactor])] {
      // Each resumes its coroutine, which destroys the Waiting: the function is moved out first.
      for (Waiting* waiting : waits) std::exchange(waiting->resume, nullptr)();
    });
  }
}

}  // namespace portolan::gateway
