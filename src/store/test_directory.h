// SPDX-License-Identifier: Apache-2.0
// A directory for one test, gone afterwards.
#pragma once

#include <filesystem>
#include <gtest/gtest.h>
#include <string>

namespace portolan::store {

class TestDirectory : public ::testing::Test {
 protected:
  TestDirectory() {
    std::string name = testing::TempDir() + "portolan-store-XXXXXX";
    directory_ = ::mkdtemp(name.data());
  }
  ~TestDirectory() override { std::filesystem::remove_all(directory_); }

  std::string file(const std::string& name) const { return directory_ + "/" + name; }

 private:
  std::string directory_;
};

}  // namespace portolan::store
