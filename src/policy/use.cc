// SPDX-License-Identifier: Apache-2.0
#include "policy/use.h"

#include <algorithm>

#include "policy/replay.h"
#include "policy/sentence.h"

namespace portolan::policy {

using domain::RecordedCall;

Target UsedCell::target(const domain::Catalog& catalog) const {
  Target target{.source = source};
  if (is_profile) target.profile = catalog.find_profile(called);
  target.model = target.profile != nullptr ? target.profile->model : catalog.find_model(called);
  return target;
}

void Use::add(const Use& other) {
  calls += other.calls;
  last = std::max(last, other.last);
  regions = regions | other.regions;
}

void Uses::add(const RecordedCall& call) {
  const bool was_served = call.outcome == RecordedCall::Outcome::served;
  if (!was_served && (call.outcome == RecordedCall::Outcome::denied || call.tried.empty())) return;
  ++calls_;
  const RecordedTarget target = recorded_target(call, *catalog_);
  if (!target.needs.empty()) {
    ++not_in_catalog_[target.needs.front()];
    return;
  }
  UsedCell cell{.principal = call.principal,
                .account = call.account,
                .action = std::string{action(target.inference)},
                .called = call.profile.empty() ? call.model : call.profile,
                .is_profile = !call.profile.empty(),
                .source = target.inference.source};
  if (cell.is_profile) cell.mode = mode_.value_or(mode_named(call.mode).value_or(Mode::strict));
  Use use{.calls = 1, .last = call.at};
  const auto note = [&](const std::string& name) {
    const domain::RegionIndex region = catalog_->find_region(name);
    if (region != domain::region_none) use.regions.add(region);
  };
  note(call.inference_region);
  for (const std::string& name : call.tried) note(name);
  cells_[std::move(cell)].add(use);
}

}  // namespace portolan::policy
