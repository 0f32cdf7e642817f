// SPDX-License-Identifier: Apache-2.0
// Stop 9: what happened? Between the trail's writer thread and the reactors' coroutines.
//
// A call that has its record waits here until the record is on stable storage. The writer reports a whole group at
// a time, and each reactor is woken once for all of its calls in the group.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "trail/trail.h"
#include "world/reactor.h"

namespace portolan::gateway {

class Recorder {
 public:
  /// `reactors` are woken; they outlive the recorder, and keep running until flush() returned.
  static base::Result<std::unique_ptr<Recorder>> open(trail::TrailOptions options, world::Disk& disk,
                                                      std::vector<world::Reactor*> reactors);

  /// Returns when `json` is durable, or Code::unrecordable. Called on the reactor `reactor`.
  world::Task<base::Result<void>> durable(std::string json, std::uint32_t reactor);

  void flush() { trail_->flush(); }
  const trail::Trail& trail() const { return *trail_; }
  trail::Trail& trail() { return *trail_; }

 private:
  struct Waiting {
    trail::Entry entry;
    std::move_only_function<void()> resume;
  };
  explicit Recorder(std::vector<world::Reactor*> reactors) : reactors_(std::move(reactors)) {}
  void report(std::span<trail::Entry*> group);

  std::vector<world::Reactor*> reactors_;
  std::unique_ptr<trail::Trail> trail_;
};

}  // namespace portolan::gateway
