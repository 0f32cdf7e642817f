// SPDX-License-Identifier: Apache-2.0
#include "world/core_dumps.h"

#include <fstream>
#include <gtest/gtest.h>
#include <string>

namespace portolan::world {
namespace {

TEST(CoreDumps, HoldNoMemoryAfterwards) {
  ASSERT_TRUE(keep_memory_out_of_core_dumps());
  std::ifstream filter("/proc/self/coredump_filter");
  std::string mask;
  ASSERT_TRUE(filter >> mask) << "this kernel writes no cores";
  EXPECT_EQ(std::stoul(mask, nullptr, 16), 0x10u);
}

}  // namespace
}  // namespace portolan::world
