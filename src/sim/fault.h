// SPDX-License-Identifier: Apache-2.0
// What can go wrong at a Region, on command: the kinds, their words on the command line, and which of the faults in
// force hit one request.
//
//   refuse               new connections are refused; open ones are reset
//   drop                 connections are accepted and nothing is ever answered; answers in progress fall silent
//   slow N               every time is N times as long
//   first-token DUR      the first token takes DUR (world time)
//   throttle             429 ThrottlingException
//   unavailable          503 ServiceUnavailableException
//   error [STATUS]       an error of that status, 400 to 599 (500)
//   cut TOKENS           after so many tokens the connection closes without an end
//   stall [TOKENS]       after so many tokens (0) nothing more is sent; the connection stays open
//   malformed            event-stream frames with a wrong CRC; JSON bodies that end too soon
//   version-absent MODEL 404 ResourceNotFoundException for that model version
//
// With a share below 1 a fault hits that share of the requests: refuse then resets the connection of the request,
// and drop leaves just that request without an answer.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "base/time.h"
#include "sim/region_model.h"

namespace portolan::sim {

enum class FaultKind : std::uint8_t {
  refuse,
  drop,
  slow,
  first_token,
  throttle,
  unavailable,
  error,
  cut,
  stall,
  malformed,
  version_absent,
};
/// "first-token".
std::string_view name(FaultKind kind);

struct Fault {
  FaultKind kind = FaultKind::refuse;
  double factor = 1;             // slow
  base::Duration first_token{};  // first-token
  int status = 500;              // error
  std::uint32_t tokens = 0;      // cut, stall
  std::string model;             // version-absent
  double share = 1;              // of the requests, above 0 and up to 1
  base::Duration duration{};     // wall clock; zero: until cleared
};

/// Reads a fault from its words. Fails with Code::usage, saying what is allowed.
base::Result<Fault> parse_fault(std::string_view kind, std::span<const std::string> arguments, double share = 1,
                                base::Duration duration = {});
/// The words that parse_fault reads, then what is not default of share and duration: "slow 3 --share 0.5 --for
/// 10s".
std::string format_fault(const Fault& fault);

/// What the faults in force do to one request.
struct FaultPlan {
  bool reset = false;
  bool silent = false;
  bool malformed = false;
  std::optional<Refusal> refusal;
  double slow = 1;
  std::optional<base::Duration> first_token;
  std::optional<std::uint32_t> cut_after;
  std::optional<std::uint32_t> stall_after;
};

/// The faults in force at one Region: at most one of each kind (of version-absent: one for each model).
class FaultBoard {
 public:
  explicit FaultBoard(std::uint64_t seed) : random_(seed) {}

  /// Puts a fault in force in place of the one of its kind; returns an id for remove().
  std::uint64_t put(Fault fault);
  /// Takes the fault with that id away; false when it was replaced or cleared before.
  bool remove(std::uint64_t id);
  void clear() { entries_.clear(); }

  /// True when the listener has to be closed: refuse with share 1.
  bool refuses_all() const { return holds_all(FaultKind::refuse); }
  /// True when the Region has to fall silent: drop with share 1.
  bool silences_all() const { return holds_all(FaultKind::drop); }

  FaultPlan draw(std::string_view model);
  std::vector<std::string> describe() const;

 private:
  struct Entry {
    std::uint64_t id;
    Fault fault;
  };

  bool holds_all(FaultKind kind) const;

  base::Random random_;
  std::uint64_t next_id_ = 1;
  std::vector<Entry> entries_;
};

}  // namespace portolan::sim
