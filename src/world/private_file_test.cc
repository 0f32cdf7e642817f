// SPDX-License-Identifier: Apache-2.0
#include "world/private_file.h"

#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace portolan::world {
namespace {

using testing::HasSubstr;

class PrivateFile : public testing::Test {
 protected:
  PrivateFile() {
    std::string name = (std::filesystem::temp_directory_path() / "portolan-private-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~PrivateFile() override { std::filesystem::remove_all(folder_); }

  std::string at(std::string_view name) const { return folder_ + "/" + std::string{name}; }
  static unsigned mode(const std::string& path) {
    struct stat facts{};
    EXPECT_EQ(::stat(path.c_str(), &facts), 0);
    return facts.st_mode & 07777u;
  }

 private:
  std::string folder_;
};

TEST_F(PrivateFile, IsItsOwnersAloneAndReadBack) {
  ASSERT_TRUE(write_private(at("key"), "a secret\n"));
  EXPECT_EQ(mode(at("key")), 0600u);
  EXPECT_EQ(read_private(at("key"), 100)->reveal(), "a secret\n");
  EXPECT_EQ(read_private(at("key"), 3)->reveal(), "a se");
  ASSERT_TRUE(write_private(at("key"), "short"));
  EXPECT_EQ(read_private(at("key"), 100)->reveal(), "short");
}

TEST_F(PrivateFile, IsWrittenOnceAndThenLeftAlone) {
  EXPECT_EQ(write_private_once(at("key"), "the first"), true);
  EXPECT_EQ(write_private_once(at("key"), "the second"), false);
  EXPECT_EQ(read_private(at("key"), 100)->reveal(), "the first");
  EXPECT_FALSE(write_private_once(at("nowhere/key"), "x"));
}

TEST_F(PrivateFile, IsRefusedWhenOthersMayUseIt) {
  ASSERT_TRUE(write_private(at("key"), "a secret"));
  ASSERT_EQ(::chmod(at("key").c_str(), 0604), 0);
  const auto refused = read_private(at("key"), 100);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("others than its owner may use it (mode 0604); chmod 600 it"));
  EXPECT_FALSE(check_owner_only(at("key")));
}

TEST_F(PrivateFile, IsNeitherFolderNorFifoNorLink) {
  EXPECT_THAT(read_private(at(""), 100).error().message, HasSubstr("not a regular file"));
  ASSERT_EQ(::mkfifo(at("fifo").c_str(), 0600), 0);
  EXPECT_THAT(read_private(at("fifo"), 100).error().message, HasSubstr("not a regular file"));
  ASSERT_EQ(::symlink("elsewhere", at("link").c_str()), 0);
  EXPECT_FALSE(write_private(at("link"), "x"));
  EXPECT_FALSE(std::filesystem::exists(at("elsewhere")));
}

TEST_F(PrivateFile, ThatIsLackingIsSoNamed) {
  EXPECT_THAT(read_private(at("none"), 100).error().message, HasSubstr("No such file"));
}

}  // namespace
}  // namespace portolan::world
