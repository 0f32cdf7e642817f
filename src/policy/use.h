// SPDX-License-Identifier: Apache-2.0
// What recorded calls used: who called what, from where, and in which Regions it ran.
//
// A call counts when policies let it pass and a Region was asked: it was served, or failed at a Region. One that
// was denied used nothing.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "domain/recorded_call.h"
#include "policy/cells.h"

namespace portolan::policy {

/// Calls that ask policies the same, but for what differs from request to request.
struct UsedCell {
  std::string principal;  // ARN, as it called
  std::string account;
  std::string action;
  std::string called;  // profile or model, by id
  bool is_profile = true;
  domain::RegionIndex source = domain::region_none;
  Mode mode = Mode::strict;
  friend auto operator<=>(const UsedCell&, const UsedCell&) = default;

  /// In a catalog that has it.
  Target target(const domain::Catalog& catalog) const;
};

struct Use {
  std::uint64_t calls = 0;
  base::WallTime last{};
  domain::RegionMask regions;  // that were asked

  void add(const Use& other);
};

class Uses {
 public:
  /// `mode`: of every call; empty: as recorded, and strict where it was not, which asks for the most.
  explicit Uses(std::shared_ptr<const domain::Catalog> catalog, std::optional<Mode> mode = std::nullopt)
      : catalog_(std::move(catalog)), mode_(mode) {}

  void add(const domain::RecordedCall& call);

  const std::map<UsedCell, Use>& cells() const { return cells_; }
  std::uint64_t calls() const { return calls_; }
  /// Calls of what the catalog does not have, by what that is ("profile eu.x in the catalog"): no evidence.
  const std::map<std::string, std::uint64_t>& not_in_catalog() const { return not_in_catalog_; }
  const std::shared_ptr<const domain::Catalog>& catalog() const { return catalog_; }

 private:
  std::shared_ptr<const domain::Catalog> catalog_;
  std::optional<Mode> mode_;
  std::map<UsedCell, Use> cells_;
  std::map<std::string, std::uint64_t> not_in_catalog_;
  std::uint64_t calls_ = 0;
};

}  // namespace portolan::policy
