// SPDX-License-Identifier: Apache-2.0
#include "world/disk.h"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace portolan::world {
namespace {

class RealDiskTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string path = testing::TempDir() + "portolan-disk-XXXXXX";
    ASSERT_NE(::mkdtemp(path.data()), nullptr);
    root_ = path;
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  std::unique_ptr<File> opened(const std::string& path) {
    auto file = disk_->open(path);
    EXPECT_TRUE(file) << file.error().message;
    return file ? *std::move(file) : nullptr;
  }
  static unsigned mode(const std::string& path) {
    struct stat facts{};
    EXPECT_EQ(::stat(path.c_str(), &facts), 0);
    return facts.st_mode & 0777;
  }

  std::unique_ptr<Disk> disk_ = real_disk();
  std::string root_;
};

TEST_F(RealDiskTest, AppendsReadsTruncatesAndTellsTheSize) {
  const std::string path = root_ + "/file";
  const auto file = opened(path);
  ASSERT_TRUE(file->append("hello "));
  ASSERT_TRUE(file->append("world"));
  ASSERT_TRUE(file->sync());
  EXPECT_EQ(*file->size(), 11u);
  EXPECT_EQ(*file->read(0, 100), "hello world");
  EXPECT_EQ(*file->read(6, 3), "wor");
  EXPECT_EQ(*file->read(11, 3), "");
  ASSERT_TRUE(file->truncate(5));
  ASSERT_TRUE(file->append("!")) << "goes to the new end";
  EXPECT_EQ(*opened(path)->read(0, 100), "hello!");
}

TEST_F(RealDiskTest, CreatesDirectoriesAndFilesForTheirOwnerOnly) {
  const std::string directory = root_ + "/a/b/c";
  ASSERT_TRUE(disk_->make_directory(directory));
  ASSERT_TRUE(disk_->make_directory(directory)) << "it may exist";
  EXPECT_EQ(mode(root_ + "/a"), 0700u);
  EXPECT_EQ(mode(directory), 0700u);
  opened(directory + "/file");
  EXPECT_EQ(mode(directory + "/file"), 0600u);
  const auto in_the_way = disk_->make_directory(directory + "/file");
  ASSERT_FALSE(in_the_way);
  EXPECT_EQ(in_the_way.error().code, base::Code::disk);
  EXPECT_FALSE(disk_->make_directory(directory + "/file/below"));
}

TEST_F(RealDiskTest, ListsNamesSortedRenamesAndRemoves) {
  for (const char* name : {"/c", "/a", "/b"}) opened(root_ + name);
  EXPECT_EQ(*disk_->list(root_), (std::vector<std::string>{"a", "b", "c"}));
  ASSERT_TRUE(disk_->rename(root_ + "/a", root_ + "/d"));
  ASSERT_TRUE(disk_->remove(root_ + "/b"));
  ASSERT_TRUE(disk_->sync_directory(root_));
  EXPECT_EQ(*disk_->list(root_), (std::vector<std::string>{"c", "d"}));
}

TEST_F(RealDiskTest, NamesThePlaceAndTheReasonWhenItCannot) {
  const std::string absent = root_ + "/absent";
  const auto file = disk_->open_existing(absent);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, base::Code::disk);
  EXPECT_EQ(file.error().message, absent + ": cannot open: No such file or directory");
  EXPECT_FALSE(disk_->open(absent + "/file"));
  EXPECT_FALSE(disk_->list(absent));
  EXPECT_FALSE(disk_->rename(absent, root_ + "/x"));
  EXPECT_FALSE(disk_->remove(absent));
  EXPECT_FALSE(disk_->sync_directory(absent));
  EXPECT_FALSE(disk_->lock(absent));
}

TEST_F(RealDiskTest, OpensAnExistingFileForReadingOnly) {
  opened(root_ + "/file");
  const auto file = disk_->open_existing(root_ + "/file");
  ASSERT_TRUE(file);
  EXPECT_FALSE((*file)->append("x"));
}

TEST_F(RealDiskTest, LocksADirectoryForOneOwnerAtATime) {
  auto first = disk_->lock(root_);
  ASSERT_TRUE(first);
  const auto second = real_disk()->lock(root_);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find(root_), std::string::npos);
  first->reset();
  EXPECT_TRUE(disk_->lock(root_));
}

TEST_F(RealDiskTest, FailsAnAppendThatTheSystemCutShort) {
  const auto file = opened(root_ + "/file");
  struct rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{.rlim_cur = 1000, .rlim_max = before.rlim_max};
  auto* const handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto written = file->append(std::string(1500, 'x'));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().message, root_ + "/file: cannot append: File too large");
  EXPECT_EQ(*file->size(), 1000u) << "the first write took a part";
}

}  // namespace
}  // namespace portolan::world
