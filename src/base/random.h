// SPDX-License-Identifier: Apache-2.0
// Chance as a value: a small seeded generator that judges and the Region model carry, so that one seed rebuilds a
// run. Not for secrets: keys and nonces come from OpenSSL's RAND_bytes.
#pragma once

#include <cstdint>
#include <string>

namespace portolan::base {

/// xoshiro256** seeded through splitmix64 (Blackman and Vigna, prng.di.unimi.it; public domain algorithm).
class Random {
 public:
  explicit Random(std::uint64_t seed);
  std::uint64_t next();
  /// Uniform in [0, 1).
  double uniform();
  /// Uniform in [0, bound); bound > 0.
  std::uint64_t below(std::uint64_t bound);
  /// Standard normal.
  double normal();
  /// Exponential with mean 1.
  double exponential();

 private:
  std::uint64_t state_[4];
};

/// A version-4 UUID in its 36-character form, drawn from `random`.
std::string uuid(Random& random);

}  // namespace portolan::base
