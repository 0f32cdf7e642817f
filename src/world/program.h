// SPDX-License-Identifier: Apache-2.0
// Another program's answer: how a secret is fetched from where it is kept (`cmd:` references).
//
// No shell is involved: the words are the program's path and its arguments as they stand. It gets this process's
// environment without the variables whose names begin with PORTOLAN_ (those are ours, secrets among them), nothing
// on its standard input, and none of our descriptors. What it says on standard error is dropped, since that may be
// a secret too.
#pragma once

#include <chrono>
#include <spawn.h>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/secret.h"

namespace portolan::world {

struct ProgramLimits {
  std::chrono::milliseconds within{10'000};  // real time, from its start to its end
  std::size_t output_bytes_max = 64 * 1024;
};

/// Runs `words` and gives what it wrote to standard output. Blocks; any thread. At its deadline, or when it writes
/// too much, its whole process group is killed. Code::disk when it cannot be started, says too much, takes too long
/// or ends with another exit code than 0; the message never holds its output.
base::Result<base::Secret> output_of(const std::vector<std::string>& words, ProgramLimits limits = {});

/// What posix_spawn is told, freed at the end whatever happens.
struct SpawnOrders {
  SpawnOrders();
  ~SpawnOrders();
  SpawnOrders(const SpawnOrders&) = delete;
  SpawnOrders& operator=(const SpawnOrders&) = delete;
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
};

/// How a process ended, from what waitpid gave: "it ended with exit code 2", "signal 9 ended it".
std::string ending(int status);

}  // namespace portolan::world
