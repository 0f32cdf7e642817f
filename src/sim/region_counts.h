// SPDX-License-Identifier: Apache-2.0
// What one Region saw with its own eyes: connections, bytes and requests. The boundary is checked against these
// numbers, so they come from the Region's sockets and from nothing else. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace portolan::sim {

struct RegionCounts {
  struct OfModel {
    std::uint64_t requests = 0;
    std::uint64_t input_tokens = 0;
    std::uint64_t output_tokens = 0;
  };

  std::uint64_t connections_accepted = 0;
  std::uint64_t connections_open = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::uint64_t bad_signatures = 0;
  /// By operation ("Converse"; "?" when the request named none), then by outcome: served, throttled, unavailable,
  /// invalid, absent, error, bad_signature, reset, dropped, cut, stalled, malformed, abandoned. Every request is
  /// counted once, when its outcome is known: before the last byte of its reply leaves.
  std::map<std::string, std::map<std::string, std::uint64_t, std::less<>>, std::less<>> requests;
  std::map<std::string, OfModel, std::less<>> models;

  void count(std::string_view operation, std::string_view outcome) {
    ++requests.try_emplace(std::string(operation)).first->second.try_emplace(std::string(outcome)).first->second;
  }
  /// Everything but what is open starts anew.
  void reset() { *this = RegionCounts{.connections_open = connections_open}; }
};

}  // namespace portolan::sim
